"""Points in time as text, exact to the 100 nanoseconds that Azure keeps.

Ticks count 100 nanoseconds since the year 1, as entity tags do (see `storage_rest.times`). What clients send is read
in the forms that "Formatting DateTime values" and "Set Table ACL" list; a time without a zone is meant in UTC.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from localzure.services.storage_rest.times import Ticks

TICKS_PER_SECOND = 10_000_000

TICKS_STOP = Ticks(date.max.toordinal() * 86_400 * TICKS_PER_SECOND)
"""The first tick after the year 9999."""

_DAY_SECONDS = 86_400

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


def parse_ticks(text: str) -> Ticks | None:
    """Return the ticks of `2026-11-20T18:00:00.1234567Z` or one of its shorter forms; None for any other text.

    Digits beyond 100 nanoseconds are cut off. None also for what a zone moves out of the years 1 to 9999.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - 1
    except ValueError:
        return None
    seconds = days * _DAY_SECONDS
    if hour is not None:
        clock = _clock_seconds(int(hour), int(minute), int(second or 0))
        offset = _zone_seconds(zone)
        if clock is None or offset is None:
            return None
        seconds += clock - offset
    ticks = seconds * TICKS_PER_SECOND + int((fraction or "0")[:7].ljust(7, "0"))
    return Ticks(ticks) if 0 <= ticks < TICKS_STOP else None


def format_ticks(ticks: int) -> str:
    """Return `2026-11-20T18:00:00.1234567Z`, without the zeros at the end of the fraction and without an empty one."""
    second, fraction = divmod(ticks, TICKS_PER_SECOND)
    if not fraction:
        return f"{_second_text(second)}Z"
    return f"{_second_text(second)}.{fraction:07}".rstrip("0") + "Z"


def format_ticks_in_full(ticks: int) -> str:
    """Return `2026-11-20T18:00:00.1234567Z`, always with the seven digits of the fraction."""
    second, fraction = divmod(ticks, TICKS_PER_SECOND)
    return f"{_second_text(second)}.{fraction:07}Z"


def _clock_seconds(hour: int, minute: int, second: int) -> int | None:
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * 3600 + minute * 60 + second


def _zone_seconds(zone: str | None) -> int | None:
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 14 or minutes > 59:
        return None
    seconds = hours * 3600 + minutes * 60
    return -seconds if zone[0] == "-" else seconds


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    """The text of a second since the year 1, without its zone: records are often written many in a second."""
    days, rest = divmod(second, _DAY_SECONDS)
    day = date.fromordinal(days + 1)
    return f"{day.year:04}-{day.month:02}-{day.day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
