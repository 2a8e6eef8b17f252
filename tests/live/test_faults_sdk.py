"""The official SDKs meet every kind of fault, try again, and succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.data.tables import TableServiceClient
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError, SessionLockLostError
from azure.storage.blob import BlobServiceClient, ExponentialRetry
from azure.storage.queue import QueueServiceClient
from proton import Message
from proton.utils import BlockingConnection, SendException

from localzure.cli.main import main
from localzure.client import OwnApiClient, RefusedError
from localzure.testing import LocalZure
from tests.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server() -> Iterator[LocalZure]:
    """A server for all tests here."""
    with LocalZure(queues=["plain"]) as running:
        yield running


@pytest.fixture
def api(server: LocalZure) -> Iterator[OwnApiClient]:
    """Its own API; no rule outlives a test."""
    client = OwnApiClient(server.endpoints["gateway"])
    yield client
    client.call("DELETE", "faults")


def _arm(api: OwnApiClient, **rule: Any) -> str:
    (armed,) = api.call("POST", "faults", rule)["faults"]
    return str(armed["id"])


def _hits(api: OwnApiClient, rule: str) -> int:
    return int(api.call("GET", f"faults/{rule}")["hits"])


def _blobs(server: LocalZure, **options: Any) -> BlobServiceClient:
    options = {"initial_backoff": 0, "increment_base": 0, "retry_total": 3} | options
    policy = ExponentialRetry(**options)
    return BlobServiceClient.from_connection_string(server.blob_connection_string, retry_policy=policy)


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "status", "status": [500, 503], "pattern": "sequential"},
        {"effect": "status", "status": 503, "retry_after": 0, "retry_after_format": "http_date"},
        {"effect": "reset"},
    ],
    ids=["status", "http_date", "reset"],
)
def test_a_blob_is_uploaded_through_faults(server: LocalZure, api: OwnApiClient, fault: dict[str, Any]) -> None:
    rule = _arm(api, service="blob", operation="BlockBlob_Upload", times=2, **fault)
    with _blobs(server) as blobs:
        container = blobs.get_container_client("faults")
        if not container.exists():
            container.create_container()
        container.upload_blob("blob", b"content", overwrite=True)
        assert container.download_blob("blob").readall() == b"content"
    assert _hits(api, rule) == 2


def test_a_truncated_download_is_read_again(server: LocalZure, api: OwnApiClient) -> None:
    content = bytes(range(256)) * 4096
    with _blobs(server) as blobs:
        container = blobs.create_container("truncated")
        container.upload_blob("blob", content)
        rule = _arm(api, effect="truncate", operation="Blob_Download", times=1, keep_bytes=1000)
        assert container.download_blob("blob").readall() == content
    assert _hits(api, rule) == 1


def test_a_delay_ends_in_the_clients_time_out(server: LocalZure, api: OwnApiClient) -> None:
    with _blobs(server, retry_total=0) as blobs:
        _arm(api, effect="delay", delay=30, operation="Service_GetProperties", times=1)
        with pytest.raises((ServiceResponseError, ServiceRequestError)):
            blobs.get_service_properties(read_timeout=0.2)
        assert blobs.get_service_properties()


def test_errors_have_the_shape_of_their_service(server: LocalZure, api: OwnApiClient) -> None:
    _arm(api, effect="status", status=429, retry_after=1.5, retry_after_format="milliseconds", times=3)
    seen: list[tuple[int | None, str | None]] = []
    with (
        BlobServiceClient.from_connection_string(server.blob_connection_string, retry_total=0) as blobs,
        QueueServiceClient.from_connection_string(server.queue_connection_string, retry_total=0) as queues,
        TableServiceClient.from_connection_string(server.table_connection_string, retry_total=0) as tables,
    ):
        for call in (blobs.get_account_information, queues.get_service_properties, tables.get_service_properties):
            with pytest.raises(HttpResponseError) as refused:
                call()
            seen.append((refused.value.status_code, getattr(refused.value, "error_code", None)))
            assert getattr(refused.value.response, "headers", {})["x-ms-retry-after-ms"] == "1500"
    assert seen == [(429, "TooManyRequests")] * 3


def test_a_request_can_ask_for_its_own_fault(server: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(server.blob_connection_string, retry_total=0) as blobs:
        with pytest.raises(HttpResponseError) as refused:
            blobs.get_service_properties(headers={"x-localzure-fault": "status=504; code=OperationTimedOut"})
        assert (refused.value.status_code, getattr(refused.value, "error_code", None)) == (504, "OperationTimedOut")
        with pytest.raises(HttpResponseError, match="x-localzure-fault"):
            blobs.get_service_properties(headers={"x-localzure-fault": "effect=detach"})
        assert blobs.get_service_properties()


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "detach", "operation": "send"},
        {"effect": "detach", "operation": "attach", "condition": "com.microsoft:server-busy"},
        {"effect": "close", "operation": "send"},
        {"effect": "reject"},
        {"effect": "withhold_credit", "delay": 0.2},
        {"effect": "delay", "operation": "send", "delay": 0.2},
    ],
    ids=lambda fault: f"{fault['effect']}-{fault.get('operation', '')}",
)
def test_a_message_is_sent_through_faults(server: LocalZure, api: OwnApiClient, fault: dict[str, Any]) -> None:
    rule = _arm(api, entity="plain", times=1, **fault)
    with ServiceBusClient.from_connection_string(server.servicebus_connection_string, retry_backoff_factor=0) as client:
        with client.get_queue_sender("plain") as sender:
            sender.send_messages(ServiceBusMessage("through"))
        assert _hits(api, rule) == 1
        with client.get_queue_receiver("plain", max_wait_time=5) as receiver:
            (message,) = receiver.receive_messages()
            assert str(message) == "through"
            receiver.complete_message(message)


def test_a_released_message_is_told_to_its_sender(server: LocalZure, api: OwnApiClient) -> None:
    """With a plain AMQP client: azure-servicebus for Python knows no such outcome of a send, and waits."""
    _arm(api, entity="plain", effect="release", times=1)
    connection = BlockingConnection(
        server.endpoints["amqp"],
        timeout=10,
        user="RootManageSharedAccessKey",
        password="SAS_KEY_VALUE",
        allowed_mechs="PLAIN",
        allow_insecure_mechs=True,
    )
    try:
        sender = connection.create_sender("plain")
        with pytest.raises(SendException):
            sender.send(Message(body="released"))
    finally:
        connection.close()


def test_a_lost_lock_is_told_and_the_message_comes_again(server: LocalZure, api: OwnApiClient) -> None:
    with ServiceBusClient.from_connection_string(server.servicebus_connection_string) as client:
        with client.get_queue_sender("plain") as sender:
            sender.send_messages(ServiceBusMessage("lost"))
        with client.get_queue_receiver("plain", max_wait_time=5) as receiver:
            _arm(api, entity="plain", effect="lose_lock", times=1)
            (message,) = receiver.receive_messages()
            with pytest.raises(MessageLockLostError):
                receiver.complete_message(message)
            (again,) = receiver.receive_messages()
            assert (str(again), again.delivery_count) == ("lost", 1)
            receiver.complete_message(again)


def test_a_lost_session_lock_is_told(tmp_path: Path) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text("servicebus: {queues: {sessions: {requires_session: true}}}\n")
    with LocalZure(seed=seed) as server:
        api = OwnApiClient(server.endpoints["gateway"])
        with ServiceBusClient.from_connection_string(server.servicebus_connection_string) as client:
            with client.get_queue_sender("sessions") as sender:
                sender.send_messages(ServiceBusMessage("first", session_id="s"))
            with client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5) as receiver:
                (message,) = receiver.receive_messages()
                _arm(api, entity="sessions", effect="lose_session", times=1)
                with pytest.raises(SessionLockLostError):
                    receiver.complete_message(message)
            with client.get_queue_receiver("sessions", session_id="s", max_wait_time=5) as receiver:
                (message,) = receiver.receive_messages()
                receiver.complete_message(message)


def test_rules_come_from_the_configuration_and_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "localzure.yaml"
    config.write_text(
        "faults:\n  - {effect: status, service: queue, status: 500, times: 1}\n"
        "test_mode:\n  blob: {enabled: true, failure_rate: 1.0, error_codes: [503], pattern: sequential}\n"
    )
    with LocalZure(config=config) as server:
        where = ["--endpoint", server.endpoints["gateway"]]
        with BlobServiceClient.from_connection_string(server.blob_connection_string, retry_total=0) as blobs:
            with pytest.raises(HttpResponseError):
                blobs.get_service_properties()
            assert main(["faults", "list", *where]) == 0
            listed = capsys.readouterr().out
            assert "0 of 0  effect=status service=queue" in listed
            assert "1 of 1  effect=status service=blob" in listed
            assert main(["faults", "remove", "2", *where]) == 0
            assert blobs.get_service_properties()
            assert main(["faults", "add", "effect=status", "status=[500]", "operation=Service_*", *where]) == 0
            with pytest.raises(HttpResponseError):
                blobs.get_service_properties()
            assert main(["faults", "clear", *where]) == 0
            assert blobs.get_service_properties()
        assert main(["faults", "add", "effect=nothing", *where]) == 2
        assert main(["faults", "remove", "77", *where]) == 2
        with pytest.raises(RefusedError, match="no fault rule"):
            OwnApiClient(server.endpoints["gateway"]).call("POST", "faults", [{"effect": "reset"}, {"effect": "no"}])
        assert OwnApiClient(server.endpoints["gateway"]).call("GET", "faults")["faults"][1:] == []


def test_faults_are_over_when_their_time_is(server: LocalZure, api: OwnApiClient) -> None:
    _arm(api, effect="status", operation="Service_GetProperties", seconds=0.05)
    with BlobServiceClient.from_connection_string(server.blob_connection_string, retry_total=0) as blobs:

        def is_served() -> bool:
            try:
                return bool(blobs.get_service_properties())
            except HttpResponseError:
                return False

        wait_until(is_served, lambda: "a rule for 0.05 s still holds")
