"""Queues that drop messages whose id they have taken before."""

from __future__ import annotations

import uuid

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.messages import schedule
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.model import EntityDescription
from localzure_protocols.amqp.codec import Timestamp
from localzure_protocols.amqp.message import encode_message_annotations
from tests.servicebus_world import World, batch, bodies, message

WINDOW = 20


@pytest.fixture
def world() -> World:
    world = World()
    world.create(requires_duplicate_detection=True, duplicate_detection_history_time_window=WINDOW * MICROSECONDS)
    return world


def entries(world: World) -> int:
    """What is stored for duplicate detection, the due index apart."""
    queue_id = world.queue().queue_id
    start = world.broker.keys.duplicate(queue_id, b"")[:-1]
    with world.broker.reader() as reader:
        return len(list(reader.scan(start, start + b"\xff" * 20)))


def update(world: World, queue: Queue, **properties: object) -> None:
    with world.transactions.writer() as writer:
        changed = EntityDescription(requires_duplicate_detection=True, **properties)  # type: ignore[arg-type]  # by name
        world.broker.entities.apply(world.broker.entities.update(writer, queue.record, changed, world.clock.now()))
    world.commit()


def test_a_second_message_with_the_same_id_is_dropped(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", message_id="1")
    world.send(queue, "b", message_id="1")
    world.send(queue, "c", message_id="2")
    assert bodies(world.lock(queue, 9)) == ["a", "c"]
    assert world.counters(queue).last_sequence_number == 2


def test_also_where_the_first_has_been_received(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", message_id="1")
    world.take(queue)
    world.send(queue, "b", message_id="1")
    assert world.lock(queue) == []


def test_duplicates_in_one_batch(world: World) -> None:
    queue = world.queue()
    world.send_raw(queue, *batch(*(message(text, message_id=text[0]) for text in ("a1", "b1", "a2"))))
    assert bodies(world.lock(queue, 9)) == ["a1", "b1"]


def test_ids_of_other_types_are_others(world: World) -> None:
    queue, number = world.queue(), uuid.UUID(int=1)
    world.send(queue, "a", message_id=number)
    world.send(queue, "b", message_id=str(number))
    world.send(queue, "c", message_id=number)
    assert bodies(world.lock(queue, 9)) == ["a", "b"]


def test_messages_without_an_id_are_no_duplicates(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b", message_id=None)
    assert bodies(world.lock(queue, 9)) == ["a", "b"]


def test_when_the_window_has_passed_the_id_is_free(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", message_id="1")
    world.advance(WINDOW - 0.001)
    world.send(queue, "b", message_id="1")
    assert entries(world) == 1
    world.advance(0.001)
    assert entries(world) == 0
    world.send(queue, "c", message_id="1")
    assert bodies(world.lock(queue, 9)) == ["a", "c"]


def test_the_id_is_free_at_once_even_before_the_alarm_rings(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", message_id="1")
    world.clock.advance(WINDOW)
    world.send(queue, "b", message_id="1")
    world.ring()
    world.send(queue, "c", message_id="1")
    assert bodies(world.lock(queue, 9)) == ["a", "b"]
    world.advance(WINDOW)
    assert entries(world) == 0


def test_ids_survive_a_crash(world: World) -> None:
    world.send(world.queue(), "a", message_id="1")
    world = world.restart()
    world.broker.arm_next()
    world.send(world.queue(), "b", message_id="1")
    assert bodies(world.lock(world.queue(), 9)) == ["a"]
    world.advance(WINDOW)
    assert entries(world) == 0


def test_a_longer_window_holds_for_what_was_taken_before(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", message_id="1")
    update(world, queue, duplicate_detection_history_time_window=2 * WINDOW * MICROSECONDS)
    world.advance(WINDOW + 1)
    world.send(queue, "b", message_id="1")
    world.advance(WINDOW)
    assert entries(world) == 0
    assert bodies(world.lock(queue, 9)) == ["a"]


def test_scheduled_messages_count(world: World) -> None:
    queue = world.queue()
    at = Timestamp(world.clock.now() // 1000 + 10_000)
    later = encode_message_annotations({"x-opt-scheduled-enqueue-time": at}) + message("later", message_id="1")
    with world.broker.turn() as turn:
        assert schedule(turn, queue, [later, later], world.broker.entropy) == [1, 1]
    world.send(queue, "now", message_id="1")
    world.advance(10)
    assert bodies(world.lock(queue, 9)) == ["later"]


def test_a_partitioned_queue_compares_the_partition_key_too() -> None:
    world = World()
    queue = world.create(requires_duplicate_detection=True, enable_partitioning=True)
    for key in ("x", "y", "x"):
        world.send_raw(queue, encode_message_annotations({"x-opt-partition-key": key}) + message(key, message_id="1"))
    assert bodies(world.lock(queue, 9)) == ["x", "y"]


def test_what_a_deleted_queue_has_noted_is_freed(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", message_id="1")
    with world.transactions.writer() as writer:
        world.broker.entities.delete(writer, queue.record)
    world.broker.entities.forget(queue.record)
    world.commit()
    world.advance(WINDOW)
    start, stop = world.broker.keys.due_range()
    with world.broker.reader() as reader:
        assert list(reader.scan(start, stop)) == []
        assert reader.get(world.broker.keys.duplicate(queue.queue_id, b"")) is None
