"""What keeps a store that does not wait for the disk openable after a power loss.

Without fsync the system writes pages back in any order, so after a power loss LMDB's newest meta page may name pages
that never arrived. A checkpoint makes one commit safe:

1. `begin` opens a reader on the last commit and copies both meta pages. As long as the reader lives LMDB takes none of
   that commit's pages for anything else, so they are never overwritten.
2. `flush` brings the data file to disk, and only then the meta pages' copies into the recovery file beside it. It
   uses descriptors of its own: LMDB's own sync would hold up the store's thread for tens of milliseconds.
3. `finish` drops the reader of the checkpoint before, which until now was the one to go back to. When the recovery
   file could not be written it may hold either of the two; the older reader keeps the pages of both.

After a power loss the copies are put back in place of whatever the disk then holds as meta pages, which makes LMDB
open exactly that commit; the pages written later are unreachable and are taken again. Whether power was lost is told
by the boot's id: after a mere kill the page cache still has everything, and nothing is put back.

When fdatasync fails, the system may have dropped the pages that it could not write while reporting later calls as
successful, so no later checkpoint can be believed: the last good one stays, with its reader.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING

import lmdb

from localzure_storage.data_file import META_BYTES, newest_meta, parse_meta
from localzure_storage.disk import read_at, sync_to_disk, write_at
from localzure_storage.lmdb_errors import storage_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure_storage.recovery_file import RecoveryFile


class LmdbCheckpoint:
    """Makes checkpoints of one open store; see `store.Checkpoint` for the calls."""

    __slots__ = (
        "_begin_read",
        "_boot",
        "_data",
        "_error",
        "_flushing",
        "_found",
        "_lost",
        "_pending",
        "_recovery",
        "_safe",
    )

    def __init__(
        self, begin_read: Callable[[], lmdb.Transaction[bytes]], data: int, recovery: RecoveryFile, boot: str
    ) -> None:
        """Take over a store that is open and not yet written to. `data` is a descriptor of its data file."""
        self._begin_read = begin_read
        self._data = data
        self._recovery = recovery
        self._boot = boot
        self._safe: lmdb.Transaction[bytes] | None = None
        self._pending: lmdb.Transaction[bytes] | None = None
        self._found = (0, (b"", b""))
        self._error: OSError | None = None
        self._lost = False
        self._flushing = Lock()

    def begin(self) -> bool:
        """Start a checkpoint of the last commit; False when there is nothing new. Raises StorageError."""
        if self._lost or self._pending is not None:
            return False
        try:
            found = os.fstat(self._data).st_size, read_metas(self._data)
            reader = self._begin_read()
        except (OSError, lmdb.Error) as error:
            raise storage_error(error) from error
        if self._safe is not None and reader.id() == self._safe.id():
            reader.abort()
            return False
        self._pending, self._found = reader, found
        return True

    def flush(self) -> None:
        """Bring the checkpoint to disk. Never raises; runs in any thread."""
        with self._flushing:
            if self._pending is None:
                return  # dropped before the thread came to it
            try:
                sync_to_disk(self._data)
            except OSError as error:
                self._error, self._lost = error, True
                return
            try:
                self._recovery.write(self._boot, *self._found)
            except OSError as error:
                self._error = error

    def finish(self) -> None:
        """End the checkpoint. Raises StorageError when the disk refused: the one before it still holds."""
        reader, error = self._pending, self._error
        self._pending = self._error = None
        if reader is None:
            return
        if error is not None:
            reader.abort()
            raise storage_error(error) from error
        if self._safe is not None:
            self._safe.abort()
        self._safe = reader

    def make(self) -> None:
        """Make a checkpoint at once, waiting for the disk, unless one is under way. Raises StorageError."""
        if self.begin():
            self.flush()
            self.finish()

    def drop(self) -> None:
        """Give up a checkpoint that nobody finished; waits for its flush, should a thread be at it."""
        with self._flushing:
            if self._pending is not None:
                self._pending.abort()
            self._pending = self._error = None

    def close(self) -> None:
        """Let go of the readers."""
        self.drop()
        if self._safe is not None:
            self._safe.abort()
            self._safe = None


def read_metas(data: int) -> tuple[bytes, bytes]:
    """Return the beginnings of both meta pages of the data file."""
    page_bytes = newest_meta(data).page_bytes
    return read_at(data, META_BYTES, 0), read_at(data, META_BYTES, page_bytes)


def put_back(data: int, metas: tuple[bytes, bytes]) -> None:
    """Write the meta pages of a checkpoint over those of the data file, through to the disk. Raises OSError."""
    page_bytes = parse_meta(metas[0]).page_bytes
    write_at(data, metas[0], 0)
    write_at(data, metas[1], page_bytes)
    sync_to_disk(data)
