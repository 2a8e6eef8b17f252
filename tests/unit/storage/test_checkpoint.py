"""Checkpoints: what they cost, what they survive, and what a failing disk does to them."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure_storage.lmdb import LmdbStore
from localzure_storage.store import Checkpoint, StorageError, StoreFullError

OLD, NEW = "boot one", "boot two"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    opened = LmdbStore(tmp_path, boot=OLD)
    yield opened
    opened.close()


@pytest.fixture
def checkpoint(store: LmdbStore) -> Checkpoint:
    made = store.checkpoint
    assert made is not None
    return made


def put(store: LmdbStore, key: bytes, value: bytes = b"v") -> None:
    txn = store.begin()
    txn.put(key, value)
    txn.commit()


def after_power_loss(store: LmdbStore, tmp_path: Path) -> list[bytes]:
    """The keys that are left when the data file has all that was written, and the recovery file decides."""
    place = tmp_path / "after"
    folder = place / "store"
    folder.mkdir(parents=True)
    for name in ("data.mdb", "recovery"):
        (folder / name).write_bytes((tmp_path / "store" / name).read_bytes())
    again = LmdbStore(place, boot=NEW)
    with again.read() as reader:
        found = [key for key, _ in reader.scan(b"", b"\xff")]
    again.close()
    return found


def make(checkpoint: Checkpoint) -> None:
    assert checkpoint.begin()
    checkpoint.flush()
    checkpoint.finish()


def fail(patch: pytest.MonkeyPatch, name: str, number: int) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    patch.setattr(os, name, refuse)


def test_a_power_loss_goes_back_to_the_last_checkpoint(
    store: LmdbStore, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    put(store, b"a")
    make(checkpoint)
    put(store, b"b")
    assert after_power_loss(store, tmp_path) == [b"a"]


def test_the_commit_at_begin_is_what_is_kept(store: LmdbStore, checkpoint: Checkpoint, tmp_path: Path) -> None:
    put(store, b"a")
    assert checkpoint.begin()
    put(store, b"b")
    checkpoint.flush()
    put(store, b"c")
    checkpoint.finish()
    assert after_power_loss(store, tmp_path) == [b"a"]


def test_without_a_checkpoint_the_store_is_as_it_was_opened(store: LmdbStore, tmp_path: Path) -> None:
    put(store, b"a")
    assert after_power_loss(store, tmp_path) == []


def test_an_open_write_transaction_is_not_part_of_it(store: LmdbStore, checkpoint: Checkpoint, tmp_path: Path) -> None:
    put(store, b"a")
    txn = store.begin()
    txn.put(b"b", b"")
    make(checkpoint)
    txn.commit()
    assert after_power_loss(store, tmp_path) == [b"a"]


def test_nothing_new_means_nothing_to_do(store: LmdbStore, checkpoint: Checkpoint) -> None:
    assert not checkpoint.begin()
    put(store, b"a")
    make(checkpoint)
    assert not checkpoint.begin()
    txn = store.begin()
    assert not txn.delete(b"not there")
    txn.commit()
    assert not checkpoint.begin()
    checkpoint.finish()


def test_one_checkpoint_at_a_time(store: LmdbStore, checkpoint: Checkpoint) -> None:
    put(store, b"a")
    assert checkpoint.begin()
    put(store, b"b")
    assert not checkpoint.begin()
    checkpoint.flush()
    checkpoint.finish()
    make(checkpoint)


def test_the_flush_may_run_beside_commits(store: LmdbStore, checkpoint: Checkpoint, tmp_path: Path) -> None:
    for round_ in range(5):
        put(store, b"before%d" % round_)
        assert checkpoint.begin()
        thread = threading.Thread(target=checkpoint.flush)
        thread.start()
        for number in range(50):
            put(store, b"%d" % number, b"x" * 5000)
        thread.join()
        checkpoint.finish()
    assert b"before4" in after_power_loss(store, tmp_path)


def test_when_the_recovery_file_cannot_be_written_the_next_checkpoint_is_tried(
    store: LmdbStore, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, b"a")
    make(checkpoint)
    put(store, b"b")
    assert checkpoint.begin()
    with monkeypatch.context() as patch:
        fail(patch, "pwrite", errno.ENOSPC)
        checkpoint.flush()
    with pytest.raises(StoreFullError, match="no room left"):
        checkpoint.finish()
    put(store, b"c")
    assert after_power_loss(store, tmp_path) == [b"a"]
    make(checkpoint)
    put(store, b"d")
    (tmp_path / "after").rename(tmp_path / "first")
    assert after_power_loss(store, tmp_path) == [b"a", b"b", b"c"]


def test_after_a_failed_sync_no_later_checkpoint_is_believed(
    store: LmdbStore, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, b"a")
    make(checkpoint)
    put(store, b"b")
    assert checkpoint.begin()
    with monkeypatch.context() as patch:
        fail(patch, "fdatasync", errno.EIO)
        checkpoint.flush()
    with pytest.raises(StorageError, match="Input/output error"):
        checkpoint.finish()
    for number in range(100):
        put(store, b"c%d" % (number % 3), b"x" * 9000)
    assert not checkpoint.begin()
    assert after_power_loss(store, tmp_path) == [b"a"]


def test_closing_gives_up_a_checkpoint_that_was_not_finished(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, boot=OLD)
    checkpoint = store.checkpoint
    assert checkpoint is not None
    put(store, b"a")
    assert checkpoint.begin()
    put(store, b"b")
    store.close()
    checkpoint.flush()  # a thread that comes to it too late touches nothing
    assert after_power_loss(store, tmp_path) == [b"a", b"b"]


def test_closing_tells_that_the_disk_refused_the_last_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LmdbStore(tmp_path, boot=OLD)
    put(store, b"a")
    with monkeypatch.context() as patch:
        fail(patch, "fdatasync", errno.EIO)
        with pytest.raises(StorageError):
            store.close()
    LmdbStore(tmp_path, boot=OLD).close()


def test_opening_fails_when_the_first_checkpoint_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LmdbStore(tmp_path, boot=OLD).close()
    with monkeypatch.context() as patch:
        fail(patch, "fdatasync", errno.EIO)
        with pytest.raises(StorageError, match="cannot be opened"):
            LmdbStore(tmp_path, boot=OLD)
    LmdbStore(tmp_path, boot=OLD).close()
