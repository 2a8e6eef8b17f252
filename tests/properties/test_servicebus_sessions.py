"""Sessions behave as plain lists of messages with one holder each do, whatever is done to them, on both stores."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.browsing import peek, receive_deferred
from localzure.services.servicebus.engine.messages import send
from localzure.services.servicebus.engine.session_states import get_state, list_sessions, set_state
from localzure.services.servicebus.engine.sessions import (
    NOTICE_DELAY,
    Session,
    Wait,
    accept,
    accept_next,
    release,
    renew_session,
)
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import MessageState
from localzure_protocols.amqp.message import split
from localzure_storage.lmdb import LmdbStore
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Durability, Store
from tests.failing_store import FailingStore
from tests.servicebus_world import World, body, message, sections

LOCK_SECONDS = 30
WAIT_SECONDS = 45
DELIVERIES_MAX = 3
NAMES = ("a", "a\x00", "b")
_NAMES = st.sampled_from(NAMES)


class Client:
    """Holds a session, or waits for one."""

    connection = None

    def __init__(self) -> None:
        self.session: Session | None = None
        self.wait: Wait | None = None
        self.is_over = False

    def granted(self, session: Session) -> None:
        assert self.session is None
        assert not self.is_over
        self.session = session

    def timed_out(self, waited: int) -> None:
        assert self.session is None
        assert waited == WAIT_SECONDS * MICROSECONDS
        self.is_over = True

    def lost(self) -> None:
        assert self.session is not None
        self.is_over = True


@dataclass
class Model:
    """A message as it should be."""

    name: str
    number: int
    state: MessageState = MessageState.ACTIVE
    delivery_count: int = 0
    token: bytes | None = None


@dataclass
class Held:
    """A session as it should be held."""

    client: Client
    deadline: int


@dataclass
class Waiting:
    """Somebody in the line."""

    client: Client
    deadline: int


@dataclass
class Kept:
    """What a session is, apart from its holder."""

    messages: list[Model] = field(default_factory=list)
    state: bytes | None = None


class _SessionMachine(RuleBasedStateMachine):
    """Drives an engine and a model side by side. A message's body is its name, and no two have the same."""

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.disk = FailingStore(self.open_store())
        self.world = World(self.disk)
        self.world.create(
            lock_duration=LOCK_SECONDS * MICROSECONDS, requires_session=True, max_delivery_count=DELIVERIES_MAX
        )
        self.kept = {name: Kept() for name in NAMES}
        self.held: dict[str, Held] = {}
        self.line: list[Waiting] = []
        self.lost: list[Held] = []
        self.sent = 0
        self.dead = 0

    def open_store(self) -> Store:
        raise NotImplementedError

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self.disk.close()
            shutil.rmtree(self.directory)

    # What is done.

    @rule(names=st.lists(_NAMES, min_size=1, max_size=4), commits=st.booleans())
    def send(self, names: list[str], commits: bool) -> None:
        first = self.sent
        with self.world.broker.turn() as turn:
            for number, name in enumerate(names, first + 1):
                payload = message(str(number), group_id=name, message_id=str(number))
                send(turn, self.world.queue(), 0, payload, self.world.broker.entropy)
        if not self.commit(commits):
            return
        self.sent += len(names)
        for number, name in enumerate(names, first + 1):
            self.kept[name].messages.append(Model(str(number), number))
        self.give_to_those_who_wait()

    @rule(name=_NAMES)
    def accept(self, name: str) -> None:
        client = Client()
        if name in self.held:
            with pytest.raises(ServiceBusError) as caught:
                accept(self.world.broker, self.world.queue(), name, client)
            assert caught.value.code is ErrorCode.SESSION_CANNOT_BE_LOCKED
        else:
            client.session = accept(self.world.broker, self.world.queue(), name, client)
            self.held[name] = Held(client, self.now + LOCK_SECONDS * MICROSECONDS)

    @rule()
    def accept_next(self) -> None:
        client = Client()
        ready = self.ready()
        accept_next(self.world.broker, self.world.queue(), client, WAIT_SECONDS * MICROSECONDS)
        if ready:
            assert client.session is not None
            assert client.session.session_id in ready
            self.held[client.session.session_id] = Held(client, self.now + LOCK_SECONDS * MICROSECONDS)
        else:
            assert client.session is None
            self.line.append(Waiting(client, self.now + WAIT_SECONDS * MICROSECONDS))

    @rule(name=_NAMES)
    def release(self, name: str) -> None:
        held = self.held.pop(name, None)
        if held is not None:
            for each in self.kept[name].messages:
                each.token = None
            release(self.world.broker, self.session(held))
            self.give_to_those_who_wait()

    @rule(name=_NAMES)
    def renew(self, name: str) -> None:
        held = self.held.get(name)
        if held is not None:
            held.deadline = renew_session(self.world.broker, self.session(held))
            assert held.deadline == self.now + LOCK_SECONDS * MICROSECONDS

    @rule(name=_NAMES, limit=st.integers(1, 4))
    def lock(self, name: str, limit: int) -> None:
        held = self.held.get(name)
        if held is None:
            return
        deliveries = self.world.lock(self.session(held), limit)
        free = [each for each in self.kept[name].messages if each.state is MessageState.ACTIVE and each.token is None]
        found = [(body(sections(each)), sections(each).header().delivery_count) for each in deliveries]
        assert found == [(each.name, each.delivery_count) for each in free[:limit]]
        for delivery, each in zip(deliveries, free, strict=False):
            each.token = delivery.token

    @rule(data=st.data(), disposition=st.sampled_from(Disposition), commits=st.booleans())
    def settle(self, data: st.DataObject, disposition: Disposition, commits: bool) -> None:
        locked = [(name, each) for name in NAMES for each in self.kept[name].messages if each.token is not None]
        if not locked:
            return
        name, each = data.draw(st.sampled_from(locked))
        assert each.token is not None
        with self.world.broker.turn() as turn:
            settle(turn, self.world.queue(), each.token, disposition)
        if self.commit(commits):
            self.end(name, each, disposition)

    @rule(name=_NAMES, locked=st.booleans())
    def receive_by_number(self, name: str, locked: bool) -> None:
        held = self.held.get(name)
        found = [
            each for each in self.kept[name].messages if each.state is MessageState.DEFERRED and each.token is None
        ]
        if held is None or not found:
            return
        with self.world.broker.turn() as turn:
            (fetched,) = receive_deferred(
                self.world.broker,
                turn,
                self.world.queue(),
                [found[0].number],
                locked=locked,
                session=self.session(held),
            )
        self.world.commit()
        assert body(split(fetched.message)) == found[0].name
        if fetched.token is None:
            self.kept[name].messages.remove(found[0])
        else:
            found[0].token = fetched.token.bytes_le

    @rule(name=_NAMES, state=st.none() | st.binary(max_size=3), commits=st.booleans())
    def set_state(self, name: str, state: bytes | None, commits: bool) -> None:
        with self.world.broker.turn() as turn:
            set_state(turn, self.world.queue(), name, state)
        if self.commit(commits):
            self.kept[name].state = state

    @rule(seconds=st.sampled_from([0.5, 1, 15, 30, 46]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)
        for waiting in [*self.line]:
            if waiting.deadline <= self.now:
                self.line.remove(waiting)
                assert waiting.client.is_over
        for name, held in list(self.held.items()):
            if held.deadline <= self.now:
                del self.held[name]
                self.lost.append(held)
                for each in [*self.kept[name].messages]:
                    if each.token is not None:
                        self.end(name, each, Disposition.ABANDONED)
        for held in self.lost:
            assert held.client.is_over == (held.deadline + NOTICE_DELAY <= self.now)
        self.lost = [held for held in self.lost if not held.client.is_over]
        self.give_to_those_who_wait()

    @rule()
    def leave_before_the_notice(self) -> None:
        for held in self.lost:
            release(self.world.broker, self.session(held))
        self.lost.clear()

    @rule()
    def crash(self) -> None:
        """Nobody holds or awaits anything any more; messages and states stay."""
        self.world = self.world.restart()
        self.world.broker.arm_next()
        self.held.clear()
        self.lost.clear()
        self.line.clear()
        for kept in self.kept.values():
            for each in kept.messages:
                each.token = None

    # What must hold.

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        if not hasattr(self, "world"):
            return
        queue = self.world.queue()
        assert queue.sessions is not None
        with self.world.broker.reader() as reader:
            for name, kept in self.kept.items():
                shown = [split(found) for found in peek(reader, queue, 0, 250, name)]
                assert [
                    (body(found), found.message_annotations()["x-opt-message-state"], found.header().delivery_count)
                    for found in shown
                ] == [(each.name, each.state, each.delivery_count) for each in kept.messages]
                assert get_state(reader, queue, name) == kept.state
            listed = [name for name in NAMES if self.has_active(name) or self.kept[name].state is not None]
            assert list_sessions(reader, queue, 0, 10, None) == sorted(listed)
        assert set(queue.sessions.held) == set(self.held)
        assert [wait.holder for wait in queue.sessions.line] == [waiting.client for waiting in self.line]
        assert len(self.world.broker.session_ends) == len(self.held)
        assert len(self.world.broker.notices) == len(self.lost)
        assert len(self.world.broker.waits) == len(self.line)
        tokens = [each.token for kept in self.kept.values() for each in kept.messages if each.token is not None]
        assert len(queue.locks) == len(tokens)
        assert self.world.counters(self.world.queue("q/$DeadLetterQueue")).active == self.dead
        assert not (self.line and self.ready()), "nobody waits while there is a session"

    # How.

    @property
    def now(self) -> int:
        return self.world.clock.now()

    def session(self, held: Held) -> Session:
        assert held.client.session is not None
        return held.client.session

    def commit(self, commits: bool) -> bool:
        """End the tick, or let its commit fail."""
        self.disk.failing = not commits
        self.world.commit()
        self.disk.failing = False
        return commits

    def has_active(self, name: str) -> bool:
        return any(each.state is MessageState.ACTIVE for each in self.kept[name].messages)

    def ready(self) -> list[str]:
        return [name for name in NAMES if name not in self.held and self.has_active(name)]

    def give_to_those_who_wait(self) -> None:
        """Those in the line are served in order; which session each got is the engine's to choose."""
        while self.line and self.ready():
            waiting = self.line.pop(0)
            assert waiting.client.session is not None
            name = waiting.client.session.session_id
            assert name in self.ready()
            self.held[name] = Held(waiting.client, self.now + LOCK_SECONDS * MICROSECONDS)

    def end(self, name: str, each: Model, disposition: Disposition) -> None:
        each.token = None
        messages = self.kept[name].messages
        if disposition is Disposition.COMPLETED:
            messages.remove(each)
        elif disposition is Disposition.DEAD_LETTERED:
            self.bury(messages, each)
        elif disposition is Disposition.DEFERRED:
            each.state = MessageState.DEFERRED
        elif disposition is Disposition.ABANDONED:
            each.delivery_count += 1
            if each.delivery_count >= DELIVERIES_MAX:
                self.bury(messages, each)

    def bury(self, messages: list[Model], each: Model) -> None:
        messages.remove(each)
        self.dead += 1


class _InMemory(_SessionMachine):
    def open_store(self) -> Store:
        return MemoryStore()


class _OnDisk(_SessionMachine):
    def open_store(self) -> Store:
        return LmdbStore(self.directory / "store", Durability.PROCESS)


TestSessionsInMemory = _InMemory.TestCase
TestSessionsInMemory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSessionsOnDisk = _OnDisk.TestCase
TestSessionsOnDisk.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
