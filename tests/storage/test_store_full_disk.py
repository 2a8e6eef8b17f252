"""A disk that is really full: what is refused, what still works, and that nothing is lost or mixed up."""

from __future__ import annotations

import random  # noqa: TID251  # seeded: the same in every run
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure_storage.lmdb import LmdbStore
from localzure_storage.store import Durability, StorageError, StoreFullError

_DISK_MEGABYTES = 8


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here: that takes root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


class _Full:
    """A store on a small disk, and what it must hold."""

    def __init__(self, disk: Path, durability: Durability, seed: int = 1) -> None:
        self.disk = disk
        self.durability = durability
        self.rng = random.Random(seed)
        self.store = LmdbStore(disk, durability)
        self.content: dict[bytes, bytes] = {}

    def commit(self, *changes: tuple[bytes, bytes | None]) -> bool:
        """Put, or delete with None, in one transaction; False when the store was full."""
        after = dict(self.content)
        txn = self.store.begin()
        try:
            for key, value in changes:
                with txn.nested() as inner:
                    if value is None:
                        assert inner.delete(key)
                        del after[key]
                    else:
                        inner.put(key, value)
                        after[key] = value
            txn.commit()
        except StoreFullError:
            txn.abort()
            return False
        self.content = after
        return True

    def make_checkpoint(self) -> None:
        checkpoint = self.store.checkpoint
        if checkpoint is not None and checkpoint.begin():
            checkpoint.flush()
            checkpoint.finish()

    def fill(self, size: int) -> None:
        """Put values of `size` bytes, and then smaller ones, until nothing at all fits."""
        for length in (size, 600, 100):
            failures = 0
            while failures < 12:
                key = b"%06d" % len(self.content)
                if self.commit((key, self.rng.randbytes(length))):
                    failures = 0
                else:
                    failures += 1
                if len(self.content) % 50 == 0:
                    self.make_checkpoint()
        self.require_content()

    def delete(self, key: bytes) -> None:
        """Delete one record; a client would try again, too."""
        assert any(self.commit((key, None)) for _ in range(3))

    def require_content(self) -> None:
        with self.store.read() as reader:
            assert dict(reader.scan(b"", b"\xff")) == self.content

    def reopen(self) -> None:
        self.store.close()
        self.store = LmdbStore(self.disk, self.durability)
        self.require_content()


@pytest.mark.parametrize("durability", [Durability.PROCESS, Durability.FULL])
@pytest.mark.parametrize("size", [1000, 4000, 100_000, 2_000_000])
def test_a_full_disk_takes_deletes_and_then_writes_again(disk: Path, durability: Durability, size: int) -> None:
    full = _Full(disk, durability)
    full.fill(size)
    long_ones = [key for key, value in full.content.items() if len(value) == size]
    for key in full.rng.sample(long_ones, len(long_ones) // 2 + 1):
        full.delete(key)
    full.require_content()
    assert any(full.commit((b"again", full.rng.randbytes(size))) for _ in range(12))
    full.reopen()
    full.store.close()


def test_a_full_disk_is_opened_again_full(disk: Path) -> None:
    full = _Full(disk, Durability.PROCESS)
    full.fill(4000)
    (disk / "rest").touch()
    full.reopen()
    full.delete(next(iter(full.content)))
    full.reopen()
    full.store.close()


def test_room_that_others_leave_is_used_at_once(disk: Path) -> None:
    (disk / "other").write_bytes(bytes(3 * 2**20))
    full = _Full(disk, Durability.PROCESS)
    full.fill(50_000)
    (disk / "other").unlink()
    assert full.commit((b"again", full.rng.randbytes(1_000_000)))
    full.require_content()
    full.store.close()


def test_while_the_disk_is_full_a_transaction_must_give_room(disk: Path) -> None:
    full = _Full(disk, Durability.PROCESS)
    full.fill(4000)
    assert not full.commit((b"one more", bytes(100_000)))
    txn = full.store.begin()
    with txn.nested() as inner:
        inner.put(b"note", b"n" * 200)
        with inner.nested() as innermost:
            assert innermost.delete(b"000000")
    with txn.nested() as inner:
        inner.put(b"000001", b"shorter")
    for refused in (bytes(1), bytes(1000), bytes(70_000)):
        with pytest.raises(StoreFullError, match="only what deletes more"), txn.nested() as inner:
            inner.put(b"new", refused)
    with pytest.raises(StoreFullError), txn.nested() as inner:
        inner.delete(b"000002")
        inner.put(b"new", bytes(5000))
    with pytest.raises(KeyError), txn.nested() as inner:
        inner.put(b"new", b"undone by its own error")
        raise KeyError
    txn.commit()
    del full.content[b"000000"]
    full.content |= {b"note": b"n" * 200, b"000001": b"shorter"}
    full.reopen()
    full.store.close()


def test_a_new_store_on_a_full_disk_is_refused_and_leaves_nothing_half_made(disk: Path) -> None:
    with (disk / "other").open("wb") as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(2**16))
            file.flush()
    with pytest.raises(StorageError, match="No space left"):
        LmdbStore(disk)
    (disk / "other").unlink()
    LmdbStore(disk).close()
