"""One armed timer per service: the earliest deadline that the service has told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from localzure.services.interface import Instant

DELAY_SECONDS_MAX = 3600.0
"""Longest delay given to the loop; a later deadline is armed again when it has passed."""


class AlarmClock(Protocol):
    """What an alarm needs of the clock."""

    @property
    def is_frozen(self) -> bool:
        """The virtual time stands still."""
        ...

    def now(self) -> Instant:
        """The virtual time."""
        ...


class LoopAlarm:
    """`localzure.services.interface.Alarm` on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: AlarmClock) -> None:
        """Give it its `ring` before the first deadline can pass."""
        self._loop = loop
        self._clock = clock
        self.ring: Callable[[], None] = _nothing
        """Called once the virtual clock has reached the instant that was set; may set the next."""
        self.at: Instant | None = None
        """The instant that was set and has not come yet."""
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: Instant | None) -> None:
        """See `Alarm.set`."""
        if at == self.at:
            return
        self.at = at
        self.rearm()

    def cancel(self) -> None:
        """Forget the deadline, for good when the server stops."""
        self.set(None)

    def ring_if_due(self) -> None:
        """Ring now, without waiting for the loop, if the instant has come."""
        if self.at is not None and self._clock.now() >= self.at:
            self.at = None
            self.rearm()
            self.ring()

    def rearm(self) -> None:
        """The virtual time was moved, or its course has changed: count again how long it takes."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self.at is None:
            return
        delay = max(0.0, (self.at - self._clock.now()) / 1_000_000)
        if delay == 0.0 or not self._clock.is_frozen:
            self._handle = self._loop.call_later(min(delay, DELAY_SECONDS_MAX), self._fire)

    def silence(self) -> None:
        """Ring for nobody any more: the service is gone."""
        self.ring = _nothing
        self.cancel()

    def _fire(self) -> None:
        self._handle = None
        if self.at is not None and self._clock.now() < self.at:
            self.rearm()
        else:
            self.ring_if_due()


def _nothing() -> None:
    """What an alarm does that nobody listens to."""
