"""What deletes and overwrites leave behind, and sweeping it in bounded steps.

A write that makes much unreachable at once (a container, a long list of blocks, a hundred thousand waiting blocks)
notes it as `Remains` in its own transaction and is done. `sweep` takes the notes up, a few records at a time; each
step is a transaction of its own, so a crash in between loses nothing and frees nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import due, layers, sharing
from localzure.services.blob.model import BlobRecord, Block, Remains

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.blob.engine.state import Engine
    from localzure_storage.extents import ExtentId
    from localzure_storage.store import Writer

EXTENTS_PER_NOTE = 512
"""Extents in one note: their numbers take a page of the store or two."""

RELEASED_AT_ONCE_MAX = 64
"""References that a write may let go of itself, instead of leaving them: about 200 microseconds of work."""

_NOTES_READ = 64
"""Notes that one step takes up at most, beside those whose content is still being read."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Remains).decode
_decode_blob = msgspec.msgpack.Decoder(BlobRecord).decode
_decode_block = msgspec.msgpack.Decoder(Block).decode
_decode_blocks = msgspec.msgpack.Decoder(list[Block]).decode


def leave(engine: Engine, writer: Writer, remains: Remains) -> bytes:
    """Note what is to be swept; returns the key of the note."""
    key = engine.keys.remains.pack(engine.keys.next_number(writer))
    writer.put(key, _encode(remains))
    return key


def release(engine: Engine, writer: Writer, extents: list[ExtentId]) -> None:
    """Let go of a reference to each of these extents, at once or, where they are many, in the sweep."""
    if len(extents) <= RELEASED_AT_ONCE_MAX:
        for extent in extents:
            engine.extents.release(writer, extent)
        return
    for first in range(0, len(extents), EXTENTS_PER_NOTE):
        leave(engine, writer, Remains(extents=extents[first : first + EXTENTS_PER_NOTE]))


def discard(engine: Engine, writer: Writer, record: BlobRecord) -> None:
    """Let go of everything that a blob's record refers to, before it is replaced or removed."""
    discard_content(engine, writer, record)
    discard_staging(engine, writer, record)


def discard_staging(engine: Engine, writer: Writer, record: BlobRecord) -> None:
    """Let go of the blocks that wait."""
    if record.staging is not None:
        leave(engine, writer, Remains(staging=record.staging))


def discard_content(engine: Engine, writer: Writer, record: BlobRecord) -> None:
    """Let go of a blob's content, but not of the blocks that wait."""
    if record.extent is not None:
        release(engine, writer, [record.extent])
    if record.content is not None and not sharing.leave_shared(engine, writer, record.content):
        leave(engine, writer, Remains(content=record.content))
    if record.layer is not None and layers.release(engine, writer, record.layer):
        leave(engine, writer, Remains(layer=record.layer))


def sweep(engine: Engine, writer: Writer, budget: int) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed."""
    has_freed = False
    limit = _NOTES_READ + len(engine.pinned_contents)
    for key, value in list(writer.scan(*engine.keys.remains.range(), limit=limit)):
        if budget <= 0:
            break
        remains = _decode(value)
        pinnable = remains.layer if remains.content is None else remains.content
        if pinnable is None or pinnable not in engine.pinned_contents:
            budget = _sweep_one(engine, writer, key, remains, budget)
            has_freed = True
    return has_freed


def _sweep_one(engine: Engine, writer: Writer, key: bytes, remains: Remains, budget: int) -> int:
    """Work on one note, remove it when nothing is left of it, and return what is left of the budget."""
    if remains.extents is not None:
        return _sweep_extents(engine, writer, key, remains.extents, budget)
    if remains.container is not None:
        used = _sweep_container(engine, writer, remains.container, budget)
    elif remains.layer is not None:
        used = _sweep_layer(engine, writer, remains.layer, budget)
    elif remains.content is not None:
        used = _sweep_content(engine, writer, remains.content, remains.is_referring, budget)
    else:
        assert remains.staging is not None, "a note names something"
        used = _sweep_staging(engine, writer, remains.staging, remains.is_referring, budget)
    if used < budget:
        writer.delete(key)
    return budget - used - 1


def _sweep_extents(engine: Engine, writer: Writer, key: bytes, extents: list[ExtentId], budget: int) -> int:
    now, later = extents[:budget], extents[budget:]
    for extent in now:
        engine.extents.release(writer, extent)
    if later:
        writer.put(key, _encode(Remains(extents=later)))
    else:
        writer.delete(key)
    return budget - len(now) - 1


def _sweep_container(engine: Engine, writer: Writer, container_id: int, budget: int) -> int:
    blobs = list(writer.scan(*engine.keys.blobs.range(container_id), limit=budget))
    if len(blobs) < budget:
        blobs += writer.scan(*engine.keys.past.range(container_id), limit=budget - len(blobs))
    for key, value in blobs:
        discard(engine, writer, _decode_blob(value))
        writer.delete(key)
    return len(blobs)


def _sweep_layer(engine: Engine, writer: Writer, layer_id: int, budget: int) -> int:
    used, below = layers.sweep(engine, writer, layer_id, budget)
    if below is not None and layers.release(engine, writer, below):
        leave(engine, writer, Remains(layer=below))
    return used


def _sweep_content(engine: Engine, writer: Writer, content_id: int, is_referring: bool, budget: int) -> int:
    """Sweep whole pages: one of them counts as its blocks."""
    used = 0
    pages = writer.scan(*engine.keys.block_pages(content_id), limit=budget)
    done: list[tuple[bytes, list[Block]]] = []
    for key, value in pages:
        blocks = _decode_blocks(value)
        done.append((key, blocks))
        used += len(blocks) if is_referring else 1
        if used >= budget:
            break
    for key, blocks in done:
        if is_referring:
            _release_now(engine, writer, (block.extent for block in blocks))
        writer.delete(key)
    return used


def _sweep_staging(engine: Engine, writer: Writer, staging_id: int, is_referring: bool, budget: int) -> int:
    blocks = list(writer.scan(*engine.keys.waiting_blocks(staging_id), limit=budget))
    if is_referring:
        _release_now(engine, writer, (_decode_block(value).extent for _, value in blocks))
    for key, _ in blocks:
        writer.delete(key)
    if len(blocks) < budget:
        due.forget_staging(engine, writer, staging_id)
    return len(blocks)


def _release_now(engine: Engine, writer: Writer, extents: Iterable[ExtentId]) -> None:
    for extent in extents:
        engine.extents.release(writer, extent)
