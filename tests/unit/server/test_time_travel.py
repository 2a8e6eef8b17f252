"""Moving the virtual time: from deadline to deadline, in order, with nothing left that is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from localzure.server.clock import VirtualClock
from localzure.server.own_api.clock import ClockCalls, parse_duration
from localzure.server.own_api.routes import InvalidCallError, OwnCall
from localzure.server.time_travel import RINGS_MAX, TimeTravel
from localzure.server.timers import LoopAlarm
from localzure.server.transactions import TickTransactions
from localzure.services.interface import SECOND, HttpRequest, Instant
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Writer
from tests.twins import START, ManualClock


class World:
    """A clock, its alarms and calls, on the running loop."""

    def __init__(self, alarms: int = 1) -> None:
        loop = asyncio.get_running_loop()
        self.machine = ManualClock()
        self.clock = VirtualClock(self.machine.now)
        self.alarms = [LoopAlarm(loop, self.clock) for _ in range(alarms)]
        self.rings: list[tuple[int, float]] = []
        for number, alarm in enumerate(self.alarms):
            alarm.ring = lambda number=number: self.rings.append((number, self.seconds))  # type: ignore[misc]
        self.swept = 0
        transactions = TickTransactions(MemoryStore(), self.clock, loop.call_soon)
        self.travel = TimeTravel(self.clock, self.alarms, [self.sweep], transactions)
        self.calls = {route.method: route.handle for route in ClockCalls(self.travel).routes()}

    def sweep(self, writer: Writer) -> bool:
        writer.put(b"k", b"v")
        self.swept += 1
        return self.swept % 3 != 0

    @property
    def seconds(self) -> float:
        return (self.clock.now() - START) / SECOND

    async def post(self, body: bytes) -> Any:
        request = HttpRequest("POST", "/_localzure/clock", "", {}, "http", "localhost", "", "")
        answer = self.calls["POST"](OwnCall(request, body=body))
        assert isinstance(answer, Awaitable)
        return await answer

    def at(self, number: int, seconds: float) -> None:
        self.alarms[number].set(Instant(START + round(seconds * SECOND)))


async def pass_by() -> None:
    """Let the loop's timers of the next moments fire."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_later(0.02, done.set_result, None)
    await done


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_what_comes_due_rings_at_its_time_and_in_order() -> None:
    async def scenario() -> None:
        world = World(2)
        world.at(0, 30)
        world.at(1, 10)

        def ring_again() -> None:
            world.rings.append((1, world.seconds))
            if world.seconds < 50:
                world.at(1, world.seconds + 15)

        world.alarms[1].ring = ring_again
        await world.post(b'{"advance": 60}')
        assert world.rings == [(1, 10), (1, 25), (0, 30), (1, 40), (1, 55)]
        assert world.seconds == 60
        assert not world.clock.is_frozen
        assert world.swept == 3

    run(scenario)


def test_what_is_due_later_stays() -> None:
    async def scenario() -> None:
        world = World()
        world.at(0, 60.000001)
        await world.post(b'{"advance": "PT1M"}')
        assert world.rings == []
        await world.post(b'{"advance": 0.000001}')
        assert world.rings == [(0, 60.000001)]

    run(scenario)


def test_an_alarm_that_is_overdue_rings_without_going_back() -> None:
    async def scenario() -> None:
        world = World()
        world.alarms[0].set(Instant(0))
        await world.post(b'{"advance": 1}')
        assert world.rings == [(0, 0)]

    run(scenario)


def test_a_frozen_clock_stands_still_and_its_alarms_with_it() -> None:
    async def scenario() -> None:
        world = World()
        await world.post(b'{"frozen": true}')
        world.at(0, 1)
        world.machine.advance(100)
        await pass_by()
        assert (world.seconds, world.rings) == (0, [])
        told = await world.post(b'{"frozen": false}')
        assert told["now"] == "2026-01-01T00:00:00.000000Z"
        assert (told["frozen"], told["ahead_seconds"]) == (False, -100)
        world.machine.advance(1)
        assert world.seconds == 1
        world.travel.rearm()
        await pass_by()
        assert world.rings == [(0, 1)]

    run(scenario)


def test_the_clock_is_set_forth_and_back_and_reset() -> None:
    async def scenario() -> None:
        world = World()
        world.at(0, 10)
        told = await world.post(b'{"now": "2025-12-31T23:00:00-02:00", "advance": "-30m", "frozen": true}')
        assert told["now"] == "2026-01-01T00:30:00.000000Z"
        assert told["frozen"]
        assert world.rings == [(0, 10)]
        await world.post(b'{"now": "2025-06-01T00:00:00"}')
        world.at(0, -5)
        assert (await world.post(b'{"reset": true}'))["ahead_seconds"] == 0
        assert not world.clock.is_frozen
        assert world.rings[1:] == [(0, 0)]

    run(scenario)


def test_clients_are_held_against_the_machine_unless_asked() -> None:
    async def scenario() -> None:
        world = World()
        await world.post(b'{"advance": 3600}')
        assert world.clock.wall() == START
        assert (await world.post(b'{"clients": "virtual"}'))["clients"] == "virtual"
        assert world.clock.wall() == START + 3600 * SECOND
        await world.post(b'{"reset": true}')
        assert world.clock.wall() == START
        assert not world.clock.rules_clients

    run(scenario)


def test_an_alarm_that_never_ends_does_not_hold_up_the_call() -> None:
    async def scenario() -> None:
        world = World()
        world.alarms[0].ring = lambda: world.alarms[0].set(Instant(0))
        world.alarms[0].set(Instant(0))
        await world.post(b'{"advance": 5}')
        assert world.seconds == 5
        world.alarms[0].cancel()

    assert RINGS_MAX <= 100_000
    run(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b'{"advance": "soon"}',
        b'{"advance": ""}',
        b'{"advance": "P"}',
        b'{"advance": "nan"}',
        b'{"advance": true}',
        b'{"advance": 1e300}',
        b'{"now": "tomorrow"}',
        b'{"now": "1969-12-31T23:59:59Z"}',
        b'{"now": "2999-12-31T23:59:59Z", "advance": 5}',
        b'{"clients": "both"}',
        b'{"frozen": 1}',
        b'{"speed": 2}',
    ],
)
def test_wrong_calls_change_nothing(body: bytes) -> None:
    async def scenario() -> None:
        world = World()
        with pytest.raises(InvalidCallError):
            await world.post(body)
        assert world.seconds == 0

    run(scenario)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT5M", 300),
        ("P1DT1.5S", 86_401.5),
        ("1h30m", 5400),
        ("-90", -90),
        ("-PT1M", -60),
        ("2d", 172_800),
        (0.25, 0.25),
        ("PT5M ", 300),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds * SECOND
