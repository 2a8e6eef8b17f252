"""One armed timer per service: the earliest deadline that the service has told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from localzure.services.interface import Clock, Instant

DELAY_SECONDS_MAX = 3600.0
"""Longest delay given to the loop; a later deadline is armed again when it has passed."""


class LoopAlarm:
    """`localzure.services.interface.Alarm` on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        """Give it its `ring` before the first deadline can pass."""
        self._loop = loop
        self._clock = clock
        self.ring: Callable[[], None] = _nothing
        """Called once the virtual clock has reached the instant that was set; may set the next."""
        self._at: Instant | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: Instant | None) -> None:
        """See `Alarm.set`."""
        if at == self._at:
            return
        self._at = at
        self._arm()

    def cancel(self) -> None:
        """Forget the deadline, for good when the server stops."""
        self.set(None)

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._at is not None:
            delay = max(0.0, (self._at - self._clock.now()) / 1_000_000)
            self._handle = self._loop.call_later(min(delay, DELAY_SECONDS_MAX), self._fire)

    def _fire(self) -> None:
        self._handle = None
        if self._at is None:
            return
        if self._clock.now() < self._at:
            self._arm()
            return
        self._at = None
        self.ring()


def _nothing() -> None:
    """What an alarm does that nobody listens to."""
