"""Snapshots of both stores: what they hold, what going back gives, and that what fails leaves the store as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localzure_storage.lmdb import LmdbStore
from localzure_storage.memory import MemoryStore
from localzure_storage.memory_snapshots import SNAPSHOTS_MAX, STEP_KEYS
from localzure_storage.store import Durability, Job, NoSnapshotError, StorageError, Store, is_name

LONG_KEY = b"k" * 3000
LONG_VALUE = bytes(range(256)) * 400

Content = dict[bytes, bytes]


@pytest.fixture(params=["lmdb", "full", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kind = request.param
    opened: Store = MemoryStore() if kind == "memory" else LmdbStore(tmp_path, _DURABILITIES[kind])
    yield opened
    opened.close()


_DURABILITIES = {"lmdb": Durability.PROCESS, "full": Durability.FULL}


def work(job: Job, between: Callable[[], None] = lambda: None) -> int:
    """Do a job as the server does; returns its steps."""
    steps = 0
    for step in job:
        steps += 1
        if step is not None:
            step()
        between()
    return steps


def put(store: Store, content: Content) -> None:
    txn = store.begin()
    for key, value in content.items():
        txn.put(key, value)
    txn.commit()


def delete(store: Store, *keys: bytes) -> None:
    txn = store.begin()
    for key in keys:
        txn.delete(key)
    txn.commit()


def content(store: Store) -> Content:
    with store.read() as reader:
        return dict(reader.scan(b"\x00", b"\xff" * 20))


def go_back(store: Store, name: str) -> None:
    work(store.snapshots.fetch(name))
    store.snapshots.exchange()
    work(store.snapshots.settle())


FIRST: Content = {b"a": b"1", LONG_KEY: b"long", b"z": LONG_VALUE}


def test_going_back_gives_what_was_there(store: Store) -> None:
    put(store, FIRST)
    work(store.snapshots.save("one", 7))
    put(store, {b"a": b"2", b"new": b"n"})
    delete(store, LONG_KEY, b"z")
    work(store.snapshots.save("two", 8))
    second = content(store)
    go_back(store, "one")
    assert content(store) == FIRST
    put(store, {b"later": LONG_VALUE})
    go_back(store, "two")
    assert content(store) == second
    put(store, {b"still": b"writable"})
    assert content(store) == second | {b"still": b"writable"}
    assert [(info.name, info.created) for info in store.snapshots.infos()] == [("one", 7), ("two", 8)]
    assert all(info.size > 0 for info in store.snapshots.infos())


def test_a_snapshot_can_be_looked_into(store: Store) -> None:
    put(store, FIRST)
    work(store.snapshots.save("one", 0))
    work(store.snapshots.save(".hidden", 0))
    put(store, {b"a": b"2", b"b": b"3"})
    assert [info.name for info in store.snapshots.infos()] == ["one"]
    for name in ("one", ".hidden"):
        with store.snapshots.open(name) as reader:
            assert dict(reader.scan(b"\x00", b"\xff" * 20)) == FIRST
            assert [key for key, _ in reader.scan(b"a", b"z\x00", reverse=True, limit=2)] == [b"z", LONG_KEY]
            assert (reader.get(b"a"), reader.get(LONG_KEY), reader.get(b"b")) == (b"1", b"long", None)
    with pytest.raises(NoSnapshotError), store.snapshots.open("none"):
        pass


def test_an_exchange_can_be_taken_back(store: Store) -> None:
    put(store, FIRST)
    work(store.snapshots.save("one", 0))
    put(store, {b"b": b"2"})
    work(store.snapshots.fetch("one"))
    store.snapshots.exchange()
    assert content(store) == FIRST
    store.snapshots.exchange()
    assert content(store) == FIRST | {b"b": b"2"}
    work(store.snapshots.settle())
    with pytest.raises(StorageError):
        store.snapshots.exchange()
    assert content(store) == FIRST | {b"b": b"2"}


def test_a_name_is_given_anew(store: Store) -> None:
    put(store, {b"a": b"1"})
    work(store.snapshots.save("one", 1))
    put(store, {b"a": b"2"})
    work(store.snapshots.save("one", 2))
    put(store, {b"a": b"3"})
    assert [info.created for info in store.snapshots.infos()] == [2]
    go_back(store, "one")
    assert content(store) == {b"a": b"2"}


def test_an_empty_store(store: Store) -> None:
    work(store.snapshots.save("empty", 0))
    put(store, FIRST)
    go_back(store, "empty")
    assert content(store) == {}


def test_snapshots_that_are_not_there(store: Store) -> None:
    put(store, FIRST)
    assert store.snapshots.infos() == []
    with pytest.raises(NoSnapshotError, match="there is no snapshot none"):
        store.snapshots.delete("none")
    with pytest.raises(NoSnapshotError):
        work(store.snapshots.fetch("none"))
    work(store.snapshots.save("one", 0))
    store.snapshots.delete("one")
    assert store.snapshots.infos() == []
    assert content(store) == FIRST


def test_a_snapshot_in_memory_is_of_the_moment_in_which_it_began() -> None:
    store = MemoryStore()
    before = {b"%06d" % number: b"v" for number in range(3 * STEP_KEYS)}
    put(store, before)
    changes = iter(range(10**6))

    def change() -> None:
        number = next(changes)
        put(store, {b"%06d" % (number * 1000): b"changed", b"000000x%d" % number: b"new", b"9%d" % number: b"new"})
        delete(store, b"%06d" % (3 * STEP_KEYS - 1 - number), b"%06d" % number)
        txn = store.begin()
        txn.put(b"000500", b"undone")
        txn.abort()

    assert work(store.snapshots.save("one", 0), change) == 3
    assert content(store) != before
    go_back(store, "one")
    assert content(store) == before


def test_there_are_only_so_many_in_memory() -> None:
    store = MemoryStore()
    for number in range(SNAPSHOTS_MAX):
        work(store.snapshots.save(f"s{number}", 0))
    with pytest.raises(StorageError, match="delete one first"):
        work(store.snapshots.save("more", 0))
    work(store.snapshots.save("s0", 0))


def test_snapshots_survive_the_store_being_closed(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    put(store, FIRST)
    work(store.snapshots.save("one", 5))
    put(store, {b"a": b"2"})
    store.close()
    store = LmdbStore(tmp_path)
    go_back(store, "one")
    store.close()
    store = LmdbStore(tmp_path)
    assert content(store) == FIRST
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snapshots", "store", "store.lock"]
    store.close()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "tail", "foreign"])
def test_a_snapshot_that_is_not_whole_is_refused(tmp_path: Path, damage: str) -> None:
    store = LmdbStore(tmp_path)
    put(store, FIRST)
    work(store.snapshots.save("one", 0))
    put(store, {b"a": b"2"})
    path = tmp_path / "snapshots" / "one.snapshot"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:middle] + whole[-200:],
            "flip": whole[:middle] + bytes((whole[middle] ^ 1,)) + whole[middle + 1 :],
            "empty": b"",
            "tail": whole[:-3],
            "foreign": b"x" * 10_000,
        }[damage]
    )
    with pytest.raises(StorageError, match=r"damaged|cut short"):
        work(store.snapshots.fetch("one"))
    with pytest.raises(StorageError):
        store.snapshots.exchange()
    assert content(store) == FIRST | {b"a": b"2"}
    assert not (tmp_path / "store.next.part").exists()
    store.close()


def test_a_save_that_fails_leaves_nothing_and_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LmdbStore(tmp_path)
    put(store, FIRST)
    work(store.snapshots.save("one", 1))

    def full(descriptor: int) -> None:
        os.write(descriptor, b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.snapshots, "_copy", full)
    with pytest.raises(StorageError, match="no room"):
        work(store.snapshots.save("one", 2))
    assert [info.created for info in store.snapshots.infos()] == [1]
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["one.snapshot"]
    store.close()


@pytest.mark.parametrize("step", ["fetching", "fetched", "between", "exchanged"])
def test_a_crash_at_any_step_leaves_one_of_both(tmp_path: Path, step: str) -> None:
    store = LmdbStore(tmp_path)
    put(store, FIRST)
    work(store.snapshots.save("one", 0))
    put(store, {b"a": b"2"})
    work(store.snapshots.fetch("one"))
    store.close()
    if step == "fetching":
        (tmp_path / "store.next").rename(tmp_path / "store.next.part")
    if step in {"between", "exchanged"}:
        (tmp_path / "store").rename(tmp_path / "store.previous")
    if step == "exchanged":
        (tmp_path / "store.next").rename(tmp_path / "store")
    (tmp_path / "snapshots" / "two.snapshot.part").write_bytes(b"half")
    (tmp_path / "snapshots" / ".x.snapshot").write_bytes(b"half")
    store = LmdbStore(tmp_path)
    assert content(store) == (FIRST if step in {"between", "exchanged"} else FIRST | {b"a": b"2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snapshots", "store", "store.lock"]
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["one.snapshot"]
    store.close()


def test_names() -> None:
    assert all(is_name(name) for name in ("a", "2026-11-21", "before.the_test", "x" * 100))
    assert not any(is_name(name) for name in ("", ".", "..", "a/b", "-x", "ü", "x" * 101, "a b", "a\n"))
