"""The bytes of a copy's source, gathered in bounded steps: from a blob here, or from a server elsewhere.

A source of one extent is shared, and only read where its sums were promised; what lies in many blocks or pages is
copied into an extent. Whoever asked waits for the reply meanwhile, and what is done with the bytes is done at the end,
in one transaction, as with a body that a client has sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.bodies import STEP_BYTES, Upload
from localzure.services.blob.checksums import Promise, Sums
from localzure.services.blob.engine.content import ContentReader
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import Block
from localzure.services.interface import LaterReply
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.blob.call import Call
    from localzure.services.blob.model import BlobRecord
    from localzure.services.interface import HttpReply
    from localzure_storage.store import Writer

    Use = Callable[[Writer, Block, Sums | None], HttpReply]
    """Does the operation with the gathered bytes: a block without a name, pinned meanwhile."""


class _Reply(LaterReply):
    """A reply whose making stops when nobody waits for it any more."""

    def __init__(self, stop: Callable[[], None]) -> None:
        super().__init__()
        self._stop = stop

    def lost(self) -> None:
        """See `LaterReply.lost`."""
        super().lost()
        self._stop()


class Gathering:
    """Reads a range of a blob to its end."""

    def __init__(self, call: Call, record: BlobRecord, offset: int, length: int, promised: Promise, use: Use) -> None:
        """Pins the content until the reply has been made."""
        parts = call.parts
        self.reply: LaterReply = _Reply(self._stop)
        self._is_stopped = False
        self._transactions = parts.transactions
        self._content = ContentReader(parts.engine, record)
        self._content.pin()
        self._upload = Upload(parts.transactions, parts.extents, with_md5=promised.md5 is not None)
        self._extent = record.extent
        self._offset = self._at = offset
        self._left = self._length = length
        self._promised = promised
        self._use = use

    def step(self) -> bool:
        """Read on (see `jobs.Jobs`)."""
        if self._is_stopped:
            return False
        try:
            with self._transactions.reader() as reader:
                data = self._content.read(reader, self._at, min(STEP_BYTES, self._left))
            self._at += len(data)
            self._left -= len(data)
            if self._extent is None:
                self._upload.write(data)
            else:
                self._upload.sum(data)
        except StorageError as error:
            self._end(error)
            return False
        if self._left:
            return True
        self._end(None)
        return False

    def _stop(self) -> None:
        self._is_stopped = True
        self._upload.release()
        self._content.unpin()

    def _end(self, error: StorageError | None) -> None:
        """Have the reply made."""
        self._is_stopped = True

        def make() -> HttpReply:
            if error is not None:
                raise error
            sums = self._upload.sums()
            self._promised.check(sums)
            with self._transactions.writer() as writer:
                if self._extent is not None:
                    block = Block("", self._length, self._extent, self._offset)
                else:
                    block = Block("", self._length, self._upload.extent(writer))
                return self._use(writer, block, None if self._promised == Promise() else sums)

        try:
            self.reply.answer(make)
        finally:
            self._upload.release_after_commit()
            self._transactions.after_commit(self._content.unpin, lambda _error: self._content.unpin())


class Fetching:
    """Takes a range of what another server has (see `localzure.services.interface.FetchSink`)."""

    def __init__(
        self,
        call: Call,
        length_max: int,
        promised: Promise,
        use: Callable[[Writer, Upload, dict[str, str], Sums | None], HttpReply],
        range_: tuple[int, int | None] | None = None,
    ) -> None:
        """`use` does the operation with the bytes and the headers of the source; `range_` is what was asked for."""
        parts = call.parts
        self.reply: LaterReply = _Reply(self._stop)
        self._is_stopped = False
        self._transactions = parts.transactions
        self._upload = Upload(parts.transactions, parts.extents, with_md5=True)
        self._length_max = length_max
        self._promised = promised
        self._use = use
        self._range = range_
        self._headers: dict[str, str] = {}
        self._skip = 0
        self._take: int | None = None

    def head(self, status: int, headers: dict[str, str]) -> None:
        """See `FetchSink.head`."""
        self._headers = headers
        if status in {304, 412}:
            raise BlobError("SourceConditionNotMet")
        if status not in {200, 206}:
            raise unreachable(status, headers.get("x-ms-error-code", ""))
        if self._range is not None and status == 200:
            first, last = self._range
            self._skip, self._take = first, None if last is None else last - first + 1
        length = headers.get("content-length", "")
        if self._range is None and length.isdecimal() and int(length) > self._length_max:
            raise BlobError("RequestBodyTooLarge", MaxLimit=str(self._length_max))

    def _stop(self) -> None:
        self._is_stopped = True
        self._upload.release()

    def data(self, data: bytes) -> None:
        """See `FetchSink.data`."""
        if self._is_stopped:
            raise BlobError("ServerBusy")
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        data = data[skipped:]
        if self._take is not None:
            data = data[: self._take - self._upload.size]
        if data:
            self._upload.write(data)
        if self._upload.size > self._length_max:
            raise BlobError("RequestBodyTooLarge", MaxLimit=str(self._length_max))

    def end(self) -> None:
        """See `FetchSink.end`."""
        if self._is_stopped:
            return

        def make() -> HttpReply:
            sums = self._upload.sums()
            self._promised.check(sums)
            if self._range is not None and not self._upload.size:
                raise BlobError("InvalidRange")
            with self._transactions.writer() as writer:
                told = None if self._promised == Promise() else sums
                return self._use(writer, self._upload, self._headers, told)

        try:
            self.reply.answer(make)
        finally:
            self._upload.release_after_commit()

    def failed(self, error: Exception | None) -> None:
        """See `FetchSink.failed`."""

        def make() -> HttpReply:
            raise error if isinstance(error, BlobError | StorageError) else BlobError("CannotVerifyCopySource")

        try:
            self.reply.answer(make)
        finally:
            self._upload.release()


def unreachable(status: int, code: str) -> BlobError:
    """Return what is answered where another server refuses the source."""
    return BlobError(
        "CannotVerifyCopySource",
        status=status if 400 <= status < 500 else None,
        headers=(
            ("x-ms-copy-source-status-code", str(status)),
            *((("x-ms-copy-source-error-code", code),) if code.isalnum() and code.isascii() else ()),
        ),
        CopySourceStatusCode=str(status),
    )
