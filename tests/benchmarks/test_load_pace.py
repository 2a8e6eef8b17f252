"""The loop under the loads: when operations begin, and that a silent server ends a load."""

from __future__ import annotations

import socket
import time

import pytest

from benchmarks.readiness import Pace, StalledError, drive


class Pinger:
    """Sends single bytes, one at a time, and takes their echo."""

    def __init__(self, sock: socket.socket, pace: Pace, count: int) -> None:
        sock.setblocking(False)
        self.fileno = sock.fileno()
        self.begun_at: list[int] = []
        self.heard = 0
        self._socket = sock
        self._pace = pace
        self._count = count

    @property
    def is_done(self) -> bool:
        return self.heard == self._count

    def on_readable(self) -> None:
        self.heard += len(self._socket.recv(100))

    def write(self) -> bool:
        if self.heard == len(self.begun_at) < self._count and self._pace.available() > 0:
            self.begun_at += self._pace.take(1)
            self._socket.sendall(b"x")
        return True


class Echo(Pinger):
    """The other side, in the same loop."""

    def write(self) -> bool:
        return True

    def on_readable(self) -> None:
        data = self._socket.recv(100)
        self.heard += len(data)
        self._socket.sendall(data)


def test_a_load_without_a_rate_runs_to_its_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pace = Pace()
        pinger = Pinger(ours, pace, 100)
        drive([pinger, Echo(theirs, pace, 100)], pace)
    assert pinger.heard == 100
    assert pinger.begun_at == sorted(pinger.begun_at)


def test_at_a_rate_operations_are_due_at_equal_distances_however_late_they_begin() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pace = Pace(10_000)
        pinger = Pinger(ours, pace, 100)
        started = time.perf_counter()
        drive([pinger, Echo(theirs, pace, 100)], pace)
        seconds = time.perf_counter() - started
    assert {later - earlier for earlier, later in zip(pinger.begun_at, pinger.begun_at[1:], strict=False)} == {100_000}
    assert seconds >= 0.0099


@pytest.mark.parametrize("rate", [None, 1000])
def test_a_silent_server_ends_the_load(rate: float | None) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pace = Pace(rate)
        with pytest.raises(StalledError, match=r"nothing from the server in 0\.05 s"):
            drive([Pinger(ours, pace, 100)], pace, stall_seconds_max=0.05)


def test_a_rate_offers_nothing_before_it_is_due() -> None:
    pace = Pace(0.001)
    pace.start()
    assert pace.available() == 1
    pace.take(1)
    assert pace.available() == 0
    assert 990 < (pace.seconds_to_next() or 0) <= 1000
