"""Queues that are deleted when nobody uses them."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.addresses import parse_address
from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.model import MINUTE, EntityRecord
from localzure_protocols.amqp.codec import Timestamp
from localzure_protocols.amqp.message import encode_message_annotations
from tests.servicebus_wire import Wire
from tests.servicebus_world import World, message

MINUTES = 60


@pytest.fixture
def world() -> World:
    world = World()
    world.create(auto_delete_on_idle=5 * MINUTE)
    world.broker.arm_next()
    return world


def exists(world: World) -> bool:
    with world.broker.reader() as reader:
        return world.broker.entities.find(reader, parse_address("q")) is not None


def test_a_queue_that_nobody_uses_is_deleted(world: World) -> None:
    deleted: list[EntityRecord] = []
    world.broker.on_deleted = deleted.append
    world.advance(5 * MINUTES - 1)
    assert exists(world)
    world.advance(1)
    assert not exists(world)
    assert [record.name for record in deleted] == ["q"]
    with world.broker.reader() as reader:
        assert list(reader.scan(*world.broker.keys.due_range())) == []


def test_sending_and_asking_for_messages_is_use(world: World) -> None:
    wire = Wire(world)
    world.advance(4 * MINUTES)
    wire.send(wire.sender(), message("a"))
    world.advance(4 * MINUTES)
    wire.flow(wire.receiver(), 0)
    world.advance(5 * MINUTES - 1)
    assert exists(world)
    world.advance(1)
    assert not exists(world)


def test_who_waits_for_messages_uses_the_queue(world: World) -> None:
    wire = Wire(world)
    handle = wire.receiver(credit=1)
    world.advance(60 * MINUTES)
    assert exists(world)
    wire.flow(handle, 0)
    world.advance(60 * MINUTES)
    assert not exists(world)


def test_its_dead_letters_are_part_of_it(world: World) -> None:
    wire = Wire(world)
    wire.receiver("q/$DeadLetterQueue", credit=1)
    world.advance(60 * MINUTES)
    assert exists(world)


def test_a_scheduled_message_keeps_it(world: World) -> None:
    at = Timestamp(world.clock.now() // 1000 + 3_600_000)
    world.send_raw(world.queue(), encode_message_annotations({"x-opt-scheduled-enqueue-time": at}) + message("a"))
    world.advance(59 * MINUTES)
    assert exists(world)
    world.advance(1 * MINUTES)
    world.advance(10 * MINUTES)
    assert not exists(world)


def test_the_time_before_a_restart_counts_as_use(world: World) -> None:
    world.clock.advance(4 * MINUTES)
    world = world.restart()
    world.broker.arm_next()
    world.advance(4 * MINUTES)
    assert exists(world)
    world.advance(1 * MINUTES)
    assert not exists(world)


def test_a_queue_that_is_made_again_is_another(world: World) -> None:
    world.advance(5 * MINUTES)
    world.create(lock_duration=10 * MICROSECONDS)
    world.advance(60 * MINUTES)
    assert exists(world)
