"""The loop under the load generators: which connection may go on, and when the next operation is due.

Plain epoll over non-blocking sockets: nothing between the load and the system that would cost as much as a server.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Protocol

from benchmarks.measurement import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable

STALL_SECONDS_MAX = 30.0
"""A load that hears nothing for so long gives up."""

_UNLIMITED = 1 << 62


class StalledError(LoadError):
    """The server stopped answering."""


class Pace:
    """When operations begin: at once, or at a fixed rate (open loop), which does not wait for a slow server."""

    def __init__(self, rate: float | None = None) -> None:
        """`rate` is operations a second, over all connections."""
        self.rate = rate
        self._started_at = 0
        self._begun = 0

    def start(self) -> None:
        """The load begins now."""
        self._started_at = time.perf_counter_ns()

    def available(self) -> int:
        """How many operations may begin now."""
        if self.rate is None:
            return _UNLIMITED
        return int((time.perf_counter_ns() - self._started_at) * self.rate / 1e9) + 1 - self._begun

    def take(self, count: int) -> list[int]:
        """Begin `count` of the available operations; returns when each began, or was due, by `perf_counter_ns`."""
        if self.rate is None:
            return [time.perf_counter_ns()] * count
        first = self._begun
        self._begun += count
        return [self._started_at + int(index * 1e9 / self.rate) for index in range(first, self._begun)]

    def seconds_to_next(self) -> float | None:
        """How long until one operation more is due than now; None where time does not matter."""
        if self.rate is None:
            return None
        due_at = self._started_at + (self._begun + self.available()) * 1e9 / self.rate
        return max(0.0, (due_at - time.perf_counter_ns()) / 1e9)


class Driven(Protocol):
    """One connection of a load."""

    fileno: int

    @property
    def is_done(self) -> bool:
        """Nothing is left to do or to wait for."""

    def on_readable(self) -> None:
        """Read once, and take what has come."""

    def write(self) -> bool:
        """Send what may be sent now; False where the socket takes no more."""


def drive(connections: Iterable[Driven], pace: Pace, stall_seconds_max: float = STALL_SECONDS_MAX) -> None:
    """Run until every connection is done. Raises StalledError, and what the connections raise."""
    active = {connection.fileno: connection for connection in connections}
    blocked: set[int] = set()
    with select.epoll() as epoll:
        for fileno in active:
            epoll.register(fileno, select.EPOLLIN)
        pace.start()
        waiter = _Waiter(epoll, pace, stall_seconds_max)
        ready = [(fileno, 0) for fileno in active]
        while True:
            for fileno, event in ready:
                connection = active[fileno]
                if event & ~select.EPOLLOUT:
                    connection.on_readable()
                if connection.write() == (fileno in blocked):
                    blocked ^= {fileno}
                    epoll.modify(fileno, select.EPOLLIN | (select.EPOLLOUT if fileno in blocked else 0))
                if connection.is_done:
                    epoll.unregister(fileno)
                    del active[fileno]
            if not active:
                return
            ready = waiter.wait(active)


class _Waiter:
    """Waits for sockets, and for the pace."""

    def __init__(self, epoll: select.epoll, pace: Pace, stall_seconds_max: float) -> None:
        self._epoll = epoll
        self._pace = pace
        self._stall_seconds_max = stall_seconds_max
        self._heard_at = time.perf_counter()

    def wait(self, active: Iterable[int]) -> list[tuple[int, int]]:
        """Return what is ready; where the pace allows more, that is offered to all of `active`."""
        delay = self._pace.seconds_to_next()
        if delay is None:
            if ready := self._epoll.poll(self._stall_seconds_max):
                return ready
            raise self._stalled()
        # epoll counts in milliseconds; select on the epoll itself counts in microseconds.
        select.select([self._epoll], [], [], min(delay, self._stall_seconds_max))
        events = dict(self._epoll.poll(0))
        now = time.perf_counter()
        if events or delay > self._stall_seconds_max:
            self._heard_at = now
        elif now - self._heard_at > self._stall_seconds_max:
            raise self._stalled()
        return [(fileno, events.get(fileno, 0)) for fileno in active]

    def _stalled(self) -> StalledError:
        return StalledError(f"nothing from the server in {self._stall_seconds_max:g} s")
