"""The virtual clock over the API: what SDKs see of locks, schedules, lifetimes, leases and visibility, unslept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from localzure.cli.main import main
from localzure.testing import LocalZure


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(queues={"orders": {"DeadLetteringOnMessageExpiration": True}}) as server:
        yield server


@pytest.fixture(autouse=True)
def present(azure: LocalZure) -> None:
    azure.clock.reset()


def test_a_message_lock_ends_when_the_clock_says_so(azure: LocalZure) -> None:
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
        client.get_queue_sender("orders").send_messages(ServiceBusMessage("locked"))
        first, second = client.get_queue_receiver("orders"), client.get_queue_receiver("orders")
        (held,) = first.receive_messages(max_wait_time=5)
        azure.clock.advance("2m")
        (again,) = second.receive_messages(max_wait_time=5)
        assert (str(again), again.delivery_count) == ("locked", 1)
        second.complete_message(again)
        with pytest.raises(MessageLockLostError):
            first.complete_message(held)


def test_a_scheduled_message_comes_and_expires_on_the_way(azure: LocalZure) -> None:
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
        sender, receiver = client.get_queue_sender("orders"), client.get_queue_receiver("orders")
        start = azure.clock.freeze()
        sender.schedule_messages(ServiceBusMessage("later"), start + timedelta(hours=1))
        sender.schedule_messages(
            ServiceBusMessage("short", time_to_live=timedelta(minutes=5)), start + timedelta(hours=1)
        )
        with client.get_queue_receiver("orders") as early:
            assert early.receive_messages(max_wait_time=1) == []
        azure.clock.advance(timedelta(hours=2))
        (message,) = receiver.receive_messages(max_message_count=5, max_wait_time=5)
        assert str(message) == "later"
        assert message.enqueued_time_utc is not None
        # Python's SDK holds times in floating-point seconds, Service Bus in milliseconds.
        assert abs(message.enqueued_time_utc - (start + timedelta(hours=1))) < timedelta(milliseconds=2)
        receiver.complete_message(message)
        dead = client.get_queue_receiver("orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        (expired,) = dead.receive_messages(max_wait_time=5)
        assert (str(expired), expired.dead_letter_reason) == ("short", "TTLExpiredException")
        dead.complete_message(expired)


def test_leases_end_and_deleted_blobs_are_gone(azure: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string) as client:
        blob = client.create_container("clock").upload_blob("leased", b"x")
        lease = blob.acquire_lease(15)
        with pytest.raises(HttpResponseError, match="lease"):
            blob.delete_blob()
        azure.clock.advance(16)
        blob.set_blob_metadata({"a": "b"})
        with pytest.raises(HttpResponseError, match="lease"):
            lease.renew()  # another write has come between


def test_queue_messages_come_back_and_expire(azure: LocalZure) -> None:
    with QueueServiceClient.from_connection_string(azure.queue_connection_string) as client:
        queue = client.create_queue("clock")
        queue.send_message("hidden", time_to_live=3600)
        assert queue.receive_message(visibility_timeout=300) is not None
        assert queue.receive_message() is None
        azure.clock.advance("PT5M")
        message = queue.receive_message(visibility_timeout=30)
        assert message is not None
        assert message.dequeue_count == 2
        azure.clock.set(datetime.now(UTC) + timedelta(hours=2))
        assert queue.get_queue_properties().approximate_message_count == 0


def test_clients_dates_are_the_machines_unless_asked(azure: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as client:
        azure.clock.advance("1h")
        list(client.list_containers())
        azure.clock.rule_clients()
        with pytest.raises(ClientAuthenticationError):
            list(client.list_containers())
        azure.clock.reset()
        with pytest.raises(ResourceNotFoundError):
            client.get_blob_client("none", "none").get_blob_properties()


def test_tokens_of_links_expire_when_the_clock_rules_clients(azure: LocalZure) -> None:
    strings = azure.servicebus_connection_string
    with (
        ServiceBusClient.from_connection_string(strings, retry_total=0) as client,
        client.get_queue_receiver("orders") as receiver,
    ):
        assert receiver.peek_messages() == []
        azure.clock.rule_clients()
        azure.clock.advance("2h")
        with pytest.raises(ServiceBusError):
            receiver.peek_messages()


def test_the_commands(azure: LocalZure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LOCALZURE_ENDPOINT", azure.endpoints["queue"])

    def clock(*args: str) -> str:
        assert main(["clock", *args]) == 0
        return capsys.readouterr().out.strip()

    assert clock("freeze", "--at", "2030-01-01T00:00:00Z").startswith("2030-01-01T00:00:00.000000Z (frozen, +")
    assert clock("advance", "90").startswith("2030-01-01T00:01:30.000000Z (frozen")
    assert clock("advance", "-1m").startswith("2030-01-01T00:00:30.000000Z (frozen")
    assert clock("set", "2031-01-01").startswith("2031-01-01T00:00:00.000000Z (frozen")
    assert azure.clock.is_frozen
    assert "frozen" not in clock("resume")
    assert "+" in clock("show")
    assert "+" not in clock("reset")
    assert main(["clock", "set", "tomorrow"]) == 2
    assert "'tomorrow' is no instant" in capsys.readouterr().err
    with urlopen(f"{azure.endpoints['gateway']}/_localzure/clock") as reply:
        assert json.load(reply)["frozen"] is False


def test_a_server_with_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    with LocalZure(env={"LOCALZURE_ADMIN_TOKEN": "s3cret"}) as server:
        assert server.clock.advance(60) > datetime.now(UTC)
        args = ["clock", "show", "--endpoint", server.endpoints["gateway"]]
        assert main(args) == 2
        assert "admin token" in capsys.readouterr().err
        assert main([*args, "--admin-token", "s3cret"]) == 0
        endpoint = server.endpoints["gateway"]
    assert main(["clock", "show", "--endpoint", endpoint]) == 3
    assert "cannot reach" in capsys.readouterr().err
