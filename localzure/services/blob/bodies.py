"""Bodies on their way into the store and out of it, in bounded steps.

An upload is kept in memory up to `STEP_BYTES`; what is larger goes into an extent, a step at a time, each in the
transaction of its own tick. Until the operation is done nothing refers to that extent: an upload that breaks off, is
refused or loses a step to a failed commit leaves it unpinned, and it is swept. A download that does not fit into one
piece pins its content and reads each piece with a view of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.checksums import Summing
from localzure.services.blob.engine.content import ContentReader

if TYPE_CHECKING:
    from localzure.services.blob.checksums import Sums
    from localzure.services.blob.engine.state import Engine
    from localzure.services.blob.model import BlobRecord
    from localzure.services.interface import Transactions
    from localzure_storage.extents import ExtentId, Extents
    from localzure_storage.store import Reader, StorageError, Writer

STEP_BYTES = 256 * 1024
"""What an upload holds in memory at most, and appends at a time."""

INLINE_BYTES_MAX = 4 * 1024
"""Largest content that is kept in the blob's own record: as an extent it costs twice as much, in a listing less."""

WHOLE_BYTES_MAX = 256 * 1024
"""Largest download that is read at once."""


class Upload:
    """One body that arrives. Ends with `release`, whatever became of it."""

    def __init__(self, transactions: Transactions, extents: Extents, *, with_md5: bool) -> None:
        self._transactions = transactions
        self._extents = extents
        self._summing = Summing(with_md5=with_md5)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._extent: ExtentId | None = None
        self._failure: StorageError | None = None
        self.size = 0
        """Bytes so far."""

    def write(self, data: bytes) -> None:
        """Take the next piece. Raises StorageError, also that of an earlier step whose commit failed."""
        if self._failure is not None:
            raise self._failure
        self.size += len(data)
        self._summing.update(data)
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= STEP_BYTES:
            with self._transactions.writer() as writer:
                self._append(writer)
            self._transactions.after_commit(_nothing, self._fail)

    def sum(self, data: bytes) -> None:
        """Take a piece into the sums alone: it is kept elsewhere."""
        self._summing.update(data)

    def sums(self) -> Sums:
        """The sums of what arrived."""
        return self._summing.sums()

    def content(self, writer: Writer, inline_max: int) -> bytes | ExtentId:
        """Return the whole content: itself up to `inline_max` bytes, else as an extent. Raises StorageError."""
        if self._failure is not None:
            raise self._failure
        if self._extent is None and self.size <= inline_max:
            return b"".join(self._pending)
        return self.extent(writer)

    def extent(self, writer: Writer) -> ExtentId:
        """Return the whole content as an extent. Raises StorageError."""
        if self._failure is not None:
            raise self._failure
        if self._extent is None or self._pending:
            return self._append(writer)
        return self._extent

    def release(self) -> None:
        """Let go of the extent: kept where a record refers to it, else swept. May be called again."""
        extent, self._extent = self._extent, None
        self._pending.clear()
        if extent is not None:
            self._extents.unpin(extent)

    def release_after_commit(self) -> None:
        """Release once it is settled whether a record refers to the extent."""
        if self._extent is not None:
            self._transactions.after_commit(self.release, lambda _error: self.release())

    def _append(self, writer: Writer) -> ExtentId:
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        if self._extent is None:
            self._extent = self._extents.create(writer)
        self._extents.append(writer, self._extent, data)
        self._pending.clear()
        self._pending_bytes = 0
        return self._extent

    def _fail(self, error: StorageError) -> None:
        self._failure = error


def _nothing() -> None:
    """A step of an upload has no effect outside of the store."""


class Download:
    """A range of a blob's content that is read while it is sent (see `localzure.services.interface.BodySource`)."""

    def __init__(
        self, engine: Engine, transactions: Transactions, record: BlobRecord, offset: int, length: int
    ) -> None:
        """Pins the content until `close`."""
        self._transactions = transactions
        self._content = ContentReader(engine, record)
        self._content.pin()
        self._offset = offset
        self._left = length
        self._length = length

    @property
    def length(self) -> int:
        """Bytes in the whole body."""
        return self._length

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`; empty at the end."""
        take = min(limit, self._left)
        if not take:
            return b""
        with self._transactions.reader() as reader:
            data = self._content.read(reader, self._offset, take)
        self._offset += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Let go of the content."""
        self._content.unpin()


def open_body(
    engine: Engine, transactions: Transactions, reader: Reader, record: BlobRecord, offset: int, length: int
) -> bytes | Download:
    """Return a range of a blob's content: whole where one step reads it, else to be read while it is sent."""
    if not length:
        return b""
    if length <= WHOLE_BYTES_MAX:
        data = ContentReader(engine, record).read(reader, offset, length)
        if len(data) == length:
            return data
    return Download(engine, transactions, record, offset, length)
