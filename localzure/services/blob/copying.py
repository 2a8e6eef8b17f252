"""Copies on the wire: Copy Blob, Copy Blob From URL, Put Blob From URL, and ranges taken from a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob import checksums, growing_requests, replies, requests, sources
from localzure.services.blob.bodies import INLINE_BYTES_MAX, STEP_BYTES
from localzure.services.blob.checksums import Promise, Sums
from localzure.services.blob.engine import appends, blobs, blocks, copies, pages
from localzure.services.blob.engine.copies import CopyBlob
from localzure.services.blob.errors import BlobError
from localzure.services.blob.gathering import Fetching, Gathering
from localzure.services.blob.model import Block, CopyState
from localzure.services.interface import HttpReply, LaterReply
from localzure.services.storage_rest.handling import writing
from localzure.services.storage_rest.sinks import Bodiless

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.blob.bodies import Upload
    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.copies import Source
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.gathering import Use
    from localzure.services.blob.handling import Handler
    from localzure.services.blob.model import BlobRecord
    from localzure.services.blob.sources import Elsewhere
    from localzure.services.interface import BodySink
    from localzure_storage.store import Writer

PUT_BYTES_MAX = 5000 * 1024 * 1024
"""Longest source of Put Blob From URL; Copy Blob takes no longer one from another server."""

SYNC_BYTES_MAX = 256 * 1024 * 1024
"""Longest source of Copy Blob From URL; LocalZure's own blobs may be longer."""


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
        elsewhere = sources.elsewhere(call)
        if elsewhere is not None:
            return _fetching_copy(call, elsewhere, render)
        command = read(call)
        promised = checksums.source_promise(call)
        parts = call.parts
        engine = parts.engine

        def copy(writer: Writer, sums: Sums | None, expected: BlobRecord) -> HttpReply:
            moment = parts.writing()
            source = _source(engine, writer, command.source, moment, hides_conditions=hides_conditions)
            if source.etag != expected.etag:
                raise BlobError("SourceConditionNotMet")  # it was overwritten while its sums were computed
            return render(call, copies.copy(engine, writer, command, moment), sums)

        def finish() -> HttpReply:
            with parts.transactions.writer() as writer:
                moment = parts.reading()
                source = _source(engine, writer, command.source, moment, hides_conditions=hides_conditions)
                if promised == Promise():
                    return copy(writer, None, source)
                if source.length <= STEP_BYTES:
                    data = copies.read_range(engine, writer, source, 0, source.length)
                    sums = checksums.sums_of(data, with_md5=True)
                    promised.check(sums)
                    return copy(writer, sums, source)
            return _gather(
                call, source, 0, source.length, promised, lambda writer, _block, sums: copy(writer, sums, source)
            )

        return Bodiless(finish)

    return handle


def _gather(call: Call, record: BlobRecord, offset: int, length: int, promised: Promise, use: Use) -> LaterReply:
    """Read a source in steps; the reply follows at the end."""
    gathering = Gathering(call, record, offset, length, promised, use)
    call.parts.jobs.start(gathering.step)
    return gathering.reply


def _fetching_copy(
    call: Call, elsewhere: Elsewhere, render: Callable[[Call, BlobRecord, Sums | None], HttpReply]
) -> BodySink:
    """Return the sink of a copy from another server: a block blob with its content and what its headers say."""
    target = requests.on_base_blob(call)
    properties = requests.blob_properties(call, has_content=False)
    given = requests.content_headers(call, has_content=False)
    is_put = call.operation.name == "BlockBlob_PutBlobFromUrl"
    copy_id = str(call.parts.entropy.uuid())
    parts = call.parts

    def use(writer: Writer, upload: Upload, headers: dict[str, str], sums: Sums | None) -> HttpReply:
        properties.headers = sources.content_headers(headers, given if is_put else None)
        properties.headers.content_md5 = upload.sums().md5
        if not properties.metadata:
            properties.metadata = sources.metadata(headers)
        moment = parts.writing()
        content = upload.content(writer, INLINE_BYTES_MAX)
        record = blobs.put(parts.engine, writer, target, properties, content, upload.size, moment)
        if not is_put:
            record.copy = CopyState(copy_id, elsewhere.url, "success", upload.size, moment.now)
            blobs.save(writer, blobs.locate(parts.engine, writer, target, moment.now).key, record)
        return render(call, record, sums)

    length_max = PUT_BYTES_MAX if is_put or "x-ms-requires-sync" not in call.request.headers else SYNC_BYTES_MAX
    return _fetch(call, elsewhere, lambda: Fetching(call, length_max, checksums.source_promise(call), use))


def _fetch(call: Call, elsewhere: Elsewhere, make: Callable[[], Fetching]) -> BodySink:
    fetch = call.parts.fetch
    assert fetch is not None, "a source elsewhere is only taken where that is allowed"

    def finish() -> HttpReply:
        fetching = make()
        fetch(elsewhere.url, elsewhere.headers, fetching)
        return fetching.reply

    return Bodiless(finish)


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


def _render_copy(call: Call, record: BlobRecord, sums: Sums | None) -> HttpReply:
    headers = replies.tagged(call, record)
    if sums is not None:
        headers += sums.headers()
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
    asked = requests.byte_range(call, "x-ms-source-range")
    promised = checksums.source_promise(call)
    parts = call.parts
    engine = parts.engine
    elsewhere = sources.elsewhere(call)
    if elsewhere is not None:

        def use_fetched(writer: Writer, upload: Upload, _headers: dict[str, str], sums: Sums | None) -> HttpReply:
            return use(engine, writer, Block("", upload.size, upload.extent(writer)), sums, parts.writing())

        wanted = None if asked is None else (asked.first, asked.last)
        return _fetch(call, elsewhere, lambda: Fetching(call, length_max, promised, use_fetched, wanted))
    source = sources.read(call)

    def finish() -> HttpReply:
        with parts.transactions.writer() as writer:
            record = _source(engine, writer, source, parts.reading(), hides_conditions=hides_conditions)
            first = 0 if asked is None else asked.first
            last = record.length - 1 if asked is None or asked.last is None else min(asked.last, record.length - 1)
            if first > last:
                raise BlobError("InvalidRange")
            length = last - first + 1
            if length > length_max:
                raise BlobError("RequestBodyTooLarge", MaxLimit=str(length_max))
            if length <= STEP_BYTES or (record.extent is not None and promised == Promise()):
                return _take_at_once(writer, record, first, length)
        return _gather(
            call,
            record,
            first,
            length,
            promised,
            lambda writer, block, sums: use(engine, writer, block, sums, parts.writing()),
        )

    def _take_at_once(writer: Writer, record: BlobRecord, first: int, length: int) -> HttpReply:
        sums = None
        if length <= STEP_BYTES:  # of a longer one nothing was promised: it is taken without being read
            data = copies.read_range(engine, writer, record, first, length)
            sums = checksums.sums_of(data, with_md5=promised.md5 is not None)
            promised.check(sums)
        block = copies.take_range(engine, writer, record, first, length)
        try:
            return use(engine, writer, block, sums, parts.writing())
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
