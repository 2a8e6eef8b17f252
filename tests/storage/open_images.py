"""Opens data directories as after a power loss and tells what is in each: run in a process of its own, which may die.

    python open_images.py BOOT DIRECTORY...

Prints one line per directory: its content's digest, or what refused it. Each store is also written to, closed, opened
again and compared, because a damaged one may only fail at the next write.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from localzure_storage.lmdb import LmdbStore
from localzure_storage.store import StorageError

_MARKS = [(b"\x00mark%d" % at, b"m" * size) for at, size in enumerate([10, 3000, 50_000, 300_000])]


def digest(items: Iterable[tuple[bytes, bytes]]) -> str:
    """Return what stands for a store's content."""
    found = hashlib.sha256()
    for key, value in items:
        found.update(b"%d %d " % (len(key), len(value)) + key + value)
    return found.hexdigest()


def _content(store: LmdbStore) -> list[tuple[bytes, bytes]]:
    with store.read() as reader:
        return list(reader.scan(b"", b"\xff" * 9000))


def _examine(directory: Path, boot: str) -> str:
    store = LmdbStore(directory, boot=boot)
    before = _content(store)
    for round_ in range(3):
        txn = store.begin()
        for key, value in _MARKS:
            txn.put(key, value)
        for key, _ in before[round_::7]:
            with txn.nested() as inner:
                inner.delete(key)
        txn.commit()
    checkpoint = store.checkpoint
    assert checkpoint is not None
    txn = store.begin()
    for key, value in before:
        txn.put(key, value)
    for key, _ in _MARKS:
        txn.delete(key)
    txn.commit()
    store.close()
    store = LmdbStore(directory, boot=boot)
    after = _content(store)
    store.close()
    return digest(before) if after == before else "changed by closing and opening"


def main(boot: str, *directories: str) -> None:
    """Examine each directory."""
    for directory in directories:
        try:
            answer = _examine(Path(directory), boot)
        except StorageError as error:
            answer = f"refused: {error}"
        print(answer, flush=True)  # noqa: T201  # the answer to the test that runs this


if __name__ == "__main__":
    main(*sys.argv[1:])
