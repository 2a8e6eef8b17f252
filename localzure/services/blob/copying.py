"""Copies on the wire: Copy Blob, Copy Blob From URL, Put Blob From URL, and ranges taken from a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob import checksums, growing_requests, replies, requests, sources
from localzure.services.blob.checksums import Promise, Sums
from localzure.services.blob.engine import appends, blocks, copies, pages
from localzure.services.blob.engine.copies import CopyBlob
from localzure.services.blob.errors import BlobError
from localzure.services.blob.handling import writing
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.sinks import Bodiless

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.copies import Source
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.handling import Handler
    from localzure.services.blob.model import BlobRecord, Block
    from localzure.services.interface import BodySink
    from localzure_storage.store import Writer

DIGEST_BYTES_MAX = 256 * 1024 * 1024
"""Longest source whose MD5 is checked: Copy Blob From URL takes no longer ones at all."""


def _copy(call: Call) -> CopyBlob:
    """Read Copy Blob and Copy Blob From URL."""
    headers = call.request.headers
    source = sources.read(call, trusts_own_account=call.operation.name == "Blob_StartCopyFromURL")
    return CopyBlob(
        requests.on_base_blob(call),
        source,
        requests.blob_properties(call, has_content=False),
        str(call.parts.entropy.uuid()),
        keeps_tags=headers.get("x-ms-copy-source-tag-option", "REPLACE").upper() == "COPY",
        seals=requests.flag(call, "x-ms-seal-blob") if "x-ms-seal-blob" in headers else None,
        rehydrate_priority=requests.priority(call),
    )


def _put(call: Call) -> CopyBlob:
    """Read Put Blob From URL: system properties of the request's come before the source's."""
    headers = call.request.headers
    command = _copy(call)
    command.is_put = True
    properties = requests.content_headers(call, has_content=False)
    if headers.get("x-ms-copy-source-blob-properties", "true").lower() == "false" or any(
        name.startswith("x-ms-blob-content-") or name == "x-ms-blob-cache-control" for name in headers
    ):
        command.headers = properties
        properties.content_type = properties.content_type or "application/octet-stream"
    return command


def _copying(
    read: Callable[[Call], CopyBlob],
    render: Callable[[Call, BlobRecord, Sums | None], HttpReply],
    *,
    hides_conditions: bool = False,
) -> Handler:
    """Make the handler of a copy that may say what sums its source has."""

    def handle(call: Call) -> BodySink:
        command = read(call)
        promised = checksums.source_promise(call)

        def finish() -> HttpReply:
            parts = call.parts
            with parts.transactions.writer() as writer:
                moment = parts.writing()
                source = _source(parts.engine, writer, command.source, moment, hides_conditions=hides_conditions)
                sums = None
                if promised != Promise() and source.length <= DIGEST_BYTES_MAX:
                    data = copies.read_range(parts.engine, writer, source, 0, source.length)
                    sums = checksums.sums_of(data, with_md5=True)
                    promised.check(sums)
                record = copies.copy(parts.engine, writer, command, moment)
            return render(call, record, sums)

        return Bodiless(finish)

    return handle


def _source(
    engine: Engine, writer: Writer, source: Source, moment: Moment, *, hides_conditions: bool = False
) -> BlobRecord:
    try:
        return copies.find_source(engine, writer, source, moment)
    except BlobError as error:
        if hides_conditions and error.code == "SourceConditionNotMet":
            raise BlobError("CannotVerifyCopySource", status=404) from error
        if error.code in {"BlobNotFound", "ContainerNotFound"}:
            raise sources.unverified(error) from error
        raise


def _render_incremental(call: Call, record: BlobRecord) -> HttpReply:
    return _render_copy(call, record, None)


def _render_copy(call: Call, record: BlobRecord, _sums: Sums | None) -> HttpReply:
    headers = replies.tagged(call, record)
    # Azure answers an incremental copy before it begins, whatever its size: clients wait for the destination.
    assert record.copy is not None, "a copy leaves its trace"
    status = "pending" if record.copy.is_incremental else record.copy.status
    headers += [("x-ms-copy-id", record.copy.id), ("x-ms-copy-status", status)]
    return HttpReply(202, headers)


def _render_put(call: Call, record: BlobRecord, sums: Sums | None) -> HttpReply:
    return replies.blob_written(call, record, sums or Sums(record.headers.content_md5, None))


def _render_abort(call: Call, _reply: None) -> HttpReply:
    return replies.done(call, None)


start_copy = _copying(_copy, _render_copy)
put_from_url = _copying(_put, _render_put, hides_conditions=True)
abort_copy = writing(requests.on_base_blob, copies.abort, _render_abort)
incremental_copy = writing(_copy, copies.copy_incremental, _render_incremental)


# --- ranges -------------------------------------------------------------------------------------------------------


def _taking(
    call: Call,
    length_max: int,
    use: Callable[[Engine, Writer, Block, Sums | None, Moment], HttpReply],
    *,
    hides_conditions: bool = False,
) -> BodySink:
    """Return the sink of an operation that takes a range of its source; `use` gets it as a pinned block."""
    source = sources.read(call)
    asked = requests.byte_range(call, "x-ms-source-range")
    promised = checksums.source_promise(call)

    def finish() -> HttpReply:
        parts = call.parts
        engine = parts.engine
        with parts.transactions.writer() as writer:
            moment = parts.writing()
            record = _source(engine, writer, source, moment, hides_conditions=hides_conditions)
            first = 0 if asked is None else asked.first
            last = record.length - 1 if asked is None or asked.last is None else min(asked.last, record.length - 1)
            if first > last:
                raise BlobError("InvalidRange")
            if last - first >= length_max:
                raise BlobError("RequestBodyTooLarge", MaxLimit=str(length_max))
            sums = None
            if promised != Promise():
                sums = checksums.sums_of(
                    copies.read_range(engine, writer, record, first, last - first + 1),
                    with_md5=promised.md5 is not None,
                )
                promised.check(sums)
            block = copies.take_range(engine, writer, record, first, last - first + 1)
            try:
                return use(engine, writer, block, sums, moment)
            finally:
                engine.extents.unpin(block.extent)

    return Bodiless(finish)


def put_block_from_url(call: Call) -> BodySink:
    """Put Block From URL."""
    command = requests.stage_block(call)

    def use(engine: Engine, writer: Writer, block: Block, sums: Sums | None, moment: Moment) -> HttpReply:
        staging = blocks.stage(engine, writer, command, block, moment)
        return replies.block_staged(call, staging, sums)

    return _taking(call, 4000 * 1024 * 1024, use)


def append_from_url(call: Call) -> BodySink:
    """Append Block From URL. Azure reads its source with the conditions, and answers 404 where they do not hold."""
    command = growing_requests.append_block(call)

    def use(engine: Engine, writer: Writer, block: Block, sums: Sums | None, moment: Moment) -> HttpReply:
        appended = appends.append(engine, writer, command, block, moment)
        return replies.block_appended(call, appended, sums)

    return _taking(call, growing_requests.APPEND_BYTES_MAX, use, hides_conditions=True)


def put_pages_from_url(call: Call) -> BodySink:
    """Put Page From URL."""
    command = growing_requests.write_pages(call)

    def use(engine: Engine, writer: Writer, block: Block, sums: Sums | None, moment: Moment) -> HttpReply:
        if block.size != command.stop - command.start:
            raise BlobError("InvalidPageRange")
        record = pages.write(engine, writer, command, block, moment)
        return replies.pages_written(call, record, sums)

    return _taking(call, growing_requests.PAGES_BYTES_MAX, use)
