"""Points in time as text, exact to 100 nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.services.storage_rest.iso8601 import (
    TICKS_STOP,
    format_ticks,
    format_ticks_in_full,
    parse_ticks,
)

NOON = 638_992_368_000_000_000
"""2025-11-20T12:00:00Z."""


def test_the_anchor_is_what_datetime_says() -> None:
    assert (datetime(2025, 11, 20, 12, tzinfo=UTC) - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    ) * 10 == NOON


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("2025-11-20T12:00:00Z", NOON),
        ("2025-11-20T12:00Z", NOON),
        ("2025-11-20T12:00:00", NOON),
        ("2025-11-20T13:30:00+01:30", NOON),
        ("2025-11-20T10:30-01:30", NOON),
        ("2025-11-20", NOON - 12 * 36_000_000_000),
        ("2025-11-20T12:00:00.1Z", NOON + 1_000_000),
        ("2025-11-20T12:00:00.1234567Z", NOON + 1_234_567),
        ("2025-11-20T12:00:00.123456789Z", NOON + 1_234_567),
        ("0001-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59.9999999Z", TICKS_STOP - 1),
    ],
)
def test_the_forms_that_azure_reads(text: str, ticks: int) -> None:
    assert parse_ticks(text) == ticks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "2025-11-20T",
        "2025-11-20T12Z",
        "2025-13-20T12:00:00Z",
        "2025-02-30T12:00:00Z",
        "2025-11-20T24:00:00Z",
        "2025-11-20T12:60:00Z",
        "2025-11-20T12:00:60Z",
        "2025-11-20T12:00:00.Z",
        "2025-11-20T12:00:00+15:00",
        "2025-11-20T12:00:00+01:60",
        "2025-11-20T12:00:00 Z",
        "2025-11-20T12:00:00Z\n",
        "٢٠٢٥-11-20T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_ticks(text) is None


def test_zeros_at_the_end_are_left_out_or_written() -> None:
    assert format_ticks(NOON) == "2025-11-20T12:00:00Z"
    assert format_ticks(NOON + 1_200_000) == "2025-11-20T12:00:00.12Z"
    assert format_ticks_in_full(NOON) == "2025-11-20T12:00:00.0000000Z"
    assert format_ticks_in_full(NOON + 1) == "2025-11-20T12:00:00.0000001Z"


@given(st.integers(0, TICKS_STOP - 1))
def test_every_tick_comes_back(ticks: int) -> None:
    assert parse_ticks(format_ticks(ticks)) == ticks
    full = format_ticks_in_full(ticks)
    assert parse_ticks(full) == ticks
    expected = datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    assert datetime.fromisoformat(f"{full[:26]}+00:00") == expected
