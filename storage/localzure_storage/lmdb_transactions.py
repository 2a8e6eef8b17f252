"""Readers and writers of the disk store: the interface's verbs on LMDB's transactions.

Nearly every access is for a short key and a value of one page, and costs one call into LMDB beyond a few comparisons;
long keys (`lmdb_keys`) and long values (`lmdb_values`) take the slow paths. `put` and `delete` use the calls that hand
back the old record, because a pointer among them owes its pieces' removal.

LMDB marks a transaction in which an operation failed half-way, as at the end of the map, and poisons the parent of a
marked one that is committed. So a writer remembers its failure, and ends in an abort that raises it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self, TypeAlias

import lmdb

from localzure_storage import lmdb_keys
from localzure_storage.lmdb_errors import storage_error
from localzure_storage.lmdb_keys import SHORT_KEY_BYTES_MAX
from localzure_storage.lmdb_values import (
    PIECE_BYTES,
    POINTER_BYTES,
    free_pieces,
    is_pointer,
    load_pieces,
    store_pieces,
)
from localzure_storage.store import KEY_BYTES_MAX, VALUE_BYTES_MAX, StorageError, StoreFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localzure_storage.lmdb_keys import Trees

    Txn: TypeAlias = lmdb.Transaction[bytes]

FRUGAL_GROWTH_BYTES_MAX = 512
"""By how much a transaction that deletes may grow a full store: what services note beside a delete."""

FRUGAL_WRITE_BYTES_MAX = 65_536
"""What it may write altogether: every page that it changes has to be found before one is freed."""


@dataclass(slots=True)
class Engine:
    """What all transactions of one open store share."""

    environment: lmdb.Environment
    trees: Trees
    numbers: Iterator[int]
    """Numbers for branches and pieces that were never used before."""
    failed: Callable[[lmdb.Error, int], StorageError]
    """Told of every write that failed, with the bytes that its transaction wrote; returns what is to be raised."""


class _View:
    """What readers and writers share."""

    __slots__ = ("_engine", "_txn")

    _engine: Engine
    _txn: Txn

    def get(self, key: bytes) -> bytes | None:
        """Return the value stored under `key`, or None."""
        try:
            value = self._txn.get(key) if 0 < len(key) <= SHORT_KEY_BYTES_MAX else self._long_get(key)
            if value is not None and len(value) == POINTER_BYTES and is_pointer(value):
                return load_pieces(self._txn, self._engine.trees.pieces, value)
        except lmdb.Error as error:
            raise storage_error(error) from error
        return value

    def _long_get(self, key: bytes) -> bytes | None:
        return lmdb_keys.get(self._txn, self._engine.trees, key) if key else None

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop in key order, or from the end with `reverse`."""
        found = lmdb_keys.scan(self._txn, self._engine.trees, start, stop, reverse)
        return found if limit is None else islice(found, limit if limit > 0 else 0)


class LmdbReader(_View):
    """The last commit, as it was when the block was entered."""

    __slots__ = ()

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        engine = self._engine
        try:
            self._txn = engine.environment.begin(engine.trees.top.tree)
        except lmdb.Error as error:
            raise storage_error(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._txn.abort()


class _Writer(_View):
    """What the top-level write transaction and nested ones share."""

    __slots__ = ("_failure", "_root")

    _failure: StorageError | None
    _root: LmdbWriteTransaction

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key`, replacing what was there."""
        try:
            if (
                0 < len(key) <= SHORT_KEY_BYTES_MAX
                and (size := len(value)) <= PIECE_BYTES
                and (size != POINTER_BYTES or not is_pointer(value))
            ):
                old = self._txn.replace(key, value)
            else:
                old = self._long_put(key, value)
            if old is not None and len(old) == POINTER_BYTES and is_pointer(old):
                free_pieces(self._txn, self._engine.trees.pieces, old)
        except lmdb.Error as error:
            raise self._fail(error) from error
        self._root.dirty_bytes += len(key) + len(value)

    def _long_put(self, key: bytes, value: bytes) -> bytes | None:
        """Put what needs pieces or branches, or is beyond the limits. Returns the old record."""
        if not 0 < len(key) <= KEY_BYTES_MAX or len(value) > VALUE_BYTES_MAX:
            raise ValueError(f"a key of {len(key)} bytes or a value of {len(value)} is beyond what a store takes")
        if len(value) > PIECE_BYTES or (len(value) == POINTER_BYTES and is_pointer(value)):
            value = store_pieces(self._txn, self._engine.trees.pieces, next(self._engine.numbers), value)
        if len(key) <= SHORT_KEY_BYTES_MAX:
            return self._txn.replace(key, value)
        return lmdb_keys.replace(self._txn, self._engine.trees, key, value, self._engine.numbers)

    def delete(self, key: bytes) -> bool:
        """Remove `key`; False when it was not there."""
        try:
            old = self._txn.pop(key) if 0 < len(key) <= SHORT_KEY_BYTES_MAX else self._long_delete(key)
            if old is None:
                return False
            if len(old) == POINTER_BYTES and is_pointer(old):
                free_pieces(self._txn, self._engine.trees.pieces, old)
        except lmdb.Error as error:
            raise self._fail(error) from error
        self._root.dirty_bytes += len(key)
        return True

    def _long_delete(self, key: bytes) -> bytes | None:
        return lmdb_keys.pop(self._txn, self._engine.trees, key) if key else None

    def nested(self) -> _Nested:
        """Open a transaction inside this one: kept when the block ends, undone alone when it raises."""
        return self._root.nested_kind(self)

    def _fail(self, error: lmdb.Error) -> StorageError:
        self._failure = failure = self._engine.failed(error, self._root.dirty_bytes)
        return failure


class _Nested(_Writer):
    """A transaction inside another, from entering its block to leaving it."""

    __slots__ = ("_parent",)

    def __init__(self, parent: _Writer) -> None:
        self._parent = parent
        self._root = parent._root
        self._engine = parent._engine
        self._failure = None

    def __enter__(self) -> Self:
        engine = self._engine
        try:
            # Arguments by place: by name they cost a quarter of a microsecond.
            self._txn = engine.environment.begin(engine.trees.top.tree, self._parent._txn, True)
        except lmdb.Error as error:
            raise storage_error(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None or self._failure is not None:
            self._txn.abort()
            if kind is None and self._failure is not None:
                raise self._failure
            return
        try:
            self._txn.commit()
        except lmdb.Error as error:
            raise self._parent._fail(error) from error


class _FrugalNested(_Nested):
    """A nested transaction of a store whose disk is full: it must give room rather than take it.

    Without this rule writers would use up at once the little room that deletes need to succeed.
    """

    __slots__ = ("_freed", "_has_deleted", "_taken")

    def __init__(self, parent: _Writer) -> None:
        super().__init__(parent)
        self._freed = self._taken = 0
        self._has_deleted = False

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key`, replacing what was there."""
        self._note_freed(key)
        super().put(key, value)
        self._taken += len(key) + len(value)

    def delete(self, key: bytes) -> bool:
        """Remove `key`; False when it was not there."""
        self._note_freed(key)
        found = super().delete(key)
        self._has_deleted |= found
        return found

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        allowed = min(self._freed + FRUGAL_GROWTH_BYTES_MAX * self._has_deleted, FRUGAL_WRITE_BYTES_MAX)
        if self._failure is None and self._taken > allowed:
            self._failure = StoreFullError("the store has no room left: for now it takes only what deletes more")
        super().__exit__(kind, *rest)
        parent = self._parent
        if kind is None and isinstance(parent, _FrugalNested):
            parent._freed += self._freed
            parent._taken += self._taken
            parent._has_deleted |= self._has_deleted

    def _note_freed(self, key: bytes) -> None:
        old = self.get(key)
        if old is not None:
            self._freed += len(key) + len(old)


class LmdbWriteTransaction(_Writer):
    """The one top-level write transaction."""

    __slots__ = ("dirty_bytes", "nested_kind")

    def __init__(self, engine: Engine, *, frugal: bool) -> None:
        """Open it; `frugal` is for a store whose disk is full. Raises StorageError."""
        self._engine = engine
        try:
            self._txn = engine.environment.begin(engine.trees.top.tree, write=True)
        except lmdb.Error as error:
            raise storage_error(error) from error
        self._failure = None
        self._root = self
        self.nested_kind = _FrugalNested if frugal else _Nested
        self.dirty_bytes = 0

    def commit(self) -> None:
        """Make everything visible, and durable as the store's setting says. Raises StorageError: all undone."""
        if self._failure is not None:
            self.abort()
            raise self._failure
        try:
            self._txn.commit()
        except lmdb.Error as error:
            raise self._engine.failed(error, self.dirty_bytes) from error

    def abort(self) -> None:
        """Undo everything; does nothing when the transaction has ended."""
        self._txn.abort()
