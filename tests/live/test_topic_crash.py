"""`kill -9` while messages go to many subscriptions: each message is in all of them or in none, and in each once."""

from __future__ import annotations

import itertools
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from localzure.testing import LocalZure

# A connection that a server cuts is dropped by the client library without closing its socket.
pytestmark = [
    pytest.mark.usefixtures("abandoned_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROUNDS = 2
COMPLETIONS = 20
"""After so many the server is killed."""

FEW, MANY = 4, 340
"""Subscriptions that get a message at once, and that get it in steps."""

LOOKED_AT = (0, 1, MANY // 2, MANY - 2, MANY - 1)
"""Of the many."""


def _seed(path: Path) -> Path:
    topics: dict[str, object] = {
        name: {"subscriptions": {f"s{number}": {} for number in range(count)}}
        for name, count in (("few", FEW), ("many", MANY))
    }
    path.write_text(json.dumps({"servicebus": {"topics": topics}}))
    return path


def _message(identity: str) -> ServiceBusMessage:
    content = b"x" * random.choice([1, 1000, 5000])
    return ServiceBusMessage(f"{identity}:".encode() + content, message_id=identity)


class Traffic:
    """What a client knows of the messages of one topic, by message id."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.attempted: set[str] = set()
        self.acknowledged: set[str] = set()
        self.completing: set[str] = set()
        self.completed: set[str] = set()

    def send(self, client: ServiceBusClient, numbers: itertools.count[int], batches: int) -> None:
        """Until the server is killed, or so many batches are sent."""
        with client.get_topic_sender(self.topic) as sender:
            for _ in range(batches):
                ids = [f"m{next(numbers)}" for _ in range(random.randint(1, 3))]
                self.attempted.update(ids)
                sender.send_messages([_message(identity) for identity in ids])
                self.acknowledged.update(ids)

    def complete(self, client: ServiceBusClient) -> None:
        """Take messages from the first subscription, until the server is killed."""
        with client.get_subscription_receiver(self.topic, "s0") as receiver:
            while True:
                for message in receiver.receive_messages(5, max_wait_time=1):
                    self.completing.add(str(message.message_id))
                    receiver.complete_message(message)
                    self.completed.add(str(message.message_id))


def _until_killed(work: object, *arguments: object) -> threading.Thread:
    def run() -> None:
        try:
            work(*arguments)  # type: ignore[operator]  # a bound method of Traffic
        except (ServiceBusError, OSError):
            return

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _there(client: ServiceBusClient, topic: str, name: str) -> list[str]:
    found: list[str] = []
    with client.get_subscription_receiver(topic, name) as receiver:
        following = 1
        while page := receiver.peek_messages(250, sequence_number=following):
            for message in page:
                identity, _, rest = b"".join(message.body).partition(b":")
                assert identity.decode() == message.message_id
                assert rest.strip(b"x") == b""
                found.append(identity.decode())
            following = (page[-1].sequence_number or 0) + 1
    return found


def _wait_until_given_out(azure: LocalZure, client: ServiceBusClient) -> None:
    """What a topic held when it was killed is given out before this: it stands behind it."""
    with client.get_topic_sender("many") as sender:
        sender.send_messages(ServiceBusMessage(b"last:", message_id="last"))
    with client.get_subscription_receiver("many", f"s{MANY - 1}") as receiver:
        following, seen = 1, False
        for _ in range(2000):
            page = receiver.peek_messages(250, sequence_number=following)
            seen = any(message.message_id == "last" for message in page)
            if seen:
                break
            following = (page[-1].sequence_number or 0) + 1 if page else following
    assert seen, azure.logs


def test_a_message_is_in_all_subscriptions_or_in_none(tmp_path: Path) -> None:
    random.seed(7)
    numbers = itertools.count()
    few, many = Traffic("few"), Traffic("many")
    with LocalZure(in_memory=False, data_dir=tmp_path / "data", seed=_seed(tmp_path / "seed.json")) as azure:
        for _ in range(ROUNDS):
            clients = [
                ServiceBusClient.from_connection_string(azure.servicebus_connection_string, retry_total=0)
                for _ in range(3)
            ]
            threads = [
                _until_killed(few.send, clients[0], numbers, 1000),
                _until_killed(few.complete, clients[1]),
                _until_killed(many.send, clients[2], numbers, 15),
            ]
            wanted = len(few.completed) + COMPLETIONS
            while len(few.completed) < wanted and threads[1].is_alive():
                threads[1].join(0.01)
            azure.kill()
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()
            azure.restart()
            _check(azure, few, many)
    assert few.completed
    assert many.acknowledged


def _check(azure: LocalZure, few: Traffic, many: Traffic) -> None:
    with ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client:
        _wait_until_given_out(azure, client)
        names = [*(("few", number) for number in range(FEW)), *(("many", number) for number in LOOKED_AT)]
        # Most of this is waiting for the links.
        with ThreadPoolExecutor(len(names)) as pool:
            found = list(pool.map(lambda name: _there(client, name[0], f"s{name[1]}"), names))
    first, *others = found[:FEW]
    assert others[0] == others[1] == others[2]
    assert len(set(others[0])) == len(others[0]), "a message came twice"
    assert few.acknowledged <= set(others[0]) <= few.attempted
    assert set(others[0]) - few.completing <= set(first)
    assert not set(first) & few.completed, "a completed message came back"
    one, *rest = [[identity for identity in each if identity != "last"] for each in found[FEW:]]
    assert all(each == one for each in rest)
    assert len(set(one)) == len(one), "a message came twice"
    assert many.acknowledged <= set(one) <= many.attempted
