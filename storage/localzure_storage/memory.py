"""The store in memory: for tests and for `none` durability. Passes the contract that the disk store passes.

The map is changed in place. What a key held before its first change is kept per transaction: enough to undo it, and
enough for a reader beside the writer, or one that outlives a commit, to see the store as it was.
"""

from __future__ import annotations

from contextlib import contextmanager
from heapq import merge
from typing import TYPE_CHECKING, Self

from sortedcontainers import SortedDict

from localzure_storage.memory_snapshots import MemorySnapshots
from localzure_storage.store import KEY_BYTES_MAX, VALUE_BYTES_MAX, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_Before = dict[bytes, bytes | None]
"""What keys held before they were first changed; None for a key that was not there."""


class MemoryStore:
    """An ordered, transactional map that lives as long as the process."""

    __slots__ = ("_readers", "_watchers", "_writer", "content", "snapshots")

    def __init__(self) -> None:
        self.content: SortedDict[bytes, bytes] = SortedDict()
        """The map; for its snapshots, between transactions."""
        self._readers: set[_Reader] = set()
        self._watchers: list[list[_Before]] = []
        self.snapshots = MemorySnapshots(self)
        self._writer: _WriteTransaction | None = None

    @property
    def checkpoint(self) -> None:
        """There is no disk to make safe."""
        return

    @property
    def size(self) -> None:
        """It takes nothing on disk."""
        return

    def read(self) -> _Reader:
        """Open a view of the last commit."""
        return _Reader(self)

    def begin(self) -> _WriteTransaction:
        """Open the write transaction. Raises StorageError while another is open."""
        if self._writer is not None:
            raise StorageError("the write transaction is already open")
        self._writer = _WriteTransaction(self)
        return self._writer

    @contextmanager
    def watching(self) -> Iterator[list[_Before]]:
        """Have collected what keys held before each commit within the block, oldest commit first."""
        before: list[_Before] = []
        self._watchers.append(before)
        try:
            yield before
        finally:
            self._watchers[:] = [watcher for watcher in self._watchers if watcher is not before]

    def close(self) -> None:
        """Let go of the content."""
        self.content.clear()


class _Reader:
    """The store as it was when the block was entered."""

    __slots__ = ("_later", "_store")

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._later: list[_Before] = []

    def __enter__(self) -> Self:
        self._store._readers.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._store._readers.discard(self)

    def get(self, key: bytes) -> bytes | None:
        """Return the value stored under `key`, or None."""
        for before in self._changes():
            if key in before:
                return before[key]
        value: bytes | None = self._store.content.get(key)
        return value

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop in key order, or from the end with `reverse`."""
        if limit is not None and limit <= 0:
            return
        changed = sorted({key for before in self._changes() for key in before if start <= key < stop}, reverse=reverse)
        last = None
        present = self._store.content.irange(start, stop, (True, False), reverse=reverse)
        for key in merge(present, changed, reverse=reverse):
            if key == last or (value := self.get(key)) is None:
                continue
            last = key
            yield key, value
            if limit is not None and (limit := limit - 1) == 0:
                return

    def _changes(self) -> list[_Before]:
        """What changed since this view's commit, oldest first."""
        writer = self._store._writer
        return self._later if writer is None else [*self._later, *writer.befores()]


class _Writer:
    """The part of a write transaction that its nested ones share: access to the map that remembers what it changes."""

    __slots__ = ("_before", "_map", "_nested", "_root")

    def __init__(self, map_: SortedDict[bytes, bytes], root: _WriteTransaction) -> None:
        self._map = map_
        self._root = root
        self._before: _Before = {}
        self._nested: _Nested | None = None

    def get(self, key: bytes) -> bytes | None:
        """Return the value stored under `key`, or None."""
        self._require_active()
        value: bytes | None = self._map.get(key)
        return value

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop in key order, or from the end with `reverse`."""
        self._require_active()
        if limit is not None and limit <= 0:
            return
        map_ = self._map
        for key in map_.irange(start, stop, (True, False), reverse=reverse):
            yield key, map_[key]
            if limit is not None and (limit := limit - 1) == 0:
                return

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key`, replacing what was there."""
        self._require_active()
        if not 0 < len(key) <= KEY_BYTES_MAX or len(value) > VALUE_BYTES_MAX:
            raise ValueError(f"a key of {len(key)} bytes or a value of {len(value)} is beyond what a store takes")
        if key not in self._before:
            self._before[key] = self._map.get(key)
        self._map[key] = bytes(value)
        self._root.dirty_bytes += len(key) + len(value)

    def delete(self, key: bytes) -> bool:
        """Remove `key`; False when it was not there."""
        self._require_active()
        value = self._map.pop(key, None)
        if value is None:
            return False
        self._before.setdefault(key, value)
        self._root.dirty_bytes += len(key)
        return True

    def nested(self) -> _Nested:
        """Open a transaction inside this one: kept when the block ends, undone alone when it raises."""
        self._require_active()
        return _Nested(self._map, self._root, self)

    def _require_active(self) -> None:
        if self._nested is not None or self._root.ended:
            raise StorageError("the transaction has ended, or a nested one is open")

    def _undo(self) -> None:
        for key, value in self._before.items():
            if value is None:
                self._map.pop(key, None)
            else:
                self._map[key] = value
        self._before = {}


class _Nested(_Writer):
    __slots__ = ("_parent",)

    def __init__(self, map_: SortedDict[bytes, bytes], root: _WriteTransaction, parent: _Writer) -> None:
        super().__init__(map_, root)
        self._parent = parent

    def __enter__(self) -> Self:
        self._parent._nested = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._parent._nested = None
        if kind is not None:
            self._undo()
            return
        kept = self._parent._before
        for key, value in self._before.items():
            kept.setdefault(key, value)


class _WriteTransaction(_Writer):
    __slots__ = ("_store", "dirty_bytes", "ended")

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.content, self)
        self._store = store
        self.dirty_bytes = 0
        self.ended = False

    def befores(self) -> Iterator[_Before]:
        """Yield what the open transactions changed, outermost first: the first that has a key knows its old value."""
        writer: _Writer | None = self
        while writer is not None:
            yield writer._before
            writer = writer._nested

    def commit(self) -> None:
        """Make everything visible."""
        self._require_active()
        for reader in self._store._readers:
            reader._later.append(self._before)
        for watcher in self._store._watchers:
            watcher.append(self._before)
        self._end()

    def abort(self) -> None:
        """Undo everything; does nothing when the transaction has ended."""
        if not self.ended:
            self._undo()
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._store._writer = None
