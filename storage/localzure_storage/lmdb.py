"""The store on disk, in LMDB: what opens it, hands out its transactions and closes it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from typing import TYPE_CHECKING

import lmdb

from localzure_storage import directory as places
from localzure_storage import lmdb_keys, lmdb_values
from localzure_storage.boot import boot_id
from localzure_storage.checkpoint import LmdbCheckpoint, read_metas
from localzure_storage.data_file import count_free_pages
from localzure_storage.disk import allocate, has_room, open_file, sync_to_disk
from localzure_storage.lmdb_errors import is_io_error, storage_error
from localzure_storage.lmdb_keys import Trees
from localzure_storage.lmdb_snapshots import LmdbSnapshots
from localzure_storage.lmdb_transactions import Engine, LmdbReader, LmdbWriteTransaction
from localzure_storage.recovery_file import RecoveryFile
from localzure_storage.reserve import RESERVE_BYTES, Reserve
from localzure_storage.store import Durability, StorageError, StoreFullError, StoreUnusableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAP_BYTES = 2**40
"""Address space asked for. The file takes only what is used; the map cannot grow while it is open."""

FREE_PAGES_NEEDED = 512
"""How many pages of a full disk are kept for deletes. While fewer are free, transactions must give room."""

_FRUGAL_TRANSACTIONS = 8
"""How many transactions are held to that after one that found the disk full."""

FREE_PAGES_PLENTY = 16_384
"""How many are so many that a store on a full disk needs no more care."""

_LOCK_TABLE_BYTES = 8192
"""LMDB's table of 126 readers, its default."""

_NOTHING = b"nothing"
"""A key in the main tree, beside the names of the others, that is only put to be deleted."""


class LmdbStore:
    """A store in a folder of its own inside a data directory."""

    def __init__(
        self,
        directory: Path,
        durability: Durability = Durability.PROCESS,
        *,
        map_bytes: int = MAP_BYTES,
        boot: str | None = None,
    ) -> None:
        """Open the store, or make one where there is none.

        `boot` stands in for the id of the running boot. Where the system has none, a power loss cannot be told from
        a kill, and `process` is as careful as `full`. Raises StoreUnusableError.
        """
        boot = boot or boot_id()
        self.durability = durability if boot is not None else Durability.FULL
        self._folder = directory / places.FOLDER_NAME
        self._map_bytes = map_bytes
        self._boot = boot or ""
        self._parts = contextlib.ExitStack()
        """Closes what is open of the store's folder."""
        self.snapshots = LmdbSnapshots(directory, self._copy, self._close_parts, self._open)
        self._checkpoint: LmdbCheckpoint | None = None
        self._is_full = False
        self._frugal_left = 0
        with contextlib.ExitStack() as undo:
            try:
                descriptor = places.lock(directory)
                undo.callback(os.close, descriptor)
                places.prepare(directory, boot, _make_environment)
                self.snapshots.tidy()
                self._open()
            except (OSError, lmdb.Error, StorageError) as error:
                if isinstance(error, StoreUnusableError):
                    raise
                raise StoreUnusableError(f"the store in {directory} cannot be opened: {error}") from error
            self._closing = undo.pop_all()

    def _open(self) -> None:
        """Open LMDB and make the first checkpoint. Raises OSError, lmdb.Error, StorageError; then nothing is open."""
        with contextlib.ExitStack() as undo:
            self._open_parts(undo)
            self._parts = undo.pop_all()

    def _open_parts(self, undo: contextlib.ExitStack) -> None:
        synced = self.durability is Durability.FULL
        environment = _open_environment(self._folder, self._map_bytes, synced=synced)
        undo.callback(environment.close)
        self._engine = _engine(environment, self._failed)
        self._data = data = open_file(self._folder / places.DATA_NAME)
        undo.callback(os.close, data)
        recovery = RecoveryFile(self._folder / places.RECOVERY_NAME)
        undo.callback(recovery.close)
        recovery.read()
        self._reserve = Reserve(self._folder / places.RESERVE_NAME)
        undo.callback(self._reserve.close)
        if synced:
            sync_to_disk(data)
            recovery.write("", os.fstat(data).st_size, read_metas(data))
            return
        checkpoint = LmdbCheckpoint(environment.begin, data, recovery, self._boot)
        undo.callback(checkpoint.close)
        checkpoint.make()
        self._checkpoint = checkpoint

    @property
    def checkpoint(self) -> LmdbCheckpoint | None:
        """What the owner must drive once a second; None when commits go to disk at once."""
        return self._checkpoint

    @property
    def size(self) -> int:
        """Bytes of the data file."""
        return os.fstat(self._data).st_size

    def read(self) -> LmdbReader:
        """Open a view of the last commit."""
        return LmdbReader(self._engine)

    def begin(self) -> LmdbWriteTransaction:
        """Open the write transaction. Raises StorageError while another is open."""
        frugal = self._is_full and self._begin_full()
        return LmdbWriteTransaction(self._engine, frugal=frugal)

    def close(self) -> None:
        """Flush to disk and close. Raises StorageError when the last commits could not be flushed; it is closed then.

        Open transactions must have ended. A checkpoint that is under way is given up.
        """
        with self._closing, self.snapshots.copying, self._parts:
            checkpoint, self._checkpoint = self._checkpoint, None
            if checkpoint is not None:
                checkpoint.drop()
                checkpoint.make()

    def _close_parts(self) -> None:
        """Close what is open of the folder, to put another in its place."""
        with self.snapshots.copying:
            self._checkpoint = None
            self._parts.close()

    def _copy(self, descriptor: int) -> None:
        """Write a compact copy of the last commit to a descriptor. Raises lmdb.Error."""
        self._engine.environment.copyfd(descriptor, compact=True)

    def _failed(self, error: lmdb.Error, dirty_bytes: int) -> StorageError:
        """Return what a write that failed raises: LMDB also reports one that a full disk cut short as an I/O error."""
        failure = storage_error(error)
        if is_io_error(error) and not has_room(self._folder, 2 * dirty_bytes + 2**20):
            failure = StoreFullError(f"the disk under {self._folder} has no room left")
        if isinstance(failure, StoreFullError):
            self._is_full, self._frugal_left = True, _FRUGAL_TRANSACTIONS
        return failure

    def _begin_full(self) -> bool:
        """Prepare for a transaction after the store was full; True when it must give room rather than take it.

        That depends on the pages that can be written to, and where these are few it is asked of some transactions
        only: the pages in use may have room for small records, which the next one that is not asked will tell.
        """
        self._frugal_left = max(self._frugal_left - 1, 0)
        with contextlib.suppress(OSError, StorageError):
            free = self._free_pages()
            if free >= FREE_PAGES_PLENTY or has_room(self._folder, 2 * RESERVE_BYTES):
                self._is_full = False
            elif free < FREE_PAGES_NEEDED and self._frugal_left:
                self._reserve.give_up()
                return True
            self._reserve.take()
        return False

    def _free_pages(self) -> int:
        """Let the pages that commits have freed be used again, and return how many there are.

        LMDB uses a page again once no reader is left from before the transaction that freed it, and that transaction
        is not the last: so there is a checkpoint, and if need be a commit of nothing and another one.
        """
        free = self._count_free_pages()
        if free < FREE_PAGES_NEEDED:
            with contextlib.suppress(lmdb.Error), self._engine.environment.begin(write=True) as txn:
                txn.put(_NOTHING, b"")
                txn.delete(_NOTHING)
            free = self._count_free_pages()
        return free

    def _count_free_pages(self) -> int:
        if self._checkpoint is not None:
            self._checkpoint.make()
        return count_free_pages(self._data, FREE_PAGES_PLENTY)


def _engine(environment: lmdb.Environment, failed: Callable[[lmdb.Error, int], StorageError]) -> Engine:
    """Open the trees, and see which numbers are in use."""
    data, branches, pieces = (environment.open_db(name, create=False) for name in places.TREE_NAMES)
    trees = Trees(data, branches, pieces)
    with environment.begin() as txn:
        used = max(lmdb_values.last_number(txn, pieces), lmdb_keys.last_number(txn, trees))
    return Engine(environment, trees, itertools.count(used + 1), failed)


def _open_environment(folder: Path, map_bytes: int, *, synced: bool) -> lmdb.Environment:
    """Open LMDB with the largest map that the system grants."""
    _allocate_lock_file(folder)
    while True:
        try:
            return lmdb.open(
                str(folder),
                map_size=map_bytes,
                metasync=synced,
                sync=synced,
                mode=0o644,
                create=False,
                max_dbs=len(places.TREE_NAMES),
                max_spare_txns=1,
                lib_version=places.ENGINE,
            )
        except lmdb.Error as error:
            if error.code != errno.ENOMEM or map_bytes // 2 < places.MAP_BYTES_MIN:
                raise
            map_bytes //= 2


def _allocate_lock_file(folder: Path) -> None:
    """Make LMDB's lock file as large as LMDB does: it writes to it through a map, which on a full disk is SIGBUS."""
    descriptor = open_file(folder / places.LOCK_TABLE_NAME, create=True)
    try:
        allocate(descriptor, _LOCK_TABLE_BYTES)
    finally:
        os.close(descriptor)


def _make_environment(folder: Path) -> None:
    """Make LMDB's files with empty trees."""
    env = _open_environment(folder, MAP_BYTES, synced=True)
    try:
        for name in places.TREE_NAMES:
            env.open_db(name)
    finally:
        env.close()
