"""Connections that are of no use, tokens that expire, and many connections, links and entities."""

from __future__ import annotations

import gc

import pytest

from localzure.services.interface import SECOND
from localzure.services.servicebus.amqp.life import CLAIMS_SECONDS, FIRST_LINK_SECONDS, NO_LINK_SECONDS
from localzure_protocols.amqp import frames
from tests.servicebus_wire import Wire
from tests.servicebus_world import World, bodies, message
from tests.unit.services.servicebus import test_access


def token(world: World, seconds: int, path: str = "q") -> str:
    return test_access.token(f"sb://my.host/{path}", expiry=world.clock.wall() // SECOND + seconds)


def put_token(wire: Wire, text: str) -> None:
    requests = wire.attach("$cbs", sends=True)
    replies = wire.attach("$cbs", sends=False, reply_address="$cbs")
    wire.flow(replies, 10)
    wire.request(requests, text, "id", operation="put-token", type="jwt", name="sb://my.host/q")
    assert wire.deliveries[-1].message.application_properties()["status-code"] == 202


def tick(wire: Wire, seconds: float) -> float | None:
    """Let time pass, and look at the connection; returns in how many seconds it is to be looked at again."""
    wire.world.clock.advance(seconds)
    now = wire.world.clock.monotonic()
    following = wire.handler.tick(now)
    wire.read()
    return None if following is None else following - now


def closed_with(wire: Wire) -> str:
    ((error,),) = wire.heard(frames.CLOSE)
    assert error.value[0] == "amqp:connection:forced"
    return str(error.value[1])


def test_a_connection_that_puts_no_token_is_closed() -> None:
    wire = Wire(World(), "verify")
    assert tick(wire, 0) == CLAIMS_SECONDS
    assert tick(wire, CLAIMS_SECONDS - 1) == 1
    assert wire.heard(frames.CLOSE) == []
    assert tick(wire, 1) is None
    assert "No token was put" in closed_with(wire)


def test_a_connection_without_a_link_is_closed() -> None:
    wire = Wire(World())
    assert tick(wire, FIRST_LINK_SECONDS - 1) == 1
    assert tick(wire, 1) is None
    assert "inactive for more than the allowed 60000 milliseconds" in closed_with(wire)


def test_after_its_last_link_a_connection_is_closed_later() -> None:
    world = World()
    world.create()
    wire = Wire(world)
    handle = wire.sender()
    tick(wire, 10 * NO_LINK_SECONDS)
    wire.detach(handle)
    tick(wire, NO_LINK_SECONDS - 1)
    assert wire.heard(frames.CLOSE) == []
    tick(wire, 1)
    assert "300000 milliseconds" in closed_with(wire)


def test_links_end_with_the_token() -> None:
    world = World()
    world.create()
    wire = Wire(world, "verify")
    put_token(wire, token(world, 50))
    sender, receiver = wire.sender(), wire.receiver(credit=5)
    assert tick(wire, 20) == pytest.approx(30)
    tick(wire, 30)
    detached = {fields[0]: fields[2].value[0] for fields in wire.heard(frames.DETACH)}
    assert detached == {sender: "com.microsoft:auth-failed", receiver: "com.microsoft:auth-failed"}
    world.send(world.queue(), "a")
    wire.commit()
    assert wire.bodies(receiver) == []
    assert bodies(world.lock(world.queue())) == ["a"]


def test_a_token_that_is_renewed_keeps_the_links() -> None:
    world = World()
    world.create()
    wire = Wire(world, "verify")
    put_token(wire, token(world, 50))
    wire.sender()
    tick(wire, 40)
    put_token(wire, token(world, 50))
    tick(wire, 20)
    assert wire.heard(frames.DETACH) == []


def test_a_token_for_another_entity_that_expires_takes_nothing_with_it() -> None:
    world = World()
    world.create()
    wire = Wire(world, "verify")
    put_token(wire, token(world, 500))
    put_token(wire, token(world, 10, "other"))
    wire.sender()
    tick(wire, 20)
    assert wire.heard(frames.DETACH) == []


def test_a_thousand_connections() -> None:
    world = World()
    world.create()
    wires = [Wire(world) for _ in range(1000)]
    for wire in wires:
        wire.receiver(credit=1)
    world.send(world.queue(), *map(str, range(1000)))
    world.ring()
    for wire in wires:
        wire.read()
    assert [wire.bodies() for wire in wires] == [[str(number)] for number in range(1000)]


def test_a_thousand_links_opened_and_closed_leave_nothing() -> None:
    world = World()
    world.create()
    wire = Wire(world)

    def cycle(count: int) -> int:
        for _ in range(count):
            for handle in (wire.sender(), wire.receiver(credit=5)):
                wire.detach(handle)
        wire.frames.clear()
        wire._names.clear()
        wire._remote.clear()
        gc.collect()
        return len(gc.get_objects())

    cycle(10)
    before = cycle(10)
    assert cycle(500) - before < 100


def test_ten_thousand_entities_cost_nothing_while_nobody_uses_them() -> None:
    world = World()
    world.create()
    gc.collect()
    before = len(gc.get_objects())
    with world.transactions.writer() as writer:
        for number in range(10_000):
            world.broker.entities.create_queue(writer, f"q{number}", world.queue().description, world.clock.now())
    world.commit()
    world = world.restart()
    gc.collect()
    assert len(gc.get_objects()) - before < 200
    wire = Wire(world)
    wire.send(wire.sender("q9999"), message("a"))
    assert bodies(world.lock(world.queue("q9999"))) == ["a"]
