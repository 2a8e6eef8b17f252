"""Where time comes from in a running server.

Three readings that are never mixed: the virtual time that rules locks, lifetimes and schedules, the machine's time
that clients' own dates are held against, and seconds that never jump.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.interface import Instant


class SystemClock:
    """The machine's clock, as `localzure.services.interface.Clock`."""

    def now(self) -> Instant:
        """The virtual time: the same as the machine's."""
        return self.wall()

    def wall(self) -> Instant:
        """The machine's time, in whole microseconds since 1970."""
        return time.time_ns() // 1000  # type: ignore[return-value]  # an Instant() call would double the cost

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never jump."""
        return time.monotonic()
