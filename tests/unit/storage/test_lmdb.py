"""The store on disk: opening, closing, durability, boots, and a map that is full."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from localzure_storage import lmdb as lmdb_module
from localzure_storage.lmdb import LmdbStore
from localzure_storage.lmdb_errors import storage_error
from localzure_storage.store import Durability, StorageError, StoreFullError, StoreUnusableError

OLD, NEW = "boot one", "boot two"


def put(store: LmdbStore, *keys: bytes, value: bytes = b"v") -> None:
    txn = store.begin()
    for key in keys:
        txn.put(key, value)
    txn.commit()


def keys(store: LmdbStore) -> list[bytes]:
    with store.read() as reader:
        return [key for key, _ in reader.scan(b"", b"\xff")]


def cut_off(store: LmdbStore, directory: Path) -> None:
    """End the store as a kill would: what the files hold now is what the next opening finds."""
    folder = directory / "store"
    left = {name: (folder / name).read_bytes() for name in ("data.mdb", "recovery")}
    store.close()
    for name, content in left.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("durability", [Durability.PROCESS, Durability.FULL])
def test_content_survives_closing(tmp_path: Path, durability: Durability) -> None:
    store = LmdbStore(tmp_path, durability)
    put(store, b"a", b"k" * 3000)
    put(store, b"big", value=b"x" * 100_000)
    store.close()
    store = LmdbStore(tmp_path, durability)
    assert keys(store) == [b"a", b"big", b"k" * 3000]
    put(store, b"bigger", value=b"y" * 100_000)
    with store.read() as reader:
        assert reader.get(b"big") == b"x" * 100_000
        assert reader.get(b"bigger") == b"y" * 100_000
    store.close()


@pytest.mark.parametrize("durability", [Durability.PROCESS, Durability.FULL])
def test_a_kill_on_the_same_boot_loses_nothing(tmp_path: Path, durability: Durability) -> None:
    store = LmdbStore(tmp_path, durability, boot=OLD)
    put(store, b"a")
    cut_off(store, tmp_path)
    store = LmdbStore(tmp_path, durability, boot=OLD)
    assert keys(store) == [b"a"]
    store.close()


def test_after_a_power_loss_full_durability_has_every_commit(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, Durability.FULL, boot=OLD)
    assert store.checkpoint is None
    put(store, b"a")
    cut_off(store, tmp_path)
    store = LmdbStore(tmp_path, Durability.PROCESS, boot=NEW)
    assert keys(store) == [b"a"]
    store.close()


def test_changing_the_durability_keeps_what_each_promised(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, Durability.PROCESS, boot=OLD)
    put(store, b"a")
    cut_off(store, tmp_path)
    store = LmdbStore(tmp_path, Durability.FULL, boot=OLD)
    put(store, b"b")
    cut_off(store, tmp_path)
    store = LmdbStore(tmp_path, Durability.PROCESS, boot=NEW)
    assert keys(store) == [b"a", b"b"]
    put(store, b"c")
    cut_off(store, tmp_path)
    store = LmdbStore(tmp_path, Durability.FULL, boot="boot three")
    assert keys(store) == [b"a", b"b"]
    store.close()


def test_full_durability_waits_for_the_disk_and_process_does_not(tmp_path: Path) -> None:
    """LMDB itself syncs or does not: its flags say which."""
    for durability, synced in ((Durability.FULL, True), (Durability.PROCESS, False)):
        store = LmdbStore(tmp_path / durability, durability)
        flags = store._engine.environment.flags()
        assert (flags["sync"], flags["metasync"]) == (synced, synced)
        store.close()


def test_where_boots_cannot_be_told_apart_process_is_as_careful_as_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_module, "boot_id", lambda: None)
    store = LmdbStore(tmp_path, Durability.PROCESS)
    assert store.durability is Durability.FULL
    assert store.checkpoint is None
    put(store, b"a")
    cut_off(store, tmp_path)
    store = LmdbStore(tmp_path, Durability.PROCESS)
    assert keys(store) == [b"a"]
    store.close()


def test_the_engine_is_pinned(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    assert store._engine.environment.lib_version()[:2] == (0, 9)
    store.close()


def test_where_the_system_grants_no_large_map_a_smaller_one_does(tmp_path: Path) -> None:
    script = """
import pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
from localzure_storage.lmdb import LmdbStore
store = LmdbStore(pathlib.Path(sys.argv[1]))
txn = store.begin()
txn.put(b"a", b"x" * 1_000_000)
txn.commit()
print(store._engine.environment.info()["map_size"])
store.close()
"""
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert 2**28 <= int(ended.stdout) < 2**31
    store = LmdbStore(tmp_path)
    assert store._engine.environment.info()["map_size"] == 2**40
    assert keys(store) == [b"a"]
    store.close()


def test_a_map_that_is_refused_altogether_is_an_unusable_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> lmdb.Environment:
        error = lmdb.MemoryError("mmap", errno.ENOMEM)
        error.__dict__.update(code=errno.ENOMEM, reason="Cannot allocate memory")
        raise error

    monkeypatch.setattr(lmdb, "open", refuse)
    with pytest.raises(StoreUnusableError, match="cannot be opened"):
        LmdbStore(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[LmdbStore]:
    """A store whose map holds one megabyte, filled until no more fits."""
    store = LmdbStore(tmp_path, map_bytes=2**20)
    yield store
    store.close()


def _fill(store: LmdbStore) -> list[bytes]:
    """Commit values of one page until the store is full and stays so: the first failure may free pages."""
    stored: list[bytes] = []
    failures = 0
    while failures < 3:
        txn = store.begin()
        try:
            with txn.nested() as inner:
                inner.put(b"%06d" % len(stored), b"x" * 4000)
            txn.commit()
        except StoreFullError:
            txn.abort()
            failures += 1
        else:
            stored.append(b"%06d" % len(stored))
            failures = 0
    assert len(stored) > 150
    return stored


def _delete(store: LmdbStore, key: bytes) -> None:
    """Delete a record of a full store: the first try may only free the pages that the second writes to."""
    for _ in range(2):
        txn = store.begin()
        try:
            assert txn.delete(key)
            txn.commit()
        except StoreFullError:
            txn.abort()
        else:
            return
    raise AssertionError("the store is full and stays so")


def test_a_full_map_refuses_writes_and_takes_them_again_when_there_is_room(small: LmdbStore) -> None:
    stored = _fill(small)
    assert keys(small) == stored
    while len(stored) > 100:
        _delete(small, stored.pop())
    put(small, b"again", value=b"y" * 50_000)
    assert keys(small) == [*stored, b"again"]


def test_a_nested_transaction_that_finds_the_map_full_is_undone_alone(small: LmdbStore) -> None:
    stored = _fill(small)
    txn = small.begin()
    with txn.nested() as inner:
        inner.put(stored[0], b"changed")
    with pytest.raises(StoreFullError), txn.nested() as inner:
        inner.put(b"big", b"y" * 500_000)
    with txn.nested() as inner:
        assert inner.get(b"big") is None
        assert inner.get(stored[0]) == b"changed"
    txn.abort()
    assert keys(small) == stored


def test_a_failure_that_is_caught_inside_dooms_the_nested_transaction_all_the_same(small: LmdbStore) -> None:
    stored = _fill(small)
    txn = small.begin()
    with pytest.raises(StoreFullError), txn.nested() as inner:
        inner.delete(stored[0])
        with pytest.raises(StoreFullError):
            inner.put(b"big", b"y" * 500_000)
    assert txn.get(stored[0]) is not None
    assert txn.get(b"big") is None
    txn.abort()


def test_a_failure_at_top_level_dooms_the_transaction(small: LmdbStore) -> None:
    stored = _fill(small)
    txn = small.begin()
    with pytest.raises(StoreFullError):
        txn.put(b"big", b"y" * 500_000)
    with pytest.raises(StoreFullError):
        txn.commit()
    assert keys(small) == stored
    small.begin().abort()


def test_errors_are_translated_by_what_they_mean() -> None:
    full = [lmdb.MapFullError, lmdb.TxnFullError]
    for kind in full:
        assert isinstance(storage_error(_raised(kind, -30_000)), StoreFullError)
    assert isinstance(storage_error(_raised(lmdb.Error, errno.ENOSPC)), StoreFullError)
    assert isinstance(storage_error(OSError(errno.EDQUOT, "Disk quota exceeded")), StoreFullError)
    other = storage_error(_raised(lmdb.CorruptedError, -30_796))
    assert type(other) is StorageError
    assert "what" in str(other)
    assert "plain" in str(storage_error(OSError("plain")))


def _raised(kind: type[lmdb.Error], code: int) -> lmdb.Error:
    """An error as LMDB's binding raises it, which sets the attributes itself."""
    error = kind("what", code)
    error.__dict__.update(what="what", code=code, reason="the reason")
    return error


def test_a_closed_store_cannot_be_used(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    store.close()
    with pytest.raises(StorageError):
        store.begin()
    with pytest.raises(StorageError), store.read():
        pass


def test_a_scan_ends_with_its_transaction(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    put(store, b"a", b"b", b"k" * 2000)
    with store.read() as reader:
        scan = reader.scan(b"", b"z")
        assert next(scan) == (b"a", b"v")
    with pytest.raises(StorageError):
        next(scan)
    with pytest.raises(StorageError):
        list(reader.scan(b"", b"z"))
    store.close()


def test_a_checkpoint_of_a_closed_store_is_a_storage_error(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    checkpoint = store.checkpoint
    assert checkpoint is not None
    store.close()
    with pytest.raises(StorageError):
        checkpoint.begin()


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_closing_lets_go_of_every_descriptor(tmp_path: Path) -> None:
    LmdbStore(tmp_path).close()
    before = _open_descriptors()
    for durability in (Durability.PROCESS, Durability.FULL):
        LmdbStore(tmp_path, durability).close()
    (tmp_path / "store" / "recovery").unlink()
    with pytest.raises(StoreUnusableError):
        LmdbStore(tmp_path)
    assert _open_descriptors() == before
