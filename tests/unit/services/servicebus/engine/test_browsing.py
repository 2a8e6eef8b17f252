"""Peeking, and receiving deferred messages by number."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.browsing import PEEK_MESSAGES_MAX, Fetched, receive_deferred
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.message import split
from tests.servicebus_world import World, body


@pytest.fixture
def world() -> World:
    world = World()
    queue = world.create(lock_duration=30 * MICROSECONDS, max_delivery_count=2)
    world.send(queue, *"abcde")
    return world


def deferred(world: World, count: int = 2) -> Queue:
    queue = world.queue()
    for delivery in world.lock(queue, count):
        world.settle(queue, delivery, Disposition.DEFERRED)
    return queue


def receive(world: World, *numbers: int, locked: bool = True) -> list[Fetched]:
    with world.broker.turn() as turn:
        fetched = receive_deferred(world.broker, turn, world.queue(), numbers, locked=locked)
    world.commit()
    return fetched


def token_of(fetched: Fetched) -> bytes:
    assert fetched.token is not None
    return fetched.token.bytes_le


def end(world: World, token: bytes, disposition: Disposition) -> None:
    with world.broker.turn() as turn:
        settle(turn, world.queue(), token, disposition)
    world.commit()


def test_peeking_shows_all_states_in_order_of_their_numbers(world: World) -> None:
    queue = deferred(world)
    world.lock(queue)
    found = world.peek(queue)
    assert [body(each) for each in found] == [*"abcde"]
    annotations = [each.message_annotations() for each in found]
    assert [each["x-opt-sequence-number"] for each in annotations] == [1, 2, 3, 4, 5]
    assert [each["x-opt-message-state"] for each in annotations] == [1, 1, 0, 0, 0]
    assert all("x-opt-locked-until" not in each for each in annotations)


def test_peeking_begins_where_it_is_asked_to(world: World) -> None:
    queue = world.queue()
    assert [body(each) for each in world.peek(queue, 4)] == ["d", "e"]
    assert [body(each) for each in world.peek(queue, 2, 2)] == ["b", "c"]
    assert [body(each) for each in world.peek(queue, -5, 1)] == ["a"]
    assert world.peek(queue, 6) == []


def test_peeking_takes_nothing(world: World) -> None:
    world.peek(world.queue())
    assert len(world.lock(world.queue(), 9)) == 5


def test_a_peek_is_bounded(world: World) -> None:
    world.send(world.queue(), *["x"] * PEEK_MESSAGES_MAX)
    assert len(world.peek(world.queue(), 0, 10_000)) == PEEK_MESSAGES_MAX
    world.send(world.queue(), *["x" * 200_000] * 8)
    assert len(world.peek(world.queue(), PEEK_MESSAGES_MAX + 6, 100)) == 6


def test_a_deferred_message_is_received_under_a_lock(world: World) -> None:
    deferred(world)
    (fetched,) = receive(world, 2)
    message = split(fetched.message)
    assert body(message) == "b"
    assert message.delivery_annotations()["x-opt-lock-token"] == fetched.token
    assert message.message_annotations()["x-opt-locked-until"] == world.clock.now() // 1000 + 30_000
    end(world, token_of(fetched), Disposition.COMPLETED)
    assert world.counters(world.queue()).deferred == 1


def test_a_deferred_message_can_be_received_for_good(world: World) -> None:
    deferred(world)
    fetched = receive(world, 2, 1, locked=False)
    assert [body(split(each.message)) for each in fetched] == ["b", "a"]
    assert [each.token for each in fetched] == [None, None]
    assert world.counters(world.queue()).deferred == 0


@pytest.mark.parametrize("disposition", [Disposition.ABANDONED, Disposition.RELEASED, Disposition.DEFERRED])
def test_what_is_given_back_is_deferred_again(world: World, disposition: Disposition) -> None:
    deferred(world)
    end(world, token_of(receive(world, 1)[0]), disposition)
    counters = world.counters(world.queue())
    assert (counters.active, counters.deferred) == (3, 2)
    (again,) = receive(world, 1)
    assert split(again.message).header().delivery_count == (1 if disposition is Disposition.ABANDONED else 0)


def test_a_deferred_message_whose_lock_expires_is_deferred_again_or_a_dead_letter(world: World) -> None:
    deferred(world)
    receive(world, 1)
    world.advance(30)
    assert len(world.lock(world.queue(), 9)) == 3
    receive(world, 1)
    world.advance(30)
    assert [body(each) for each in world.peek(world.queue("q/$DeadLetterQueue"))] == ["a"]
    assert world.counters(world.queue()).deferred == 1


@pytest.mark.parametrize("numbers", [(3,), (99,), (1, 99), (1, 3)])
def test_what_is_not_deferred_is_not_found(world: World, numbers: tuple[int, ...]) -> None:
    deferred(world)
    with pytest.raises(ServiceBusError) as caught:
        receive(world, *numbers)
    assert caught.value.code is ErrorCode.MESSAGE_NOT_FOUND
    assert len(receive(world, 1)) == 1, "all or none"


def test_a_message_is_received_by_one_at_a_time(world: World) -> None:
    deferred(world)
    receive(world, 1)
    with pytest.raises(ServiceBusError) as caught:
        receive(world, 1)
    assert caught.value.code is ErrorCode.MESSAGE_NOT_FOUND
    with pytest.raises(ServiceBusError):
        receive(world, 2, 2)
