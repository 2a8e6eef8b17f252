"""What an operation asks of the store does not depend on how many messages there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from localzure_storage.memory import MemoryStore
from localzure_storage.store import Reader, Writer, WriteTransaction
from tests.failing_store import FailingStore
from tests.queue_world import Got, QueueWorld, message_body


class CountingStore(FailingStore):
    """Counts what is read, written and scanned."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.counts: Counter[str] = Counter()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with super().read() as reader:
            yield _Counting(self.counts, reader)

    def begin(self) -> WriteTransaction:
        return _Counting(self.counts, super().begin())


class _Counting:
    """A view that counts, and passes on the rest."""

    def __init__(self, counts: Counter[str], inner: Any) -> None:
        self._counts = counts
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get(self, key: bytes) -> bytes | None:
        self._counts["get"] += 1
        found: bytes | None = self._inner.get(key)
        return found

    def put(self, key: bytes, value: bytes) -> None:
        self._counts["put"] += 1
        self._inner.put(key, value)

    def delete(self, key: bytes) -> bool:
        self._counts["delete"] += 1
        return bool(self._inner.delete(key))

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        for item in self._inner.scan(start, stop, reverse=reverse, limit=limit):
            self._counts["step"] += 1
            yield item

    @contextmanager
    def nested(self) -> Iterator[Writer]:
        with self._inner.nested() as inner:
            yield _Counting(self._counts, inner)


class Filled:
    """A queue with so many visible messages, as many that were handed out, and as many that are due later."""

    def __init__(self, depth: int) -> None:
        self.store = CountingStore()
        self.world = QueueWorld(store=self.store)
        self.world.queue()
        for _ in range(depth // 32):
            for _ in range(32):
                self.world.put("handed out")
            self.world.get("numofmessages=32&visibilitytimeout=3600")
        visible = [self.world.put("visible") for _ in range(depth)]
        for _ in range(depth):
            self.world.put("later", "visibilitytimeout=7200")
        self.message: Got = visible[depth // 2]

    def cost(self, method: str, path: str, query: str, body: bytes | None) -> Counter[str]:
        """What a request asks of the store. It is not committed, so the next one finds the same."""
        path = path.format(id=self.message.id)
        query = query.format(receipt=self.message.receipt.replace("+", "%2B"))
        self.store.failing = True
        self.store.counts.clear()
        answer = self.world.ask(method, path, query, body=body)
        cost = self.store.counts.copy()
        self.store.failing = False
        assert answer.status in {200, 400, 503}, answer
        return cost


@pytest.fixture(scope="module")
def shallow() -> Filled:
    return Filled(64)


@pytest.fixture(scope="module")
def deep() -> Filled:
    return Filled(3200)


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "most"),
    [
        ("POST", "jobs/messages", "", message_body("new"), 6),
        ("POST", "jobs/messages", "messagettl=60", message_body("new"), 6),
        ("POST", "jobs/messages", "messagettl=-1", message_body("x" * 5000), 6),
        ("POST", "jobs/messages", "visibilitytimeout=60", message_body("new"), 6),
        ("GET", "jobs/messages", "", None, 6),
        ("GET", "jobs/messages", "numofmessages=32", None, 1 + 32 * 5),
        ("GET", "jobs/messages", "peekonly=true", None, 3),
        ("PUT", "jobs/messages/{id}", "popreceipt={receipt}&visibilitytimeout=60", message_body("other"), 5),
        ("DELETE", "jobs/messages/{id}", "popreceipt={receipt}", None, 7),
        ("DELETE", "jobs/messages/{id}", "popreceipt=YQ==", None, 2),
        ("GET", "jobs", "comp=metadata", None, 2),
        ("DELETE", "jobs/messages", "", None, 9),
        ("DELETE", "jobs", "", None, 7),
        ("GET", "", "comp=list", None, 1),
    ],
)
def test_a_deep_queue_costs_what_a_shallow_one_does(
    shallow: Filled, deep: Filled, method: str, path: str, query: str, body: bytes | None, most: int
) -> None:
    cost = shallow.cost(method, path, query, body)
    assert deep.cost(method, path, query, body) == cost
    assert sum(cost.values()) == most


def test_a_restart_costs_what_it_does_on_an_empty_store(deep: Filled) -> None:
    deep.store.counts.clear()
    deep.world.start()
    assert deep.store.counts == {"step": 1}
