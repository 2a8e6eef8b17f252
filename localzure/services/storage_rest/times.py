"""Instants in the bodies of the storage services, and the entity tags made from them.

An entity tag is `"0x"` and the number of 100-nanosecond ticks since the year 1 in upper-case hexadecimal, as Azure's
are: `"0x8DE2891F4F1C040"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

from localzure.auth.dates import http_date
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from localzure.services.interface import Instant

Ticks = NewType("Ticks", int)
"""100-nanosecond ticks since 0001-01-01T00:00:00Z."""

_TICKS_AT_EPOCH = 621_355_968_000_000_000


def iso_time(instant: Instant) -> str:
    """Return an instant as `2026-11-20T18:00:00.1234560Z`, with the seven digits that Azure gives."""
    day, month, year, clock = http_date(instant)[5:25].split(" ")
    return f"{year}-{_MONTH_NUMBERS[month]}-{day}T{clock}.{instant % SECOND:06}0Z"


class EntityTags:
    """Gives entity tags that never repeat, also where the clock stands still or goes back."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now: Instant) -> Ticks:
        """Return the tag of a write at `now`: its time, or the next tick that was not given yet."""
        self._last = max(_TICKS_AT_EPOCH + now * 10, self._last + 1)
        return Ticks(self._last)


def format_etag(ticks: int) -> str:
    """Return the tag as headers carry it, with its quotes."""
    return f'"0x{ticks:X}"'


_MONTH_NUMBERS = {
    month: f"{number:02}"
    for number, month in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
