"""ISO 8601 durations as Azure writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.services.servicebus.durations import (
    FOREVER,
    MICROSECONDS,
    format_duration,
    format_time_span,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("PT30S", 30 * MICROSECONDS),
        ("PT1M", 60 * MICROSECONDS),
        ("PT1H30M", 5400 * MICROSECONDS),
        ("P14D", 14 * 86400 * MICROSECONDS),
        ("P1DT1H1M1.5S", 90061 * MICROSECONDS + 500_000),
        ("PT0S", 0),
        ("P10675199DT2H48M5.4775807S", FOREVER),
        ("P99999999999D", FOREVER),
        ("P10675199DT10085.477539S", FOREVER),
        ("PT256204778H48M5.4775807S", FOREVER),
        ("P10675199DT2H48M4.4S", FOREVER - 1_077_580),
        ("PT0.1234567S", 123_456),
    ],
)
def test_what_azure_writes_is_read(text: str, microseconds: int) -> None:
    assert parse_duration(text) == microseconds


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1M", "PT1X", "P1Y", "P1M", "PT-1S", "PT1S ", "pt1s", "P1W", "PT٣S"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 8601 duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "PT0S"),
        (60 * MICROSECONDS, "PT1M"),
        (86400 * MICROSECONDS, "P1D"),
        (90061 * MICROSECONDS + 500_000, "P1DT1H1M1.5S"),
        (10 * MICROSECONDS, "PT10S"),
        (FOREVER, "P10675199DT2H48M5.4775807S"),
        (FOREVER + 1, "P10675199DT2H48M5.4775807S"),
    ],
)
def test_durations_are_written_as_azure_does(microseconds: int, text: str) -> None:
    assert format_duration(microseconds) == text


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (5 * MICROSECONDS, "00:00:05"),
        (7 * 86400 * MICROSECONDS, "7.00:00:00"),
        (90061 * MICROSECONDS + 500_000, "1.01:01:01.5000000"),
        (FOREVER, "10675199.02:48:05.4775807"),
    ],
)
def test_durations_are_written_as_in_azures_errors(microseconds: int, text: str) -> None:
    assert format_time_span(microseconds) == text


@given(st.integers(0, FOREVER - MICROSECONDS) | st.just(FOREVER))
def test_what_is_written_is_read_back(microseconds: int) -> None:
    assert parse_duration(format_duration(microseconds)) == microseconds
