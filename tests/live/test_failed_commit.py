"""A commit that fails: whoever took part is told, nobody is told a lie, and the server goes on."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError
from azure.storage.blob import BlobServiceClient

from localzure.testing import LocalZure

# A connection that a server cuts is dropped by the client library without closing its socket.
pytestmark = [
    pytest.mark.usefixtures("abandoned_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def az() -> Iterator[LocalZure]:
    path = os.pathsep.join([str(HERE / "failing_commits"), str(HERE.parent.parent)])
    with LocalZure(queues=["sent", "settled"], env={"PYTHONPATH": path}) as server:
        yield server


class Failing:
    """Commits fail inside the block."""

    def __init__(self, az: LocalZure) -> None:
        self._az = az

    def __enter__(self) -> None:
        self._signal(signal.SIGUSR1)

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGUSR2)

    def _signal(self, number: int) -> None:
        """Send a signal, and a request behind it: when that is answered, the signal has been taken."""
        os.kill(self._az.pid, number)
        with urllib.request.urlopen(self._az.endpoints["gateway"] + "/health") as reply:
            assert reply.status == 200


def test_an_upload_is_refused_and_the_old_content_stays(az: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(az.blob_connection_string, retry_total=0) as service:
        container = service.create_container("failing")
        container.upload_blob("kept", b"old")
        with Failing(az):
            with pytest.raises(HttpResponseError) as refused:
                container.upload_blob("kept", b"new", overwrite=True)
            assert refused.value.status_code in {500, 503}
            with pytest.raises(HttpResponseError):
                container.upload_blob("large", b"x" * 1_000_000)
            with pytest.raises(HttpResponseError):
                container.delete_blob("kept")
            assert container.download_blob("kept").readall() == b"old"
        assert [blob.name for blob in container.list_blobs()] == ["kept"]
        container.upload_blob("kept", b"new", overwrite=True)
        assert container.download_blob("kept").readall() == b"new"


def test_a_message_is_not_accepted_and_not_there(az: LocalZure) -> None:
    with ServiceBusClient.from_connection_string(az.servicebus_connection_string, retry_total=0) as client:
        with client.get_queue_sender("sent") as sender:
            sender.send_messages(ServiceBusMessage("before"))
            with Failing(az), pytest.raises(ServiceBusError):
                sender.send_messages(ServiceBusMessage("lost"))
        with client.get_queue_sender("sent") as sender:
            sender.send_messages(ServiceBusMessage("after"))
        with client.get_queue_receiver("sent") as receiver:
            assert [str(message) for message in receiver.receive_messages(3, max_wait_time=2)] == ["before", "after"]


def test_a_settlement_that_fails_leaves_the_message(az: LocalZure) -> None:
    with ServiceBusClient.from_connection_string(az.servicebus_connection_string, retry_total=0) as client:
        client.get_queue_sender("settled").send_messages(ServiceBusMessage("kept"))
        with client.get_queue_receiver("settled") as receiver:
            (message,) = receiver.receive_messages(1, max_wait_time=2)
            with Failing(az), pytest.raises((ServiceBusError, MessageLockLostError)):
                receiver.complete_message(message)
        with client.get_queue_receiver("settled") as receiver:
            assert [str(peeked) for peeked in receiver.peek_messages(2)] == ["kept"]
