"""Messages that are enqueued later."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.forwarding import STEP_MAX
from localzure.services.servicebus.engine.messages import schedule
from localzure.services.servicebus.engine.scheduling import cancel
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import MessageState
from localzure_protocols.amqp.codec import Timestamp
from localzure_protocols.amqp.message import encode_message_annotations
from tests.servicebus_world import World, batch, bodies, body, message, sections

SCHEDULED_TIME = "x-opt-scheduled-enqueue-time"


@pytest.fixture
def world() -> World:
    world = World()
    world.create()
    return world


def scheduled(world: World, text: str, seconds: float, **parts: Any) -> bytes:
    """A message that is to be enqueued in `seconds`."""
    at = Timestamp(world.clock.now() // 1000 + int(seconds * 1000))
    return encode_message_annotations({SCHEDULED_TIME: at}) + message(text, **parts)


def due_count(world: World) -> int:
    with world.broker.reader() as reader:
        return len(list(reader.scan(*world.broker.keys.due_range())))


def test_a_scheduled_message_is_enqueued_when_its_time_has_come(world: World) -> None:
    queue = world.queue()
    world.send_raw(queue, scheduled(world, "later", 10))
    world.send(queue, "now")
    assert bodies(world.lock(queue, 9)) == ["now"]
    world.advance(9.999)
    assert world.lock(queue) == []
    world.advance(0.001)
    (delivery,) = world.lock(queue)
    assert body(sections(delivery)) == "later"
    annotations = sections(delivery).message_annotations()
    assert annotations["x-opt-sequence-number"] == 3
    assert annotations["x-opt-enqueued-time"] == annotations[SCHEDULED_TIME] == world.clock.now() // 1000
    assert "x-opt-enqueue-sequence-number" not in annotations
    assert due_count(world) == 0


def test_peek_and_counts_tell_scheduled_messages(world: World) -> None:
    queue = world.queue()
    world.send_raw(queue, scheduled(world, "later", 10))
    (peeked,) = world.peek(queue)
    assert peeked.message_annotations()["x-opt-message-state"] == MessageState.SCHEDULED
    counters = world.counters(queue)
    assert (counters.active, counters.scheduled) == (0, 1)
    assert counters.bytes > 0
    world.advance(10)
    counters = world.counters(queue)
    assert (counters.active, counters.scheduled) == (1, 0)


def test_a_time_that_has_passed_is_at_once(world: World) -> None:
    world.send_raw(world.queue(), scheduled(world, "a", -5))
    (delivery,) = world.lock(world.queue())
    assert sections(delivery).message_annotations()[SCHEDULED_TIME] == world.clock.now() // 1000 - 5000


def test_the_time_to_live_begins_when_it_is_enqueued(world: World) -> None:
    queue = world.queue()
    world.send_raw(queue, scheduled(world, "a", 10))
    payload = scheduled(world, "b", 10)
    world.send_raw(queue, b"\x00\x53\x70\xc0\x08\x03\x40\x40\x70\x00\x00\x13\x88" + payload)
    world.advance(10)
    expiry = [found.properties().absolute_expiry_time for found in world.peek(queue)]
    assert expiry == [None, world.clock.now() // 1000 + 5000]
    world.advance(5)
    assert bodies(world.lock(queue, 9)) == ["a"]


def test_scheduled_messages_of_a_batch(world: World) -> None:
    queue = world.queue()
    world.send_raw(queue, *batch(message("now"), scheduled(world, "later", 10)))
    assert bodies(world.lock(queue, 9)) == ["now"]
    world.advance(10)
    assert bodies(world.lock(queue, 9)) == ["later"]


def test_they_survive_a_crash_and_what_came_due_meanwhile_is_enqueued(world: World) -> None:
    world.send_raw(world.queue(), scheduled(world, "a", 10))
    world = world.restart()
    world.clock.advance(20)
    world.broker.arm_next()
    world.ring()
    (delivery,) = world.lock(world.queue())
    assert sections(delivery).message_annotations()["x-opt-enqueued-time"] == world.clock.now() // 1000


def test_many_that_come_due_together_keep_their_order(world: World) -> None:
    queue = world.queue()
    count = 3 * STEP_MAX
    with world.broker.turn() as turn:
        numbers = schedule(
            turn, queue, [scheduled(world, str(number), 10) for number in range(count)], world.broker.entropy
        )
    world.commit()
    assert numbers == list(range(1, count + 1))
    world.advance(10)
    assert bodies(world.lock(queue, count)) == [str(number) for number in range(count)]


def test_cancel(world: World) -> None:
    queue = world.queue()
    world.send_raw(queue, scheduled(world, "a", 10))
    world.send_raw(queue, scheduled(world, "b", 10))
    with world.broker.turn() as turn:
        cancel(turn, queue, [1, 1])
    world.commit()
    assert world.counters(queue).scheduled == 1
    assert due_count(world) == 1
    world.advance(10)
    assert bodies(world.lock(queue, 9)) == ["b"]


def test_cancelling_is_all_or_nothing(world: World) -> None:
    queue = world.queue()
    world.send_raw(queue, scheduled(world, "a", 10))
    world.send(queue, "active")
    for unknown in (2, 99):
        with world.broker.turn() as turn, pytest.raises(ServiceBusError) as caught:
            cancel(turn, queue, [1, unknown])
        assert (caught.value.status, caught.value.condition) == (404, "com.microsoft:message-not-found")
    world.commit()
    assert world.counters(queue).scheduled == 1


@pytest.mark.parametrize("wrong", [Timestamp(-1), Timestamp(2**62), 5, "tomorrow"])
def test_a_time_that_makes_no_sense_is_refused(world: World, wrong: object) -> None:
    payload = encode_message_annotations({SCHEDULED_TIME: wrong}) + message("a")
    with world.broker.turn() as turn, pytest.raises(ServiceBusError) as caught:
        schedule(turn, world.queue(), [payload], world.broker.entropy)
    assert caught.value.code is ErrorCode.ARGUMENT


def test_one_that_has_become_too_large_is_a_dead_letter(world: World) -> None:
    queue = world.create("big", max_message_size_kilobytes=1024)
    world.send_raw(queue, scheduled(world, "x" * 300_000, 10))
    with world.transactions.writer() as writer:
        entities = world.broker.entities
        smaller = type(queue.description)(max_message_size_kilobytes=256)
        entities.apply(entities.update(writer, queue.record, smaller, world.clock.now()))
    world.commit()
    world.advance(10)
    (dead,) = world.lock(world.queue("big/$DeadLetterQueue"))
    assert sections(dead).application_properties()["DeadLetterReason"] == "amqp:link:message-size-exceeded"
    assert world.counters(queue).scheduled == 0


def test_a_default_time_to_live_does_not_end_it_before_its_time() -> None:
    world = World()
    queue = world.create(default_message_time_to_live=5 * MICROSECONDS)
    world.send_raw(queue, scheduled(world, "a", 10))
    world.advance(10)
    assert bodies(world.lock(queue)) == ["a"]
