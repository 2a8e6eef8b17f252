"""The service as the server has it: started with its seeds, connected to, woken."""

from __future__ import annotations

import logging

import pytest

from localzure.services.interface import ServiceContext
from localzure.services.servicebus.amqp.peer import ServiceBusPeer
from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.broker import Broker
from localzure.services.servicebus.keys import ServiceBusKeys
from localzure.services.servicebus.model import EntityDescription, EntityRecord
from localzure.services.servicebus.seed import SAMPLE, EntitySeed
from localzure.services.servicebus.seed_tree import SeedError
from localzure.services.servicebus.service import ServiceBusService
from localzure.services.servicebus.settings import ServiceBusSettings
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError, Writer
from tests.failing_store import FailingStore
from tests.servicebus_world import World


class Host:
    """See `AmqpHost`."""

    peer = "127.0.0.1"
    is_writable = True

    def flush(self) -> None:
        pass


@pytest.fixture
def world() -> World:
    return World(FailingStore(MemoryStore()))


def service(world: World, *seeds: EntitySeed) -> ServiceBusService:
    made = ServiceBusService(world.context, ServiceBusSettings())
    made.start(seeds)
    world.commit()
    return made


def queues(context: ServiceContext) -> list[EntityRecord]:
    with context.transactions.reader() as reader:
        return list(Broker(context, ServiceBusKeys(context.space)).entities.queues(reader))


def test_an_empty_store_without_a_seed_gets_the_sample_queue(world: World) -> None:
    service(world)
    (record,) = queues(world.context)
    assert (record.name, record.description) == ("queue.1", SAMPLE[0].description)
    service(world)
    assert queues(world.context) == [record]


def test_with_a_seed_there_is_what_is_seeded(world: World) -> None:
    service(world, EntitySeed("B"), EntitySeed("a/b"))
    assert [record.name for record in queues(world.context)] == ["a/b", "B"]
    service(world)
    assert len(queues(world.context)) == 2


def test_seeding_again_changes_what_differs_and_deletes_nothing(world: World) -> None:
    service(world, EntitySeed("a"), EntitySeed("b"))
    before = {record.name: record for record in queues(world.context)}
    world.clock.advance(5)
    service(world, EntitySeed("A", EntityDescription(max_delivery_count=5)), EntitySeed("c"))
    after = {record.name: record for record in queues(world.context)}
    assert list(after) == ["a", "b", "c"]
    assert after["b"] == before["b"]
    assert after["a"].description.max_delivery_count == 5
    assert after["a"].queue_id == before["a"].queue_id
    assert (after["a"].created_at, after["a"].updated_at) == (before["a"].created_at, world.clock.now())


def test_the_numbers_of_queues_do_not_overlap(world: World) -> None:
    service(world, EntitySeed("a"), EntitySeed("b"))
    numbers = [
        number
        for record in queues(world.context)
        for number in (record.queue_id, record.dead_letter_id, record.transfer_dead_letter_id)
    ]
    assert len(set(numbers)) == 6


def test_what_cannot_be_changed_is_refused_and_nothing_is_seeded(world: World) -> None:
    service(world, EntitySeed("a"))
    origin = "seed.json: UserConfig.Namespaces[0].Queues[1].Properties"
    changed = EntitySeed("a", EntityDescription(requires_session=True), origin)
    with pytest.raises(SeedError) as caught:
        service(world, EntitySeed("b"), changed)
    assert str(caught.value) == (
        "seed.json: UserConfig.Namespaces[0].Queues[1].Properties.RequiresSession: true cannot be taken: "
        "the queue 'a' exists with false, and this cannot be changed"
    )
    world.commit()
    assert [record.name for record in queues(world.context)] == ["a"]


def test_what_was_due_before_the_start_is_done_at_once(world: World) -> None:
    world.create(default_message_time_to_live=5 * MICROSECONDS)
    world.send(world.queue(), "a")
    world.clock.advance(10)
    again = World(world.store, world.clock)
    made = service(again)
    assert again.alarm.at is not None
    assert again.alarm.at < world.clock.now()
    made.expire()
    again.commit()
    assert again.counters(again.queue()).active == 0


def test_a_client_that_connects_gets_a_peer(world: World) -> None:
    assert isinstance(service(world).connected(AmqpConnection("server"), Host()), ServiceBusPeer)


def test_a_store_that_fails_is_told_in_the_log_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.create(default_message_time_to_live=5 * MICROSECONDS)
    made = service(world)
    world.send(world.queue(), "a")
    world.clock.advance(10)

    def refuse() -> Writer:
        raise StorageError("no transaction")

    monkeypatch.setattr(world.transactions, "writer", refuse)
    with caplog.at_level(logging.ERROR):
        made.expire()
    assert "no transaction" in caplog.text
    assert world.alarm.at == world.clock.now() + MICROSECONDS


def test_keys_are_not_shown_with_the_settings() -> None:
    assert "SAS_KEY_VALUE" not in repr(ServiceBusSettings())
