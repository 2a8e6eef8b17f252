"""Queues administered with the unmodified azure-servicebus package, blocking, over TLS with the local authority."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
)
from azure.servicebus.management import (
    AccessRights,
    AuthorizationRule,
    EntityStatus,
    ServiceBusAdministrationClient,
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


def admin_client(azure: LocalZure, listener: str = "amqp", **options: Any) -> Any:
    """A client whose URL comes from the connection string: that of AMQP, or one for another listener."""
    own = azure.endpoints["amqp"].partition("://")[2]
    other = azure.endpoints[listener].partition("://")[2]
    connection_string = azure.servicebus_connection_string.replace(own, other)
    return ServiceBusAdministrationClient.from_connection_string(
        connection_string, connection_verify=str(azure.ca_file), **options
    )


@pytest.fixture
def admin(azure: LocalZure) -> Iterator[Any]:
    with admin_client(azure) as client:
        yield client


EVERY_PROPERTY: dict[str, Any] = {
    "auto_delete_on_idle": timedelta(minutes=10, microseconds=500_000),
    "dead_lettering_on_message_expiration": True,
    "default_message_time_to_live": timedelta(days=14, seconds=1),
    "duplicate_detection_history_time_window": timedelta(hours=3),
    "enable_batched_operations": False,
    "enable_express": False,
    "enable_partitioning": True,
    "forward_dead_lettered_messages_to": "kept",
    "forward_to": "kept",
    "lock_duration": timedelta(seconds=13),
    "max_delivery_count": 14,
    "max_size_in_megabytes": 3072,
    "requires_duplicate_detection": True,
    "requires_session": True,
    "user_metadata": 'mine <& "yours"> ünï',
    "max_message_size_in_kilobytes": 256,
    "status": EntityStatus.RECEIVE_DISABLED,
}


def test_every_property_of_a_queue(admin: Any) -> None:
    made = admin.create_queue("txt/.-_All", **EVERY_PROPERTY)
    got = admin.get_queue("TXT/.-_all")
    for found in (made, got):
        assert found.forward_to == f"sb://{admin.fully_qualified_namespace}/kept"
        assert found.forward_dead_lettered_messages_to == f"sb://{admin.fully_qualified_namespace}/kept"
        others = {name: found[name] for name in EVERY_PROPERTY if not name.startswith("forward")}
        assert others == {name: value for name, value in EVERY_PROPERTY.items() if not name.startswith("forward")}
        assert found.availability_status == "Available"
    (listed,) = [queue for queue in admin.list_queues() if queue.name == "txt/.-_All"]
    assert dict(listed.items()) == {**dict(got.items()), "name": "txt/.-_All"}
    admin.delete_queue("txt/.-_All")
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("txt/.-_All")


def test_the_defaults_survive_being_sent_back(admin: Any) -> None:
    made = admin.create_queue("plain")
    admin.update_queue(made)
    assert dict(admin.get_queue("plain").items()) == dict(made.items())
    assert (made.lock_duration, made.max_delivery_count) == (timedelta(minutes=1), 10)
    assert made.default_message_time_to_live.days == 10675199
    admin.delete_queue("plain")


def test_updates(admin: Any) -> None:
    queue = admin.create_queue("changing")
    queue.lock_duration = timedelta(minutes=2)
    queue.authorization_rules = [
        AuthorizationRule(
            type="SharedAccessAuthorizationRule",
            claim_type="SharedAccessKey",
            claim_value="None",
            rights=[AccessRights.LISTEN, AccessRights.SEND],
            key_name="reader",
            primary_key="one",
            secondary_key="two",
        )
    ]
    admin.update_queue(queue, max_delivery_count=3, forward_to="kept", user_metadata="changed")
    got = admin.get_queue("changing")
    assert (got.lock_duration, got.max_delivery_count, got.user_metadata) == (timedelta(minutes=2), 3, "changed")
    assert got.forward_to.endswith("/kept")
    (rule,) = got.authorization_rules
    assert (rule.key_name, rule.primary_key, rule.secondary_key) == ("reader", "one", "two")
    assert rule.rights == [AccessRights.LISTEN, AccessRights.SEND]
    admin.update_queue(dict(got.items()), forward_to=None, user_metadata=None)
    got = admin.get_queue("changing")
    assert (got.forward_to, got.user_metadata) == (None, None)
    for wrong in ({"requires_session": True}, {"lock_duration": timedelta(days=25)}, {"max_delivery_count": 0}):
        with pytest.raises(HttpResponseError) as caught:
            admin.update_queue(got, **wrong)
        assert caught.value.status_code == 400
        assert "SubCode=40000" in caught.value.message
    got.name = "missing"
    with pytest.raises(ResourceNotFoundError):
        admin.update_queue(got)
    admin.delete_queue("changing")


def test_what_the_client_calls_errors(azure: LocalZure, admin: Any) -> None:
    admin.create_queue("once")
    with pytest.raises(ResourceExistsError):
        admin.create_queue("ONCE")
    admin.delete_queue("once")
    with pytest.raises(ResourceNotFoundError):
        admin.delete_queue("once")
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue_runtime_properties("once")
    with pytest.raises(HttpResponseError) as missing:
        admin.create_queue("forwarding", forward_to="nowhere")
    assert "The auto forwarding destination entity does not exist." in missing.value.message
    wrong = azure.servicebus_connection_string.replace("SAS_KEY_VALUE", "wrong")
    with (
        ServiceBusAdministrationClient.from_connection_string(wrong, connection_verify=str(azure.ca_file)) as stranger,
        pytest.raises(ClientAuthenticationError),
    ):
        stranger.get_queue("kept")


@pytest.mark.parametrize("version", ["2017-04", "2021-05", "2024-05"])
@pytest.mark.parametrize("listener", ["amqp", "amqps", "servicebus"])
def test_the_namespace_over_every_port_and_version(azure: LocalZure, listener: str, version: str) -> None:
    with admin_client(azure, listener, api_version=version) as client:
        namespace = client.get_namespace_properties()
        assert (namespace.messaging_sku, namespace.name) == ("Standard", "sbemulatorns")
        assert abs(namespace.created_at_utc.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=10)
        assert "kept" in [queue.name for queue in client.list_queues()]


def test_250_queues_come_page_by_page(admin: Any) -> None:
    names = [f"page-{number:03}" for number in range(250)]
    for name in names:
        admin.create_queue(name)
    assert [queue.name for queue in admin.list_queues() if queue.name.startswith("page-")] == names
    runtime = [queue.name for queue in admin.list_queues_runtime_properties() if queue.name.startswith("page-")]
    assert runtime == names
    pages = [len(list(page)) for page in admin.list_queues(max_page_size=60).by_page()]
    assert pages == [60, 60, 60, 60, 250 + 1 - 240]
    for name in names:
        admin.delete_queue(name)
    assert [queue.name for queue in admin.list_queues()] == ["kept"]


def test_counts_and_times_after_real_messages(azure: LocalZure, admin: Any) -> None:
    admin.create_queue("counted")
    before = admin.get_queue_runtime_properties("counted")
    assert before.total_message_count == before.size_in_bytes == 0
    assert before.accessed_at_utc.year == 1
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
        with client.get_queue_sender("counted") as sender:
            sender.send_messages([ServiceBusMessage(f"message {number}") for number in range(6)])
        sent = admin.get_queue_runtime_properties("counted")
        assert (sent.active_message_count, sent.total_message_count) == (6, 6)
        assert sent.size_in_bytes > 6 * len("message 0")
        assert sent.created_at_utc <= sent.accessed_at_utc <= datetime.now(UTC)
        with client.get_queue_receiver("counted") as receiver:
            messages = receiver.receive_messages(max_message_count=4, max_wait_time=5)
            while len(messages) < 4:
                messages += receiver.receive_messages(max_message_count=4 - len(messages), max_wait_time=5)
            receiver.complete_message(messages[0])
            receiver.dead_letter_message(messages[1], reason="test")
            receiver.defer_message(messages[2])
            locked = admin.get_queue_runtime_properties("counted")
            assert (locked.active_message_count, locked.dead_letter_message_count) == (4, 1)
            assert locked.total_message_count == 5
            assert locked.accessed_at_utc >= sent.accessed_at_utc
        with client.get_queue_receiver("counted", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead_letters:
            (dead,) = dead_letters.receive_messages(max_wait_time=5)
            dead_letters.complete_message(dead)
    after = admin.get_queue_runtime_properties("counted")
    assert (after.dead_letter_message_count, after.total_message_count) == (0, 4)
    assert (after.scheduled_message_count, after.transfer_message_count) == (0, 0)
    assert after.transfer_dead_letter_message_count == 0
    assert after.size_in_bytes < sent.size_in_bytes
    assert after.updated_at_utc == before.updated_at_utc == before.created_at_utc
    admin.delete_queue("counted")


def test_a_queue_that_is_deleted_under_its_receiver(azure: LocalZure, admin: Any) -> None:
    admin.create_queue("doomed")
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string, retry_total=0) as client:
        with client.get_queue_receiver("doomed") as receiver:
            assert receiver.peek_messages() == []
            assert receiver.receive_messages(max_wait_time=1) == []
            admin.delete_queue("doomed")
            with pytest.raises(MessagingEntityNotFoundError):
                receiver.receive_messages(max_wait_time=5)
        with pytest.raises(ServiceBusAuthenticationError), client.get_queue_sender("doomed") as sender:
            sender.send_messages(ServiceBusMessage("nowhere"))


def test_a_queue_that_is_disabled_under_its_sender(azure: LocalZure, admin: Any) -> None:
    queue = admin.create_queue("tired")
    # A send that crosses the closing of its link fails without a reason in pyamqp, and is tried again.
    with ServiceBusClient.from_connection_string(
        azure.servicebus_connection_string, retry_total=1, retry_backoff_factor=0.01
    ) as client:
        with client.get_queue_sender("tired") as sender:
            sender.send_messages(ServiceBusMessage("first"))
            admin.update_queue(queue, status=EntityStatus.SEND_DISABLED)
            with pytest.raises(MessagingEntityDisabledError):
                sender.send_messages(ServiceBusMessage("second"))
        with client.get_queue_receiver("tired") as receiver:
            (message,) = receiver.receive_messages(max_wait_time=5)
            receiver.complete_message(message)
            admin.update_queue(queue, status=EntityStatus.DISABLED)
            with pytest.raises(MessagingEntityDisabledError):
                receiver.receive_messages(max_wait_time=5)
        admin.update_queue(queue, status=EntityStatus.ACTIVE)
        with client.get_queue_sender("tired") as sender:
            sender.send_messages(ServiceBusMessage("third"))
    assert admin.get_queue_runtime_properties("tired").active_message_count == 1
    admin.delete_queue("tired")


def test_a_key_of_a_queue_opens_that_queue_alone(azure: LocalZure, admin: Any) -> None:
    rule = AuthorizationRule(
        type="SharedAccessAuthorizationRule",
        claim_type="SharedAccessKey",
        claim_value="None",
        rights=[AccessRights.SEND],
        key_name="sender",
        primary_key="secret",
        secondary_key="other",
    )
    admin.create_queue("guarded", authorization_rules=[rule])
    own = azure.servicebus_connection_string.replace("RootManageSharedAccessKey", "sender")
    own = own.replace("SAS_KEY_VALUE", "secret")
    with ServiceBusClient.from_connection_string(own, retry_total=0) as client:
        with client.get_queue_sender("guarded") as sender:
            sender.send_messages(ServiceBusMessage("mine"))
        with pytest.raises(ServiceBusAuthenticationError), client.get_queue_sender("kept") as sender:
            sender.send_messages(ServiceBusMessage("not mine"))
    assert admin.get_queue_runtime_properties("guarded").active_message_count == 1
    admin.delete_queue("guarded")
