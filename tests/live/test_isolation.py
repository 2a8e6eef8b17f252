"""Storage accounts and namespaces that are made on first use: resetting one touches no other."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from localzure.cli.main import main
from localzure.client import RefusedError
from localzure.testing import LocalZure, StorageAccount


def names(strings: str) -> list[str]:
    with (
        BlobServiceClient.from_connection_string(strings) as blobs,
        QueueServiceClient.from_connection_string(strings) as queues,
        TableServiceClient.from_connection_string(strings) as tables,
    ):
        return [str(each.name) for found in (blobs.list_containers(), queues.list_queues()) for each in found] + [
            table.name for table in tables.list_tables()
        ]


def fill(strings: str) -> None:
    with BlobServiceClient.from_connection_string(strings) as blobs:
        blobs.create_container("box").upload_blob("b", b"x")
    with QueueServiceClient.from_connection_string(strings) as queues:
        queues.create_queue("jobs").send_message("m")
    with TableServiceClient.from_connection_string(strings) as tables:
        tables.create_table("things")


def test_accounts_beside_each_other() -> None:
    with LocalZure(in_memory=False, accounts_on_first_use=True) as azure:
        strings = [azure.account_connection_string(f"account{number}") for number in range(5)]
        for each in strings:
            fill(each)
        azure.reset(account="account3")
        assert [names(each) for each in strings] == [["box", "jobs", "things"] if n != 3 else [] for n in range(5)]
        azure.reset(account="neverused")
        azure.kill()
        azure.start()
        assert names(azure.account_connection_string("account4")) == ["box", "jobs", "things"]
        with (
            BlobServiceClient(f"{azure.endpoints['blob']}/account1", credential="d3Jvbmc=", retry_total=0) as client,
            pytest.raises(ClientAuthenticationError),
        ):
            list(client.list_containers())
        with (
            BlobServiceClient.from_connection_string(
                azure.account_connection_string("Not-A-Name"), retry_total=0
            ) as client,
            pytest.raises(HttpResponseError),
        ):
            list(client.list_containers())


def test_there_are_none_unless_asked() -> None:
    with LocalZure() as azure:
        strings = azure.account_connection_string("another")
        with (
            BlobServiceClient.from_connection_string(strings, retry_total=0) as client,
            pytest.raises(HttpResponseError),
        ):
            list(client.list_containers())


def test_the_fixture_has_an_account_of_its_own(localzure_account: StorageAccount, localzure_server: LocalZure) -> None:
    fill(localzure_account.connection_string)
    assert names(localzure_account.connection_string) == ["box", "jobs", "things"]
    assert "box" not in names(localzure_server.blob_connection_string)
    localzure_account.reset()
    assert names(localzure_account.connection_string) == []


def test_the_fixture_begins_with_an_empty_one(localzure_account: StorageAccount) -> None:
    assert names(localzure_account.connection_string) == []


def test_namespaces_beside_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with LocalZure(in_memory=False, queues=["orders"], namespaces_on_first_use=True) as azure:

        def connect(namespace: str) -> ServiceBusClient:
            strings = azure.namespace_connection_string(namespace)
            return ServiceBusClient.from_connection_string(
                strings, custom_endpoint_address=azure.endpoints["amqp"], retry_backoff_factor=0.05
            )

        def peeked(client: ServiceBusClient) -> list[str]:
            with client.get_queue_receiver("orders") as receiver:
                return [str(message) for message in receiver.peek_messages(10)]

        with (
            connect("one") as one,
            connect("two") as two,
            ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as default,
        ):
            for client, text in ((one, "first"), (two, "second"), (default, "default")):
                with client.get_queue_sender("orders") as sender:
                    sender.send_messages(ServiceBusMessage(text))
            assert [peeked(client) for client in (one, two)] == [["first"], ["second"]]
            azure.reset(namespace="one")
            assert [peeked(client) for client in (one, two, default)] == [[], ["second"], ["default"]]
        azure.snapshot("then")
        azure.reset()
        azure.restore("then")
        azure.kill()
        azure.start()
        with connect("two") as two:
            assert peeked(two) == ["second"]
        url = f"{azure.endpoints['servicebus']}/$Resources/queues"
        request = Request(url, headers={"Host": "three.servicebus.localhost"})
        with pytest.raises(HTTPError, match="401"):
            urlopen(request)
        with pytest.raises(RefusedError, match="no namespace 'four'"):
            azure.reset(namespace="four")
        with pytest.raises(RefusedError, match="of Service Bus alone"):
            azure.reset("blob", namespace="two")
        assert main(["reset", "--yes", "--namespace", "two", "--endpoint", azure.endpoints["gateway"]]) == 0
        assert capsys.readouterr().out == "reset: servicebus\n"
        assert "Traceback" not in azure.logs
