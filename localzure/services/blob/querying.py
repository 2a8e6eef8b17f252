"""Query Blob Contents on the wire: the document in, and a reply that is computed while it is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localzure.services.blob import replies, requests
from localzure.services.blob.engine import blobs
from localzure.services.blob.engine.content import ContentReader
from localzure.services.blob.errors import BlobError
from localzure.services.interface import SECOND, HttpReply
from localzure.services.storage_rest.sinks import Collecting
from localzure.services.storage_rest.xml_reader import XmlError, parse_document

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.state import Engine
    from localzure.services.blob.model import BlobRecord
    from localzure.services.blob.query.request import QueryRequest
    from localzure.services.blob.query.running import LateQuery, Query
    from localzure.services.interface import BodySink, Instant, Transactions

DOCUMENT_BYTES_MAX = 2 * 1024 * 1024
"""Longest request: an expression of 256 KiB, each character escaped."""

AT_ONCE_CHARS_MAX = 2048
"""Longest expression that is read before the reply begins: some milliseconds of work."""

READ_BYTES = 16 * 1024
"""How much of a blob one step of a query reads: some hundreds of rows, a few milliseconds of work."""

UNTRUE_OF_RESULT = frozenset({"content-type", "content-encoding", "content-md5", "content-length", "accept-ranges"})
"""Headers of the blob's that say nothing of the result."""


def query_blob(call: Call) -> BodySink:
    """Query Blob Contents."""
    command = requests.on_blob(call)

    def finish(body: bytes) -> HttpReply:
        from localzure.services.blob.query.request import read_request  # most servers never run a query

        try:
            asked = read_request(parse_document(body))
        except XmlError as error:
            raise BlobError("InvalidXmlDocument", Reason=str(error)) from error
        parts = call.parts
        with parts.transactions.reader() as reader:
            record = blobs.read(parts.engine, reader, command, parts.reading())
        if record.kind == "PageBlob":
            raise BlobError("InvalidBlobType")
        if record.tier == "Archive":
            raise BlobError("BlobArchived" if record.rehydration is None else "BlobBeingRehydrated")
        query = _begin(asked, record.length, parts.clock.now())
        headers = [header for header in replies.blob_headers(call, record) if header[0] not in UNTRUE_OF_RESULT]
        headers.append(("content-type", "avro/binary"))
        sync = parts.entropy.bytes(16)
        return HttpReply(200, headers, _Answer(query, sync, parts.engine, parts.transactions, record))

    return Collecting(call.request, DOCUMENT_BYTES_MAX, finish)


def _begin(asked: QueryRequest, length: int, now: Instant) -> Query | LateQuery:
    """Begin a query over a blob. Raises BlobError."""
    from localzure.services.blob.query.grammar import read_query
    from localzure.services.blob.query.running import LateQuery, Query
    from localzure.services.blob.query.syntax import QueryError

    moment = datetime.fromtimestamp(now / SECOND, UTC)
    if len(asked.expression) > AT_ONCE_CHARS_MAX:
        return LateQuery(asked.expression, asked.source, asked.result, length, moment)
    try:
        return Query(read_query(asked.expression), asked.source, asked.result, length, moment)
    except QueryError as error:
        raise BlobError("InvalidInput", Reason=error.description) from error


class _Answer:
    """The reply to a query (see `localzure.services.interface.BodySource`); pins the content until `close`."""

    def __init__(
        self, query: Query | LateQuery, sync: bytes, engine: Engine, transactions: Transactions, record: BlobRecord
    ) -> None:
        from localzure.services.blob.query import avro

        self._avro = avro
        self._query = query
        self._sync = sync
        self._transactions = transactions
        self._content = ContentReader(engine, record)
        self._content.pin()
        self._length = record.length
        self._offset = 0
        self._ready = memoryview(avro.header(sync))

    @property
    def length(self) -> None:
        """Nobody knows before the end."""
        return

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`, from one step of the query; empty at the end."""
        query = self._query
        if not self._ready and not query.is_done:
            self._ready = memoryview(self._avro.block(query.step(self._next_piece()), self._sync))
            self._query = query.successor or query
        piece = bytes(self._ready[:limit])
        self._ready = self._ready[limit:]
        return piece

    def close(self) -> None:
        """Let go of the content."""
        self._content.unpin()

    def _next_piece(self) -> bytes:
        """Read on in the blob, where the query wants more of it."""
        take = min(READ_BYTES, self._length - self._offset)
        if not self._query.wants_bytes or not take:
            return b""
        with self._transactions.reader() as reader:
            data = self._content.read(reader, self._offset, take)
        self._offset += len(data)
        return data
