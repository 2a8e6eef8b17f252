"""`localzure storage`: what a server holds, counted, checked, carried to another one, compacted and purged."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from localzure.cli.main import main
from localzure.testing import LocalZure

LARGE = bytes(range(256)) * 20_000


def fill(azure: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string) as blobs:
        blobs.create_container("photos").upload_blob("large", LARGE)
    with QueueServiceClient.from_connection_string(azure.queue_connection_string) as queues:
        queues.create_queue("jobs").send_message("a job", time_to_live=3600)
    with TableServiceClient.from_connection_string(azure.table_connection_string) as tables:
        tables.create_table("things").create_entity({"PartitionKey": "p", "RowKey": "r", "Number": 7})
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
        client.get_queue_sender("orders").send_messages(ServiceBusMessage("an order"))


def test_carried_from_memory_to_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "all.jsonl.gz"

    def run(azure: LocalZure, *args: str) -> tuple[int, str]:
        code = main(["storage", *args, "--endpoint", azure.endpoints["gateway"]])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    with LocalZure(queues=["orders"]) as first, LocalZure(in_memory=False) as second:
        fill(first)
        assert run(first, "export", str(file))[1].startswith(f"{file}: 4 resources, ")
        assert run(second, "import", str(file), "--mode", "overwrite")[0] == 2
        assert run(second, "import", str(file), "--mode", "overwrite", "--yes") == (
            0,
            "4 imported, 0 skipped, 0 removed\n",
        )
        with BlobServiceClient.from_connection_string(second.blob_connection_string) as blobs:
            assert blobs.get_blob_client("photos", "large").download_blob().readall() == LARGE
        with ServiceBusClient.from_connection_string(second.servicebus_connection_string) as client:
            receiver = client.get_queue_receiver("orders")
            (message,) = receiver.receive_messages(max_wait_time=5)
            assert (str(message), message.sequence_number) == ("an order", 1)
            receiver.complete_message(message)
        second.clock.advance("2h")
        with QueueServiceClient.from_connection_string(second.queue_connection_string) as queues:
            assert queues.get_queue_client("jobs").get_queue_properties().approximate_message_count == 0
        again = tmp_path / "again.jsonl.gz"
        run(second, "export", str(again), "--service", "blob", "--service", "table", "--account", "devstoreaccount1")
        lines = gzip.decompress(again.read_bytes()).splitlines()
        assert b'"services":["blob","table"]' in lines[0]
        assert set(lines[1:-1]) < set(gzip.decompress(file.read_bytes()).splitlines())
        told = run(second, "stats")[1]
        assert "blob devstoreaccount1: container 1" in told
        assert "store: " in told
        assert run(second, "verify")[1].endswith(", 0 problems\n")
        assert run(second, "purge", "--yes") == (0, "purged\n")
        assert run(second, "compact")[1].endswith(" now\n")
        assert "blob" not in run(second, "stats")[1]
        assert run(first, "compact")[1] == "the store is in memory: there is nothing to compact\n"
        for wrong in (("export", str(file), "--service", "smtp"), ("export", str(file), "--since", "none")):
            assert run(first, *wrong)[0] == 2
        (tmp_path / "half").write_bytes(file.read_bytes()[:-100])
        assert run(first, "import", str(tmp_path / "half")) == (2, "localzure: The export is cut short or damaged.\n")
        assert "cannot read" in run(first, "import", str(tmp_path / "none"))[1]
        assert "Traceback" not in first.logs + second.logs


def test_a_stopped_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LocalZure(data_dir=tmp_path / "data", queues=["orders"]) as azure:
        fill(azure)
        assert main(["storage", "verify", "--data-dir", str(tmp_path / "data")]) == 2
        assert "in use by process" in capsys.readouterr().err
    assert main(["storage", "verify", "--data-dir", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out.endswith(", 0 problems\n")
    assert main(["storage", "compact", "--data-dir", str(tmp_path / "data")]) == 0
    capsys.readouterr()
    assert main(["storage", "stats", "--data-dir", str(tmp_path / "none")]) == 2
    assert "there is no store" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
