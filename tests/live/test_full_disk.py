"""A disk that is really full: errors for those who write, truth for everybody, and service again when there is room."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError
from azure.storage.blob import BlobServiceClient

from localzure.testing import LocalZure

# A connection that a server cuts is dropped by the client library without closing its socket.
pytestmark = [
    pytest.mark.usefixtures("abandoned_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DISK_MEGABYTES = 24
ROOM_SECONDS_MAX = 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be mounted here: that takes root")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_blobs_until_the_disk_is_full_and_after(small_disk: Path) -> None:
    with (
        LocalZure(in_memory=False, data_dir=small_disk) as az,
        BlobServiceClient.from_connection_string(az.blob_connection_string, retry_total=0) as service,
    ):
        container = service.create_container("full")
        stored: list[str] = []
        with pytest.raises(HttpResponseError) as refused:
            for number in range(DISK_MEGABYTES * 2):
                container.upload_blob(f"b{number}", bytes([number]) * 1_000_000)
                stored.append(f"b{number}")
        assert refused.value.status_code in {500, 503, 507}
        assert stored
        for number, name in enumerate(stored):
            assert container.download_blob(name).readall() == bytes([number]) * 1_000_000
        assert {blob.name for blob in container.list_blobs()} == set(stored)
        for name in stored:
            _once_there_is_room(partial(container.delete_blob, name))
        _once_there_is_room(partial(container.upload_blob, "after", b"y" * 2_000_000, overwrite=True))
        assert container.download_blob("after").readall() == b"y" * 2_000_000


def _once_there_is_room(step: Callable[[], object]) -> None:
    """Try again while the disk is full: room comes with the next checkpoint, and with the sweep behind a delete."""
    until = time.monotonic() + ROOM_SECONDS_MAX
    while True:
        try:
            step()
        except HttpResponseError as error:
            assert error.status_code in {500, 503, 507}
            assert time.monotonic() < until, "there is room, and still nothing can be written"
        else:
            return


def test_messages_until_the_disk_is_full_and_after(small_disk: Path) -> None:
    with LocalZure(in_memory=False, data_dir=small_disk, queues=["full"]) as az:
        accepted = 0
        with (
            ServiceBusClient.from_connection_string(az.servicebus_connection_string, retry_total=0) as client,
            client.get_queue_sender("full") as sender,
            pytest.raises(ServiceBusError),
        ):
            for _ in range(DISK_MEGABYTES * 20):
                sender.send_messages(ServiceBusMessage(b"x" * 100_000))
                accepted += 1
        assert accepted
        with ServiceBusClient.from_connection_string(az.servicebus_connection_string) as client:
            received = 0
            with client.get_queue_receiver("full") as receiver:
                while batch := receiver.receive_messages(20, max_wait_time=2 if received < accepted else 0.2):
                    for message in batch:
                        receiver.complete_message(message)
                    received += len(batch)
            assert received == accepted
            with client.get_queue_sender("full") as sender:
                sender.send_messages(ServiceBusMessage(b"after"))
