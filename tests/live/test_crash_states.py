"""`kill -9` with messages in every state that they can be in, and while they change it.

Each traffic is one program that notes what it asked for before it asks, and what it was told. After the kill nothing
that was acknowledged is lost, nothing that was never asked for has happened, and no message is there twice.
"""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import ServiceBusError

from localzure.testing import LocalZure

# A connection that a server cuts is dropped by the client library without closing its socket.
pytestmark = [
    pytest.mark.usefixtures("abandoned_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROUNDS = 2
TRAFFIC_SECONDS = 1.5
WAIT = 5
QUEUES: dict[str, dict[str, object]] = {
    "states": {"MaxDeliveryCount": 2000},
    "sessions": {"RequiresSession": True},
    "target": {},
    "via": {"ForwardTo": "target"},
    "unique": {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "PT1H"},
    "short": {"DefaultMessageTimeToLive": "PT2S", "DeadLetteringOnMessageExpiration": True},
}
FAR = timedelta(days=30)


class Traffic(ABC):
    """One program, and what it knows."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.numbers = count()
        self.attempted: set[str] = set()
        self.acknowledged: set[str] = set()

    @abstractmethod
    def step(self, client: ServiceBusClient) -> None:
        """Do something."""

    @abstractmethod
    def check(self, client: ServiceBusClient) -> None:
        """Hold what is there to what is known; afterwards what is there is what is known."""

    def send(self, client: ServiceBusClient, queue: str, **properties: object) -> str:
        """Send one message with an id of its own."""
        identity = f"m{next(self.numbers)}"
        self.attempted.add(identity)
        with client.get_queue_sender(queue) as sender:
            sender.send_messages(ServiceBusMessage("body", message_id=identity, **properties))  # type: ignore[arg-type]
        self.acknowledged.add(identity)
        return identity


class Deferring(Traffic):
    """Sends, then defers some and abandons others with a property that counts."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.deferring: set[str] = set()
        self.deferred: set[str] = set()
        self.marking: Counter[str] = Counter()
        self.marked: Counter[str] = Counter()

    def step(self, client: ServiceBusClient) -> None:
        for _ in range(3):
            self.send(client, "states")
        with client.get_queue_receiver("states") as receiver:
            # What it gets beyond these stays locked.
            for message in receiver.receive_messages(5, max_wait_time=WAIT)[:3]:
                identity = str(message.message_id)
                if self.rng.random() < 0.3:
                    self.deferring.add(identity)
                    receiver.defer_message(message)
                    self.deferred.add(identity)
                else:
                    self._mark(receiver, message, identity)

    def _mark(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, identity: str) -> None:
        """Abandon a message with a property, which AMQP has and the SDK's own method has not."""
        self.marking[identity] += 1
        receiver._handler.settle_messages(
            message._delivery_id,
            message._delivery_tag,
            "modified",
            delivery_failed=True,
            undeliverable_here=False,
            message_annotations={"marks": self.marking[identity]},
            await_outcome=True,
            outcome_timeout=WAIT,
        )
        self.marked[identity] += 1

    def check(self, client: ServiceBusClient) -> None:
        found = _once(_peek_all(client, "states"))
        assert self.acknowledged <= set(found) <= self.attempted
        for identity, message in found.items():
            is_deferred = message.state is ServiceBusMessageState.DEFERRED
            assert not is_deferred or identity in self.deferring
            assert is_deferred or identity not in self.deferred
            failed = message.delivery_count or 0
            assert self.marked[identity] <= failed <= self.marking[identity]
            assert (message.application_properties or {}).get(b"marks", 0) == failed
            self.marked[identity] = self.marking[identity] = failed
        self.acknowledged = set(found)
        self.deferred = {name for name, each in found.items() if each.state is ServiceBusMessageState.DEFERRED}


class Scheduling(Traffic):
    """Schedules messages, and cancels some."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.scheduled: dict[str, int] = {}
        self.cancelling: set[str] = set()
        self.cancelled: set[str] = set()

    def step(self, client: ServiceBusClient) -> None:
        with client.get_queue_sender("target") as sender:
            identity = f"scheduled-{next(self.numbers)}"
            self.attempted.add(identity)
            (number,) = sender.schedule_messages(ServiceBusMessage("later", message_id=identity), _later())
            self.scheduled[identity] = number
            if self.rng.random() < 0.5:
                chosen = self.rng.choice(sorted(self.scheduled.keys() - self.cancelling))
                self.cancelling.add(chosen)
                sender.cancel_scheduled_messages(self.scheduled[chosen])
                self.cancelled.add(chosen)

    def check(self, client: ServiceBusClient) -> None:
        found = _once([each for each in _peek_all(client, "target") if str(each.message_id).startswith("scheduled-")])
        assert self.scheduled.keys() - self.cancelling <= found.keys() <= self.attempted
        assert not self.cancelled & found.keys()
        assert {each.state for each in found.values()} <= {ServiceBusMessageState.SCHEDULED}
        assert all(
            self.scheduled.get(name, each.sequence_number) == each.sequence_number for name, each in found.items()
        )
        self.scheduled = {name: each.sequence_number or 0 for name, each in found.items()}


class InSessions(Traffic):
    """Sends to sessions, completes what they have in order, and keeps a state."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.completing: set[str] = set()
        self.completed: set[str] = set()
        self.states: dict[str, set[str]] = {}
        """What each session's state may be."""

    def step(self, client: ServiceBusClient) -> None:
        session_id = self.rng.choice("ab")
        self.states.setdefault(session_id, {""})
        self.send(client, "sessions", session_id=session_id)
        with client.get_queue_receiver("sessions", session_id=session_id) as receiver:
            state = f"state {next(self.numbers)}"
            self.states[session_id].add(state)
            receiver.session.set_state(state)
            self.states[session_id] = {state}
            for message in receiver.receive_messages(1, max_wait_time=WAIT):
                if self.rng.random() < 0.7:
                    self.completing.add(str(message.message_id))
                    receiver.complete_message(message)
                    self.completed.add(str(message.message_id))

    def check(self, client: ServiceBusClient) -> None:
        there: list[ServiceBusReceivedMessage] = []
        for session_id, possible in self.states.items():
            with client.get_queue_receiver("sessions", session_id=session_id) as receiver:
                state = (receiver.session.get_state() or b"").decode()
                there += _peek(receiver)
            assert state in possible
            self.states[session_id] = {state}
        found = _once(there)
        assert self.acknowledged - self.completing <= found.keys() <= self.attempted
        assert not self.completed & found.keys()
        self.acknowledged = set(found)


class Forwarding(Traffic):
    """Sends to a queue that forwards: each message arrives at the other."""

    def step(self, client: ServiceBusClient) -> None:
        self.send(client, "via")

    def check(self, client: ServiceBusClient) -> None:
        found: dict[str, ServiceBusReceivedMessage] = {}
        for _ in range(100):
            peeked = _peek_all(client, "target")
            found = _once([each for each in peeked if not str(each.message_id).startswith("scheduled-")])
            if self.acknowledged <= found.keys():
                break
        assert self.acknowledged <= found.keys() <= self.attempted
        self.acknowledged = set(found)


class Repeating(Traffic):
    """Sends ids again that were taken before: each is there once."""

    def step(self, client: ServiceBusClient) -> None:
        self.send(client, "unique")
        with client.get_queue_sender("unique") as sender:
            again = self.rng.choice(sorted(self.acknowledged))
            sender.send_messages(ServiceBusMessage("again", message_id=again))

    def check(self, client: ServiceBusClient) -> None:
        with client.get_queue_sender("unique") as sender:
            sender.send_messages([ServiceBusMessage("again", message_id=each) for each in sorted(self.acknowledged)])
        found = _once(_peek_all(client, "unique"))
        assert self.acknowledged <= found.keys() <= self.attempted
        self.acknowledged = set(found)


class Expiring(Traffic):
    """Sends what lives for two seconds: it is waiting, or a dead letter, and in the end all of it is."""

    def step(self, client: ServiceBusClient) -> None:
        self.send(client, "short")

    def check(self, client: ServiceBusClient) -> None:
        sub_queue = ServiceBusSubQueue.DEAD_LETTER
        with client.get_queue_receiver("short", sub_queue=sub_queue) as receiver:
            found: list[ServiceBusReceivedMessage] = []
            while {str(each.message_id) for each in found} < self.acknowledged:
                got = receiver.receive_messages(100, max_wait_time=WAIT)
                assert got, "an acknowledged message is lost"
                found += got
        assert _once(found).keys() <= self.attempted
        assert {each.dead_letter_reason for each in found} <= {"TTLExpiredException"}
        assert not self.acknowledged & _once(_peek_all(client, "short")).keys()


TRAFFICS: tuple[Callable[[random.Random], Traffic], ...] = (
    Deferring,
    Scheduling,
    InSessions,
    Forwarding,
    Repeating,
    Expiring,
)


@pytest.mark.parametrize("seed", [1])
def test_kill_while_messages_change_their_state(tmp_path: Path, seed: int) -> None:
    traffics = [kind(random.Random(seed + number)) for number, kind in enumerate(TRAFFICS)]
    with LocalZure(in_memory=False, data_dir=tmp_path, queues=QUEUES) as az:
        for _ in range(ROUNDS):
            _run_and_kill(az, traffics)
            az.restart()
            with ThreadPoolExecutor(len(traffics)) as pool:
                list(pool.map(partial(_check, az), traffics))
    assert all(traffic.attempted for traffic in traffics)


def _check(az: LocalZure, traffic: Traffic) -> None:
    with ServiceBusClient.from_connection_string(az.servicebus_connection_string) as client:
        traffic.check(client)


def _run_and_kill(az: LocalZure, traffics: Sequence[Traffic]) -> None:
    stop = threading.Event()

    def run(traffic: Traffic) -> None:
        # A client library that lost its server tells so in many ways.
        with ServiceBusClient.from_connection_string(az.servicebus_connection_string, retry_total=0) as client:
            try:
                while not stop.is_set():
                    traffic.step(client)
            except (ServiceBusError, OSError):
                pass

    threads = [threading.Thread(target=run, args=(traffic,)) for traffic in traffics]
    for thread in threads:
        thread.start()
    stop.wait(TRAFFIC_SECONDS)
    az.kill()
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def _later() -> datetime:
    return datetime.now(UTC) + FAR


def _once(messages: Sequence[ServiceBusReceivedMessage]) -> dict[str, ServiceBusReceivedMessage]:
    """Messages by id; none of them may be there twice."""
    found = {str(message.message_id): message for message in messages}
    assert len(found) == len(messages), "a message is there twice"
    return found


def _peek_all(client: ServiceBusClient, queue: str) -> list[ServiceBusReceivedMessage]:
    with client.get_queue_receiver(queue) as receiver:
        return _peek(receiver)


def _peek(receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
    """All messages of a queue, or of a session."""
    found: list[ServiceBusReceivedMessage] = []
    following = 1
    while page := receiver.peek_messages(250, sequence_number=following):
        found += page
        following = (page[-1].sequence_number or 0) + 1
    return found
