"""Where time comes from in a running server.

Three readings that are never mixed: the virtual time that rules locks, lifetimes and schedules, the machine's time
that clients' own dates are held against, and seconds that never jump.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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


class VirtualClock(SystemClock):
    """A clock whose virtual time can stand still, and be another than the machine's."""

    def __init__(self, machine: Callable[[], Instant] | None = None) -> None:
        """`machine` gives the machine's time, and is read from the system unless a test says otherwise."""
        self._machine = machine or super().wall
        self._ahead = 0
        self._frozen: Instant | None = None
        self.rules_clients = False
        """Whether what clients date themselves is held against the virtual time too."""

    @property
    def is_frozen(self) -> bool:
        """The virtual time stands still."""
        return self._frozen is not None

    @property
    def ahead(self) -> int:
        """By how many microseconds the virtual time is ahead of the machine's."""
        return self.now() - self._machine()

    def now(self) -> Instant:
        """The virtual time."""
        frozen = self._frozen
        return self._machine() + self._ahead if frozen is None else frozen  # type: ignore[return-value]  # as in wall

    def wall(self) -> Instant:
        """The machine's time, or the virtual one where that is to rule clients too."""
        return self.now() if self.rules_clients else self._machine()

    def place(self, now: Instant) -> None:
        """Set the virtual time; it goes on from there if it goes."""
        if self._frozen is None:
            self._ahead = now - self._machine()
        else:
            self._frozen = now

    def freeze(self) -> None:
        """Let the virtual time stand still."""
        self._frozen = self.now()

    def resume(self) -> None:
        """Let the virtual time go on from where it is."""
        if self._frozen is not None:
            self._ahead = self._frozen - self._machine()
            self._frozen = None

    def reset(self) -> None:
        """Let the virtual time be the machine's again, and clients be held against it."""
        self._ahead, self._frozen, self.rules_clients = 0, None, False
