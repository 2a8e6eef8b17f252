"""Who gets the next message."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from localzure.services.servicebus.dispatch import STEP_MESSAGES_MAX
from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.receiving import Delivery
from localzure.services.servicebus.engine.settlement import Disposition
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_world import World, bodies


class Receiver:
    """A `dispatch.Waiter` with credit."""

    def __init__(self, world: World, *, is_destructive: bool = False) -> None:
        self.world = world
        self.is_destructive = is_destructive
        self.queued = 0
        self.credit = 0
        self.reserved = 0
        self.is_gone = False
        self.is_writable = True
        self.asked = 0
        self.deliveries: list[Delivery] = []

    @property
    def got(self) -> list[str]:
        return bodies(self.deliveries)

    def give_credit(self, credit: int) -> None:
        self.credit += credit
        self.world.dispatch.join(self.world.queue(), self, credit)

    def wanted(self) -> int:
        self.asked += 1
        return self.credit - self.reserved if self.is_writable else 0

    def reserve(self, count: int) -> None:
        self.reserved += count

    def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        if self.is_gone:
            return deliveries
        self.credit -= len(deliveries)
        assert self.credit >= 0, "never beyond credit"
        self.deliveries += deliveries
        return ()


@pytest.fixture
def world() -> World:
    world = World(FailingStore(MemoryStore()))
    world.create(lock_duration=30 * MICROSECONDS)
    return world


def test_messages_go_to_who_waits_as_they_come(world: World) -> None:
    receiver = Receiver(world)
    receiver.give_credit(2)
    world.send(world.queue(), "a", commit=False)
    assert receiver.got == []
    world.commit()
    assert receiver.got == ["a"]
    world.send(world.queue(), "b", "c")
    assert receiver.got == ["a", "b"]
    receiver.give_credit(5)
    assert receiver.got == ["a", "b", "c"]


def test_credit_is_served_in_the_order_in_which_it_came(world: World) -> None:
    first, second = Receiver(world), Receiver(world)
    first.give_credit(1)
    second.give_credit(2)
    first.give_credit(2)
    world.send(world.queue(), *"abcde")
    assert first.got == ["a", "d", "e"]
    assert second.got == ["b", "c"]


def test_one_credit_each_gives_turns(world: World) -> None:
    receivers = [Receiver(world) for _ in range(3)]
    for receiver in receivers:
        receiver.give_credit(1)
    for number in range(9):
        world.send(world.queue(), str(number))
        next(receiver for receiver in receivers if not receiver.queued).give_credit(1)
    assert [receiver.got for receiver in receivers] == [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]


def test_who_has_no_credit_is_not_asked(world: World) -> None:
    idle, receiver = Receiver(world), Receiver(world)
    idle.give_credit(1)
    world.send(world.queue(), "a")
    asked = idle.asked
    receiver.give_credit(100)
    world.send(world.queue(), *"bcd")
    assert idle.asked == asked
    assert receiver.got == ["b", "c", "d"]


def test_who_left_gets_nothing(world: World) -> None:
    first, second = Receiver(world), Receiver(world)
    first.give_credit(1)
    first.give_credit(1)
    second.give_credit(1)
    world.dispatch.leave(world.queue(), first)
    world.dispatch.leave(world.queue(), first)
    world.send(world.queue(), "a")
    assert (first.got, first.queued, second.got) == ([], 0, ["a"])


def test_what_could_not_be_delivered_goes_to_the_next(world: World) -> None:
    gone, receiver = Receiver(world), Receiver(world)
    gone.is_gone = True
    gone.give_credit(1)
    receiver.give_credit(1)
    world.send(world.queue(), "a")
    assert receiver.got == ["a"]
    assert len(world.queue().locks) == 1


def test_who_does_not_take_what_was_sent_waits_until_it_does(world: World) -> None:
    slow, receiver = Receiver(world), Receiver(world)
    slow.give_credit(5)
    receiver.give_credit(1)
    slow.is_writable = False
    world.send(world.queue(), "a", "b")
    assert (slow.got, slow.queued, receiver.got) == ([], 0, ["a"])
    slow.is_writable = True
    world.dispatch.join(world.queue(), slow, slow.credit)
    assert slow.got == ["b"]


def test_what_is_abandoned_released_or_expires_goes_to_who_waits(world: World) -> None:
    receiver, other = Receiver(world), Receiver(world)
    receiver.give_credit(1)
    world.send(world.queue(), "a")
    other.give_credit(3)
    world.settle(world.queue(), receiver.deliveries[0], Disposition.ABANDONED)
    assert other.got == ["a"]
    world.settle(world.queue(), other.deliveries[0], Disposition.RELEASED)
    assert other.got == ["a", "a"]
    world.advance(30)
    assert other.got == ["a", "a", "a"]


def test_dead_letters_go_to_who_waits_for_them(world: World) -> None:
    receiver, undertaker = Receiver(world), Receiver(world)
    dead_letters = world.queue("q/$DeadLetterQueue")
    undertaker.credit = 1
    world.dispatch.join(dead_letters, undertaker, 1)
    receiver.give_credit(1)
    world.send(world.queue(), "a")
    world.settle(world.queue(), receiver.deliveries[0], Disposition.DEAD_LETTERED)
    assert undertaker.got == ["a"]


def test_a_long_hand_out_goes_in_steps(world: World) -> None:
    receiver, patient = Receiver(world), Receiver(world)
    world.send(world.queue(), *map(str, range(STEP_MESSAGES_MAX + 10)))
    receiver.give_credit(1000)
    assert len(receiver.got) == STEP_MESSAGES_MAX
    patient.give_credit(1)
    assert patient.got == []
    world.ring()
    assert len(receiver.got) == STEP_MESSAGES_MAX + 10
    assert receiver.queued == 1000 - len(receiver.got)


def test_a_hand_out_of_large_messages_stops_until_the_client_has_shown_that_it_takes_them(world: World) -> None:
    receiver = Receiver(world)
    world.send(world.queue(), *["x" * 200_000] * 20)
    receiver.give_credit(20)
    assert len(receiver.got) == 6
    receiver.is_writable = False
    world.ring()
    assert len(receiver.got) == 6
    receiver.is_writable = True
    world.dispatch.drain(world.queue(), receiver)
    assert len(receiver.got) == 12


def test_a_drain_gives_everything_that_credit_allows(world: World) -> None:
    receiver = Receiver(world)
    world.send(world.queue(), *map(str, range(STEP_MESSAGES_MAX + 10)))
    receiver.give_credit(1000)
    world.dispatch.drain(world.queue(), receiver)
    assert len(receiver.got) == STEP_MESSAGES_MAX + 10
    assert receiver.queued == 0


def test_receiving_and_deleting_gives_after_the_commit(world: World) -> None:
    receiver = Receiver(world, is_destructive=True)
    receiver.give_credit(3)
    world.send(world.queue(), "a", "b", commit=False)
    world._soon.popleft()()
    assert receiver.got == []
    assert receiver.reserved == 2
    world.commit()
    assert receiver.got == ["a", "b"]
    assert (receiver.reserved, receiver.credit, receiver.queued) == (0, 1, 1)
    assert world.counters(world.queue()).active == 0


def test_what_was_deleted_for_who_is_gone_is_put_back(world: World) -> None:
    gone, receiver = Receiver(world, is_destructive=True), Receiver(world)
    gone.is_gone = True
    gone.give_credit(2)
    world.send(world.queue(), "a", "b")
    receiver.give_credit(3)
    assert receiver.got == ["a", "b"]
    assert world.counters(world.queue()).active == 2


def test_a_store_that_fails_is_tried_again_in_a_second(world: World) -> None:
    assert isinstance(world.store, FailingStore)
    receiver = Receiver(world, is_destructive=True)
    world.send(world.queue(), *"abc")
    world.store.failing = True
    receiver.give_credit(2)
    world.commit()
    assert receiver.got == []
    assert receiver.reserved == 0
    assert world.alarm.at == world.clock.now() + MICROSECONDS
    world.store.failing = False
    world.dispatch.wake(world.queue())
    world.commit()
    assert receiver.got == []
    world.advance(1)
    assert receiver.got == ["a", "b"]
    assert receiver.queued == 0
