"""Messages on their way out: order, locks, renewal, expiry of locks."""

from __future__ import annotations

import pytest

from localzure.services.interface import SECOND
from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.receiving import (
    STEP_BYTES_MAX,
    lock_next,
    put_back,
    renew,
    require_receivable,
)
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityStatus
from tests.servicebus_world import World, bodies, sections


@pytest.fixture
def world() -> World:
    world = World()
    world.create(lock_duration=30 * MICROSECONDS, max_delivery_count=3)
    return world


def test_messages_are_locked_in_order_and_each_once(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b", "c")
    assert bodies(world.lock(queue, 2)) == ["a", "b"]
    assert bodies(world.lock(queue, 2)) == ["c"]
    assert world.lock(queue, 2) == []
    world.send(queue, "d")
    assert bodies(world.lock(queue, 2)) == ["d"]


def test_locking_writes_nothing(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    lock_next(world.broker, queue, 1)
    assert not world.transactions.is_open


def test_what_is_not_committed_is_not_handed_out(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", commit=False)
    assert lock_next(world.broker, queue, 1) == []
    assert not queue.has_available
    world.commit()
    assert bodies(world.lock(queue)) == ["a"]


def test_a_lock_token_is_a_guid_of_its_own(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    first, second = world.lock(queue, 2)
    assert len(first.token) == len(second.token) == 16
    assert first.token != second.token


def test_a_lock_that_expires_gives_the_message_back_with_a_higher_count(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    (first,) = world.lock(queue)
    world.advance(29.999)
    assert bodies(world.lock(queue, 2)) == ["b"]
    world.advance(0.001)
    (again,) = world.lock(queue)
    assert bodies([again]) == ["a"]
    assert sections(again).header().delivery_count == 1
    assert again.token != first.token
    with pytest.raises(ServiceBusError) as caught:
        world.settle(queue, first, Disposition.COMPLETED)
    assert caught.value.code is ErrorCode.LOCK_LOST


def test_a_lock_counts_as_lost_at_its_deadline_before_the_alarm_rings(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    world.clock.advance(30)
    with pytest.raises(ServiceBusError):
        world.settle(queue, delivery, Disposition.COMPLETED)
    with pytest.raises(ServiceBusError):
        renew(world.broker, queue, delivery.token)
    world.ring()
    assert bodies(world.lock(queue)) == ["a"]


def test_after_the_last_attempt_a_message_is_a_dead_letter(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    for _ in range(3):
        assert bodies(world.lock(queue)) == ["a"]
        world.advance(30)
    assert world.lock(queue) == []
    (dead,) = world.lock(world.queue("q/$DeadLetterQueue"))
    assert sections(dead).header().delivery_count == 3
    assert sections(dead).application_properties() == {
        "DeadLetterReason": "MaxDeliveryCountExceeded",
        "DeadLetterErrorDescription": "Message could not be consumed after 3 delivery attempts.",
    }
    assert sections(dead).message_annotations()["x-opt-enqueue-sequence-number"] == 1


def test_dead_letters_have_no_last_attempt(world: World) -> None:
    queue, dead_letters = world.queue(), world.queue("q/$DeadLetterQueue")
    world.send(queue, "a")
    world.settle(queue, world.lock(queue)[0], Disposition.DEAD_LETTERED)
    for count in range(6):
        (dead,) = world.lock(dead_letters)
        assert sections(dead).header().delivery_count == count
        world.advance(30)


def test_renewing_extends_a_lock_from_now(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    world.advance(20)
    assert renew(world.broker, queue, delivery.token) == world.clock.now() + 30 * SECOND
    world.advance(29)
    world.settle(queue, delivery, Disposition.COMPLETED)
    assert world.counters(queue).active == 0


def test_a_renewed_lock_expires_too(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    first, _ = world.lock(queue, 2)
    world.advance(20)
    renew(world.broker, queue, first.token)
    world.advance(10)
    assert bodies(world.lock(queue, 2)) == ["b"]
    world.advance(20)
    assert bodies(world.lock(queue, 2)) == ["a"]


def test_nobody_renews_a_lock_that_is_unknown(world: World) -> None:
    with pytest.raises(ServiceBusError) as caught:
        renew(world.broker, world.queue(), bytes(16))
    assert caught.value.code is ErrorCode.LOCK_LOST


def test_what_comes_back_is_next_in_its_old_order(world: World) -> None:
    queue = world.queue()
    world.send(queue, *"abcde")
    a, b, c, _d = world.lock(queue, 4)
    for delivery in (c, a, b):
        world.settle(queue, delivery, Disposition.ABANDONED)
    assert bodies(world.lock(queue, 9)) == ["a", "b", "c", "e"]


def test_a_shorter_lock_duration_is_kept_beside_a_longer_one() -> None:
    world = World()
    queue = world.create(lock_duration=60 * MICROSECONDS)
    world.send(queue, "a", "b")
    world.lock(queue)
    with world.transactions.writer() as writer:
        entities = world.broker.entities
        changed = entities.update(writer, queue.record, type(queue.description)(lock_duration=5 * MICROSECONDS), 0)
    world.commit()
    entities.apply(changed)
    world.lock(queue)
    world.advance(5)
    assert bodies(world.lock(queue, 2)) == ["b"]


def test_locks_expire_in_time_after_the_clock_was_set_back(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    now = world.clock.now()
    world.clock.advance(3600)
    assert bodies(world.lock(queue)) == ["a"]
    world.clock.set_now(now)
    assert bodies(world.lock(queue)) == ["b"]
    world.advance(30)
    # The first lock was taken an hour later, the second one is over.
    assert bodies(world.lock(queue, 2)) == ["b"]


def test_many_locks_that_end_together_are_ended_in_steps(world: World) -> None:
    queue = world.queue()
    world.send(queue, *[str(number) for number in range(1200)])
    assert len(world.lock(queue, 1200)) == 1200
    world.advance(30)
    assert bodies(world.lock(queue, 1200)) == [str(number) for number in range(1200)]


def test_after_a_crash_what_was_locked_is_available_with_the_count_that_it_had(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b", "c")
    _, b = world.lock(queue, 2)
    world.settle(queue, b, Disposition.ABANDONED)
    world = world.restart()
    found = world.lock(world.queue(), 9)
    assert bodies(found) == ["a", "b", "c"]
    assert [sections(each).header().delivery_count for each in found] == [0, 1, 0]


def test_receiving_and_deleting_leaves_nothing(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b", "c")
    taken = world.take(queue, 2)
    assert bodies(taken) == ["a", "b"]
    assert "x-opt-locked-until" not in sections(taken[0]).message_annotations()
    assert world.counters(queue).active == 1
    assert bodies(world.restart().take(world.queue(), 9)) == ["c"]


def test_what_was_taken_can_be_put_back(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b", ttl=60_000)
    taken = world.take(queue, 2)
    with world.broker.turn() as turn:
        put_back(turn, queue, taken)
    world.commit()
    assert world.counters(queue).active == 2
    assert bodies(world.lock(queue, 9)) == ["a", "b"]


def test_large_messages_are_handed_out_in_steps(world: World) -> None:
    queue = world.queue()
    world.send(queue, *["x" * 200_000] * 8)
    step = lock_next(world.broker, queue, 100)
    assert 1 < len(step) < 8
    assert sum(len(delivery.stored) for delivery in step) < STEP_BYTES_MAX + 262144
    assert len(step) + len(world.lock(queue, 100)) == 8


@pytest.mark.parametrize("status", [EntityStatus.DISABLED, EntityStatus.RECEIVE_DISABLED])
def test_nothing_is_received_from_a_queue_that_is_disabled(status: EntityStatus) -> None:
    with pytest.raises(ServiceBusError) as caught:
        require_receivable(World().create(status=status), "sb://h/q")
    assert caught.value.code is ErrorCode.ENTITY_DISABLED


def test_no_memory_is_kept_per_message_that_waits(world: World) -> None:
    queue = world.queue()
    world.send(queue, *[str(number) for number in range(1000)])
    fresh = world.restart()
    assert bodies(fresh.lock(fresh.queue())) == ["0"]
    assert len(fresh.queue().locks) == 1
    assert fresh.queue().returned == []
