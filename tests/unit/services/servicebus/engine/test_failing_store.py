"""Turns whose commit fails: nobody is told that anything was done, and memory is as it was."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.messages import send
from localzure.services.servicebus.engine.receiving import take_next
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.engine.turn import Turn
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError, StoreFullError, Writer
from tests.failing_store import FailingStore
from tests.servicebus_world import World, bodies, message, sections


class FailingWorld(World):
    """A world whose commits fail when told."""

    def __init__(self) -> None:
        self.disk = FailingStore(MemoryStore())
        super().__init__(self.disk)
        self.told: list[object] = []

    def listen(self, turn: Turn) -> None:
        """Note what the turn tells at its end."""
        turn.then(lambda: self.told.append("done"), self.told.append)

    def fail(self) -> None:
        """End the tick with a commit that fails."""
        self.disk.failing = True
        self.commit()
        self.disk.failing = False


@pytest.fixture
def world() -> FailingWorld:
    world = FailingWorld()
    world.create(lock_duration=30 * MICROSECONDS)
    return world


def test_a_message_whose_commit_fails_was_never_there(world: FailingWorld) -> None:
    queue = world.queue()
    with world.broker.turn() as turn:
        world.listen(turn)
        send(turn, queue, 0, message("lost"), world.broker.entropy)
    world.fail()
    assert [type(each) for each in world.told] == [StoreFullError]
    assert world.lock(queue) == []
    world.send(queue, "kept")
    (delivery,) = world.lock(queue)
    assert bodies([delivery]) == ["kept"]
    assert sections(delivery).message_annotations()["x-opt-sequence-number"] == 1


@pytest.mark.parametrize("disposition", Disposition)
def test_a_settlement_whose_commit_fails_leaves_the_lock(world: FailingWorld, disposition: Disposition) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    with world.broker.turn() as turn:
        world.listen(turn)
        settle(turn, queue, delivery.token, disposition)
    world.fail()
    assert [type(each) for each in world.told] == [StoreFullError]
    assert world.lock(queue) == []
    world.settle(queue, delivery, Disposition.COMPLETED)
    assert world.counters(queue).active == 0


def test_a_lock_that_is_left_expires(world: FailingWorld) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    with world.broker.turn() as turn:
        settle(turn, queue, delivery.token, Disposition.COMPLETED)
    world.fail()
    world.advance(30)
    assert bodies(world.lock(queue)) == ["a"]


def test_what_was_received_and_deleted_is_available_again(world: FailingWorld) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    with world.broker.turn() as turn:
        assert bodies(take_next(turn, queue, 9)) == ["a", "b"]
    world.fail()
    assert bodies(world.take(queue, 9)) == ["a", "b"]


def test_an_expired_message_whose_end_could_not_be_written_ends_once(world: FailingWorld) -> None:
    queue = world.queue()
    world.send(queue, "a", ttl=10_000)
    world.clock.advance(10)
    with world.broker.turn() as turn:
        assert take_next(turn, queue, 9) == []
    world.fail()
    assert world.lock(queue, 9) == []
    assert world.counters(queue).active == 0
    assert world.counters(queue).bytes == 0


def test_what_could_not_expire_is_tried_again_in_a_second(world: FailingWorld) -> None:
    queue = world.queue()
    world.send(queue, "locked", "expiring", ttl=30_000)
    world.lock(queue)
    world.disk.failing = True
    world.advance(30)
    assert world.alarm.at == world.clock.now() + MICROSECONDS
    assert world.counters(queue).active == 2
    world.disk.failing = False
    world.advance(1)
    assert world.counters(queue).active == 0


def test_a_turn_that_fails_inside_tells_so_and_ends_there(world: FailingWorld) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    with world.broker.turn() as turn:
        world.listen(turn)
        settle(turn, queue, delivery.token, Disposition.COMPLETED)
        raise StoreFullError("the map is full")
    assert [str(each) for each in world.told] == ["the map is full"]
    world.commit()
    world.settle(queue, delivery, Disposition.COMPLETED)


def test_a_turn_that_fails_for_a_reason_of_its_own_raises(world: FailingWorld) -> None:
    queue = world.queue()
    world.send(queue, "a")
    (delivery,) = world.lock(queue)
    with pytest.raises(ZeroDivisionError), world.broker.turn() as turn:
        settle(turn, queue, delivery.token, Disposition.COMPLETED)
        raise ZeroDivisionError
    world.settle(queue, delivery, Disposition.COMPLETED)


def test_a_store_that_cannot_be_written_to_at_all_raises(world: FailingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = world.queue()
    world.send(queue, "a")
    world.lock(queue)
    world.clock.advance(30)

    def refuse() -> Writer:
        raise StorageError("no transaction")

    monkeypatch.setattr(world.transactions, "writer", refuse)
    with pytest.raises(StorageError, match="no transaction"):
        world.ring()
    assert world.alarm.at == world.clock.now() + MICROSECONDS
    monkeypatch.undo()
    world.advance(1)
    assert bodies(world.lock(queue)) == ["a"]
