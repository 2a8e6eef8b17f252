"""A queue behaves as a plain list of messages does, whatever is done to it in whatever order, on both stores."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.browsing import receive_deferred
from localzure.services.servicebus.engine.messages import schedule, send
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.receiving import Delivery, renew, take_next
from localzure.services.servicebus.engine.scheduling import cancel
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import MessageState
from localzure_protocols.amqp.codec import Timestamp
from localzure_protocols.amqp.message import encode_message_annotations, split
from localzure_storage.lmdb import LmdbStore
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Durability, Store
from tests.failing_store import FailingStore
from tests.servicebus_world import World, body, message, sections

LOCK_SECONDS = 30
WINDOW_SECONDS = 45
DELIVERIES_MAX = 3
MAIN, DEAD = "q", "q/$DeadLetterQueue"

_ADDRESSES = st.sampled_from([MAIN, MAIN, MAIN, DEAD])
_CHANGES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=2)


@dataclass
class Model:
    """A message as it should be."""

    name: str
    number: int
    state: MessageState = MessageState.ACTIVE
    delivery_count: int = 0
    expires_at: int = 0
    due_at: int = 0
    """When its time to live is looked at, if nobody asks for it before: once the lock ends under which it ended."""
    scheduled_at: int = 0
    lifetime: int | None = None
    """Seconds, of a scheduled message."""
    properties: dict[str, object] = field(default_factory=dict)
    token: bytes | None = None
    """The lock that is held on it."""
    deadline: int = 0


class _QueueMachine(RuleBasedStateMachine):
    """Drives an engine and a model side by side. A message's body is its name, and no two have the same."""

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.disk = FailingStore(self.open_store())
        self.world = World(self.disk)
        self.world.create(
            MAIN,
            lock_duration=LOCK_SECONDS * MICROSECONDS,
            max_delivery_count=DELIVERIES_MAX,
            dead_lettering_on_message_expiration=True,
            requires_duplicate_detection=True,
            duplicate_detection_history_time_window=WINDOW_SECONDS * MICROSECONDS,
        )
        self.model: dict[str, list[Model]] = {MAIN: [], DEAD: []}
        self.dying: dict[str, dict[str, object]] = {}
        """Messages that have become dead letters in this step, and their properties."""
        self.lost: list[bytes] = []
        """Tokens that lock nothing (any more)."""
        self.sent = 0
        self.taken: dict[str, int] = {}
        """When each message id was taken last."""
        self.given = {MAIN: 0, DEAD: 0}
        """The sequence number given last."""

    def open_store(self) -> Store:
        raise NotImplementedError

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self.disk.close()
            shutil.rmtree(self.directory)

    # What is done.

    @rule(lifetimes=st.lists(st.none() | st.integers(1, 60), min_size=1, max_size=5))
    def send(self, lifetimes: list[int | None]) -> None:
        with self.world.broker.turn() as turn:
            for lifetime in lifetimes:
                send(turn, self.queue(MAIN), 0, self.next_message(lifetime), self.world.broker.entropy)
        self.world.commit()
        for number, lifetime in enumerate(lifetimes, self.sent - len(lifetimes)):
            self.given[MAIN] += 1
            self.taken[str(number)] = self.now
            expires_at = 0 if lifetime is None else self.now + lifetime * MICROSECONDS
            self.model[MAIN].append(Model(str(number), self.given[MAIN], expires_at=expires_at, due_at=expires_at))

    @rule(again=st.integers(0, 5), commits=st.booleans())
    def send_a_duplicate(self, again: int, commits: bool) -> None:
        """Of one of the last messages, or of one that is long gone."""
        if self.sent:
            name = str(max(0, self.sent - 1 - again))
            is_new = self.now >= self.taken.get(name, -1) + WINDOW_SECONDS * MICROSECONDS
            with self.world.broker.turn() as turn:
                send(turn, self.queue(MAIN), 0, message(f"{name}'", message_id=name), self.world.broker.entropy)
            if self.commit(commits) and is_new:
                self.taken[name] = self.now
                self.given[MAIN] += 1
                self.model[MAIN].append(Model(f"{name}'", self.given[MAIN]))

    @rule(seconds=st.integers(1, 60), lifetime=st.none() | st.integers(1, 60), count=st.integers(1, 3))
    def schedule(self, seconds: int, lifetime: int | None, count: int) -> None:
        at = self.now + seconds * MICROSECONDS
        annotations = encode_message_annotations({"x-opt-scheduled-enqueue-time": Timestamp(at // 1000)})
        names = [str(self.sent + index) for index in range(count)]
        payloads = [annotations + self.next_message(lifetime) for _ in names]
        with self.world.broker.turn() as turn:
            numbers = schedule(turn, self.queue(MAIN), payloads, self.world.broker.entropy)
        self.world.commit()
        for name, number in zip(names, numbers, strict=True):
            self.taken[name] = self.now
            self.given[MAIN] += 1
            assert number == self.given[MAIN]
            each = Model(name, number, MessageState.SCHEDULED, scheduled_at=at // 1000 * 1000, lifetime=lifetime)
            self.model[MAIN].append(each)

    @rule(data=st.data(), commits=st.booleans())
    def cancel(self, data: st.DataObject, commits: bool) -> None:
        if not self.model[MAIN]:
            return
        each = data.draw(st.sampled_from(self.model[MAIN]))
        with self.world.broker.turn() as turn:
            if each.state is MessageState.SCHEDULED:
                cancel(turn, self.queue(MAIN), [each.number])
            else:
                with pytest.raises(ServiceBusError):
                    cancel(turn, self.queue(MAIN), [each.number])
        if self.commit(commits) and each.state is MessageState.SCHEDULED:
            self.model[MAIN].remove(each)

    @rule(address=_ADDRESSES, limit=st.integers(1, 6))
    def lock(self, address: str, limit: int) -> None:
        deliveries = self.world.lock(self.queue(address), limit)
        expected = self.available(address, limit)
        self.compare(deliveries, expected)
        for delivery, each in zip(deliveries, expected, strict=True):
            each.token, each.deadline = delivery.token, self.now + LOCK_SECONDS * MICROSECONDS

    @rule(address=_ADDRESSES, limit=st.integers(1, 3), commits=st.booleans())
    def receive_and_delete(self, address: str, limit: int, commits: bool) -> None:
        before = [*self.model[address]]
        with self.world.broker.turn() as turn:
            deliveries = take_next(turn, self.queue(address), limit)
        expired = {each.name for each in self.model[address] if self.is_expired(each)}
        free = [each for each in before if each.state is MessageState.ACTIVE and each.token is None]
        expected = [each for each in free[:limit] if each.name not in expired]
        self.compare(deliveries, expected)
        if not self.commit(commits):
            return
        for each in free[:limit]:
            if each.name in expired:
                self.expire(address, each)
            else:
                self.model[address].remove(each)

    @rule(data=st.data(), disposition=st.sampled_from(Disposition), changes=_CHANGES, commits=st.booleans())
    def settle(self, data: st.DataObject, disposition: Disposition, changes: dict[str, object], commits: bool) -> None:
        address = data.draw(_ADDRESSES)
        locked = [each for each in self.model[address] if each.token is not None]
        tokens = [each.token for each in locked] + self.lost[-3:]
        if not tokens:
            return
        token = data.draw(st.sampled_from(tokens))
        assert token is not None
        found = next((each for each in locked if each.token == token), None)
        refused = found is None or (disposition is Disposition.DEAD_LETTERED and address == DEAD)
        with self.world.broker.turn() as turn:
            if refused:
                with pytest.raises(ServiceBusError):
                    settle(turn, self.queue(address), token, disposition, changes)
            else:
                settle(turn, self.queue(address), token, disposition, changes)
        if not self.commit(commits) or refused or found is None:
            return
        self.end(address, found, disposition, changes)

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        address = data.draw(_ADDRESSES)
        locked = [each for each in self.model[address] if each.token is not None]
        for token in self.lost[-1:]:
            with pytest.raises(ServiceBusError):
                renew(self.world.broker, self.queue(address), token)
        if locked:
            each = data.draw(st.sampled_from(locked))
            assert each.token is not None
            each.deadline = renew(self.world.broker, self.queue(address), each.token)
            assert each.deadline == self.now + LOCK_SECONDS * MICROSECONDS

    @rule(data=st.data(), locked=st.booleans())
    def receive_by_number(self, data: st.DataObject, locked: bool) -> None:
        address = data.draw(_ADDRESSES)
        if not self.model[address]:
            return
        each = data.draw(st.sampled_from(self.model[address]))
        queue = self.queue(address)
        with self.world.broker.turn() as turn:
            if each.state is not MessageState.DEFERRED or each.token is not None:
                with pytest.raises(ServiceBusError) as caught:
                    receive_deferred(self.world.broker, turn, queue, [each.number], locked=locked)
                assert caught.value.code is ErrorCode.MESSAGE_NOT_FOUND
                fetched = None
            else:
                (fetched,) = receive_deferred(self.world.broker, turn, queue, [each.number], locked=locked)
        self.world.commit()
        if fetched is None:
            return
        assert body(split(fetched.message)) == each.name
        if fetched.token is None:
            self.model[address].remove(each)
        else:
            each.token, each.deadline = fetched.token.bytes_le, self.now + LOCK_SECONDS * MICROSECONDS

    @rule(seconds=st.sampled_from([0.5, 5, 29, 30, 31, 61]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)
        self.enqueue_what_was_scheduled()
        for address in (MAIN, DEAD):
            for each in [*self.model[address]]:
                if each.token is not None and each.deadline <= self.now:
                    self.end(address, each, Disposition.ABANDONED, {})
        for each in [*self.model[MAIN]]:
            if 0 < each.due_at <= self.now:
                if each.token is not None:
                    each.due_at = each.deadline
                elif each.state is MessageState.ACTIVE:
                    self.expire(MAIN, each)

    @rule(sending=st.booleans())
    def crash(self, sending: bool) -> None:
        """What is not committed is gone, and all locks are."""
        if sending:
            with self.world.broker.turn() as turn:
                send(turn, self.queue(MAIN), 0, self.next_message(None), self.world.broker.entropy)
        self.world = self.world.restart()
        self.world.broker.arm_next()
        for each in self.model[MAIN] + self.model[DEAD]:
            if each.token is not None:
                self.lost.append(each.token)
                each.token = None

    @precondition(lambda self: self.model[MAIN])
    @rule()
    def send_in_vain(self) -> None:
        with self.world.broker.turn() as turn:
            send(turn, self.queue(MAIN), 0, self.next_message(5), self.world.broker.entropy)
        assert not self.commit(False)

    # What must hold.

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        if hasattr(self, "world"):
            self.take_up_dead_letters()
            self.compare_messages()
            self.compare_counts()

    def take_up_dead_letters(self) -> None:
        """Note those that are new, in the order that the engine gave them."""
        for found in self.world.peek(self.queue(DEAD), self.given[DEAD] + 1):
            properties = self.dying.pop(body(found))
            assert found.application_properties() == properties
            self.given[DEAD] += 1
            assert found.message_annotations()["x-opt-sequence-number"] == self.given[DEAD]
            self.model[DEAD].append(
                Model(
                    body(found),
                    self.given[DEAD],
                    delivery_count=found.header().delivery_count or 0,
                    properties=properties,
                )
            )
        assert self.dying == {}

    def enqueue_what_was_scheduled(self) -> None:
        """It gets new numbers, in the order of its times, and its time to live begins."""
        due = [each for each in self.model[MAIN] if each.state is MessageState.SCHEDULED]
        for each in sorted(due, key=lambda each: (each.scheduled_at, each.number)):
            if each.scheduled_at <= self.now:
                self.model[MAIN].remove(each)
                self.given[MAIN] += 1
                expires_at = 0 if each.lifetime is None else self.now + each.lifetime * MICROSECONDS
                self.model[MAIN].append(Model(each.name, self.given[MAIN], expires_at=expires_at, due_at=expires_at))

    def compare_messages(self) -> None:
        for address, expected in self.model.items():
            shown = [
                (
                    body(found),
                    found.message_annotations()["x-opt-sequence-number"],
                    found.message_annotations()["x-opt-message-state"],
                    found.header().delivery_count,
                    found.application_properties(),
                )
                for found in self.world.peek(self.queue(address), 0, 1000)
            ]
            assert shown == [
                (each.name, each.number, each.state, each.delivery_count, each.properties) for each in expected
            ]

    def compare_counts(self) -> None:
        for address, expected in self.model.items():
            counters = self.world.counters(self.queue(address))
            states = [each.state for each in expected]
            assert counters.active == states.count(MessageState.ACTIVE)
            assert counters.deferred == states.count(MessageState.DEFERRED)
            assert counters.scheduled == states.count(MessageState.SCHEDULED)
            assert counters.last_sequence_number == self.given[address]
            assert bool(counters.bytes) == bool(expected)
            assert len(self.queue(address).locks) == sum(each.token is not None for each in expected)

    # How.

    @property
    def now(self) -> int:
        return self.world.clock.now()

    def queue(self, address: str) -> Queue:
        return self.world.queue(address)

    def next_message(self, lifetime: int | None) -> bytes:
        name, self.sent = str(self.sent), self.sent + 1
        return message(name, ttl=None if lifetime is None else lifetime * 1000, message_id=name)

    def commit(self, commits: bool) -> bool:
        """End the tick, or let its commit fail."""
        self.disk.failing = not commits
        self.world.commit()
        self.disk.failing = False
        return commits

    def is_expired(self, each: Model) -> bool:
        return 0 < each.expires_at <= self.now

    def available(self, address: str, limit: int) -> list[Model]:
        """What should be handed out next. Messages whose time is over become dead letters on the way."""
        found: list[Model] = []
        for each in [*self.model[address]]:
            if len(found) == limit:
                break
            if each.state is MessageState.ACTIVE and each.token is None:
                if self.is_expired(each):
                    self.expire(address, each)
                else:
                    found.append(each)
        return found

    def compare(self, deliveries: list[Delivery], expected: list[Model]) -> None:
        found = [
            (body(each), each.header().delivery_count, each.application_properties())
            for each in map(sections, deliveries)
        ]
        assert found == [(each.name, each.delivery_count, each.properties) for each in expected]

    def end(self, address: str, each: Model, disposition: Disposition, changes: dict[str, object]) -> None:
        """What an outcome does to a message that is locked."""
        assert each.token is not None
        self.lost.append(each.token)
        each.token = None
        if disposition is Disposition.COMPLETED:
            self.model[address].remove(each)
        elif disposition is Disposition.DEAD_LETTERED:
            self.bury(each, {**each.properties, **changes})
        elif disposition is Disposition.DEFERRED:
            each.state = MessageState.DEFERRED
            each.properties = {**each.properties, **changes}
        elif disposition is Disposition.ABANDONED and self.was_last(address, each):
            reasons = {
                "DeadLetterReason": "MaxDeliveryCountExceeded",
                "DeadLetterErrorDescription": "Message could not be consumed after 3 delivery attempts.",
            }
            self.bury(each, {**each.properties, **changes, **reasons})
        elif each.state is MessageState.ACTIVE and self.is_expired(each):
            self.expire(address, each)
        elif disposition is Disposition.ABANDONED:
            each.delivery_count += 1
            each.properties = {**each.properties, **changes}

    def was_last(self, address: str, each: Model) -> bool:
        return address == MAIN and each.delivery_count + 1 >= DELIVERIES_MAX

    def expire(self, address: str, each: Model) -> None:
        assert address == MAIN, "dead letters live as long as nobody takes them"
        reasons = {
            "DeadLetterReason": "TTLExpiredException",
            "DeadLetterErrorDescription": "The message expired and was dead lettered.",
        }
        self.bury(each, {**each.properties, **reasons})

    def bury(self, each: Model, properties: dict[str, object]) -> None:
        self.model[MAIN].remove(each)
        self.dying[each.name] = properties


class _InMemory(_QueueMachine):
    def open_store(self) -> Store:
        return MemoryStore()


class _OnDisk(_QueueMachine):
    def open_store(self) -> Store:
        return LmdbStore(self.directory / "store", Durability.PROCESS)


TestQueueInMemory = _InMemory.TestCase
TestQueueInMemory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueOnDisk = _OnDisk.TestCase
TestQueueOnDisk.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
