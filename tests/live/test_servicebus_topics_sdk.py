"""Topics, subscriptions and rules with the unmodified azure-servicebus package, blocking and asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient as AsyncAdministrationClient
from azure.servicebus.exceptions import MessagingEntityDisabledError, ServiceBusAuthenticationError
from azure.servicebus.management import (
    CorrelationRuleFilter,
    EntityStatus,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from localzure.testing import LocalZure

# The AMQP clients do not close their sockets on every path.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(queues=["kept"]) as server:
        yield server
        assert "Traceback" not in server.logs


@pytest.fixture
def admin(azure: LocalZure) -> Iterator[Any]:
    with ServiceBusAdministrationClient.from_connection_string(
        azure.servicebus_connection_string, connection_verify=str(azure.ca_file)
    ) as client:
        yield client


@pytest.fixture
def client(azure: LocalZure) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string, retry_total=0) as made:
        yield made


TOPIC_PROPERTIES: dict[str, Any] = {
    "auto_delete_on_idle": timedelta(minutes=10),
    "default_message_time_to_live": timedelta(minutes=11),
    "duplicate_detection_history_time_window": timedelta(minutes=12),
    "enable_batched_operations": False,
    "enable_express": False,
    "enable_partitioning": True,
    "max_size_in_megabytes": 3072,
    "requires_duplicate_detection": True,
    "status": EntityStatus.SEND_DISABLED,
    "support_ordering": False,
    "user_metadata": 'mine <& "yours"> ünï',
}
SUBSCRIPTION_PROPERTIES: dict[str, Any] = {
    "auto_delete_on_idle": timedelta(minutes=10),
    "dead_lettering_on_filter_evaluation_exceptions": False,
    "dead_lettering_on_message_expiration": True,
    "default_message_time_to_live": timedelta(minutes=11),
    "enable_batched_operations": False,
    "lock_duration": timedelta(seconds=13),
    "max_delivery_count": 14,
    "requires_session": True,
    "status": EntityStatus.RECEIVE_DISABLED,
    "user_metadata": "note",
}


def test_every_property_of_a_topic_and_a_subscription(admin: Any) -> None:
    made = admin.create_topic("full/Topic", **TOPIC_PROPERTIES)
    got = admin.get_topic("FULL/topic")
    for found in (made, got):
        assert {name: found[name] for name in TOPIC_PROPERTIES} == TOPIC_PROPERTIES
    admin.update_topic(got)
    assert dict(admin.get_topic("FULL/topic").items()) == dict(got.items())
    made = admin.create_subscription("full/topic", "Sub", forward_to="kept", **SUBSCRIPTION_PROPERTIES)
    got = admin.get_subscription("full/topic", "SUB")
    for found in (made, got):
        assert {name: found[name] for name in SUBSCRIPTION_PROPERTIES} == SUBSCRIPTION_PROPERTIES
        assert found.forward_to == f"sb://{admin.fully_qualified_namespace}/kept"
    admin.update_subscription("full/topic", got)
    assert dict(admin.get_subscription("full/topic", "SUB").items()) == dict(got.items())
    with pytest.raises(ResourceExistsError):
        admin.create_subscription("full/topic", "sub")
    assert [each.name for each in admin.list_subscriptions("full/topic")] == ["Sub"]
    assert "full/Topic" in [each.name for each in admin.list_topics()]
    admin.delete_topic("full/topic")
    with pytest.raises(ResourceNotFoundError):
        admin.get_topic("full/topic")
    with pytest.raises(ResourceNotFoundError):
        admin.get_subscription("full/topic", "sub")


def test_rules_with_typed_values(admin: Any) -> None:
    admin.create_topic("ruled")
    admin.create_subscription("ruled", "s")
    properties: dict[str, Any] = {
        "text": "a",
        "small": 2,
        "large": 2**40,
        "truth": False,
        "naive": datetime(2020, 7, 5, 11, 12, 13),  # noqa: DTZ001 - one without a zone is given back so
        "zoned": datetime(2020, 7, 5, 11, 12, 13, tzinfo=UTC),
        "span": timedelta(days=1, hours=2, minutes=3),
        "real": 0.25,
    }
    admin.create_rule(
        "ruled", "s", "typed", filter=CorrelationRuleFilter(label="x", properties=properties),
        action=SqlRuleAction("SET a = @p", parameters={"@p": 3}),
    )  # fmt: skip
    got = admin.get_rule("ruled", "s", "typed")
    assert dict(got.filter.properties) == properties
    assert (got.action.sql_expression, dict(got.action.parameters)) == ("SET a = @p", {"@p": 3})
    got.filter, got.action = SqlRuleFilter("size > @least", parameters={"@least": 2}), None
    admin.update_rule("ruled", "s", got)
    changed = admin.get_rule("ruled", "s", "typed")
    assert (changed.filter.sql_expression, dict(changed.filter.parameters)) == ("size > @least", {"@least": 2})
    assert changed.created_at_utc == got.created_at_utc
    assert [(rule.name, type(rule.filter)) for rule in admin.list_rules("ruled", "s")] == [
        ("$Default", TrueRuleFilter),
        ("typed", SqlRuleFilter),
    ]
    with pytest.raises(HttpResponseError):
        admin.create_rule("ruled", "s", "wrong", filter=SqlRuleFilter("size >"))
    admin.delete_topic("ruled")


def received(client: ServiceBusClient, topic: str, name: str, count: int, **options: Any) -> list[str]:
    """Receive and complete so many messages."""
    found: list[str] = []
    with client.get_subscription_receiver(topic, name, **options) as receiver:
        while len(found) < count:
            for message in receiver.receive_messages(count, max_wait_time=10):
                found.append(str(message))
                receiver.complete_message(message)
    return found


def test_messages_reach_who_wants_them(admin: Any, client: ServiceBusClient) -> None:
    admin.create_topic("prices")
    admin.create_subscription("prices", "all")
    admin.create_subscription("prices", "red")
    admin.delete_rule("prices", "red", "$Default")
    admin.create_rule("prices", "red", "red", filter=CorrelationRuleFilter(label="red"))
    admin.create_rule(
        "prices", "red", "dear", filter=SqlRuleFilter("price > 10"), action=SqlRuleAction("SET dear = 'yes'")
    )
    with client.get_topic_sender("PRICES") as sender:
        sender.send_messages(
            [ServiceBusMessage(str(number), subject="red" if number % 2 else "blue") for number in range(4)]
        )
        sender.send_messages(ServiceBusMessage("x" * 50_000, application_properties={"price": 11}))
        number = sender.schedule_messages(ServiceBusMessage("never"), datetime.now(UTC) + timedelta(hours=1))
        assert admin.get_topic_runtime_properties("prices").scheduled_message_count == 1
        sender.cancel_scheduled_messages(number)
        sender.schedule_messages(ServiceBusMessage("soon"), datetime.now(UTC) + timedelta(seconds=1))
    runtime = admin.get_subscription_runtime_properties("prices", "red")
    assert (runtime.active_message_count, runtime.total_message_count) == (3, 3)
    assert admin.get_topic_runtime_properties("prices").subscription_count == 2
    assert admin.get_topic_runtime_properties("prices").size_in_bytes > 50_000
    assert received(client, "prices", "all", 6) == ["0", "1", "2", "3", "x" * 50_000, "soon"]
    with client.get_subscription_receiver("prices", "RED", max_wait_time=10) as receiver:
        one, three, dear = receiver.receive_messages(3)
        assert (str(one), str(three)) == ("1", "3")
        assert dear.application_properties == {b"price": 11, b"dear": b"yes", b"RuleName": b"dear"}
        receiver.complete_message(one)
        receiver.dead_letter_message(three, reason="because")
        receiver.abandon_message(dear)
    dead = received(client, "prices", "red", 1, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    assert dead == ["3"]
    assert received(client, "prices", "red", 1) == ["x" * 50_000]
    assert admin.get_topic_runtime_properties("prices").size_in_bytes == 0
    admin.delete_topic("prices")
    # It is where the token is put that the service tells.
    with pytest.raises(ServiceBusAuthenticationError), client.get_subscription_receiver("prices", "all") as receiver:
        receiver.receive_messages(1, max_wait_time=1)


def test_sessions_and_states_of_subscriptions(admin: Any, client: ServiceBusClient) -> None:
    topic = admin.create_topic("sessions")
    admin.create_subscription("sessions", "s", requires_session=True)
    with client.get_topic_sender("sessions") as sender:
        sender.send_messages(
            [ServiceBusMessage(f"{name}{number}", session_id=name) for number in (1, 2) for name in "ab"]
        )
        sender.send_messages(ServiceBusMessage("alone"))
    assert received(client, "sessions", "s", 2, session_id="b") == ["b1", "b2"]
    dead = received(client, "sessions", "s", 1, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    assert dead == ["alone"]
    admin.update_topic(topic, status=EntityStatus.DISABLED)
    with pytest.raises(MessagingEntityDisabledError), client.get_topic_sender("sessions") as sender:
        sender.send_messages(ServiceBusMessage("no"))
    with (
        pytest.raises(MessagingEntityDisabledError),
        client.get_subscription_receiver("sessions", "s", session_id="a") as receiver,
    ):
        receiver.receive_messages(1, max_wait_time=1)
    admin.update_topic(topic, status=EntityStatus.ACTIVE)
    assert received(client, "sessions", "s", 2, session_id="a") == ["a1", "a2"]
    admin.delete_topic("sessions")


def test_topics_asynchronously(azure: LocalZure) -> None:
    asyncio.run(_use_topics(azure))


async def _use_topics(azure: LocalZure) -> None:
    async with (
        AsyncAdministrationClient.from_connection_string(
            azure.servicebus_connection_string, connection_verify=str(azure.ca_file)
        ) as admin,
        AsyncServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client,
    ):
        await admin.create_topic("waiting")
        names = [f"s{number}" for number in range(3)]
        for name in names:
            await admin.create_subscription("waiting", name)
        await admin.create_rule("waiting", "s0", "big", filter=SqlRuleFilter("1=1"), action=SqlRuleAction("SET x = 1"))
        assert [rule.name async for rule in admin.list_rules("waiting", "s0")] == ["$Default", "big"]

        async def wait_for(name: str, count: int) -> list[str]:
            found: list[str] = []
            async with client.get_subscription_receiver("waiting", name) as receiver:
                while len(found) < count:
                    for message in await receiver.receive_messages(count, max_wait_time=10):
                        found.append(str(message))
                        await receiver.complete_message(message)
            return sorted(found)

        receiving = [asyncio.create_task(wait_for(name, 4 if name == "s0" else 2)) for name in names]
        async with client.get_topic_sender("waiting") as sender:
            await sender.send_messages([ServiceBusMessage("one"), ServiceBusMessage("two")])
        assert await asyncio.gather(*receiving) == [["one", "one", "two", "two"], ["one", "two"], ["one", "two"]]
        await admin.delete_topic("waiting")
