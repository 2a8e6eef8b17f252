"""Snapshots of a running server: what SDKs find after going back, under load, and after kills."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from azure.core.exceptions import AzureError
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from localzure.cli.main import main
from localzure.client import NoServerError, RefusedError
from localzure.testing import LocalZure

LARGE = bytes(range(256)) * 20_000


@pytest.fixture(params=["memory", "disk"])
def azure(request: pytest.FixtureRequest) -> Iterator[LocalZure]:
    with LocalZure(in_memory=request.param == "memory", queues=["orders"]) as server:
        yield server


def fill(azure: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string) as blobs:
        container = blobs.create_container("first")
        container.upload_blob("large", LARGE, max_concurrency=1)
        container.upload_blob("small", b"small", metadata={"a": "b"})
        container.get_blob_client("small").create_snapshot()
    with QueueServiceClient.from_connection_string(azure.queue_connection_string) as queues:
        queue = queues.create_queue("jobs")
        for number in range(3):
            queue.send_message(f"job {number}")
    with TableServiceClient.from_connection_string(azure.table_connection_string) as tables:
        tables.create_table("things").create_entity({"PartitionKey": "p", "RowKey": "r", "Text": "x" * 5000})
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
        client.get_queue_sender("orders").send_messages([ServiceBusMessage(f"order {n}") for n in range(3)])


def damage(azure: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string) as blobs:
        blobs.get_blob_client("first", "large").upload_blob(b"overwritten", overwrite=True)
        blobs.get_blob_client("first", "small").delete_blob(delete_snapshots="include")
        blobs.create_container("second")
    with QueueServiceClient.from_connection_string(azure.queue_connection_string) as queues:
        queues.get_queue_client("jobs").clear_messages()
    with TableServiceClient.from_connection_string(azure.table_connection_string) as tables:
        tables.delete_table("things")
    with (
        ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client,
        client.get_queue_receiver("orders") as receiver,
    ):
        for message in receiver.receive_messages(max_message_count=2, max_wait_time=5):
            receiver.complete_message(message)


def found(azure: LocalZure) -> dict[str, Any]:
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
        messages = client.get_queue_receiver("orders").peek_messages(10)
    return stored(azure) | {"bus": [(each.sequence_number, str(each)) for each in messages]}


def stored(azure: LocalZure) -> dict[str, Any]:
    """What the storage services have."""
    with (
        BlobServiceClient.from_connection_string(azure.blob_connection_string) as blobs,
        QueueServiceClient.from_connection_string(azure.queue_connection_string) as queues,
        TableServiceClient.from_connection_string(azure.table_connection_string) as tables,
    ):
        first = blobs.get_container_client("first")
        return {
            "containers": [each.name for each in blobs.list_containers() if each.name != "load"],
            "blobs": [
                (each.name, each.snapshot, each.metadata, each.etag, first.download_blob(each.name).readall())
                for each in first.list_blobs(include=["snapshots", "metadata"])
            ],
            "queue": [message.content for message in queues.get_queue_client("jobs").peek_messages(10)],
            "entities": [dict(entity) for entity in tables.get_table_client("things").list_entities()],
        }


class Load:
    """Somebody who goes on writing, whatever happens; what fails is tried again, as SDKs do."""

    def __init__(self, azure: LocalZure) -> None:
        self._azure = azure
        self._stop = threading.Event()
        self.written = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        strings = self._azure.blob_connection_string
        with BlobServiceClient.from_connection_string(strings, retry_total=0) as blobs:
            container = blobs.get_container_client("load")
            for number in itertools.count():
                if self._stop.is_set():
                    return
                try:
                    if number % 50 == 0 and not container.exists():
                        container.create_container()
                    container.upload_blob(f"blob{number % 100}", LARGE[:70_000], overwrite=True)
                    self.written += 1
                except AzureError:
                    continue
                finally:
                    self._stop.wait(0.01)


def test_what_was_damaged_comes_back_under_load(azure: LocalZure) -> None:
    fill(azure)
    before = found(azure)
    with Load(azure) as load:
        azure.snapshot("good")
        damage(azure)
        azure.snapshot("bad")
        azure.restore("good")
        assert found(azure) == before
        azure.restore("bad")
        with BlobServiceClient.from_connection_string(azure.blob_connection_string) as blobs:
            assert blobs.get_blob_client("first", "large").download_blob().readall() == b"overwritten"
        azure.restore("good")
    assert load.written > 0
    if azure.data_dir is not None:
        azure.kill()
        azure.start()
        assert found(azure) == before
        damage(azure)
        azure.restore("good")
    assert stored(azure) == {name: content for name, content in before.items() if name != "bus"}
    assert "Traceback" not in azure.logs


def test_a_message_that_waits_reaches_a_receiver_that_stays_connected(azure: LocalZure) -> None:
    strings = azure.servicebus_connection_string
    with ServiceBusClient.from_connection_string(strings, retry_backoff_factor=0.05) as client:
        client.get_queue_sender("orders").send_messages(ServiceBusMessage("kept"))
        azure.snapshot("one")
        receiver = client.get_queue_receiver("orders")
        (message,) = receiver.receive_messages(max_wait_time=5)
        receiver.complete_message(message)
        azure.restore("one")
        (message,) = receiver.receive_messages(max_wait_time=10)
        assert str(message) == "kept"


def test_the_commands_and_wrong_names(azure: LocalZure, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*args: str) -> tuple[int, str]:
        code = main(["snapshot", *args, "--endpoint", azure.endpoints["gateway"]])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    assert run("save", "one")[1].startswith("saved one (")
    assert run("list")[1].startswith("one  2")
    assert run("restore", "one")[0] == 2
    assert run("restore", "one", "--yes") == (0, "restored one\n")
    assert run("restore", "none", "--yes") == (2, "localzure: There is no snapshot none.\n")
    assert run("delete", "none", "--yes")[0] == 2
    assert run("save", "../one")[0] == 2
    assert run("delete", "one", "--yes") == (0, "deleted one\n")
    assert run("list") == (0, "")
    with pytest.raises(RefusedError) as refused:
        azure.restore("one")
    assert (refused.value.status, refused.value.code) == (404, "SnapshotNotFound")


def test_a_kill_in_the_middle_leaves_the_store_as_it_was() -> None:
    with LocalZure(in_memory=False, queues=["orders"]) as azure:
        fill(azure)
        before = stored(azure)
        azure.snapshot("one")
        for call in (azure.snapshot, azure.restore):
            killer = threading.Timer(0.003, azure.kill)
            killer.start()
            try:
                call("one")
            except NoServerError as error:
                assert "broke off" in str(error) or "cannot reach" in str(error)
            killer.join()
            azure.start()
            assert stored(azure) == before
        azure.restore("one")
        assert found(azure)["bus"] == [(1, "order 0"), (2, "order 1"), (3, "order 2")]


def test_snapshots_by_themselves() -> None:
    with LocalZure(config={"snapshots": {"every": 0.05, "keep": 2}}) as azure:
        seen: set[str] = set()
        while len(seen) < 4:
            with urlopen(f"{azure.endpoints['gateway']}/_localzure/snapshots") as reply:
                names = [each["name"] for each in json.load(reply)["snapshots"]]
            assert len(names) <= 3
            seen.update(names)
        assert all(name.startswith("auto-2") for name in seen)
