"""A store whose commits fail when told, around a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from localzure_storage.store import Checkpoint, Reader, Snapshots, Store, StoreFullError, Writer, WriteTransaction


class FailingStore:
    """Passes everything to the store inside, but refuses commits while `failing`."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.failing = False
        self.commits = 0

    @property
    def checkpoint(self) -> Checkpoint | None:
        return self.inner.checkpoint

    @property
    def snapshots(self) -> Snapshots:
        return self.inner.snapshots

    @property
    def size(self) -> int | None:
        return self.inner.size

    def read(self) -> AbstractContextManager[Reader]:
        return self.inner.read()

    def begin(self) -> WriteTransaction:
        return _FailingTransaction(self, self.inner.begin())

    def close(self) -> None:
        self.inner.close()


class _FailingTransaction:
    def __init__(self, store: FailingStore, inner: WriteTransaction) -> None:
        self._store = store
        self._inner = inner

    @property
    def dirty_bytes(self) -> int:
        return self._inner.dirty_bytes

    def get(self, key: bytes) -> bytes | None:
        return self._inner.get(key)

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        return self._inner.scan(start, stop, reverse=reverse, limit=limit)

    def put(self, key: bytes, value: bytes) -> None:
        self._inner.put(key, value)

    def delete(self, key: bytes) -> bool:
        return self._inner.delete(key)

    def nested(self) -> AbstractContextManager[Writer]:
        return self._inner.nested()

    def commit(self) -> None:
        if self._store.failing:
            self._inner.abort()
            raise StoreFullError("commits fail because a test says so")
        self._inner.commit()
        self._store.commits += 1

    def abort(self) -> None:
        self._inner.abort()
