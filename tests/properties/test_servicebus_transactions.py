"""Transactions behave as lists of wishes that come true together, on both stores, whatever happens between."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from localzure.services.interface import SECOND
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.engine.transactions import (
    DURATION,
    Transaction,
    commit,
    send_in,
    settle_in,
)
from localzure.services.servicebus.errors import ServiceBusError
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.record import decode_record
from localzure_storage.lmdb import LmdbStore
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Durability, Store
from tests.failing_store import FailingStore
from tests.servicebus_world import World, body, message

LOCK_SECONDS = 60
QUEUES = ("q", "r")
SETTLEMENTS = (Disposition.COMPLETED, Disposition.ABANDONED, Disposition.DEFERRED, Disposition.DEAD_LETTERED)


@dataclass
class Kept:
    """A message as it should be."""

    queue: str
    state: MessageState = MessageState.ACTIVE
    is_dead: bool = False
    token: bytes | None = None
    locked_until: int = 0


@dataclass(eq=False)
class Open:
    """A transaction, and what should come of it."""

    transaction: Transaction
    deadline: int | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    """(queue, body)."""
    settled: list[tuple[str, Disposition, bytes]] = field(default_factory=list)
    """(body, how, the token of the lock that was held)."""


class _TransactionMachine(RuleBasedStateMachine):
    """Drives an engine and a model side by side. No two messages have the same body."""

    opened = Bundle("opened")

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.disk = FailingStore(self.open_store())
        self.world = World(self.disk)
        for name in QUEUES:
            self.world.create(name, lock_duration=LOCK_SECONDS * SECOND, max_delivery_count=1000)
        self.kept: dict[str, Kept] = {}
        self.open_ones: list[Open] = []
        self.sent = 0
        for name in QUEUES * 2:
            self.send(name)
            self.lock(name)

    def open_store(self) -> Store:
        raise NotImplementedError

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self.disk.close()
            shutil.rmtree(self.directory)

    # What is done outside of transactions.

    @rule(name=st.sampled_from(QUEUES))
    def send(self, name: str) -> None:
        text = self.new_body()
        self.world.send(self.world.queue(name), text)
        self.kept[text] = Kept(name)

    @rule(name=st.sampled_from(QUEUES))
    def lock(self, name: str) -> None:
        until = self.now + LOCK_SECONDS * SECOND
        for delivery in self.world.lock(self.world.queue(name)):
            kept = self.kept[_body_of(delivery.stored)]
            assert (kept.token, kept.state) == (None, MessageState.ACTIVE), "it was not free"
            kept.token, kept.locked_until = delivery.token, until

    @rule(how=st.sampled_from(SETTLEMENTS), data=st.data())
    def settle(self, how: Disposition, data: st.DataObject) -> None:
        """Settle apart from all transactions a message that is in none."""
        held = [text for text in self.locked() if not self.is_in_transaction(text)]
        if held:
            text = data.draw(st.sampled_from(held))
            kept = self.kept[text]
            assert kept.token is not None
            with self.world.broker.turn() as turn:
                settle(turn, self.world.queue(kept.queue), kept.token, how)
            self.world.commit()
            self.come_true(text, how)

    @rule(seconds=st.integers(1, 70))
    def wait(self, seconds: int) -> None:
        self.world.advance(seconds)
        for kept in self.kept.values():
            if kept.token is not None and kept.locked_until <= self.now:
                kept.token = None

    # Transactions.

    @rule(target=opened)
    def declare(self) -> Open:
        made = Open(Transaction(self.world.entropy.bytes(16)))
        self.open_ones.append(made)
        return made

    @rule(one=opened, name=st.sampled_from(QUEUES))
    def send_in(self, one: Open, name: str) -> None:
        if self.is_over(one):
            return
        text, queue = self.new_body(), self.world.queue(name)
        with self.world.broker.turn() as turn:
            one.transaction.join(self.world.broker, queue, 1)
            send_in(self.world.broker, turn, one.transaction, queue, 0, message(text))
        self.world.commit()
        self.began(one)
        one.sent.append((name, text))

    @rule(one=opened, how=st.sampled_from(SETTLEMENTS), data=st.data())
    def settle_in(self, one: Open, how: Disposition, data: st.DataObject) -> None:
        held = self.locked()
        if self.is_over(one) or not held:
            return
        text = data.draw(st.sampled_from(held))
        kept = self.kept[text]
        assert kept.token is not None
        is_taken, queue = self.is_in_transaction(text), self.world.queue(kept.queue)
        try:
            with self.world.broker.turn() as turn:
                one.transaction.join(self.world.broker, queue, 1)
                settle_in(self.world.broker, turn, one.transaction, queue, kept.token, how, None)
        except ServiceBusError:
            assert is_taken
        else:
            assert not is_taken
            one.settled.append((text, how, kept.token))
        self.world.commit()
        self.began(one)

    @rule(one=consumes(opened), fails=st.booleans())
    def commit(self, one: Open, fails: bool) -> None:
        if self.is_over(one):
            return
        can_be = all(text in self.kept and self.kept[text].token == token for text, _, token in one.settled)
        told: list[str] = []
        self.disk.failing = fails
        try:
            commit(self.world.broker, one.transaction, lambda: told.append("done"), lambda _: told.append("failed"))
        except ServiceBusError:
            told.append("undone")
        self.world.commit()
        self.disk.failing = False
        self.open_ones.remove(one)
        assert told == ["undone" if not can_be else "failed" if fails else "done"]
        if told == ["done"]:
            for name, text in one.sent:
                self.kept[text] = Kept(name)
            for text, how, _ in one.settled:
                self.come_true(text, how)

    @rule(one=consumes(opened))
    def roll_back(self, one: Open) -> None:
        if not self.is_over(one):
            one.transaction.forget(self.world.broker)
            self.open_ones.remove(one)

    @rule()
    def crash(self) -> None:
        """Locks and transactions are gone; what was committed is not."""
        self.world = self.world.restart()
        for kept in self.kept.values():
            kept.token = None
        for one in self.open_ones:
            one.transaction.is_over = True
        self.open_ones.clear()
        for name in QUEUES:
            self.world.queue(name)

    # What must hold.

    @invariant()
    def everything_is_where_it_should_be(self) -> None:
        if not hasattr(self, "world"):
            return
        for name in QUEUES:
            for is_dead, path in ((False, name), (True, f"{name}/$DeadLetterQueue")):
                found = {
                    body(each): MessageState(each.message_annotations()["x-opt-message-state"])
                    for each in self.world.peek(self.world.queue(path), limit=1000)
                }
                wanted = {
                    text: kept.state
                    for text, kept in self.kept.items()
                    if kept.queue == name and kept.is_dead is is_dead
                }
                assert found == wanted

    @invariant()
    def what_is_settled_in_a_transaction_is_its_own(self) -> None:
        if not hasattr(self, "world"):
            return
        for text, kept in self.kept.items():
            if kept.token is not None:
                assert (kept.token in self.world.broker.transactions.held) is self.is_in_transaction(text)
        if all(self.is_over(one) for one in list(self.open_ones)):
            assert self.world.broker.transactions.bytes == 0
            assert not self.world.broker.transactions.held

    # Helpers of the model.

    @property
    def now(self) -> int:
        return self.world.clock.now()

    def new_body(self) -> str:
        self.sent += 1
        return f"m{self.sent}"

    def locked(self) -> list[str]:
        return [text for text, kept in self.kept.items() if kept.token is not None]

    def is_in_transaction(self, text: str) -> bool:
        """Whether it is settled in a transaction by the lock that is held, not by one that has ended."""
        token = self.kept[text].token
        open_ones = [one for one in list(self.open_ones) if not self.is_over(one)]
        return any(token == settled for one in open_ones for _, _, settled in one.settled)

    def began(self, one: Open) -> None:
        one.deadline = self.now + DURATION if one.deadline is None else one.deadline

    def is_over(self, one: Open) -> bool:
        """Whether a transaction has ended; one that took too long has by itself."""
        is_late = one.deadline is not None and one.deadline <= self.now
        if one in self.open_ones:
            assert one.transaction.is_over is is_late
            if is_late:
                self.open_ones.remove(one)
        return one.transaction.is_over

    def come_true(self, text: str, how: Disposition) -> None:
        kept = self.kept[text]
        kept.token = None
        if how is Disposition.COMPLETED:
            del self.kept[text]
        elif how is Disposition.DEFERRED:
            kept.state = MessageState.DEFERRED
        elif how is Disposition.DEAD_LETTERED:
            kept.is_dead = True


def _body_of(stored: bytes) -> str:
    return decode_record(stored).rest[5:].decode()


class _InMemory(_TransactionMachine):
    def open_store(self) -> Store:
        return MemoryStore()


class _OnDisk(_TransactionMachine):
    def open_store(self) -> Store:
        return LmdbStore(self.directory / "store", durability=Durability.PROCESS)


TestTransactionsInMemory = _InMemory.TestCase
TestTransactionsInMemory.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestTransactionsOnDisk = _OnDisk.TestCase
TestTransactionsOnDisk.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
