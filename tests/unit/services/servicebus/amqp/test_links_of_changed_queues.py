"""Links of a queue that is disabled or deleted while they are attached."""

from __future__ import annotations

import msgspec
import pytest

from localzure.services.servicebus.engine.lifecycle import delete_entity, update_entity
from localzure.services.servicebus.model import EntityStatus
from localzure_protocols.amqp import frames
from tests.servicebus_wire import Wire
from tests.servicebus_world import World, message


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def wire(world: World) -> Wire:
    made = Wire(world)
    world.broker.on_changed = made.handler.entity_changed
    world.broker.on_deleted = made.handler.entity_deleted
    return made


def set_status(world: World, wire: Wire, status: EntityStatus) -> None:
    record = world.queue().record
    with world.transactions.writer() as writer:
        update_entity(world.broker, writer, record, msgspec.structs.replace(record.description, status=status))
    wire.commit()


@pytest.mark.parametrize(
    ("status", "closes_sender", "closes_receiver"),
    [
        (EntityStatus.DISABLED, True, True),
        (EntityStatus.SEND_DISABLED, True, False),
        (EntityStatus.RECEIVE_DISABLED, False, True),
        (EntityStatus.ACTIVE, False, False),
    ],
)
def test_a_status_closes_the_links_that_it_forbids(
    world: World, wire: Wire, status: EntityStatus, closes_sender: bool, closes_receiver: bool
) -> None:
    world.create()
    world.create("other")
    sender, receiver = wire.sender("Q"), wire.receiver("amqps://my.host/q")
    management = wire.sender("q/$management")
    others = [wire.sender("other"), wire.receiver("other")]
    set_status(world, wire, status)
    closed = {fields[0] for fields in wire.heard(frames.DETACH)}
    assert (sender in closed, receiver in closed) == (closes_sender, closes_receiver)
    assert not closed & {management, *others}


def test_the_client_is_told_that_the_queue_is_disabled(world: World, wire: Wire) -> None:
    world.create()
    sender = wire.sender()
    set_status(world, wire, EntityStatus.SEND_DISABLED)
    condition, text = wire.detached_with(sender)
    assert condition == "com.microsoft:entity-disabled"
    assert "sb://my.host/q" in text
    again = wire.sender()
    assert wire.detached_with(again)[0] == "com.microsoft:entity-disabled"
    set_status(world, wire, EntityStatus.ACTIVE)
    third = wire.sender()
    number = wire.send(third, message("x"))
    assert wire.sent[number].condition is None


def test_a_receiver_whose_link_was_closed_gets_nothing_any_more(world: World, wire: Wire) -> None:
    queue = world.create()
    wire.receiver(credit=10)
    set_status(world, wire, EntityStatus.RECEIVE_DISABLED)
    world.send(queue, "a")
    wire.commit()
    assert wire.bodies() == []
    set_status(world, wire, EntityStatus.ACTIVE)
    wire.receiver(credit=10)
    assert wire.bodies() == ["a"]


def test_deleting_a_queue_closes_its_links_and_those_of_its_sub_queues(world: World, wire: Wire) -> None:
    queue = world.create()
    world.create("other")
    kept = wire.receiver("other", credit=1)
    handles = [
        wire.sender(),
        wire.receiver(credit=5),
        wire.receiver("q/$DeadLetterQueue", credit=5),
        wire.sender("q/$management"),
        wire.attach("q/$management", sends=False, reply_address="client"),
    ]
    with world.transactions.writer() as writer:
        delete_entity(world.broker, writer, queue.record)
    wire.commit()
    closed = {fields[0]: fields[2].value for fields in wire.heard(frames.DETACH)}
    assert closed.keys() == set(handles)
    for condition, text, info in closed.values():
        assert condition == "amqp:not-found"
        assert "could not be found" in text
        assert info
    world.send(world.queue("other"), "still here")
    wire.commit()
    assert wire.bodies(kept) == ["still here"]
    assert wire.detached_with(wire.sender())[0] == "amqp:not-found"
