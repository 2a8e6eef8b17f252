"""The dates of HTTP headers: RFC 1123 text to instants and back.

Clients date their requests in this form, and replies carry it in several headers each, so both directions remember
what they did last: a second's text is made once, and most requests of a second bear the same date.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from localzure.services.interface import SECOND, Instant

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400

_FORM = re.compile(rf"(?:{'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)


@lru_cache(maxsize=256)
def parse_http_date(text: str) -> Instant | None:
    """Return the instant of `Sun, 06 Nov 1994 08:49:37 GMT`, or None for any other form (RFC 9110, section 5.6.7)."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        return None
    try:
        ordinal = date(int(year), _MONTHS.index(month) + 1, int(day)).toordinal()
    except ValueError:
        return None
    seconds = (ordinal - _EPOCH) * _DAY_SECONDS + int(hour) * 3600 + int(minute) * 60 + int(second)
    return Instant(seconds * SECOND)


def http_date(instant: Instant) -> str:
    """Return the text of an instant, its fraction of a second cut off."""
    return _second_text(instant // SECOND)


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    days, rest = divmod(second, _DAY_SECONDS)
    day = date.fromordinal(_EPOCH + days)
    return (
        f"{_DAYS[day.weekday()]}, {day.day:02} {_MONTHS[day.month - 1]} {day.year:04} "
        f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} GMT"
    )
