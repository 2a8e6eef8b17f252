"""The system clock and its manual twin."""

from __future__ import annotations

import time

from localzure.server.clock import SystemClock
from localzure.services.interface import SECOND, Clock, Instant
from tests.twins import START, ManualClock

CLOCKS: list[Clock] = [SystemClock(), ManualClock()]


def test_the_wall_is_the_machines_time_in_microseconds() -> None:
    clock = SystemClock()
    before = time.time_ns()
    wall = clock.wall()
    after = time.time_ns()
    assert before // 1000 <= wall <= after // 1000


def test_the_virtual_time_follows_the_wall() -> None:
    clock = SystemClock()
    before = clock.wall()
    assert before <= clock.now() <= clock.wall()


def test_monotonic_seconds_never_go_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    assert clock.now() == clock.wall() == START == clock.now()
    monotonic = clock.monotonic()
    assert clock.advance(1.5) == START + 1_500_000
    assert clock.wall() == clock.now() == START + 1_500_000
    assert clock.monotonic() == monotonic + 1.5


def test_a_manual_clock_moves_virtual_and_wall_time_apart() -> None:
    clock = ManualClock()
    clock.set_now(Instant(5 * SECOND))
    assert (clock.now(), clock.wall()) == (5 * SECOND, START)
    clock.set_wall(Instant(7 * SECOND))
    assert (clock.now(), clock.wall()) == (5 * SECOND, 7 * SECOND)
