"""Azure's own limits on a namespace, where they are asked for."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.engine.lifecycle import create_queue, create_subscription, create_topic
from localzure.services.servicebus.engine.quotas import Quotas
from localzure.services.servicebus.engine.rule_storage import add_rule, default_rule, remove_rule
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityDescription
from localzure.services.servicebus.rules.model import CorrelationFilter, Filter, Rule, SqlFilter
from localzure.services.servicebus.service import ServiceBusService
from localzure.services.servicebus.settings import ServiceBusSettings
from localzure_protocols.amqp import frames
from tests.servicebus_rest_world import RestWorld
from tests.servicebus_wire import Wire
from tests.servicebus_world import World

DESCRIPTION = EntityDescription()


@pytest.fixture
def world() -> World:
    world = World()
    world.broker.quotas = Quotas(entities=3, subscriptions=2, sql_filters=2, correlation_filters=1)
    return world


def refused(call: object) -> str:
    assert callable(call)
    with pytest.raises(ServiceBusError) as caught:
        call()
    assert (caught.value.code, caught.value.status) == (ErrorCode.QUOTA_EXCEEDED, 403)
    return caught.value.text


def test_queues_and_topics_are_counted_together(world: World) -> None:
    world.topic("t")
    with world.transactions.writer() as writer:
        for name in ("a", "b"):
            create_queue(world.broker, writer, name, DESCRIPTION)
        assert "3 queues and topics" in refused(lambda: create_queue(world.broker, writer, "c", DESCRIPTION))
        assert "3 queues and topics" in refused(lambda: create_topic(world.broker, writer, "u", DESCRIPTION))


def test_a_topic_has_so_many_subscriptions(world: World) -> None:
    topic, other = world.topic("t"), world.topic("u")
    world.subscribe(topic, "a")
    world.subscribe(topic, "b")
    rule = default_rule(world.clock.now())
    with world.transactions.writer() as writer:
        text = refused(lambda: create_subscription(world.broker, writer, topic.record, "c", DESCRIPTION, rule))
        assert "'t' has 2 subscriptions" in text
        create_subscription(world.broker, writer, other.record, "c", DESCRIPTION, rule)


def test_the_filters_of_a_topic_are_counted_by_their_kind(world: World) -> None:
    topic = world.topic("t")
    first, second = world.subscribe(topic, "a"), world.subscribe(topic, "b")

    def rule(name: str, found: Filter) -> Rule:
        return Rule(name, found, None, world.clock.now())

    with world.transactions.writer() as writer:
        add_rule(world.broker, writer, first.record, rule("1", SqlFilter("1=1")))
        add_rule(world.broker, writer, second.record, rule("2", SqlFilter("1=1")))
        another = rule("3", SqlFilter("1=1"))
        assert "2 rules" in refused(lambda: add_rule(world.broker, writer, first.record, another))
        add_rule(world.broker, writer, first.record, rule("4", CorrelationFilter(label="x")))
        further = rule("5", CorrelationFilter(label="x"))
        assert "1 rules" in refused(lambda: add_rule(world.broker, writer, second.record, further))
        remove_rule(world.broker, writer, second.record, "2")
        add_rule(world.broker, writer, first.record, another)


def test_without_quotas_there_may_be_as_many_as_one_likes(world: World) -> None:
    world.broker.quotas = None
    for number in range(5):
        world.create(f"q{number}")
    topic = world.topic("t")
    for number in range(3):
        world.subscribe(topic, f"s{number}")


def test_connections_are_counted_while_they_last() -> None:
    world = World()
    service = ServiceBusService(world.context, ServiceBusSettings("off", quotas=Quotas(connections=2)))
    first, second = Wire(world, service=service), Wire(world, service=service)
    refused_one = Wire(world, service=service)
    ((error,),) = refused_one.heard(frames.CLOSE)
    assert error.value[0] == "amqp:resource-limit-exceeded"
    assert str(error.value[1]).startswith("ConnectionsQuotaExceeded for namespace my. TrackingId:")
    refused_one.handler.disconnected()
    assert Wire(world, service=service).heard(frames.CLOSE) != []
    second.handler.disconnected()
    second.handler.disconnected()
    assert Wire(world, service=service).heard(frames.CLOSE) == []
    assert first.heard(frames.CLOSE) == []


def test_receivers_are_counted_per_entity_and_over_all_subscriptions_of_a_topic() -> None:
    world = World()
    world.broker.quotas = Quotas(receivers=2)
    topic = world.topic("t")
    world.subscribe(topic, "a")
    world.subscribe(topic, "b")
    world.create("q")
    wire = Wire(world)
    first, _ = wire.receiver("t/Subscriptions/a"), wire.receiver("t/Subscriptions/b")
    refused_one = wire.receiver("t/Subscriptions/b")
    condition, text = wire.detached_with(refused_one)
    assert condition == "amqp:resource-limit-exceeded"
    assert "2 receive from 't' at once" in text
    wire.receiver("q")
    wire.receiver("q/$DeadLetterQueue")
    wire.detach(first)
    wire.receiver("t/Subscriptions/b")
    assert len(topic.receivers) == 2
    wire.handler.disconnected()
    assert not topic.receivers
    assert not world.queue("q").receivers


def test_requests_that_wait_are_receivers() -> None:
    world = RestWorld()
    world.world.broker.quotas = Quotas(receivers=1)
    waiting = world.peek_lock(timeout=10)
    refused_one = world.peek_lock(timeout=10)
    assert refused_one.status == 403
    assert world.service.desk.entity("kept")["receivers"] == 1
    waiting.lose()
    assert world.service.desk.entity("kept")["receivers"] == 0
    assert world.peek_lock(timeout=0).status == 204
    world.send(b"x")
    assert world.take().status == 200
    assert world.service.desk.entity("kept")["receivers"] == 0


def test_azures_numbers() -> None:
    quotas = Quotas()
    assert (quotas.connections, quotas.entities, quotas.subscriptions) == (5_000, 10_000, 2_000)
    assert (quotas.sql_filters, quotas.correlation_filters, quotas.receivers) == (2_000, 100_000, 5_000)
