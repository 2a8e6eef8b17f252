"""Readers and writers of the disk store: the interface's verbs on LMDB's transactions.

Nearly every access is for a short key and a value of one page, and costs one call into LMDB beyond a few comparisons;
long keys (`lmdb_keys`) and long values (`lmdb_values`) take the slow paths. `put` and `delete` use the calls that hand
back the old record, because a pointer among them owes its pieces' removal.

LMDB marks a transaction in which an operation failed half-way, as at the end of the map, and poisons the parent of a
marked one that is committed. So a writer remembers its failure, and ends in an abort that raises it again.
"""

from __future__ import annotations

import contextlib
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
from localzure_storage.store import KEY_BYTES_MAX, VALUE_BYTES_MAX, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localzure_storage.lmdb_keys import Trees

    Txn: TypeAlias = lmdb.Transaction[bytes]


class _View:
    """What readers and writers share."""

    __slots__ = ("_get", "_trees", "_txn")

    _txn: Txn
    _trees: Trees
    _get: Callable[[bytes], bytes | None]

    def get(self, key: bytes) -> bytes | None:
        """Return the value stored under `key`, or None."""
        try:
            value = self._get(key) if 0 < len(key) <= SHORT_KEY_BYTES_MAX else self._long_get(key)
            if value is not None and len(value) == POINTER_BYTES and is_pointer(value):
                return load_pieces(self._txn, self._trees.pieces, value)
        except lmdb.Error as error:
            raise storage_error(error) from error
        return value

    def _long_get(self, key: bytes) -> bytes | None:
        if not key:
            return None
        place = lmdb_keys.find(self._txn, self._trees, key)
        return None if place is None else self._txn.get(place[1], db=place[0])

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop in key order, or from the end with `reverse`."""
        found = lmdb_keys.scan(self._txn, self._trees, start, stop, reverse=reverse)
        return found if limit is None else islice(found, max(limit, 0))


class LmdbReader(_View):
    """The last commit, as it was when the block was entered."""

    __slots__ = ("_begin",)

    def __init__(self, begin: Callable[[], Txn], trees: Trees) -> None:
        self._begin = begin
        self._trees = trees

    def __enter__(self) -> Self:
        try:
            self._txn = txn = self._begin()
        except lmdb.Error as error:
            raise storage_error(error) from error
        self._get = txn.get
        return self

    def __exit__(self, *_: object) -> None:
        self._txn.abort()


class _Writer(_View):
    """What the top-level write transaction and nested ones share."""

    __slots__ = ("_failure", "_numbers", "_replace", "_root")

    _failure: StorageError | None
    _numbers: Iterator[int]
    _root: LmdbWriteTransaction
    _replace: Callable[[bytes, bytes], bytes | None]

    def _open(self, txn: Txn) -> None:
        self._txn = txn
        self._get = txn.get
        self._replace = txn.replace

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key`, replacing what was there."""
        try:
            if (
                0 < len(key) <= SHORT_KEY_BYTES_MAX
                and (size := len(value)) <= PIECE_BYTES
                and (size != POINTER_BYTES or not is_pointer(value))
            ):
                old = self._replace(key, value)
            else:
                old = self._long_put(key, value)
            if old is not None and len(old) == POINTER_BYTES and is_pointer(old):
                free_pieces(self._txn, self._trees.pieces, old)
        except lmdb.Error as error:
            raise self._fail(error) from error
        self._root.dirty_bytes += len(key) + len(value)

    def _long_put(self, key: bytes, value: bytes) -> bytes | None:
        """Put what needs pieces or branches, or is beyond the limits. Returns the old record."""
        if not 0 < len(key) <= KEY_BYTES_MAX or len(value) > VALUE_BYTES_MAX:
            raise ValueError(f"a key of {len(key)} bytes or a value of {len(value)} is beyond what a store takes")
        if len(value) > PIECE_BYTES or (len(value) == POINTER_BYTES and is_pointer(value)):
            value = store_pieces(self._txn, self._trees.pieces, next(self._numbers), value)
        if len(key) <= SHORT_KEY_BYTES_MAX:
            return self._replace(key, value)
        tree, place = lmdb_keys.make(self._txn, self._trees, key, self._numbers)
        return self._txn.replace(place, value, db=tree)

    def delete(self, key: bytes) -> bool:
        """Remove `key`; False when it was not there."""
        try:
            old = self._txn.pop(key) if 0 < len(key) <= SHORT_KEY_BYTES_MAX else self._long_delete(key)
            if old is None:
                return False
            if len(old) == POINTER_BYTES and is_pointer(old):
                free_pieces(self._txn, self._trees.pieces, old)
        except lmdb.Error as error:
            raise self._fail(error) from error
        self._root.dirty_bytes += len(key)
        return True

    def _long_delete(self, key: bytes) -> bytes | None:
        place = lmdb_keys.find(self._txn, self._trees, key) if key else None
        old = None if place is None else self._txn.pop(place[1], db=place[0])
        if old is not None:
            lmdb_keys.prune(self._txn, self._trees, key)
        return old

    def nested(self) -> _Nested:
        """Open a transaction inside this one: kept when the block ends, undone alone when it raises."""
        return _Nested(self)

    def _fail(self, error: lmdb.Error) -> StorageError:
        self._failure = failure = storage_error(error)
        return failure

    def _abort(self) -> None:
        with contextlib.suppress(lmdb.Error):  # the transaction around it ended first and took it along
            self._txn.abort()


class _Nested(_Writer):
    """A transaction inside another, from entering its block to leaving it."""

    __slots__ = ("_parent",)

    def __init__(self, parent: _Writer) -> None:
        self._parent = parent
        self._root = parent._root
        self._trees = parent._trees
        self._numbers = parent._numbers
        self._failure = None

    def __enter__(self) -> Self:
        try:
            self._open(self._root.begin_inside(self._parent._txn))
        except lmdb.Error as error:
            raise storage_error(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None or self._failure is not None:
            self._abort()
            if kind is None and self._failure is not None:
                raise self._failure
            return
        try:
            self._txn.commit()
        except lmdb.Error as error:
            raise self._parent._fail(error) from error


class LmdbWriteTransaction(_Writer):
    """The one top-level write transaction."""

    __slots__ = ("_commit_error", "begin_inside", "dirty_bytes")

    def __init__(
        self,
        txn: Txn,
        trees: Trees,
        numbers: Iterator[int],
        begin_inside: Callable[[Txn], Txn],
        commit_error: Callable[[lmdb.Error, int], StorageError],
    ) -> None:
        self._open(txn)
        self._trees = trees
        self._numbers = numbers
        self._failure = None
        self._root = self
        self._commit_error = commit_error
        self.begin_inside = begin_inside
        self.dirty_bytes = 0

    def commit(self) -> None:
        """Make everything visible, and durable as the store's setting says. Raises StorageError: all undone."""
        if self._failure is not None:
            self.abort()
            raise self._failure
        try:
            self._txn.commit()
        except lmdb.Error as error:
            raise self._commit_error(error, self.dirty_bytes) from error

    def abort(self) -> None:
        """Undo everything."""
        self._abort()
