"""How deliveries end."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.codec import Symbol, Uint
from tests.servicebus_world import World, bodies, sections


@pytest.fixture
def world() -> World:
    world = World()
    world.create(max_delivery_count=3)
    return world


def dead_letters(world: World) -> Queue:
    return world.queue("q/$DeadLetterQueue")


def test_what_is_completed_is_gone(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    world.settle(queue, world.lock(queue)[0], Disposition.COMPLETED)
    counters = world.counters(queue)
    assert (counters.active, counters.bytes) == (0, 0)
    assert world.peek(queue) == []
    assert world.lock(world.restart().queue()) == []


def test_what_is_abandoned_comes_back_with_a_higher_count(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    world.settle(queue, world.lock(queue)[0], Disposition.ABANDONED)
    (again,) = world.lock(queue)
    assert sections(again).header().delivery_count == 1
    assert world.counters(queue).active == 1


def test_abandoning_changes_properties(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", application_properties={"kept": 1, "changed": 1})
    world.settle(queue, world.lock(queue)[0], Disposition.ABANDONED, {Symbol("changed"): Uint(2), "new": "x"})
    (again,) = world.lock(queue)
    assert sections(again).application_properties() == {"kept": 1, "changed": 2, "new": "x"}
    assert sections(again).header().delivery_count == 1


def test_abandoned_once_too_often_it_is_a_dead_letter(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    for _ in range(3):
        world.settle(queue, world.lock(queue)[0], Disposition.ABANDONED, {"tried": True})
    assert world.lock(queue) == []
    (dead,) = world.lock(dead_letters(world))
    assert sections(dead).application_properties()["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert sections(dead).application_properties()["tried"] is True


def test_a_dead_letter_has_its_reasons_and_where_it_was(world: World) -> None:
    queue = world.queue()
    world.send(queue, "x", "a", application_properties={"own": 1})
    _, delivery = world.lock(queue, 2)
    sent_at = world.clock.now()
    world.advance(10)
    changes = {"DeadLetterReason": "why", "DeadLetterErrorDescription": "because", "extra": 2}
    world.settle(queue, delivery, Disposition.DEAD_LETTERED, changes)
    (dead,) = world.lock(dead_letters(world))
    assert bodies([dead]) == ["a"]
    assert sections(dead).application_properties() == {"own": 1, **changes}
    annotations = sections(dead).message_annotations()
    assert annotations["x-opt-sequence-number"] == 1
    assert annotations["x-opt-enqueue-sequence-number"] == 2
    assert annotations["x-opt-enqueued-time"] == sent_at // 1000
    assert sections(dead).properties().message_id == "id"
    assert world.counters(queue).active == 1
    assert world.counters(dead_letters(world)).active == 1


def test_a_dead_letter_cannot_be_dead_lettered(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    world.settle(queue, world.lock(queue)[0], Disposition.DEAD_LETTERED)
    (dead,) = world.lock(dead_letters(world))
    with pytest.raises(ServiceBusError) as caught:
        world.settle(dead_letters(world), dead, Disposition.DEAD_LETTERED)
    assert caught.value.condition == "amqp:not-allowed"
    world.settle(dead_letters(world), dead, Disposition.COMPLETED)


def test_what_is_released_comes_back_as_if_it_had_not_been_delivered(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    first, _ = world.lock(queue, 2)
    world.settle(queue, first, Disposition.RELEASED)
    (again,) = world.lock(queue, 9)
    assert bodies([again]) == ["a"]
    assert sections(again).header().delivery_count == 0


def test_what_is_deferred_is_no_longer_handed_out(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    world.settle(queue, world.lock(queue)[0], Disposition.DEFERRED, {"later": True})
    assert bodies(world.lock(queue, 9)) == ["b"]
    counters = world.counters(queue)
    assert (counters.active, counters.deferred) == (1, 1)
    assert bodies(world.restart().lock(world.queue(), 9)) == []
    deferred, active = world.peek(queue)
    assert deferred.message_annotations()["x-opt-message-state"] == 1
    assert deferred.application_properties() == {"later": True}
    assert active.message_annotations()["x-opt-message-state"] == 0


@pytest.mark.parametrize("disposition", Disposition)
def test_a_delivery_is_settled_once(world: World, disposition: Disposition) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    with world.broker.turn() as turn:
        settle(turn, queue, delivery.token, disposition)
        with pytest.raises(ServiceBusError) as caught:
            settle(turn, queue, delivery.token, Disposition.COMPLETED)
    assert caught.value.code is ErrorCode.LOCK_LOST
    world.commit()


def test_an_outcome_with_properties_that_cannot_be_stored_leaves_the_lock(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    with pytest.raises(ServiceBusError) as caught:
        world.settle(queue, delivery, Disposition.ABANDONED, {"bad": object()})
    assert caught.value.code is ErrorCode.ARGUMENT
    world.settle(queue, delivery, Disposition.COMPLETED)


def test_a_message_whose_time_ends_under_a_lock_ends_with_the_lock() -> None:
    world = World()
    queue = world.create(lock_duration=60 * MICROSECONDS, dead_lettering_on_message_expiration=True)
    world.send(queue, "abandoned", "released", "completed", "expired", ttl=10_000)
    abandoned, released, completed, _ = world.lock(queue, 4)
    world.advance(20)
    assert world.counters(queue).active == 4
    world.settle(queue, completed, Disposition.COMPLETED)
    world.settle(queue, abandoned, Disposition.ABANDONED)
    world.settle(queue, released, Disposition.RELEASED)
    world.advance(40)
    dead = world.lock(dead_letters(world), 9)
    assert bodies(dead) == ["abandoned", "released", "expired"]
    assert {sections(each).application_properties()["DeadLetterReason"] for each in dead} == {"TTLExpiredException"}
    assert world.counters(queue).active == 0
