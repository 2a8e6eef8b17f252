"""One commit per tick: what shares it, what waits for it, and what a failed one does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localzure.server.transactions import TICK_BYTES_MAX, TICK_SECONDS_MAX, TickTransactions
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StoreFullError
from tests.failing_store import FailingStore
from tests.twins import ManualClock


class _Loop:
    """Collects what would run in the next turn of an event loop."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def turn(self) -> None:
        callbacks, self.soon = self.soon, []
        for callback in callbacks:
            callback()


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture
def loop() -> _Loop:
    return _Loop()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def transactions(store: FailingStore, clock: ManualClock, loop: _Loop) -> TickTransactions:
    return TickTransactions(store, clock, loop.call_soon)


def _put(transactions: TickTransactions, key: bytes, value: bytes = b"1") -> None:
    with transactions.writer() as writer:
        writer.put(key, value)


def test_a_tick_is_one_commit_and_effects_follow_it_in_order(
    store: FailingStore, loop: _Loop, transactions: TickTransactions
) -> None:
    seen: list[object] = []
    _put(transactions, b"a")
    transactions.after_commit(lambda: seen.append(("first", store.commits)))
    _put(transactions, b"b")
    transactions.after_commit(lambda: seen.append(("second", store.commits)))
    transactions.on_settled = lambda: seen.append("settled")
    assert seen == []
    loop.turn()
    assert seen == [("first", 1), ("second", 1), "settled"]
    assert store.commits == 1


def test_without_a_tick_effects_happen_at_once(transactions: TickTransactions) -> None:
    seen: list[int] = []
    transactions.after_commit(lambda: seen.append(1))
    assert seen == [1]


def test_reads_see_the_open_tick(transactions: TickTransactions, loop: _Loop) -> None:
    _put(transactions, b"a")
    with transactions.reader() as reader:
        assert reader.get(b"a") == b"1"
    loop.turn()
    with transactions.reader() as reader:
        assert reader.get(b"a") == b"1"


def test_an_error_undoes_its_own_writes_alone(transactions: TickTransactions, loop: _Loop) -> None:
    _put(transactions, b"kept")
    with pytest.raises(KeyError), transactions.writer() as writer:
        writer.put(b"undone", b"1")
        raise KeyError
    loop.turn()
    with transactions.reader() as reader:
        assert reader.get(b"kept") == b"1"
        assert reader.get(b"undone") is None


def test_a_failed_commit_tells_everybody_and_the_next_tick_starts_clean(
    store: FailingStore, loop: _Loop, transactions: TickTransactions
) -> None:
    seen: list[object] = []
    store.failing = True
    _put(transactions, b"a")
    transactions.after_commit(lambda: seen.append("done"), lambda error: seen.append(type(error)))
    transactions.after_commit(lambda: seen.append("done"))
    loop.turn()
    assert seen == [StoreFullError]
    store.failing = False
    _put(transactions, b"b")
    transactions.after_commit(lambda: seen.append("ok"))
    loop.turn()
    assert seen == [StoreFullError, "ok"]
    with transactions.reader() as reader:
        assert reader.get(b"a") is None
        assert reader.get(b"b") == b"1"


def test_what_an_effect_writes_belongs_to_the_next_tick(
    store: FailingStore, loop: _Loop, transactions: TickTransactions
) -> None:
    seen: list[object] = []

    def write_more() -> None:
        _put(transactions, b"b")
        transactions.after_commit(lambda: seen.append(store.commits))

    _put(transactions, b"a")
    transactions.after_commit(write_more)
    loop.turn()
    assert seen == []
    loop.turn()
    assert seen == [2]


def test_an_effect_that_fails_keeps_none_of_the_others_from_happening(
    loop: _Loop, transactions: TickTransactions, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("broken effect")

    seen: list[int] = []
    _put(transactions, b"a")
    transactions.after_commit(broken)
    transactions.after_commit(lambda: seen.append(1))
    loop.turn()
    assert seen == [1]
    assert "an effect of a committed tick failed" in caplog.text


def test_a_large_or_old_tick_is_committed_early(
    store: FailingStore, clock: ManualClock, loop: _Loop, transactions: TickTransactions
) -> None:
    _put(transactions, b"small")
    transactions.commit_if_large()
    assert store.commits == 0
    clock.advance(2 * TICK_SECONDS_MAX)
    transactions.commit_if_large()
    assert store.commits == 1
    for number in range(5):
        _put(transactions, b"large%d" % number, bytes(TICK_BYTES_MAX // 4))
    transactions.commit_if_large()
    assert store.commits == 2
    loop.turn()
    assert store.commits == 2


def test_a_commit_without_effects_may_fail_quietly(store: FailingStore, transactions: TickTransactions) -> None:
    store.failing = True
    _put(transactions, b"a")
    transactions.commit()
    assert not transactions.is_open
