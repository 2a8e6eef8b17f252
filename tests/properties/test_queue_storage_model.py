"""The Queue service against a list, on both stores: any sequence of operations, time, restarts and failed commits."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from localzure.services.interface import SECOND
from localzure_storage.store import Durability, Store
from tests.queue_world import Got, QueueWorld, message_body, messages_in
from tests.storage_machine import StorageMachine

QUEUES = st.sampled_from(["one", "two"])
SIZES = st.sampled_from([0, 1, 10, 4000, 60_000])
HIDDEN = st.sampled_from([0, 1, 5, 30])
LIVES = st.sampled_from([-1, 2, 10, 31, 100])
RECEIPTS = st.sampled_from(["current", "stale", "foreign"])


@dataclass
class Known:
    """What the model knows of a message."""

    put: Got
    text: str
    expires: int | None
    visible: int
    sequence: int
    receipts: list[str]
    """All that it ever had; the last is current."""
    count: int = 0


@dataclass
class Jobs:
    """What the model knows of a queue."""

    messages: list[Known] = field(default_factory=list)
    gone: list[Known] = field(default_factory=list)


class QueueModel(StorageMachine[QueueWorld]):
    """Rules ask the service and the list, and hold the answers together."""

    def make_world(self, store: Store) -> QueueWorld:
        return QueueWorld(store=store)

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Jobs] = {}
        self.sequence = 0

    @property
    def now(self) -> int:
        return self.world.clock.now()

    def alive(self, queue: str) -> list[Known]:
        return [message for message in self.model[queue].messages if not self.is_expired(message)]

    def is_expired(self, message: Known) -> bool:
        return message.expires is not None and message.expires <= self.now

    def visible(self, queue: str, limit: int) -> list[Known]:
        found = [message for message in self.alive(queue) if message.visible <= self.now]
        return sorted(found, key=lambda message: (message.visible, message.sequence))[:limit]

    @rule(queue=QUEUES)
    def create(self, queue: str) -> None:
        answer = self.world.ask("PUT", queue)
        assert answer.status == (204 if queue in self.model else 201)
        self.model.setdefault(queue, Jobs())

    @rule(queue=QUEUES)
    def delete_queue(self, queue: str) -> None:
        answer = self.world.ask("DELETE", queue)
        assert answer.status == (204 if self.model.pop(queue, None) else 404)

    @rule(queue=QUEUES, size=SIZES, hidden=HIDDEN, life=LIVES, fails=st.booleans())
    def put(self, queue: str, size: int, hidden: int, life: int, fails: bool) -> None:
        self.sequence += 1
        text = f"{self.sequence}é<&>".ljust(size, "x")
        self.store.failing = fails
        query = f"visibilitytimeout={hidden}&messagettl={life}"
        answer = self.world.ask("POST", f"{queue}/messages", query, body=message_body(text))
        self.store.failing = False
        if life != -1 and hidden >= life:
            assert answer.code == "InvalidQueryParameterValue"
        elif fails:
            assert answer.status == 503
        elif queue not in self.model:
            assert answer.status == 404
        else:
            assert answer.status == 201
            put = messages_in(answer)[0]
            expires = None if life == -1 else self.now + life * SECOND
            known = Known(put, text, expires, self.now + hidden * SECOND, self.sequence, [put.receipt])
            self.model[queue].messages.append(known)

    @rule(queue=QUEUES, limit=st.integers(1, 32), hidden=HIDDEN.filter(bool), fails=st.booleans())
    def get(self, queue: str, limit: int, hidden: int, fails: bool) -> None:
        self.store.failing = fails
        answer = self.world.ask("GET", f"{queue}/messages", f"numofmessages={limit}&visibilitytimeout={hidden}")
        self.store.failing = False
        if fails:
            assert answer.status == 503
            return
        if queue not in self.model:
            assert answer.status == 404
            return
        expected = self.visible(queue, limit)
        got = messages_in(answer)
        assert [message.text for message in got] == [known.text for known in expected]
        for known, message in zip(expected, got, strict=True):
            known.count += 1
            known.visible = self.now + hidden * SECOND
            known.receipts.append(message.receipt)
            assert (message.id, message.count) == (known.put.id, str(known.count))
            assert (message.inserted, message.expires) == (known.put.inserted, known.put.expires)

    @rule(queue=QUEUES, limit=st.integers(1, 32))
    def peek(self, queue: str, limit: int) -> None:
        answer = self.world.ask("GET", f"{queue}/messages", f"numofmessages={limit}&peekonly=true")
        if queue not in self.model:
            assert answer.status == 404
            return
        seen = [(message.id, message.text, message.count) for message in messages_in(answer)]
        assert seen == [(known.put.id, known.text, str(known.count)) for known in self.visible(queue, limit)]

    def choose(self, queue: str, index: int, kind: str) -> tuple[Known, str] | None:
        """Pick a message, gone ones as well, and a receipt of the kind for it."""
        everybody = self.model[queue].messages + self.model[queue].gone if queue in self.model else []
        if not everybody:
            return None
        known = everybody[index % len(everybody)]
        if kind == "foreign":
            others = [other for other in everybody if other is not known]
            return (known, others[index % len(others)].receipts[-1]) if others else None
        if kind == "stale":
            return (known, known.receipts[index % (len(known.receipts) - 1)]) if len(known.receipts) > 1 else None
        return known, known.receipts[-1]

    def expected(self, queue: str, known: Known, kind: str) -> str:
        """The code of the error, or an empty text."""
        if self.is_expired(known) or known in self.model[queue].gone or kind == "stale":
            return "MessageNotFound"
        return "PopReceiptMismatch" if kind == "foreign" else ""

    @rule(queue=QUEUES, index=st.integers(0, 50), kind=RECEIPTS, hidden=HIDDEN, size=st.none() | SIZES)
    def update(self, queue: str, index: int, kind: str, hidden: int, size: int | None) -> None:
        chosen = self.choose(queue, index, kind)
        if chosen is None:
            return
        known, receipt = chosen
        text = None if size is None else f"updated {known.sequence}".ljust(size, "y")
        answer = self.world.update(known.put, hidden, text, receipt, queue)
        assert answer.code == self.expected(queue, known, kind)
        if answer.status == 204:
            known.visible = self.now + hidden * SECOND
            known.text = known.text if text is None else text
            known.receipts.append(answer.headers["x-ms-popreceipt"])

    @rule(queue=QUEUES, index=st.integers(0, 50), kind=RECEIPTS)
    def delete(self, queue: str, index: int, kind: str) -> None:
        chosen = self.choose(queue, index, kind)
        if chosen is None:
            return
        known, receipt = chosen
        answer = self.world.delete(known.put, receipt, queue)
        assert answer.code == self.expected(queue, known, kind)
        if answer.status == 204:
            self.model[queue].messages.remove(known)
            self.model[queue].gone.append(known)

    @rule(queue=QUEUES)
    def clear(self, queue: str) -> None:
        answer = self.world.ask("DELETE", f"{queue}/messages")
        assert answer.status == (204 if queue in self.model else 404)
        if queue in self.model:
            self.model[queue].gone += self.model[queue].messages
            self.model[queue].messages = []

    @rule(seconds=st.sampled_from([0, 0.5, 1, 5, 40]), rings=st.booleans())
    def advance(self, seconds: float, rings: bool) -> None:
        self.world.clock.advance(seconds)
        while rings and self.world.ring():
            pass

    @invariant()
    def the_counts_are_those_of_the_messages(self) -> None:
        has_removed_all = not self.world.alarm.at or self.world.alarm.at > self.now
        for queue, jobs in self.model.items():
            counted = self.world.count(queue)
            alive = len(self.alive(queue))
            assert alive <= counted <= len(jobs.messages)
            assert counted == alive or not has_removed_all

    def delete_everything(self) -> None:
        for queue in self.model:
            assert self.world.ask("DELETE", queue).status == 204


class QueueModelOnDisk(QueueModel):
    durability = Durability.PROCESS


QueueModel.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
QueueModelOnDisk.TestCase.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)
TestQueueInMemory = QueueModel.TestCase
TestQueueOnDisk = QueueModelOnDisk.TestCase
