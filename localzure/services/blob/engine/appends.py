"""Append blobs: adding blocks at the end, under conditions on where that is, until the blob is sealed.

The blocks are a list as that of a block blob, and it only grows: a snapshot shares the list and reads as far as it was
long. Only the blob that began a list adds to it in place; a copy first takes a list of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from localzure.services.blob.engine import blobs, blocks, conditions, content, encryption, immutability, leases, remains
from localzure.services.blob.errors import BlobError
from localzure.services.blob.keys import BLOCKS_PER_PAGE
from localzure.services.blob.model import BLOCK_COUNT_MAX, BlobProperties, BlobRecord, Block, OnBlob

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure_storage.store import Reader, Writer


class AppendBlock(Struct):
    """Append Block, and Seal: both take the same conditions."""

    target: OnBlob
    size_max: int | None = None
    """The blob may not be longer than this afterwards."""
    position: int | None = None
    """The blob must be as long as this before."""


class CreateBlob(Struct):
    """Put Blob, of an append or page blob."""

    target: OnBlob
    properties: BlobProperties
    length: int = 0
    sequence_number: int = 0


class Appended(Struct):
    """What became of an appended block."""

    record: BlobRecord
    offset: int


_encode = msgspec.msgpack.Encoder().encode
_decode_blocks = msgspec.msgpack.Decoder(list[Block]).decode


def create(engine: Engine, writer: Writer, command: CreateBlob, moment: Moment) -> BlobRecord:
    """Put Blob: make an empty append blob, or replace a blob by one."""
    target = command.target
    place = blobs.locate(engine, writer, target, moment.now)
    current = blobs.committed(place.record)
    blobs.check_overwrite(engine, target, current, moment.now)
    record = blobs.new_record(target, place.container, command.properties, 0, current, moment)
    blobs.replace(engine, writer, target, place, record, moment)
    return record


def check(engine: Engine, reader: Reader, command: AppendBlock, size: int, moment: Moment) -> tuple[bytes, BlobRecord]:
    """Return what is appended to. Raises BlobError where that would be refused as things stand."""
    target = command.target
    key, record = blobs.find(engine, reader, target, moment.now)
    leases.check_write(record.lease, target.lease_id, moment.now, "Blob")
    conditions.check_write(target.conditions, record)
    if record.kind != "AppendBlob":
        raise BlobError("InvalidBlobType")
    if size:  # to seal a blob needs no key
        encryption.check_change(engine, reader, target, record)
    if command.size_max is not None and record.length + size > command.size_max:
        raise BlobError("MaxBlobSizeConditionNotMet")
    if command.position is not None and record.length != command.position:
        raise BlobError("AppendPositionConditionNotMet")
    return key, record


def append(engine: Engine, writer: Writer, command: AppendBlock, block: Block, moment: Moment) -> Appended:
    """Append Block: a run of bytes of an extent, to retain."""
    key, record = check(engine, writer, command, block.size, moment)
    immutability.check_mutable(record, moment.now)
    if record.is_sealed:
        raise BlobError("BlobIsSealed")
    if record.block_count >= BLOCK_COUNT_MAX:
        raise BlobError("BlockCountExceedsLimit")
    engine.extents.retain(writer, block.extent)
    _add(engine, writer, record, block)
    offset = record.length
    record.length += block.size
    record.block_count += 1
    record.headers.content_md5 = None
    return Appended(blobs.save_changed(writer, key, record, moment), offset)


def seal(engine: Engine, writer: Writer, command: AppendBlock, moment: Moment) -> BlobRecord:
    """Seal: nothing is appended any more."""
    key, record = check(engine, writer, command, 0, moment)
    record.is_sealed = True
    return blobs.save_changed(writer, key, record, moment)


def _add(engine: Engine, writer: Writer, record: BlobRecord, block: Block) -> None:
    """Put a block behind the others."""
    if record.content is None:
        record.content = blocks.write_list(engine, writer, [block])
        record.is_content_own = True
        return
    if not record.is_content_own:
        _take_own_list(engine, writer, record)
    keys = engine.keys
    start, stop = keys.block_pages(record.content)
    key, value = next(iter(writer.scan(start, stop, reverse=True, limit=1)))
    page = _decode_blocks(value)
    if len(page) < BLOCKS_PER_PAGE:
        writer.put(key, _encode([*page, block]))
    else:
        writer.put(keys.block_page(record.content, record.length), _encode([block]))


def _take_own_list(engine: Engine, writer: Writer, record: BlobRecord) -> None:
    """Give a copy a list of its own, as long as the copy is: the other one may have grown since."""
    assert record.content is not None
    taken: list[Block] = []
    left = record.length
    for block in content.all_blocks(engine, writer, record.content):
        if not left:
            break
        engine.extents.retain(writer, block.extent)
        taken.append(block)
        left -= block.size
    remains.discard_content(engine, writer, record)
    record.content = blocks.write_list(engine, writer, taken)
    record.is_content_own = True
