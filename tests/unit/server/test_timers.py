"""The alarm rings once its instant has come on the virtual clock, and not before."""

from __future__ import annotations

import asyncio

from localzure.server.timers import LoopAlarm
from localzure.services.interface import SECOND, Instant
from tests.twins import START, ManualClock


def test_rings_when_the_clock_has_come_there() -> None:
    async def scenario() -> list[Instant]:
        clock, rings = ManualClock(), list[Instant]()
        rang = asyncio.Event()

        def ring() -> None:
            rings.append(clock.now())
            rang.set()

        alarm = LoopAlarm(asyncio.get_running_loop(), clock)
        alarm.ring = ring
        alarm.set(Instant(START + 1000))
        clock.advance(0.001)
        await asyncio.wait_for(rang.wait(), 5)
        return rings

    assert asyncio.run(scenario()) == [START + 1000]


def test_a_timer_that_fires_early_is_armed_again() -> None:
    async def scenario() -> tuple[int, int]:
        clock, rings = ManualClock(), list[int]()
        loop = asyncio.get_running_loop()
        alarm = LoopAlarm(loop, clock)
        alarm.ring = lambda: rings.append(1)
        alarm.set(Instant(START + 1))
        for _ in range(5):
            await asyncio.sleep(0)
        early = len(rings)
        clock.advance(1)
        done = loop.create_future()
        loop.call_later(0.01, done.set_result, None)
        await done
        return early, len(rings)

    assert asyncio.run(scenario()) == (0, 1)


def test_a_cancelled_or_moved_alarm_does_not_ring() -> None:
    async def scenario() -> list[int]:
        clock, rings = ManualClock(), list[int]()
        loop = asyncio.get_running_loop()
        alarm = LoopAlarm(loop, clock)
        alarm.ring = lambda: rings.append(1)
        alarm.set(clock.now())
        alarm.set(Instant(clock.now() + 3600 * SECOND))
        other = LoopAlarm(loop, clock)
        other.ring = lambda: rings.append(2)
        other.set(clock.now())
        other.cancel()
        done = loop.create_future()
        loop.call_later(0.01, done.set_result, None)
        await done
        alarm.cancel()
        return rings

    assert asyncio.run(scenario()) == []
