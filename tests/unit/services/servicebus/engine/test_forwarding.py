"""Queues whose messages, or dead letters, move on to others."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.forwarding import STEP_MAX
from localzure.services.servicebus.engine.messages import send
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.receiving import require_receivable
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityDescription, EntityStatus
from localzure_protocols.amqp.codec import Timestamp
from localzure_protocols.amqp.message import encode_message_annotations
from tests.servicebus_world import World, bodies, message, sections

LOCK = 30


def update(world: World, queue: Queue, **properties: Any) -> None:
    with world.transactions.writer() as writer:
        entities = world.broker.entities
        changed = EntityDescription(lock_duration=LOCK * MICROSECONDS, **properties)
        entities.apply(entities.update(writer, queue.record, changed, world.clock.now()))
    world.commit()
    world.broker.arm_next()
    world.ring()


@pytest.fixture
def world() -> World:
    """A queue that forwards to another."""
    world = World()
    world.create("target")
    world.create("source", forward_to="target")
    return world


def reason(world: World, address: str) -> str:
    (dead,) = world.lock(world.queue(address), 9)
    return str(sections(dead).application_properties()["DeadLetterReason"])


def test_a_message_moves_on(world: World) -> None:
    target = world.queue("target")
    world.send(target, "own")
    world.clock.advance(1)
    world.send(world.queue("source"), "a", "b")
    first, second, third = world.lock(target, 9)
    assert bodies([first, second, third]) == ["own", "a", "b"]
    annotations = sections(third).message_annotations()
    assert annotations["x-opt-sequence-number"] == 3
    assert annotations["x-opt-enqueue-sequence-number"] == 2
    assert annotations["x-opt-enqueued-time"] == world.clock.now() // 1000
    assert "x-opt-deadletter-source" not in annotations
    counters = world.counters(world.queue("source"))
    assert (counters.active, counters.bytes, counters.last_sequence_number) == (0, 0, 2)


def test_the_target_may_be_an_address(world: World) -> None:
    world.create("other", forward_to="sb://namespace.servicebus.windows.net/TARGET")
    world.send(world.queue("other"), "a")
    assert bodies(world.lock(world.queue("target"))) == ["a"]


def test_those_who_wait_at_the_target_are_woken(world: World) -> None:
    woken: list[object] = []
    world.broker.on_available = woken.append
    world.send(world.queue("source"), "a")
    assert woken == [world.queue("target")]


def test_scheduled_messages_move_on_when_their_time_has_come(world: World) -> None:
    at = Timestamp(world.clock.now() // 1000 + 10_000)
    world.send_raw(
        world.queue("source"), encode_message_annotations({"x-opt-scheduled-enqueue-time": at}) + message("a")
    )
    assert world.counters(world.queue("source")).scheduled == 1
    world.advance(10)
    (delivery,) = world.lock(world.queue("target"))
    annotations = sections(delivery).message_annotations()
    assert annotations["x-opt-enqueue-sequence-number"] == 2
    assert annotations["x-opt-scheduled-enqueue-time"] == at


def test_the_time_to_live_is_the_shorter_one_and_begins_anew() -> None:
    world = World()
    world.create("target", default_message_time_to_live=5 * MICROSECONDS)
    world.create("source", forward_to="target")
    world.send(world.queue("source"), "a", ttl=60_000)
    world.advance(4.999)
    assert world.counters(world.queue("target")).active == 1
    world.advance(0.001)
    assert world.counters(world.queue("target")).active == 0


def test_four_hops_and_no_more() -> None:
    world = World()
    for number in range(6):
        world.create(f"q{number}", forward_to=f"q{number + 1}" if number < 5 else "")
    world.send(world.queue("q1"), "four")
    assert bodies(world.lock(world.queue("q5"))) == ["four"]
    world.send(world.queue("q0"), "five")
    assert world.lock(world.queue("q5")) == []
    assert reason(world, "q4/$DeadLetterQueue") == "MaxTransferHopCountExceeded"


def test_a_circle_ends_also_through_the_dead_letters() -> None:
    world = World()
    world.create("circle", forward_to="circle", forward_dead_lettered_messages_to="circle")
    world.send(world.queue("circle"), "a")
    assert reason(world, "circle/$DeadLetterQueue") == "MaxTransferHopCountExceeded"
    assert world.counters(world.queue("circle")).active == 0


@pytest.mark.parametrize(
    ("target", "condition"),
    [
        ({"status": EntityStatus.DISABLED}, "com.microsoft:entity-disabled"),
        ({"status": EntityStatus.SEND_DISABLED}, "com.microsoft:entity-disabled"),
        ({"requires_session": True}, "amqp:not-allowed"),
        ({"max_size_megabytes": 0}, "amqp:resource-limit-exceeded"),
        (None, "amqp:not-found"),
    ],
)
def test_what_the_target_does_not_take_is_a_dead_letter_of_the_source(target: Any, condition: str) -> None:
    world = World()
    if target is not None:
        world.create("target", **target)
    world.create("source", forward_to="target")
    world.send(world.queue("source"), "a")
    assert reason(world, "source/$DeadLetterQueue") == condition
    assert world.counters(world.queue("source")).active == 0


def test_a_message_too_large_for_the_target_is_a_dead_letter(world: World) -> None:
    world.create("large", forward_to="target", max_message_size_kilobytes=1024)
    world.send(world.queue("large"), "x" * 300_000)
    assert reason(world, "large/$DeadLetterQueue") == "amqp:link:message-size-exceeded"


def test_the_target_drops_duplicates() -> None:
    world = World()
    world.create("target", requires_duplicate_detection=True)
    world.create("source", forward_to="target")
    world.send(world.queue("source"), "a", "b", message_id="1")
    assert bodies(world.lock(world.queue("target"), 9)) == ["a"]


def test_no_receiver_on_a_queue_that_forwards(world: World) -> None:
    with pytest.raises(ServiceBusError) as caught:
        require_receivable(world.queue("source"), "source")
    assert caught.value.condition == "amqp:not-allowed"
    require_receivable(world.queue("source/$DeadLetterQueue"), "source")


def test_dead_letters_move_on_and_say_where_from() -> None:
    world = World()
    world.create("graves")
    queue = world.create("Source", forward_dead_lettered_messages_to="graves", max_delivery_count=1)
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    world.settle(queue, delivery, Disposition.DEAD_LETTERED, {"DeadLetterReason": "why"})
    (moved,) = world.lock(world.queue("graves"))
    annotations = sections(moved).message_annotations()
    assert annotations["x-opt-deadletter-source"] == "Source"
    assert annotations["x-opt-enqueue-sequence-number"] == 1
    assert sections(moved).application_properties() == {"DeadLetterReason": "why"}
    assert sections(moved).header().delivery_count == 0
    assert world.counters(world.queue("Source/$DeadLetterQueue")).active == 0


def test_a_dead_letter_that_cannot_move_on_stays() -> None:
    world = World()
    queue = world.create("source", forward_dead_lettered_messages_to="nowhere", max_delivery_count=1)
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    world.settle(queue, delivery, Disposition.ABANDONED)
    assert reason(world, "source/$DeadLetterQueue") == "MaxDeliveryCountExceeded"


def test_clients_cannot_say_how_often_a_message_was_forwarded(world: World) -> None:
    world.send_raw(world.queue("source"), encode_message_annotations({"x-opt-transfer-hop-count": 99}) + message("a"))
    assert bodies(world.lock(world.queue("target"))) == ["a"]


def test_what_a_queue_holds_when_it_begins_to_forward_moves_on_in_steps() -> None:
    world = World()
    world.create("target")
    queue = world.create("q")
    count = 2 * STEP_MAX + 7
    world.send(queue, *map(str, range(count)))
    update(world, queue, forward_to="target")
    assert world.counters(queue).active == 0
    assert bodies(world.lock(world.queue("target"), count)) == [str(number) for number in range(count)]


def test_what_is_locked_then_moves_on_when_it_comes_back() -> None:
    world = World()
    world.create("target")
    queue = world.create("q", lock_duration=LOCK * MICROSECONDS)
    world.send(queue, "completed", "abandoned", "expired")
    done, abandoned, _ = world.lock(queue, 3)
    update(world, queue, forward_to="target")
    assert world.counters(world.queue("target")).active == 0
    world.settle(queue, done, Disposition.COMPLETED)
    world.settle(queue, abandoned, Disposition.ABANDONED)
    world.ring()
    assert bodies(world.lock(world.queue("target"), 9)) == ["abandoned"]
    world.advance(LOCK)
    assert bodies(world.lock(world.queue("target"), 9)) == ["expired"]
    assert world.counters(queue).active == 0


def test_what_was_locked_when_the_server_crashed_moves_on() -> None:
    world = World()
    world.create("target")
    queue = world.create("q", lock_duration=LOCK * MICROSECONDS)
    world.send(queue, "a")
    world.lock(queue)
    update(world, queue, forward_to="target")
    world = world.restart()
    world.broker.arm_next()
    world.advance(LOCK)
    assert bodies(world.lock(world.queue("target"), 9)) == ["a"]


def test_dead_letters_that_are_there_move_on_too() -> None:
    world = World()
    world.create("target")
    queue = world.create("q")
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    world.settle(queue, delivery, Disposition.DEAD_LETTERED)
    update(world, queue, forward_dead_lettered_messages_to="target")
    (moved,) = world.lock(world.queue("target"))
    assert sections(moved).message_annotations()["x-opt-deadletter-source"] == "q"


def test_a_full_queue_takes_no_more_and_its_dead_letters_count() -> None:
    world = World()
    queue = world.create("q", max_size_megabytes=1, max_message_size_kilobytes=1024)
    world.send(queue, "x" * 700_000)
    (delivery,) = world.lock(queue)
    world.settle(queue, delivery, Disposition.DEAD_LETTERED)
    with world.broker.turn() as turn, pytest.raises(ServiceBusError) as caught:
        send(turn, queue, 0, message("x" * 400_000), world.broker.entropy)
    assert caught.value.code is ErrorCode.ENTITY_FULL
    assert (caught.value.status, caught.value.condition) == (403, "amqp:resource-limit-exceeded")
    world.take(world.queue("q/$DeadLetterQueue"))
    world.send(queue, "x" * 400_000)
    assert world.counters(queue).active == 1
