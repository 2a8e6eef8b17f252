"""From a routed call to its reply: what each operation that is built does with its head and its body.

A handler takes a call whose head has arrived and returns the sink for its body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.authenticate import refuse_anonymous
from localzure.auth.principal import PrincipalKind
from localzure.services.blob import checksums, documents, replies, requests
from localzure.services.blob.bodies import INLINE_BYTES_MAX, STEP_BYTES, open_body
from localzure.services.blob.checksums import Promise, Summing, Sums
from localzure.services.blob.engine import blobs, blocks, containers, past
from localzure.services.blob.engine.content import ContentReader
from localzure.services.blob.engine.past import CreateSnapshot
from localzure.services.blob.errors import BlobError
from localzure.services.blob.handling import xml_reply
from localzure.services.blob.model import (
    Block,
    BlockListKind,
    ByteRange,
    CommitBlocks,
    GetBlockList,
    RenameContainer,
    RestoreContainer,
    SetBlobHeaders,
    SetBlobMetadata,
)
from localzure.services.blob.structured import STRUCTURED_BODY, StructuredSource
from localzure.services.blob.uploading import Uploading, asks_structured, content_length, upload_head
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.handling import reading, writing
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.sinks import Bodiless

if TYPE_CHECKING:
    from localzure.services.blob.bodies import Upload
    from localzure.services.blob.call import Call
    from localzure.services.blob.model import BlobRecord, BlockLists, ContainerPage
    from localzure.services.interface import BodySink
    from localzure_storage.store import Reader

PUT_BLOB_BYTES_MAX = 5000 * 1024 * 1024
"""Longest body of Put Blob (since version 2019-12-12)."""

PUT_BLOCK_BYTES_MAX = 4000 * 1024 * 1024
"""Longest body of Put Block (since version 2019-12-12)."""

BLOCK_LIST_BYTES_MAX = 16 * 1024 * 1024
"""Longest body of Put Block List: 50,000 of the longest ids take 6 MiB, and indentation some more."""

RANGE_DIGEST_BYTES_MAX = 4 * 1024 * 1024
"""Longest range whose MD5 is computed for a download."""


# --- operations without a body ------------------------------------------------------------------------------------


def _set_blob_metadata(call: Call) -> SetBlobMetadata:
    return SetBlobMetadata(requests.on_blob(call), requests.metadata(call))


def _set_blob_headers(call: Call) -> SetBlobHeaders:
    return SetBlobHeaders(requests.on_blob(call), requests.content_headers(call, has_content=False))


def _create_snapshot(call: Call) -> CreateSnapshot:
    return CreateSnapshot(requests.on_base_blob(call), requests.metadata(call))


def _restore_container(call: Call) -> RestoreContainer:
    headers = call.request.headers
    for name in ("x-ms-deleted-container-name", "x-ms-deleted-container-version"):
        if not headers.get(name):
            raise BlobError("MissingRequiredHeader", HeaderName=name)
    return RestoreContainer(
        call.address.account,
        call.container,
        headers["x-ms-deleted-container-name"],
        headers["x-ms-deleted-container-version"],
    )


def _rename_container(call: Call) -> RenameContainer:
    source = call.request.headers.get("x-ms-source-container-name")
    if not source:
        raise BlobError("MissingRequiredHeader", HeaderName="x-ms-source-container-name")
    lease_id = requests.lease_id(call, "x-ms-source-lease-id")
    return RenameContainer(call.address.account, call.container, source, lease_id)


def _get_block_list(call: Call) -> GetBlockList:
    """Anonymous callers may see the committed blocks only."""
    kind = requests.block_list_kind(call)
    if call.principal.kind is PrincipalKind.ANONYMOUS and kind is not BlockListKind.COMMITTED:
        raise refuse_anonymous(call.request)
    return GetBlockList(requests.on_blob(call), kind)


def _render_containers(call: Call, page: ContainerPage) -> HttpReply:
    words = requests.includes(call, requests.CONTAINER_INCLUDES)
    return xml_reply(call, documents.container_listing(call, page, with_metadata="metadata" in words))


def _render_block_lists(call: Call, lists: BlockLists) -> HttpReply:
    """A blob that has no committed content yet has no entity tag to show."""
    record = lists.record
    headers = replies.tagged(call, record) if record.is_committed else reply_headers(call.request)
    headers.append(("x-ms-blob-content-length", str(record.length)))
    headers.append(("content-type", "application/xml"))
    return HttpReply(200, headers, documents.block_lists(lists))


create_container = writing(requests.create_container, containers.create, replies.container_created)
get_container_properties = reading(requests.on_container, containers.get, replies.container_properties)
get_container_metadata = reading(requests.on_container, containers.get, replies.container_metadata)
set_container_metadata = writing(requests.set_container_metadata, containers.set_metadata, replies.container_changed)
delete_container = writing(requests.on_container, containers.delete, replies.accepted)
rename_container = writing(_rename_container, containers.rename, replies.done)
_list_containers = reading(requests.list_containers, containers.list_page, _render_containers)
_list_with_system = writing(requests.list_containers, containers.list_with_system, _render_containers)
get_blob_properties = reading(requests.on_blob, blobs.read, replies.blob_properties)
get_blob_metadata = reading(requests.on_blob, blobs.read, replies.blob_metadata)
set_blob_metadata = writing(_set_blob_metadata, blobs.set_metadata, replies.blob_changed)
set_blob_headers = writing(_set_blob_headers, blobs.set_headers, replies.blob_changed)
delete_blob = writing(requests.delete_blob, past.delete, replies.deleted)
undelete_blob = writing(requests.on_base_blob, past.undelete, replies.done)
create_snapshot = writing(_create_snapshot, past.snapshot, replies.snapshot_taken)
restore_container = writing(_restore_container, containers.restore, replies.created)
get_block_list = reading(_get_block_list, blocks.get_lists, _render_block_lists)


def list_containers(call: Call) -> BodySink:
    """List Containers."""
    has_system = "system" in requests.includes(call, requests.CONTAINER_INCLUDES) and not call.address.secondary
    return (_list_with_system if has_system else _list_containers)(call)


# --- downloads ----------------------------------------------------------------------------------------------------


def get_blob(call: Call) -> BodySink:
    """Get Blob: the whole of it, or a range."""
    command = requests.on_blob(call)
    asked = requests.byte_range(call)
    sum_name = _wanted_range_sum(call, asked)
    is_structured = asks_structured(call)

    def finish() -> HttpReply:
        parts = call.parts
        with parts.transactions.reader() as reader:
            record = blobs.read(parts.engine, reader, command, parts.reading())
            if record.tier == "Archive":
                raise BlobError("BlobArchived" if record.rehydration is None else "BlobBeingRehydrated")
            if asked is None:
                reply = _whole_reply(call, reader, record)
            else:
                reply = _range_reply(call, reader, record, asked, sum_name)
        if blobs.is_access_due(parts.engine, command, record, parts.clock.now()):
            with parts.transactions.writer() as writer:
                blobs.note_access(parts.engine, writer, command, parts.reading())
        return _structure(reply) if is_structured else reply

    return Bodiless(finish)


def _structure(reply: HttpReply) -> HttpReply:
    length = len(reply.body) if isinstance(reply.body, bytes) else reply.body.length
    reply.headers.append(("x-ms-structured-body", STRUCTURED_BODY))
    reply.headers.append(("x-ms-structured-content-length", str(length)))
    reply.body = StructuredSource(reply.body)
    return reply


def _wanted_range_sum(call: Call, asked: ByteRange | None) -> str | None:
    """Return which sum of a range a download shall tell: `md5`, `crc64` or none. Raises BlobError."""
    wanted: list[str] = []
    for name in ("md5", "crc64"):
        header = f"x-ms-range-get-content-{name}"
        if requests.flag(call, header):
            if asked is None or asked.last is None or asked.last - asked.first >= RANGE_DIGEST_BYTES_MAX:
                raise requests.bad_header(header, "true")
            wanted.append(name)
    if len(wanted) > 1:
        raise BlobError("BothCrc64AndMd5RangeHeaderPresent")
    return wanted[0] if wanted else None


def _whole_reply(call: Call, reader: Reader, record: BlobRecord) -> HttpReply:
    headers = replies.blob_headers(call, record)
    digest = record.headers.content_md5
    if digest is not None:
        headers.append(("content-md5", replies.md5_text(digest)))
    parts = call.parts
    return HttpReply(200, headers, open_body(parts.engine, parts.transactions, reader, record, 0, record.length))


def _range_reply(call: Call, reader: Reader, record: BlobRecord, asked: ByteRange, sum_name: str | None) -> HttpReply:
    if asked.first >= record.length:
        raise BlobError("InvalidRange", headers=(("content-range", f"bytes */{record.length}"),))
    last = record.length - 1 if asked.last is None else min(asked.last, record.length - 1)
    length = last - asked.first + 1
    headers = replies.blob_headers(call, record)
    headers.append(("content-range", f"bytes {asked.first}-{last}/{record.length}"))
    if record.headers.content_md5 is not None:
        headers.append(("x-ms-blob-content-md5", replies.md5_text(record.headers.content_md5)))
    parts = call.parts
    if sum_name is not None:
        data = ContentReader(parts.engine, record).read_all(reader, asked.first, length)
        sums = checksums.sums_of(data, with_md5=sum_name == "md5")
        headers += Sums(sums.md5, sums.crc64 if sum_name == "crc64" else None).headers()
        return HttpReply(206, headers, data)
    body = open_body(parts.engine, parts.transactions, reader, record, asked.first, length)
    return HttpReply(206, headers, body)


# --- uploads ------------------------------------------------------------------------------------------------------


def put_blob(call: Call) -> BodySink:
    """Put Blob, of a block blob."""
    head = upload_head(call, PUT_BLOB_BYTES_MAX)
    target = requests.on_base_blob(call)
    properties = requests.blob_properties(call, has_content=True)
    kept = Promise(properties.headers.content_md5)
    if kept.md5 is not None and head.promise.crc64 is not None:
        raise BlobError("BothCrc64AndMsMd5HeaderPresent")
    parts = call.parts
    if head.length > STEP_BYTES:
        with parts.transactions.reader() as reader:
            blobs.check_put(parts.engine, reader, target, parts.reading())

    def finish(upload: Upload, sums: Sums) -> HttpReply:
        kept.check(sums)
        properties.headers.content_md5 = sums.md5
        with parts.transactions.writer() as writer:
            content = upload.content(writer, INLINE_BYTES_MAX)
            record = blobs.put(parts.engine, writer, target, properties, content, head.length, parts.writing())
        return replies.blob_written(call, record, sums)

    return Uploading(call, head, finish, with_md5=True)


def put_block(call: Call) -> BodySink:
    """Put Block."""
    head = upload_head(call, PUT_BLOCK_BYTES_MAX)
    if not head.length:
        raise requests.bad_header("Content-Length", "0")
    command = requests.stage_block(call)
    parts = call.parts
    if head.length > STEP_BYTES:
        with parts.transactions.reader() as reader:
            blocks.check_stage(parts.engine, reader, command, parts.reading())

    def finish(upload: Upload, sums: Sums) -> HttpReply:
        with parts.transactions.writer() as writer:
            block = Block("", head.length, upload.extent(writer))
            staging = blocks.stage(parts.engine, writer, command, block, parts.writing())
        return replies.block_staged(call, staging, sums)

    return Uploading(call, head, finish)


class _CommittingBlocks:
    """The sink of Put Block List: the list is read as it arrives."""

    __slots__ = ("_call", "_left", "_promise", "_properties", "_reader", "_summing", "_target")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._left = content_length(call)
        if self._left > BLOCK_LIST_BYTES_MAX:
            raise BlobError("RequestBodyTooLarge", MaxLimit=str(BLOCK_LIST_BYTES_MAX))
        self._target = requests.on_base_blob(call)
        self._properties = requests.blob_properties(call, has_content=False)
        self._promise = checksums.promise(call)
        self._summing = Summing(with_md5=True)
        self._reader = documents.BlockListReader()

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        self._left -= len(data)
        self._summing.update(data)
        self._reader.feed(data)

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        if self._left:
            raise requests.bad_header("Content-Length", self._call.request.headers["content-length"])
        sums = self._summing.sums()
        self._promise.check(sums)
        command = CommitBlocks(self._target, self._properties, self._reader.close())
        parts = self._call.parts
        with parts.transactions.writer() as writer:
            record = blocks.commit(parts.engine, writer, command, parts.writing())
        return replies.blob_written(self._call, record, sums)

    def abandon(self) -> None:
        """See `BodySink`."""


def put_block_list(call: Call) -> BodySink:
    """Put Block List."""
    return _CommittingBlocks(call)
