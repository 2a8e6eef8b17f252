"""Emptying a running server, whole or in part: what goes, what stays, and that connected clients go on."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError
from azure.storage.blob import BlobServiceClient, CorsRule
from azure.storage.queue import QueueServiceClient

from localzure.cli.main import main
from localzure.client import RefusedError
from localzure.testing import LocalZure

ACCOUNTS = {"storage": {"accounts": {"one": "b25l", "two": "dHdv"}}}


def storage(azure: LocalZure, account: str) -> str:
    key = {"one": "b25l", "two": "dHdv"}[account]
    places = "".join(
        f"{name.title()}Endpoint={azure.endpoints[name]}/{account};" for name in ("blob", "queue", "table")
    )
    return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};{places}"


def fill(strings: str) -> None:
    with BlobServiceClient.from_connection_string(strings) as blobs:
        blobs.set_service_properties(cors=[CorsRule(["*"], ["GET"])])
        blobs.create_container("ccc").upload_blob("b", b"x" * 100_000)
        blobs.get_blob_client("ccc", "b").acquire_lease()
        blobs.get_container_client("ccc").acquire_lease()
    with QueueServiceClient.from_connection_string(strings) as queues:
        queues.create_queue("qqq").send_message("m")
    with TableServiceClient.from_connection_string(strings) as tables:
        tables.create_table("ttt").create_entity({"PartitionKey": "p", "RowKey": "r"})


def names(strings: str) -> list[str]:
    with (
        BlobServiceClient.from_connection_string(strings) as blobs,
        QueueServiceClient.from_connection_string(strings) as queues,
        TableServiceClient.from_connection_string(strings) as tables,
    ):
        cors = ["cors"] if blobs.get_service_properties()["cors"] else []
        found = [str(each.name) for kind in (blobs.list_containers(), queues.list_queues()) for each in kind]
        return [*cors, *found, *[table.name for table in tables.list_tables()]]


def test_parts_and_the_whole() -> None:
    with LocalZure(config=ACCOUNTS) as azure:
        one, two = storage(azure, "one"), storage(azure, "two")
        fill(one)
        fill(two)
        azure.reset("queue", "one")
        assert names(one) == ["cors", "ccc", "ttt"]
        azure.reset(account="one")
        assert names(one) == []
        assert names(two) == ["cors", "ccc", "qqq", "ttt"]
        with BlobServiceClient.from_connection_string(two) as client:
            assert client.get_blob_client("ccc", "b").download_blob().readall() == b"x" * 100_000
        fill(one)
        azure.reset("table")
        assert names(one) == names(two) == ["cors", "ccc", "qqq"]
        azure.reset()
        assert names(one) == names(two) == []
        fill(one)
        for wrong, status in (({"account": "three"}, 404), ({"service": "smtp"}, 400)):
            with pytest.raises(RefusedError) as refused:
                azure.reset(**wrong)
            assert refused.value.status == status
        with pytest.raises(RefusedError, match="no storage accounts"):
            azure.reset("servicebus", "one")


def test_service_bus_begins_anew_for_clients_that_stay_connected() -> None:
    with LocalZure(queues=["orders"]) as azure:
        strings = azure.servicebus_connection_string
        with ServiceBusClient.from_connection_string(strings, retry_backoff_factor=0.05) as client:
            sender, receiver = client.get_queue_sender("orders"), client.get_queue_receiver("orders")
            sender.send_messages([ServiceBusMessage("old"), ServiceBusMessage("older")])
            (held,) = receiver.receive_messages(max_wait_time=5)
            azure.reset("servicebus")
            with pytest.raises((MessageLockLostError, ServiceBusError)):
                receiver.complete_message(held)
            sender.send_messages(ServiceBusMessage("new"))
            (message,) = receiver.receive_messages(max_message_count=10, max_wait_time=5)
            assert (str(message), message.sequence_number) == ("new", 1)
            receiver.complete_message(message)
            assert receiver.peek_messages(10) == []
        assert "Traceback" not in azure.logs


def test_a_reset_survives_a_kill_and_tokens_stay_good_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with LocalZure(in_memory=False, queues=["orders"]) as azure:
        with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
            client.get_queue_sender("orders").send_messages(ServiceBusMessage("old"))
        with BlobServiceClient.from_connection_string(azure.blob_connection_string) as client:
            client.create_container("ccc").upload_blob("b", b"x")
        assert main(["reset", "--endpoint", azure.endpoints["gateway"]]) == 2
        assert "say --yes" in capsys.readouterr().err
        assert main(["reset", "--yes", "--endpoint", azure.endpoints["gateway"]]) == 0
        assert capsys.readouterr().out == "reset: blob, queue, table, servicebus\n"
        azure.reset("entra")
        azure.kill()
        azure.start()
        with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
            assert client.get_queue_receiver("orders").peek_messages(10) == []
        with (
            BlobServiceClient.from_connection_string(azure.blob_connection_string) as client,
            pytest.raises(ResourceNotFoundError),
        ):
            client.get_container_client("ccc").get_container_properties()


def test_the_fixture_begins_empty(localzure_reset: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(localzure_reset.blob_connection_string) as client:
        client.create_container("ccc")
    localzure_reset.clock.advance(3600)


def test_the_fixture_begins_empty_again(localzure_reset: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(localzure_reset.blob_connection_string) as client:
        client.create_container("ccc")
    assert not localzure_reset.clock.is_frozen
