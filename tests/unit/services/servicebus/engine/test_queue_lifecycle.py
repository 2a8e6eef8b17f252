"""Queues that are changed and deleted while they are in use, and what is left of them."""

from __future__ import annotations

import msgspec
import pytest

from localzure.services.servicebus.engine import remains
from localzure.services.servicebus.engine.lifecycle import create_queue, delete_entity, update_entity
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import MINUTE, EntityDescription, EntityRecord, EntityStatus
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_world import World, bodies


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture
def world(store: FailingStore) -> World:
    return World(store)


def record_of(world: World, name: str = "q") -> EntityRecord | None:
    with world.broker.reader() as reader:
        return world.broker.entities.record(reader, name)


def delete(world: World, name: str = "q") -> None:
    record = record_of(world, name)
    assert record is not None
    with world.transactions.writer() as writer:
        delete_entity(world.broker, writer, record)
    world.commit()


def fail_to_commit(world: World, store: FailingStore) -> None:
    store.failing = True
    world.commit()
    store.failing = False


def sweep(world: World, budget: int) -> bool:
    with world.transactions.writer() as writer:
        has_freed = remains.sweep(world.broker.keys, writer, budget)
    world.commit()
    return has_freed


def keys(world: World) -> int:
    with world.broker.reader() as reader:
        return sum(1 for _ in reader.scan(b"", b"\xff" * 20))


def test_a_change_takes_effect_with_its_commit(world: World) -> None:
    queue = world.create()
    told: list[EntityRecord] = []
    world.broker.on_changed = told.append
    with world.transactions.writer() as writer:
        changed = msgspec.structs.replace(queue.description, lock_duration=2 * MINUTE)
        update_entity(world.broker, writer, queue.record, changed)
    assert queue.description.lock_duration == MINUTE
    assert told == []
    world.commit()
    assert queue.description.lock_duration == 2 * MINUTE
    assert world.queue("q/$DeadLetterQueue").description.lock_duration == 2 * MINUTE
    assert told == [queue.record]


def test_a_change_that_is_not_committed_has_not_happened(world: World, store: FailingStore) -> None:
    queue = world.create()
    with world.transactions.writer() as writer:
        changed = msgspec.structs.replace(queue.description, status=EntityStatus.DISABLED)
        update_entity(world.broker, writer, queue.record, changed)
        delete_entity(world.broker, writer, queue.record)
    fail_to_commit(world, store)
    assert queue.description.status is EntityStatus.ACTIVE
    assert world.queue() is queue


def test_a_queue_whose_making_is_not_committed_is_not_found(world: World, store: FailingStore) -> None:
    with world.transactions.writer() as writer:
        create_queue(world.broker, writer, "q", EntityDescription())
    assert world.queue() is not None
    fail_to_commit(world, store)
    assert record_of(world) is None
    assert world.create(lock_duration=2 * MINUTE).description.lock_duration == 2 * MINUTE


def test_a_name_is_taken_in_any_case(world: World) -> None:
    world.create("a/B")
    with pytest.raises(ServiceBusError) as caught, world.transactions.writer() as writer:
        create_queue(world.broker, writer, "A/b", EntityDescription())
    assert caught.value.code is ErrorCode.ENTITY_EXISTS


def test_a_deleted_queue_has_nothing_to_give_and_its_name_is_free(world: World) -> None:
    queue = world.create()
    told: list[EntityRecord] = []
    world.broker.on_deleted = told.append
    world.send(queue, "a", "b")
    (locked,) = world.lock(queue)
    delete(world)
    assert told == [queue.record]
    assert not queue.has_available
    with pytest.raises(ServiceBusError) as caught:
        world.settle(queue, locked, Disposition.COMPLETED)
    assert caught.value.code is ErrorCode.LOCK_LOST
    again = world.create()
    assert again is not queue
    assert world.lock(again) == []
    world.send(again, "c")
    assert bodies(world.lock(again)) == ["c"]


def test_the_lock_of_a_deleted_queue_ends_without_a_trace(world: World) -> None:
    queue = world.create()
    world.send(queue, "a")
    world.lock(queue)
    delete(world)
    again = world.create()
    world.advance(120)
    assert world.counters(again).active == 0


def test_what_a_deleted_queue_leaves_is_swept_in_bounded_steps(world: World) -> None:
    world.create("kept")
    before = keys(world)
    queue = world.create()
    with_sub_queues = keys(world)
    world.send(queue, *(str(number) for number in range(10)))
    world.send(queue, *(str(number) for number in range(10)), ttl=60_000)
    for locked in world.lock(queue, 3):
        world.settle(queue, locked, Disposition.DEAD_LETTERED)
    delete(world)
    assert record_of(world) is None
    steps = 0
    while sweep(world, 8):
        steps += 1
        assert steps < 20
    assert steps >= 5
    assert keys(world) == before < with_sub_queues


def test_what_is_left_is_swept_after_a_crash_and_messages_expire_into_nothing(world: World) -> None:
    queue = world.create()
    world.send(queue, "a", ttl=60_000)
    delete(world)
    world = world.restart()
    world.broker.arm_next()
    world.advance(120)
    assert sweep(world, 100)
    assert not sweep(world, 100)


def test_when_a_queue_was_used_last_survives_with_its_messages(world: World) -> None:
    queue = world.create()
    queue.accessed_at = world.clock.now()
    world.send(queue, "a")
    accessed_at = queue.accessed_at
    world = world.restart()
    assert world.queue().accessed_at == accessed_at > 0
