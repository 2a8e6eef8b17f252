"""Messages whose time to live ends."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.expiry import run_due
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.keys import ServiceBusKeys
from localzure_storage.keys import Subspace
from tests.servicebus_world import World, bodies, body, sections

DEAD_LETTERS = "q/$DeadLetterQueue"


@pytest.fixture
def world() -> World:
    world = World()
    world.create(dead_lettering_on_message_expiration=True, lock_duration=30 * MICROSECONDS)
    return world


def due_count(world: World) -> int:
    with world.broker.reader() as reader:
        return len(list(reader.scan(*ServiceBusKeys(Subspace(b"s")).due_range())))


def test_a_message_that_expires_is_a_dead_letter_where_the_queue_wants_it_so(world: World) -> None:
    world.send(world.queue(), "a", ttl=10_000)
    world.send(world.queue(), "b")
    world.advance(9.999)
    assert world.counters(world.queue()).active == 2
    world.advance(0.001)
    assert bodies(world.lock(world.queue(), 9)) == ["b"]
    (dead,) = world.lock(world.queue(DEAD_LETTERS), 9)
    assert sections(dead).application_properties() == {
        "DeadLetterReason": "TTLExpiredException",
        "DeadLetterErrorDescription": "The message expired and was dead lettered.",
    }
    assert due_count(world) == 0


def test_else_it_is_gone() -> None:
    world = World()
    queue = world.create(default_message_time_to_live=5 * MICROSECONDS)
    world.send(queue, "a", "b")
    world.advance(5)
    assert world.counters(queue).active == 0
    assert world.counters(queue).bytes == 0
    assert world.lock(world.queue(DEAD_LETTERS)) == []


def test_a_dead_letter_does_not_expire(world: World) -> None:
    world.send(world.queue(), "a", ttl=10_000)
    world.advance(10)
    world.advance(10_000_000)
    assert bodies(world.lock(world.queue(DEAD_LETTERS))) == ["a"]


def test_an_expired_message_is_not_handed_out_before_the_alarm_rings(world: World) -> None:
    world.send(world.queue(), "a", "b", ttl=10_000)
    world.send(world.queue(), "c")
    world.clock.advance(10)
    assert bodies(world.lock(world.queue(), 9)) == ["c"]
    assert bodies(world.lock(world.queue(DEAD_LETTERS), 9)) == ["a", "b"]
    world.ring()
    assert world.counters(world.queue(DEAD_LETTERS)).active == 2


def test_an_expired_message_is_not_received_and_deleted(world: World) -> None:
    world.send(world.queue(), "a", ttl=10_000)
    world.clock.advance(10)
    assert world.take(world.queue(), 9) == []
    assert bodies(world.lock(world.queue(DEAD_LETTERS), 9)) == ["a"]


def test_a_deferred_message_stays(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", ttl=10_000)
    world.settle(queue, world.lock(queue)[0], Disposition.DEFERRED)
    world.advance(60)
    assert [body(each) for each in world.peek(queue)] == ["a"]
    assert due_count(world) == 0


def test_a_completed_message_leaves_nothing_in_the_due_index(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b", ttl=10_000)
    world.settle(queue, world.lock(queue)[0], Disposition.COMPLETED)
    world.take(queue)
    assert due_count(world) == 0


def test_a_message_expires_after_a_restart_in_a_queue_that_nobody_uses(world: World) -> None:
    world.send(world.queue(), "a", ttl=10_000)
    world = world.restart()
    world.broker.arm_next()
    world.advance(10)
    assert bodies(world.lock(world.queue(DEAD_LETTERS))) == ["a"]


def test_a_message_that_was_locked_when_its_time_ended_expires_after_a_crash(world: World) -> None:
    world.send(world.queue(), "a", ttl=10_000)
    world.lock(world.queue())
    world.advance(10)
    world = world.restart()
    world.broker.arm_next()
    assert world.lock(world.queue(), 9) == []
    assert bodies(world.lock(world.queue(DEAD_LETTERS))) == ["a"]
    assert world.counters(world.queue()).active == 0


def test_it_does_so_also_where_nobody_receives(world: World) -> None:
    world.send(world.queue(), "a", ttl=10_000)
    world.lock(world.queue())
    world.advance(10)
    world = world.restart()
    world.broker.arm_next()
    world.advance(20)
    assert bodies(world.lock(world.queue(DEAD_LETTERS))) == ["a"]
    assert due_count(world) == 0


def test_an_entry_whose_message_was_settled_under_its_lock_means_nothing(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", ttl=10_000)
    (delivery,) = world.lock(queue)
    world.advance(10)
    world.settle(queue, delivery, Disposition.COMPLETED)
    assert due_count(world) == 1
    world.advance(20)
    assert due_count(world) == 0
    assert world.counters(queue).active == 0


def test_many_messages_that_expire_together_are_ended_in_steps(world: World) -> None:
    world.send(world.queue(), *["x"] * 1100, ttl=10_000)
    world.clock.advance(10)
    run_due(world.broker)
    assert 0 < world.counters(world.queue()).active < 1100
    world.commit()
    world.ring()
    assert world.counters(world.queue()).active == 0


def test_an_alarm_for_which_nothing_is_left_writes_nothing(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    world.settle(queue, world.lock(queue)[0], Disposition.COMPLETED)
    world.clock.advance(30)
    assert world.alarm.at == world.clock.now()
    world.ring()
    assert world.alarm.at is None


def test_the_alarm_is_set_to_what_comes_first(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", ttl=50_000)
    assert world.alarm.at == world.clock.now() + 50 * MICROSECONDS
    world.lock(queue)
    assert world.alarm.at == world.clock.now() + 30 * MICROSECONDS
    world.send(queue, "b", ttl=20_000)
    assert world.alarm.at == world.clock.now() + 20 * MICROSECONDS
