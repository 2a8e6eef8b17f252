"""A Service Bus namespace without a server: plays the server's part around the real engine and store.

Ticks end when a test says so (`commit`), and time passes when it says so (`advance`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from localzure.server.transactions import TickTransactions
from localzure.services.interface import Instant, ServiceContext
from localzure.services.servicebus.addresses import parse_address
from localzure.services.servicebus.dispatch import Dispatch
from localzure.services.servicebus.engine.broker import Broker
from localzure.services.servicebus.engine.browsing import peek
from localzure.services.servicebus.engine.expiry import run_due
from localzure.services.servicebus.engine.lifecycle import create_subscription, create_topic
from localzure.services.servicebus.engine.messages import send
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.receiving import Delivery, lock_next, take_next
from localzure.services.servicebus.engine.rule_storage import add_rule, default_rule
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.engine.supply import Supply
from localzure.services.servicebus.engine.topics import Topic
from localzure.services.servicebus.keys import ServiceBusKeys
from localzure.services.servicebus.model import Counters, EntityDescription
from localzure.services.servicebus.rules.model import Rule
from localzure_protocols.amqp.message import (
    BATCH_FORMAT,
    Header,
    Properties,
    Sections,
    encode_application_properties,
    encode_data,
    encode_header,
    encode_properties,
    split,
)
from localzure_storage.extents import Extents
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Store
from tests.twins import ManualClock, SeededEntropy


class TestAlarm:
    """Keeps the deadline for the world to look at."""

    __test__ = False

    def __init__(self) -> None:
        self.at: Instant | None = None

    def set(self, at: Instant | None) -> None:
        self.at = at


class World:
    """An engine on a store, with a clock that a test moves."""

    def __init__(
        self, store: Store | None = None, clock: ManualClock | None = None, entropy: SeededEntropy | None = None
    ) -> None:
        self.store = store or MemoryStore()
        self.clock = clock or ManualClock()
        self.alarm = TestAlarm()
        self._soon: deque[Callable[[], object]] = deque()
        self.transactions = TickTransactions(self.store, self.clock, self._soon.append)
        space = Subspace(b"s")
        self.entropy = entropy or SeededEntropy()
        self.context = ServiceContext(
            self.transactions, self.clock, self.entropy, self.alarm, space, Extents(Subspace(b"x"))
        )
        self.broker = Broker(self.context, ServiceBusKeys(space))
        self.dispatch = Dispatch(self.broker)

    # Time and ticks.

    def commit(self) -> None:
        """End the tick, and those that its effects open."""
        while self._soon:
            self._soon.popleft()()

    def ring(self) -> None:
        """Do what the server does when the alarm goes off, as long as it does."""
        while self.alarm.at is not None and self.alarm.at <= self.clock.now():
            self.alarm.at = None
            run_due(self.broker)
            self.dispatch.resume()
            self.commit()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.ring()

    def restart(self) -> World:
        """The namespace as another process finds it after a crash: what was not committed is gone."""
        self._soon.clear()
        if (open_tick := self.transactions._transaction) is not None:
            open_tick.abort()
        return World(self.store, self.clock, self.entropy)

    # Entities.

    def create(self, name: str = "q", **properties: Any) -> Queue:
        with self.transactions.writer() as writer:
            self.broker.entities.create_queue(writer, name, EntityDescription(**properties), self.clock.now())
        self.commit()
        return self.queue(name)

    def topic(self, name: str = "t", **properties: Any) -> Topic:
        with self.transactions.writer() as writer:
            create_topic(self.broker, writer, name, EntityDescription(**properties))
        self.commit()
        topic = self.queue(name)
        assert isinstance(topic, Topic)
        return topic

    def subscribe(self, topic: Queue, name: str = "s", *rules: Rule, **properties: Any) -> Queue:
        """Make a subscription, with a rule for everything where there is none given."""
        now = self.clock.now()
        with self.transactions.writer() as writer:
            made = create_subscription(
                self.broker,
                writer,
                topic.record,
                name,
                EntityDescription(**properties),
                rules[0] if rules else default_rule(now),
            )
            for rule in rules[1:]:
                add_rule(self.broker, writer, made, rule)
        self.commit()
        return self.queue(made.name)

    def queue(self, address: str = "q") -> Queue:
        with self.broker.reader() as reader:
            queue = self.broker.entities.find(reader, parse_address(address))
        assert queue is not None, address
        return queue

    def counters(self, queue: Queue) -> Counters:
        with self.broker.reader() as reader:
            return self.broker.entities.counters(reader, queue)

    # Messages.

    def send(self, queue: Queue, *bodies: bytes | str, commit: bool = True, **parts: Any) -> None:
        with self.broker.turn() as turn:
            for body in bodies:
                send(turn, queue, 0, message(body, **parts), self.broker.entropy)
        if commit:
            self.commit()

    def send_raw(self, queue: Queue, payload: bytes, message_format: int = 0) -> None:
        with self.broker.turn() as turn:
            send(turn, queue, message_format, payload, self.broker.entropy)
        self.commit()

    def lock(self, queue: Supply, limit: int = 1) -> list[Delivery]:
        """Lock what is available. Calls again while there may be more, as the dispatcher does."""
        found: list[Delivery] = []
        while len(found) < limit and queue.has_available:
            found += lock_next(self.broker, queue, limit - len(found))
        self.commit()
        return found

    def take(self, queue: Queue, limit: int = 1) -> list[Delivery]:
        """Receive and delete."""
        with self.broker.turn() as turn:
            taken = take_next(turn, queue, limit)
        self.commit()
        return taken

    def settle(
        self, queue: Queue, delivery: Delivery, disposition: Disposition, changes: Mapping[Any, Any] | None = None
    ) -> None:
        with self.broker.turn() as turn:
            settle(turn, queue, delivery.token, disposition, changes)
        self.commit()

    def peek(self, queue: Queue, first: int = 0, limit: int = 100) -> list[Sections]:
        with self.broker.reader() as reader:
            return [split(found) for found in peek(reader, queue, first, limit)]


def message(body: bytes | str = b"x", *, ttl: int | None = None, header: Header | None = None, **parts: Any) -> bytes:
    """An encoded message. `parts` are properties by name, and `application_properties`."""
    sections = []
    if ttl is not None or header is not None:
        sections.append(encode_header(header or Header(ttl=ttl)))
    application_properties = parts.pop("application_properties", None)
    parts.setdefault("message_id", "id")
    sections.append(encode_properties(Properties(**parts)))
    if application_properties is not None:
        sections.append(encode_application_properties(application_properties))
    sections.append(encode_data(body.encode() if isinstance(body, str) else body))
    return b"".join(sections)


def batch(*messages: bytes) -> tuple[bytes, int]:
    """An encoded batch, and its message format."""
    return b"".join(encode_data(each) for each in messages), BATCH_FORMAT


def sections(delivery: Delivery) -> Sections:
    """A delivery as its client reads it."""
    return split(delivery.front + delivery.rest)


def bodies(deliveries: list[Delivery]) -> list[str]:
    """What the deliveries carry."""
    return [body(sections(delivery)) for delivery in deliveries]


def body(found: Sections) -> str:
    """What a message carries."""
    return b"".join(found.data()).decode()
