"""Twins of the server's clock and randomness: a clock that only moves when told, and randomness from a seed."""

from __future__ import annotations

import random
from uuid import UUID

from localzure.services.interface import SECOND, Instant

START = Instant(1_767_225_600 * SECOND)
"""Where a `ManualClock` starts: 2026-01-01T00:00:00Z."""


class ManualClock:
    """A `localzure.services.interface.Clock` that stands still until a test moves it."""

    def __init__(self, start: Instant = START) -> None:
        self._now = self._wall = start
        self._monotonic = 1000.0

    is_frozen = False

    def now(self) -> Instant:
        return self._now

    def wall(self) -> Instant:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> Instant:
        """Let `seconds` go by on all three readings; returns the new virtual time."""
        assert seconds >= 0, "time does not go back"
        ticks = round(seconds * SECOND)
        self._now = Instant(self._now + ticks)
        self._wall = Instant(self._wall + ticks)
        self._monotonic += seconds
        return self._now

    def set_now(self, now: Instant) -> None:
        """Move the virtual time alone, forth or back, as a user of the virtual clock would."""
        self._now = now

    def set_wall(self, wall: Instant) -> None:
        """Move the machine's time alone, as an administrator who sets the date would."""
        self._wall = wall


class SeededEntropy:
    """A `localzure.services.interface.Entropy` that gives the same for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._random = random.Random(seed)

    def uuid(self) -> UUID:
        return UUID(bytes=self.bytes(16), version=4)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)
