"""RFC 1123 dates."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.auth.dates import http_date, parse_http_date
from localzure.services.interface import SECOND, Instant


@given(st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants bounds without a zone
def test_dates_are_what_the_standard_library_makes_of_them(moment: datetime) -> None:
    instant = Instant((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * SECOND)
    text = format_datetime(moment.replace(microsecond=0), usegmt=True)
    assert http_date(instant) == text
    assert parse_http_date(text) == instant


def test_a_fraction_of_a_second_is_cut_off() -> None:
    assert http_date(Instant(784_111_777_999_999)) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    ],
)
def test_other_forms_are_no_dates(text: str) -> None:
    assert parse_http_date(text) is None
