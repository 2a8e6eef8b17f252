"""Copies: a blob with the content of another, by reference.

Whatever Azure does in its own time is done at once here: an asynchronous copy has succeeded when it is answered, so
there is never one to abort.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from localzure.services.blob.engine import blobs, conditions, encryption, leases, sharing
from localzure.services.blob.engine.content import ContentReader
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import (
    UNCONDITIONAL,
    BlobProperties,
    BlobRecord,
    Block,
    Conditions,
    ContentHeaders,
    CopyState,
    OnBlob,
    Rehydration,
)
from localzure.services.interface import SECOND, Instant

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure_storage.extents import ExtentId
    from localzure_storage.store import Reader, Writer

STEP_BYTES = 256 * 1024
"""Bytes that are copied at a time, where a block takes parts of several."""


class Source(Struct):
    """Where a copy comes from."""

    target: OnBlob
    url: str
    """As the client gave it."""
    conditions: Conditions = UNCONDITIONAL
    lease_id: str | None = None


class CopyBlob(Struct):
    """Copy Blob, Copy Blob From URL and Put Blob From URL."""

    target: OnBlob
    source: Source
    properties: BlobProperties
    copy_id: str
    headers: ContentHeaders | None = None
    """The system properties, where they are not the source's."""
    keeps_metadata: bool = True
    """Whether the source's metadata are taken where the request has none."""
    keeps_tags: bool = False
    is_put: bool = False
    """Put Blob From URL leaves no trace of a copy, and always makes a block blob."""
    seals: bool | None = None
    rehydrate_priority: str = "Standard"


def find_source(engine: Engine, reader: Reader, source: Source, moment: Moment) -> BlobRecord:
    """Return what is copied. Raises BlobError, for conditions `SourceConditionNotMet`."""
    record = blobs.find_any(engine, reader, source.target, moment.now).record
    if record is None:
        raise BlobError("BlobNotFound")
    encryption.check_key(source.target, record)
    if source.lease_id is not None:
        leases.check_read(record.lease, source.lease_id, moment.now, "Blob")
    if source.conditions is not UNCONDITIONAL:
        try:
            conditions.check_write(source.conditions, record)
        except BlobError as error:
            tags = source.conditions.if_tags
            if error.code != "ConditionNotMet" or (tags is not None and not tags.holds(record.tags)):
                raise  # for its tags a source is refused with the code of the destination's conditions
            raise BlobError("SourceConditionNotMet") from error
    return record


def copy(engine: Engine, writer: Writer, command: CopyBlob, moment: Moment) -> BlobRecord:
    """Make or replace a blob with the content of the source."""
    target = command.target
    source = find_source(engine, writer, command.source, moment)
    place = blobs.locate(engine, writer, target, moment.now)
    current = blobs.committed(place.record)
    blobs.check_overwrite(engine, target, current, moment.now)
    if command.is_put and source.kind != "BlockBlob":
        raise BlobError("InvalidBlobType")
    if current is not None and current.kind != source.kind and not command.is_put:
        raise BlobError("InvalidBlobType")
    if source.tier == "Archive" and source.kind == "BlockBlob" and command.is_put:
        raise BlobError("BlobArchived")
    record = blobs.new_record(target, place.container, command.properties, source.length, current, moment)
    _take(command, source, record, moment)
    if source.content is not None and source.kind == "AppendBlob":
        record.is_content_own = False
    sharing.share(engine, writer, record)
    blobs.replace(engine, writer, target, place, record, moment)
    return record


def _take(command: CopyBlob, source: BlobRecord, record: BlobRecord, moment: Moment) -> None:
    """Give the destination what the request leaves to the source."""
    record.kind = source.kind
    record.inline, record.extent, record.content, record.layer = (
        source.inline,
        source.extent,
        source.content,
        source.layer,
    )
    record.block_count, record.sequence_number = source.block_count, source.sequence_number
    record.headers = msgspec.structs.replace(source.headers) if command.headers is None else command.headers
    if not record.metadata and command.keeps_metadata:
        record.metadata = dict(source.metadata)
    if command.keeps_tags:
        record.tags = dict(source.tags)
    if source.kind == "AppendBlob":
        record.is_sealed = source.is_sealed if command.seals is None else command.seals
    if record.tier is None and source.kind != "AppendBlob" and not command.is_put:
        record.tier, record.tier_changed = source.tier, source.tier_changed
    if source.tier == "Archive" and record.tier not in {None, "Archive"} and record.tier is not None:
        record.rehydration = rehydration(record.tier, command.rehydrate_priority, moment)
        record.tier = "Archive"
    if not command.is_put:
        record.copy = CopyState(command.copy_id, command.source.url, "success", source.length, moment.now)


def rehydration(tier: str, priority: str, moment: Moment) -> Rehydration:
    """Return a rehydration that begins now; its time is the longest that Azure promises for its priority."""
    hours = 1 if priority == "High" else 15
    return Rehydration(tier, priority, Instant(moment.now + hours * 3600 * SECOND))


def abort(engine: Engine, writer: Writer, target: OnBlob, moment: Moment) -> None:
    """Abort Copy Blob: there is never anything to abort."""
    _, record = blobs.find(engine, writer, target, moment.now)
    leases.check_write(record.lease, target.lease_id, moment.now, "Blob")
    raise BlobError("NoPendingCopyOperation")


def copy_incremental(engine: Engine, writer: Writer, command: CopyBlob, moment: Moment) -> BlobRecord:
    """Incremental Copy Blob: make the destination the source's snapshot, and take a snapshot of it."""
    target = command.target
    source = find_source(engine, writer, command.source, moment)
    if source.kind != "PageBlob":
        raise BlobError("InvalidSourceBlobType")
    if source.snapshot is None:
        raise BlobError("IncrementalCopySourceMustBeSnapshot")
    place = blobs.locate(engine, writer, target, moment.now)
    current = blobs.committed(place.record)
    leases.check_write(None if current is None else current.lease, target.lease_id, moment.now, "Blob")
    conditions.check_write(target.conditions, current)
    if current is not None and (current.copy is None or not current.copy.is_incremental):
        raise BlobError("IncrementalCopyBlobMismatch")
    record = blobs.new_record(target, place.container, command.properties, source.length, current, moment)
    _take(command, source, record, moment)
    ticks = blobs.next_free(engine, writer, place.container.id, target.blob, moment.etag)
    assert record.copy is not None
    record.copy.is_incremental, record.copy.snapshot = True, ticks
    sharing.share(engine, writer, record)
    blobs.replace(engine, writer, target, place, record, moment)
    taken = msgspec.structs.replace(record, snapshot=ticks, version=None, lease=None)
    sharing.share(engine, writer, taken)
    writer.put(engine.keys.past_blob(place.container.id, target.blob, ticks), blobs.encode(taken))
    return record


def read_range(engine: Engine, reader: Reader, record: BlobRecord, offset: int, length: int) -> bytes:
    """Return bytes of the source. The caller bounds the length."""
    return ContentReader(engine, record).read_all(reader, offset, length) if length else b""


def take_range(engine: Engine, writer: Writer, record: BlobRecord, offset: int, length: int) -> Block:
    """Return a run of the source's bytes as a block without a name: part of its extent, or a pinned copy.

    The caller unpins the block's extent once it has retained it.
    """
    if record.extent is not None:
        engine.extents.pin(record.extent)
        return Block("", length, record.extent, offset)
    extent: ExtentId | None = None
    for at in range(offset, offset + length, STEP_BYTES):
        data = read_range(engine, writer, record, at, min(STEP_BYTES, offset + length - at))
        if extent is None:
            extent = engine.extents.create(writer, data)
        else:
            engine.extents.append(writer, extent, data)
    return Block("", length, engine.extents.create(writer) if extent is None else extent)
