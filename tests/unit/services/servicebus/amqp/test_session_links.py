"""Links that receive the messages of a session, frame by frame."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.model import EntityStatus
from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Symbol, Uint, Ulong
from tests.servicebus_wire import ACCEPTED, Wire, modified
from tests.servicebus_world import World

LOCK_SECONDS = 30
FILTER = Symbol("com.microsoft:session-filter")


@pytest.fixture
def world() -> World:
    world = World()
    world.create(lock_duration=LOCK_SECONDS * MICROSECONDS, requires_session=True)
    return world


@pytest.fixture
def wire(world: World) -> Wire:
    return Wire(world)


def accept(wire: Wire, session: Any, credit: int = 0, *, wait: int | None = None, deletes: bool = False) -> int:
    """Attach a link for a session by its name, or for the next one; `wait` is in milliseconds."""
    properties = None if wait is None else {Symbol("com.microsoft:timeout"): Uint(wait)}
    handle = wire.attach(
        "q",
        sends=False,
        snd=1 if deletes else 0,
        rcv=0 if deletes else 1,
        source_filter={FILTER: session},
        properties=properties,
    )
    if credit:
        wire.flow(handle, credit)
    return handle


def answers(wire: Wire) -> list[list[Any]]:
    return wire.heard(frames.ATTACH)


def granted(wire: Wire) -> tuple[Any, dict[Any, Any]]:
    """The filter and the properties in the only answer to an attach."""
    (fields,) = answers(wire)
    return fields[5].value[7][FILTER], fields[13]


def test_the_answer_names_the_session_and_the_end_of_its_lock(wire: Wire, world: World) -> None:
    accept(wire, "s")
    found, properties = granted(wire)
    assert found == "s"
    deadline = world.clock.now() + LOCK_SECONDS * MICROSECONDS
    assert properties["com.microsoft:locked-until-utc"] == deadline * 10 + 621355968000000000


def test_a_described_filter_is_answered_with_one(wire: Wire, world: World) -> None:
    accept(wire, Described(Ulong(0x137000000C), "s"))
    found, _ = granted(wire)
    assert (found.descriptor, found.value) == (0x137000000C, "s")
    world.send(world.queue(), "a", group_id="t")
    accept(wire, Described(Ulong(0x137000000C), None))
    found, _ = granted(wire)
    assert (found.descriptor, found.value) == (0x137000000C, "t")


def test_a_session_gives_its_messages_in_order_and_no_others(wire: Wire, world: World) -> None:
    queue = world.queue()
    for body in ("a1", "b1", "a2", "b2"):
        world.send(queue, body, group_id=body[0])
    handle = accept(wire, "a", 10)
    assert wire.bodies(handle) == ["a1", "a2"]
    world.send(queue, "b3", group_id="b")
    world.send(queue, "a3", group_id="a")
    wire.read()
    assert wire.bodies(handle) == ["a1", "a2", "a3"]
    wire.settle(wire.deliveries[0], ACCEPTED)
    wire.settle(wire.deliveries[1], modified())
    assert [wire.settled[each.delivery_id].outcome for each in wire.deliveries[:2]] == [0x24, 0x27]
    assert wire.bodies(handle) == ["a1", "a2", "a3", "a2"]
    assert wire.deliveries[3].message.header().delivery_count == 1


def test_a_session_has_one_holder(wire: Wire, world: World) -> None:
    first = accept(wire, "s")
    answers(wire)
    other = Wire(world)
    refused = accept(other, "s")
    condition, text = other.detached_with(refused)
    assert condition == "com.microsoft:session-cannot-be-locked"
    assert "'s'" in text
    wire.detach(first)
    answers(other)
    accept(other, "s")
    assert granted(other)[0] == "s"


def test_the_next_session_is_one_with_messages_that_nobody_holds(wire: Wire, world: World) -> None:
    for name in ("a", "b", "c"):
        world.send(world.queue(), name, group_id=name)
    accept(wire, "b")
    answers(wire)
    found = []
    for _ in range(2):
        accept(wire, None)
        found.append(granted(wire)[0])
    assert found == ["a", "c"]


def test_each_session_gets_its_turn(wire: Wire, world: World) -> None:
    for name in ("a", "b", "c"):
        world.send(world.queue(), name, group_id=name)
    found = []
    for _ in range(5):
        handle = accept(wire, None)
        found.append(granted(wire)[0])
        wire.detach(handle)
    assert found == ["a", "b", "c", "a", "b"]


def test_those_who_wait_get_sessions_in_the_order_in_which_they_came(wire: Wire, world: World) -> None:
    accept(wire, None)
    other = Wire(world)
    accept(other, None)
    assert answers(wire) == answers(other) == []
    world.send(world.queue(), "x", group_id="x")
    wire.read()
    other.read()
    assert granted(wire)[0] == "x"
    assert answers(other) == []
    world.send(world.queue(), "x2", group_id="x")
    other.read()
    assert answers(other) == [], "the session is held"
    world.send(world.queue(), "y", group_id="y")
    other.read()
    assert granted(other)[0] == "y"


def test_a_session_that_is_let_go_is_given_to_who_waits(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", group_id="s")
    handle = accept(wire, None, 5)
    answers(wire)
    other = Wire(world)
    waiting = accept(other, None)
    assert answers(other) == []
    wire.detach(handle)
    other.read()
    assert granted(other)[0] == "s"
    other.flow(waiting, 1)
    assert other.bodies() == ["a"]
    assert other.deliveries[0].message.header().delivery_count == 0, "a link that closes is no failed delivery"


def test_a_connection_that_breaks_lets_its_sessions_and_its_places_go(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", group_id="s")
    accept(wire, "s", 1)
    accept(wire, None)
    other = Wire(world)
    accept(other, None)
    wire.handler.disconnected()
    other.read()
    assert granted(other)[0] == "s"
    sessions = world.queue().sessions
    assert sessions is not None
    assert (len(sessions.held), sessions.line) == (1, {})
    assert len(world.broker.waits) == 0
    assert len(world.broker.session_ends) == 1


@pytest.mark.parametrize(("wait", "seconds"), [(None, 65), (2000, 2)])
def test_who_waits_too_long_is_refused(wire: Wire, world: World, wait: int | None, seconds: int) -> None:
    handle = accept(wire, None, wait=wait)
    world.advance(seconds - 0.5)
    wire.read()
    assert answers(wire) == []
    world.advance(0.5)
    wire.read()
    (fields,) = answers(wire)
    assert fields[5] is None, "refused"
    condition, text = wire.detached_with(handle)
    assert condition == "com.microsoft:timeout"
    assert f"{seconds} seconds" in text
    world.send(world.queue(), "a", group_id="s")
    wire.read()
    assert answers(wire) == []


def test_who_gives_up_waiting_gets_nothing(wire: Wire, world: World) -> None:
    handle = accept(wire, None)
    wire.detach(handle)
    answers(wire)
    world.send(world.queue(), "a", group_id="s")
    wire.read()
    assert answers(wire) == []
    accept(wire, None)
    assert granted(wire)[0] == "s"
    assert len(world.broker.waits) == 0


def test_a_lock_that_expires_takes_the_link_with_it(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", group_id="s")
    handle = accept(wire, "s", 1)
    assert wire.bodies() == ["a"]
    world.advance(LOCK_SECONDS)
    wire.read()
    assert wire.heard(frames.DETACH) == [], "that comes a moment later"
    wire.flow(handle, 5, drain=True)
    assert wire.flows(handle)[-1][8] is True
    assert wire.bodies() == ["a"]
    wire.settle(wire.deliveries[0], ACCEPTED)
    assert wire.settled[wire.deliveries[0].delivery_id].outcome == 0x25, "rejected"
    world.advance(1)
    wire.read()
    condition, _ = wire.detached_with(handle)
    assert condition == "com.microsoft:session-lock-lost"
    handle = accept(wire, "s", 1)
    assert wire.bodies(handle) == ["a"]
    assert wire.deliveries[1].message.header().delivery_count == 1


def test_receive_and_delete(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b", group_id="s")
    handle = accept(wire, "s", 5, deletes=True)
    assert wire.bodies(handle) == ["a", "b"]
    assert all(delivery.settled for delivery in wire.deliveries)
    assert world.counters(world.queue()).active == 0


def test_drain(wire: Wire, world: World) -> None:
    handle = accept(wire, "s")
    wire.flow(handle, 5, drain=True)
    (flow,) = wire.flows(handle)
    assert (flow[6], flow[8]) == (0, True)
    world.send(world.queue(), "a", group_id="s")
    wire.read()
    assert wire.bodies() == []


@pytest.mark.parametrize(
    ("session", "condition"),
    [
        (7, "com.microsoft:argument-error"),
        ("s" * 129, "com.microsoft:argument-out-of-range"),
    ],
)
def test_what_can_be_no_session_is_refused(wire: Wire, session: object, condition: str) -> None:
    assert wire.detached_with(accept(wire, session))[0] == condition


def test_a_queue_without_sessions_has_none(wire: Wire, world: World) -> None:
    world.create("plain")
    handle = wire.attach("plain", sends=False, source_filter={FILTER: "s"})
    condition, text = wire.detached_with(handle)
    assert condition == "amqp:not-allowed"
    assert text.startswith("A sessionful message receiver cannot be created")


def test_a_queue_with_sessions_has_nothing_else(wire: Wire) -> None:
    condition, text = wire.detached_with(wire.receiver("q"))
    assert condition == "amqp:not-allowed"
    assert text.startswith("It is not possible for an entity that requires sessions")


def test_dead_letters_are_read_without_sessions(wire: Wire, world: World) -> None:
    handle = wire.attach("q/$DeadLetterQueue", sends=False, source_filter={FILTER: "s"})
    assert wire.detached_with(handle)[0] == "amqp:not-allowed"
    wire.receiver("q/$DeadLetterQueue")
    assert wire.heard(frames.DETACH) == []


def test_a_disabled_queue_gives_no_session(wire: Wire, world: World) -> None:
    world.create("off", requires_session=True, status=EntityStatus.RECEIVE_DISABLED)
    handle = wire.attach("off", sends=False, source_filter={FILTER: "s"})
    assert wire.detached_with(handle)[0] == "com.microsoft:entity-disabled"


def test_a_thousand_sessions_that_come_and_go_leave_nothing(wire: Wire, world: World) -> None:
    for number in range(1000):
        wire.detach(accept(wire, f"s{number}", 1))
        wire.frames.clear()
    sessions = world.queue().sessions
    assert sessions is not None
    assert sessions.held == sessions.ready == {}
    assert len(world.broker.session_ends) == 0
    assert world.dispatch._lines == {}


@pytest.mark.parametrize(("link", "status"), [("link-0", 200), ("link-1", 400), ("other", 400), (None, 400)])
def test_a_request_without_a_session_is_for_that_of_the_link_beside_it(
    wire: Wire, link: str | None, status: int
) -> None:
    session = accept(wire, "s")
    requests, replies = wire.sender("q/$management"), wire.receiver("q/$management", credit=1)
    assert (session, requests) == (0, 1)
    named = {} if link is None else {"associated-link-name": link}
    wire.request(requests, {}, "m", operation="com.microsoft:renew-session-lock", **named)
    (reply,) = (delivery for delivery in wire.deliveries if delivery.handle == replies)
    assert reply.message.application_properties()["statusCode"] == status
