"""The commands `azurite` and `azurite-queue`, started as a test kit starts them, and used with the storage SDKs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

BIN = Path(sys.executable).parent
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
UP = re.compile(r"Azurite (\w+) service is successfully listening at http://127\.0\.0\.1:(\d+)")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stops the server with a signal")


def _start(*command: str, lines: int) -> tuple[subprocess.Popen[str], dict[str, int]]:
    """Start a command and read the ports of its services from the lines that kits wait for."""
    process = subprocess.Popen([str(BIN / command[0]), *command[1:]], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found: dict[str, int] = {}
    for line in process.stdout:
        if match := UP.search(line):
            found[match[1]] = int(match[2])
        if len(found) == lines:
            break
    return process, found


def _stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return out


def _address(port: int, service: str) -> str:
    endpoint = f"{service}Endpoint=http://127.0.0.1:{port}/devstoreaccount1"
    return f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};{endpoint};"


def test_a_workspace_with_azurites_files_serves_and_keeps_what_is_put(tmp_path: Path) -> None:
    foreign = tmp_path / "__azurite_db_blob__.json"
    foreign.write_text('{"filename":"__azurite_db_blob__.json","collections":[]}')
    flags = ["--blobPort=0", "--queuePort=0", "--tablePort=0", "-l", str(tmp_path), "--loose", "--skipApiVersionCheck"]
    for run in range(2):
        process, ports = _start("azurite", *flags, lines=3)
        try:
            with BlobServiceClient.from_connection_string(_address(ports["Blob"], "Blob")) as blobs:
                blob = blobs.get_container_client("kept").get_blob_client("blob")
                if run == 0:
                    blobs.create_container("kept")
                    blob.upload_blob(b"content")
                assert blob.download_blob().readall() == b"content"
        finally:
            last = _stop(process)
        assert "Azurite Blob service successfully closed" in last
    assert foreign.exists()


def test_one_service_alone(tmp_path: Path) -> None:
    process, ports = _start("azurite-queue", "--queuePort", "0", "--location", str(tmp_path), lines=1)
    try:
        assert set(ports) == {"Queue"}
        with QueueServiceClient.from_connection_string(_address(ports["Queue"], "Queue")) as queues:
            queues.create_queue("alone").send_message("hello")
            assert [message.content for message in queues.get_queue_client("alone").receive_messages()] == ["hello"]
    finally:
        _stop(process)
