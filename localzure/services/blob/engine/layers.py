"""The pages of a page blob: layers of runs, each on top of an older one.

A layer maps offsets to runs of pages that never overlap; what it does not know, the layer below has, and what none has
is zero. Writing changes the topmost layer in place while one blob has it and nobody reads it; else it puts a new layer
on top. So a snapshot is one reference, whatever the size, what was written since is the layers above the snapshot's,
and a download keeps its bytes.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from localzure_storage.extents import ExtentId  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.blob.engine.state import Engine
    from localzure.services.blob.model import Block
    from localzure_storage.store import Reader, Writer


class LayerRecord(Struct, array_like=True):
    """A layer: how many blobs and layers stand on it, and what it stands on."""

    references: int
    below: int | None = None


class PageRun(Struct, array_like=True):
    """A run of pages: bytes of an extent, or cleared pages where there is a layer below that might have others."""

    size: int
    extent: ExtentId | None
    offset: int = 0


class Stretch(NamedTuple):
    """A part of a blob that one run gives; without an extent it is zeros."""

    start: int
    stop: int
    extent: ExtentId | None
    offset: int


_encode = msgspec.msgpack.Encoder().encode
_decode_layer = msgspec.msgpack.Decoder(LayerRecord).decode
_decode_run = msgspec.msgpack.Decoder(PageRun).decode


def create(engine: Engine, writer: Writer, below: int | None = None) -> int:
    """Make a layer with one reference; takes over the caller's reference to the one below."""
    layer_id = engine.keys.next_number(writer)
    writer.put(engine.keys.layer(layer_id), _encode(LayerRecord(1, below)))
    return layer_id


def load(engine: Engine, reader: Reader, layer_id: int) -> LayerRecord:
    """Return a layer's record."""
    value = reader.get(engine.keys.layer(layer_id))
    assert value is not None, "a reference keeps the layer"
    return _decode_layer(value)


def retain(engine: Engine, writer: Writer, layer_id: int) -> None:
    """Count one more reference."""
    record = load(engine, writer, layer_id)
    record.references += 1
    writer.put(engine.keys.layer(layer_id), _encode(record))


def release(engine: Engine, writer: Writer, layer_id: int) -> bool:
    """Count one reference less; True with the last, when the layer is to be swept."""
    record = load(engine, writer, layer_id)
    record.references -= 1
    writer.put(engine.keys.layer(layer_id), _encode(record))
    return record.references == 0


def writable(engine: Engine, writer: Writer, layer_id: int) -> int:
    """Return a layer with the same pages that may be changed: this one, or a new one on top of it."""
    if load(engine, writer, layer_id).references == 1 and layer_id not in engine.pinned_contents:
        return layer_id
    return create(engine, writer, layer_id)


def write(engine: Engine, writer: Writer, layer_id: int, start: int, stop: int, block: Block | None) -> None:
    """Put the pages from `start` to `stop`: those of a block, whose extent is to be retained, or zeros."""
    _cut(engine, writer, layer_id, start, stop)
    if block is not None:
        engine.extents.retain(writer, block.extent)
        run = PageRun(block.size, block.extent, block.offset)
    elif load(engine, writer, layer_id).below is None:
        return
    else:
        run = PageRun(stop - start, None)
    writer.put(engine.keys.run(layer_id, start), _encode(run))


def _cut(engine: Engine, writer: Writer, layer_id: int, start: int, stop: int) -> None:
    """Take out what a layer knows between two offsets, splitting the runs that reach beyond."""
    for at, run in list(_runs(engine, writer, layer_id, start, stop)):
        writer.delete(engine.keys.run(layer_id, at))
        end = at + run.size
        if at < start:
            _put_part(engine, writer, layer_id, at, run, 0, start - at)
        if end > stop:
            _put_part(engine, writer, layer_id, stop, run, stop - at, end - stop)
        if run.extent is not None:
            engine.extents.release(writer, run.extent)


def _put_part(engine: Engine, writer: Writer, layer_id: int, at: int, run: PageRun, skip: int, size: int) -> None:
    if run.extent is not None:
        engine.extents.retain(writer, run.extent)
    writer.put(engine.keys.run(layer_id, at), _encode(PageRun(size, run.extent, run.offset + skip)))


def _runs(engine: Engine, reader: Reader, layer_id: int, start: int, stop: int) -> Iterator[tuple[int, PageRun]]:
    """Yield (offset, run) of one layer that overlap a range, in order."""
    keys = engine.keys
    before = reader.scan(keys.run(layer_id, 0), keys.run(layer_id, start), reverse=True, limit=1)
    for key, value in list(before):
        at, run = keys.page_offset(key), _decode_run(value)
        if at + run.size > start:
            yield at, run
    for key, value in reader.scan(keys.run(layer_id, start), keys.run(layer_id, stop)):
        yield keys.page_offset(key), _decode_run(value)


def stretches(
    engine: Engine, reader: Reader, layer_id: int | None, start: int, stop: int, until: int | None = None
) -> list[Stretch]:
    """Return what the layers know of a range, in order and without overlaps; gaps are zeros.

    With `until`, only layers above that one are looked at.
    """
    found: list[Stretch] = []
    gaps = [(start, stop)] if start < stop else []
    while gaps and layer_id is not None and layer_id != until:
        left: list[tuple[int, int]] = []
        for first, last in gaps:
            at = first
            for run_at, run in _runs(engine, reader, layer_id, first, last):
                run_start, run_stop = max(run_at, first), min(run_at + run.size, last)
                if at < run_start:
                    left.append((at, run_start))
                found.append(Stretch(run_start, run_stop, run.extent, run.offset + run_start - run_at))
                at = run_stop
            if at < last:
                left.append((at, last))
        gaps = left
        layer_id = load(engine, reader, layer_id).below
    found.sort(key=attrgetter("start"))
    return found


def is_above(engine: Engine, reader: Reader, layer_id: int | None, older: int) -> bool:
    """Whether a layer is another, or stands on it."""
    while layer_id is not None and layer_id != older:
        layer_id = load(engine, reader, layer_id).below
    return layer_id is not None


def read(engine: Engine, reader: Reader, layer_id: int, start: int, stop: int) -> bytes:
    """Return the bytes of a range, gaps as zeros. The caller bounds its length."""
    pieces: list[bytes] = []
    at = start
    for stretch in stretches(engine, reader, layer_id, start, stop):
        pieces.append(bytes(stretch.start - at))
        size = stretch.stop - stretch.start
        if stretch.extent is None:
            pieces.append(bytes(size))
        else:
            pieces.append(engine.extents.read(reader, stretch.extent, stretch.offset, size))
        at = stretch.stop
    pieces.append(bytes(stop - at))
    return b"".join(pieces)


def sweep(engine: Engine, writer: Writer, layer_id: int, budget: int) -> tuple[int, int | None]:
    """Free runs of a layer that nobody has; returns how many, and once all are gone the layer below to release."""
    keys = engine.keys
    runs = list(writer.scan(keys.run(layer_id, 0), keys.run(layer_id + 1, 0), limit=budget))
    for key, value in runs:
        run = _decode_run(value)
        if run.extent is not None:
            engine.extents.release(writer, run.extent)
        writer.delete(key)
    if len(runs) == budget:
        return budget, None
    below = load(engine, writer, layer_id).below
    writer.delete(keys.layer(layer_id))
    return len(runs), below
