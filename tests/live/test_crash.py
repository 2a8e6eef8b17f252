"""`kill -9` in the middle of sends, settlements and uploads, again and again on one store.

What was acknowledged is there, byte for byte; what was completed or deleted stays away; what was in flight when the
process died may have happened or not, but whole.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.exceptions import ServiceBusError
from azure.storage.blob import BlobServiceClient, ContainerClient

from localzure.testing import LocalZure

# A connection that a server cuts is dropped by the client library without closing its socket.
pytestmark = [
    pytest.mark.usefixtures("abandoned_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROUNDS = 4
TRAFFIC_SECONDS = 1.2


@dataclass
class Messages:
    """What clients know about the messages of one queue, by message id."""

    attempted: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    completing: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    dead_lettering: set[str] = field(default_factory=set)
    dead_lettered: set[str] = field(default_factory=set)

    def check(self, active: list[str], dead: list[str]) -> None:
        """Hold what is in the queue and its dead-letter sub-queue to what clients were told."""
        assert len(active) == len(set(active)), "a message came twice"
        assert len(dead) == len(set(dead)), "a dead letter came twice"
        assert not set(active) & set(dead), "a message is in two places"
        there = set(active) | set(dead)
        assert there <= self.attempted
        assert self.acknowledged - self.completing <= there, "an acknowledged message is lost"
        assert not self.completed & there, "a completed message came back"
        assert self.dead_lettered <= set(dead), "a dead letter is lost"
        assert set(dead) <= self.dead_lettering


@dataclass
class Blobs:
    """What clients know about blobs: the content each may have, by name. None is: not there."""

    possible: dict[str, set[bytes | None]] = field(default_factory=dict)

    def check(self, container: ContainerClient) -> None:
        listed = {blob.name for blob in container.list_blobs()}
        for name, possible in self.possible.items():
            try:
                content: bytes | None = hashlib.sha256(container.download_blob(name).readall()).digest()
            except ResourceNotFoundError:
                content = None
            assert content in possible, f"{name} is neither as it was nor as it was to be"
            assert (name in listed) == (content is not None)
            self.possible[name] = {content}


def _send(client: ServiceBusClient, messages: Messages, stop: threading.Event, numbers: itertools.count[int]) -> None:
    with client.get_queue_sender("crash") as sender:
        while not stop.is_set():
            ids = [f"m{next(numbers)}" for _ in range(random.randint(1, 5))]
            messages.attempted.update(ids)
            sender.send_messages([ServiceBusMessage(b"x" * random.randint(0, 20_000), message_id=i) for i in ids])
            messages.acknowledged.update(ids)


def _settle(client: ServiceBusClient, messages: Messages, stop: threading.Event) -> None:
    with client.get_queue_receiver("crash") as receiver:
        while not stop.is_set():
            for message in receiver.receive_messages(max_message_count=5, max_wait_time=1):
                identity = str(message.message_id)
                choice = random.random()
                if choice < 0.5:
                    messages.completing.add(identity)
                    receiver.complete_message(message)
                    messages.completed.add(identity)
                elif choice < 0.7:
                    messages.dead_lettering.add(identity)
                    receiver.dead_letter_message(message, reason="chosen")
                    messages.dead_lettered.add(identity)
                elif choice < 0.9:
                    receiver.abandon_message(message)


def _upload(service: BlobServiceClient, blobs: Blobs, stop: threading.Event, prefix: str) -> None:
    container = service.get_container_client("crash")
    while not stop.is_set():
        name = f"{prefix}/{random.randint(0, 15)}"
        possible = blobs.possible.setdefault(name, {None})
        if random.random() < 0.2 and None not in possible:
            possible.add(None)
            container.delete_blob(name)
            blobs.possible[name] = {None}
        else:
            content = random.randbytes(random.choice([0, 1, 5000, 300_000]))
            possible.add(hashlib.sha256(content).digest())
            container.upload_blob(name, content, overwrite=True)
            blobs.possible[name] = {hashlib.sha256(content).digest()}


def _until_killed(work: Callable[[], None], done: list[str]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except (ServiceBusError, AzureError, OSError) as error:
            done.append(type(error).__name__)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _peek_all(client: ServiceBusClient, sub_queue: str | None = None) -> list[ServiceBusReceivedMessage]:
    found: list[ServiceBusReceivedMessage] = []
    following = 1
    with client.get_queue_receiver("crash", sub_queue=sub_queue) as receiver:
        while page := receiver.peek_messages(250, sequence_number=following):
            found += page
            following = (page[-1].sequence_number or 0) + 1
    return found


@pytest.mark.parametrize("seed", [1])
def test_kill_again_and_again(tmp_path: Path, seed: int) -> None:
    random.seed(seed)
    messages, blobs, numbers = Messages(), Blobs(), itertools.count()
    with LocalZure(in_memory=False, data_dir=tmp_path, queues=["crash"]) as az:
        with BlobServiceClient.from_connection_string(az.blob_connection_string) as service:
            service.create_container("crash")
        for _ in range(ROUNDS):
            _traffic_and_kill(az, messages, blobs, numbers)
            az.restart()
            with ServiceBusClient.from_connection_string(az.servicebus_connection_string) as client:
                active, dead = _peek_all(client), _peek_all(client, "deadletter")
                assert all(message.delivery_count is not None for message in active)
                messages.check([str(m.message_id) for m in active], [str(m.message_id) for m in dead])
            with BlobServiceClient.from_connection_string(az.blob_connection_string) as service:
                blobs.check(service.get_container_client("crash"))
    assert messages.completed
    assert messages.dead_lettered
    assert messages.acknowledged - messages.completing


def _traffic_and_kill(az: LocalZure, messages: Messages, blobs: Blobs, numbers: itertools.count[int]) -> None:
    stop, done = threading.Event(), list[str]()

    def bus() -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(az.servicebus_connection_string, retry_total=0)

    def storage() -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(az.blob_connection_string, retry_total=0)

    sending, settling, uploading, also_uploading = bus(), bus(), storage(), storage()
    threads = [
        _until_killed(lambda: _send(sending, messages, stop, numbers), done),
        _until_killed(lambda: _settle(settling, messages, stop), done),
        _until_killed(lambda: _upload(uploading, blobs, stop, "a"), done),
        _until_killed(lambda: _upload(also_uploading, blobs, stop, "b"), done),
    ]
    stop.wait(TRAFFIC_SECONDS)
    az.kill()
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for client in (sending, settling, uploading, also_uploading):
        client.close()


def test_a_lock_is_gone_after_a_crash_and_did_not_count(tmp_path: Path) -> None:
    with LocalZure(in_memory=False, data_dir=tmp_path, queues=["crash"]) as az:
        with ServiceBusClient.from_connection_string(az.servicebus_connection_string) as client:
            client.get_queue_sender("crash").send_messages([ServiceBusMessage("once"), ServiceBusMessage("twice")])
            receiver = client.get_queue_receiver("crash")
            once, twice = receiver.receive_messages(2, max_wait_time=5)
            receiver.abandon_message(twice)
            az.kill()
        az.restart()
        with (
            ServiceBusClient.from_connection_string(az.servicebus_connection_string) as client,
            client.get_queue_receiver("crash") as receiver,
        ):
            again = receiver.receive_messages(2, max_wait_time=5)
            assert [m.sequence_number for m in again] == [once.sequence_number, twice.sequence_number]
            assert [m.delivery_count for m in again] == [0, 1]
