"""Block lists: staging a block, committing a list, reading it.

A waiting block holds the reference to its extent, and so does each entry of a committed list. A commit passes
references on from the waiting blocks and from the list that it replaces, and only counts up or down where a block is
used more or less often than before: committing 50,000 fresh blocks changes no count at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import (
    blobs,
    conditions,
    containers,
    content,
    due,
    encryption,
    leases,
    remains,
    sharing,
)
from localzure.services.blob.errors import BlobError
from localzure.services.blob.keys import BLOCKS_PER_PAGE
from localzure.services.blob.model import (
    UNCOMMITTED_BLOCK_COUNT_MAX,
    BlobProperties,
    BlobRecord,
    Block,
    BlockListKind,
    BlockLists,
    BlockSource,
    ContentHeaders,
    Remains,
    StagingRecord,
)
from localzure.services.interface import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.blob.engine.blobs import Place
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import CommitBlocks, GetBlockList, OnBlob, StageBlock
    from localzure_storage.extents import ExtentId
    from localzure_storage.store import Reader, Writer

REMOVED_AT_ONCE_MAX = 256
"""Records of waiting blocks that a commit removes itself; more are left to be swept."""

_encode = msgspec.msgpack.Encoder().encode
_decode_block = msgspec.msgpack.Decoder(Block).decode
_decode_staging = msgspec.msgpack.Decoder(StagingRecord).decode


def check_stage(engine: Engine, reader: Reader, command: StageBlock, moment: Moment) -> None:
    """Raise BlobError where Put Block would be refused as things stand."""
    place = _check_target(engine, reader, command, moment)
    if place.record is not None and place.record.staging is not None:
        staging = _staging(engine, reader, place.record.staging)
        _check_staging(staging, command.block)
        encryption.check_staged(command.target, place.container, staging)


def stage(engine: Engine, writer: Writer, command: StageBlock, block: Block, moment: Moment) -> StagingRecord:
    """Put Block: keep a block until a list commits it, in place of one with the same id.

    The block's extent is to be retained, its name to be given. Returns what is known of all that wait.
    """
    place = _check_target(engine, writer, command, moment)
    staging_id = None if place.record is None else place.record.staging
    if staging_id is None:
        staging_id = _open_staging(engine, writer, command.target, place, moment)
        at = Instant(moment.now + due.UNCOMMITTED_KEPT)
        staging = StagingRecord(count=0, name_length=len(command.block), due=at)
        staging.encryption_scope = encryption.scope_of(command.target, place.container)
        staging.key_sha256 = command.target.key_sha256
        due.remember(engine, writer, at, engine.keys.staging(staging_id), place.key)
    else:
        staging = _staging(engine, writer, staging_id)
        encryption.check_staged(command.target, place.container, staging)
    block_key = engine.keys.waiting_block(staging_id, command.block)
    replaced = writer.get(block_key)
    _check_staging(staging, command.block, is_new=replaced is None)
    if replaced is None:
        staging.count += 1
    else:
        engine.extents.release(writer, _decode_block(replaced).extent)
    staging.touched = moment.now
    writer.put(engine.keys.staging(staging_id), _encode(staging))
    engine.extents.retain(writer, block.extent)
    block.name = command.block
    writer.put(block_key, _encode(block))
    return staging


def _check_target(engine: Engine, reader: Reader, command: StageBlock, moment: Moment) -> Place:
    """Return where a block is staged. Raises BlobError: a lease is in the way, or a blob of another kind."""
    place = blobs.locate(engine, reader, command.target, moment.now)
    current = blobs.committed(place.record)
    leases.check_write(None if current is None else current.lease, command.target.lease_id, moment.now, "Blob")
    if current is not None and current.kind != "BlockBlob":
        raise BlobError("InvalidBlobType")
    return place


def commit(engine: Engine, writer: Writer, command: CommitBlocks, moment: Moment) -> BlobRecord:
    """Put Block List: make the blob the blocks of this list, and forget the blocks that still wait."""
    place = blobs.locate(engine, writer, command.target, moment.now)
    old = place.record
    current = blobs.committed(old)
    blobs.check_overwrite(engine, command.target, current, moment.now)
    if current is not None and current.kind != "BlockBlob":
        raise BlobError("InvalidBlobType")
    blobs.clear(engine, writer, place)
    waiting = _waiting_blocks(engine, writer, old)
    if waiting and old is not None and old.staging is not None:
        encryption.check_staged(command.target, place.container, _staging(engine, writer, old.staging))
    listed = _listed_blocks(engine, writer, current)
    chosen = _choose(command.blocks, waiting, {block.name: block for block in listed})
    is_kept = blobs.keep_replaced(engine, writer, command.target, place, moment)
    _pass_references(engine, writer, None if is_kept else current, chosen, waiting.values(), listed)
    if old is not None and old.staging is not None:
        _forget_waiting(engine, writer, old.staging, waiting)
    length = sum(block.size for block in chosen)
    record = blobs.new_record(command.target, place.container, command.properties, length, current, moment)
    record.content = write_list(engine, writer, chosen)
    if engine.features_of(command.target.account).is_versioned:
        record.version = moment.etag
    containers.note_immutable(engine, writer, command.target, record)
    blobs.save_written(engine, writer, command.target, place.key, record, moment)
    return record


def get_lists(engine: Engine, reader: Reader, command: GetBlockList, moment: Moment) -> BlockLists:
    """Get Block List: the committed blocks in their order, the waiting ones by id."""
    target, kind = command.target, command.kind
    find = blobs.locate if target.is_base else blobs.find_any
    record = find(engine, reader, target, moment.now).record
    if record is None:
        raise BlobError("BlobNotFound")
    leases.check_read(record.lease, target.lease_id, moment.now, "Blob")
    if record.kind != "BlockBlob":
        raise BlobError("InvalidBlobType")
    conditions.check_read(target.conditions, record)
    committed = uncommitted = None
    if kind is not BlockListKind.UNCOMMITTED:
        committed = _listed_blocks(engine, reader, blobs.committed(record))
    if kind is not BlockListKind.COMMITTED:
        uncommitted = list(_waiting_blocks(engine, reader, record).values())
    return BlockLists(record, committed, uncommitted)


def _open_staging(engine: Engine, writer: Writer, target: OnBlob, place: Place, moment: Moment) -> int:
    """Give a blob a place for waiting blocks; one that does not exist gets a record that carries nothing else."""
    staging_id = engine.keys.next_number(writer)
    record = place.record
    blobs.clear(engine, writer, place)
    if record is None:
        properties = BlobProperties(ContentHeaders(), {}, None)
        record = blobs.new_record(target, place.container, properties, 0, None, moment)
        record.is_committed = False
    record.staging = staging_id
    blobs.save(writer, place.key, record)
    return staging_id


def _staging(engine: Engine, reader: Reader, staging_id: int) -> StagingRecord:
    value = reader.get(engine.keys.staging(staging_id))
    assert value is not None, "a blob's staging id has a record"
    return _decode_staging(value)


def _check_staging(staging: StagingRecord, block: str, *, is_new: bool = False) -> None:
    if staging.name_length != len(block):
        raise BlobError("InvalidBlobOrBlock")
    if is_new and staging.count >= UNCOMMITTED_BLOCK_COUNT_MAX:
        raise BlobError("BlockCountExceedsLimit")


def _waiting_blocks(engine: Engine, reader: Reader, record: BlobRecord | None) -> dict[str, Block]:
    if record is None or record.staging is None:
        return {}
    waiting = (_decode_block(value) for _, value in reader.scan(*engine.keys.waiting_blocks(record.staging)))
    return {block.name: block for block in waiting}


def _listed_blocks(engine: Engine, reader: Reader, record: BlobRecord | None) -> list[Block]:
    if record is None or record.content is None:
        return []
    return content.all_blocks(engine, reader, record.content)


def _choose(wanted: list[tuple[BlockSource, str]], waiting: dict[str, Block], listed: dict[str, Block]) -> list[Block]:
    """Find each block of a list where it says. Raises BlobError `InvalidBlockList`."""
    chosen = []
    for source, name in wanted:
        block = None if source is BlockSource.COMMITTED else waiting.get(name)
        if block is None and source is not BlockSource.UNCOMMITTED:
            block = listed.get(name)
        if block is None:
            raise BlobError("InvalidBlockList")
        chosen.append(block)
    return chosen


def _pass_references(
    engine: Engine,
    writer: Writer,
    current: BlobRecord | None,
    chosen: list[Block],
    waiting: Iterable[Block],
    listed: list[Block],
) -> None:
    """Give each entry of the new list a reference: from the blocks that waited, from the old list, or a new one.

    A list that is being downloaded keeps its own until it is swept.
    """
    spare: dict[ExtentId, int] = {}
    _count(spare, waiting, 1)
    if current is not None and current.content is not None:
        if sharing.leave_shared(engine, writer, current.content):
            pass  # the others keep the list and its references
        elif current.content in engine.pinned_contents:
            remains.leave(engine, writer, Remains(content=current.content))
        else:
            remains.leave(engine, writer, Remains(content=current.content, is_referring=False))
            _count(spare, listed, 1)
    elif current is not None:
        remains.discard_content(engine, writer, current)
    _count(spare, chosen, -1)
    unused: list[ExtentId] = []
    for extent, count in spare.items():
        if count > 0:
            unused += [extent] * count
        for _ in range(-count):
            engine.extents.retain(writer, extent)
    remains.release(engine, writer, unused)


def _count(spare: dict[ExtentId, int], blocks: Iterable[Block], step: int) -> None:
    for block in blocks:
        spare[block.extent] = spare.get(block.extent, 0) + step


def _forget_waiting(engine: Engine, writer: Writer, staging_id: int, waiting: dict[str, Block]) -> None:
    """Remove the records of blocks whose references have been passed on."""
    if len(waiting) > REMOVED_AT_ONCE_MAX:
        remains.leave(engine, writer, Remains(staging=staging_id, is_referring=False))
        return
    for name in waiting:
        writer.delete(engine.keys.waiting_block(staging_id, name))
    due.forget_staging(engine, writer, staging_id)


def write_list(engine: Engine, writer: Writer, blocks: list[Block]) -> int | None:
    """Write a list in pages, each under the offset of its first block; None for an empty one."""
    if not blocks:
        return None
    content_id = engine.keys.next_number(writer)
    offset = 0
    for first in range(0, len(blocks), BLOCKS_PER_PAGE):
        page = blocks[first : first + BLOCKS_PER_PAGE]
        writer.put(engine.keys.block_page(content_id, offset), _encode(page))
        offset += sum(block.size for block in page)
    return content_id
