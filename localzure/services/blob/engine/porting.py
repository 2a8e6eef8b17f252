"""Carrying containers from one store to another (see `localzure.services.porting`).

A container's rows are its blobs, snapshots and versions, and before each of them the content that has not come up yet.
What the store counts (references to extents, who shares a list of blocks, what stands on a layer) is not carried but
counted again, and so are the entries of the due index. Content that containers share is carried with each of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.blob.engine import due, layers, remains
from localzure.services.blob.engine.layers import LayerRecord, PageRun
from localzure.services.blob.model import BlobRecord, Block, ContainerRecord, Remains, StagingRecord
from localzure.services.porting import (
    EXTENT,
    EXTENT_ROW_BYTES,
    PROPERTIES,
    IncomingResource,
    Numbering,
    Resource,
    Row,
    SpacePorter,
)
from localzure_storage.extents import ExtentId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localzure.services.blob.engine.state import Engine
    from localzure.services.interface import Instant
    from localzure_storage.keys import Part
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode_container = msgspec.msgpack.Decoder(ContainerRecord).decode
_decode_blob = msgspec.msgpack.Decoder(BlobRecord).decode
_decode_block = msgspec.msgpack.Decoder(Block).decode
_decode_blocks = msgspec.msgpack.Decoder(list[Block]).decode
_decode_staging = msgspec.msgpack.Decoder(StagingRecord).decode
_decode_layer = msgspec.msgpack.Decoder(LayerRecord).decode
_decode_run = msgspec.msgpack.Decoder(PageRun).decode

_GONE = "deleted-container"


class BlobPorter(SpacePorter):
    """See `localzure.services.porting.Porter`."""

    def __init__(self, engine: Engine) -> None:
        keys = engine.keys
        super().__init__(
            {"container": keys.containers, _GONE: keys.gone_containers, PROPERTIES: keys.accounts},
            lambda writer, value: _leave(engine, writer, _decode_container(value).id),
        )
        self._engine = engine

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """See `Porter.rows`."""
        value = self.record(reader, resource)
        if resource.kind == PROPERTIES:
            yield Row("self", (), value)
            return
        record = _decode_container(value)
        yield Row("self", (), _encode(msgspec.structs.replace(record, id=0)))
        yield from _Outgoing(self._engine, reader).container(record.id)

    def begin(self, writer: Writer, resource: Resource) -> _IncomingContainer:
        """See `Porter.begin`."""
        engine = self._engine
        return _IncomingContainer(
            self, writer, resource, engine.keys.next_number, partial(_leave, engine), engine=engine
        )


def _leave(engine: Engine, writer: Writer, container_id: int) -> bytes:
    return remains.leave(engine, writer, Remains(container=container_id))


class _Outgoing:
    """The rows of one container."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader
        self._numbers = Numbering()

    def container(self, container_id: int) -> Iterator[Row]:
        keys = self._engine.keys
        for family, space in (("blob", keys.blobs), ("past", keys.past)):
            for key, value in self._reader.scan(*space.range(container_id)):
                record = _decode_blob(value)
                yield from self._content(record)
                yield Row(family, space.unpack(key)[1:], _encode(_renumbered(record, self._number)))

    def _content(self, record: BlobRecord) -> Iterator[Row]:
        if record.extent is not None:
            yield from self._extent(record.extent)
        if record.content is not None:
            yield from self._list(record.content)
        if record.staging is not None:
            yield from self._staging(record.staging)
        if record.layer is not None:
            yield from self._layer(record.layer)

    def _extent(self, extent: ExtentId) -> Iterator[Row]:
        if not self._numbers.is_new("extent", extent):
            return
        number, size = self._number("extent", extent), self._engine.extents.size(self._reader, extent)
        for at in range(0, size, EXTENT_ROW_BYTES) or (0,):
            yield Row(EXTENT, (number,), self._engine.extents.read(self._reader, extent, at, EXTENT_ROW_BYTES))

    def _list(self, content: int) -> Iterator[Row]:
        if not self._numbers.is_new("id", content):
            return
        number, keys = self._number("id", content), self._engine.keys
        for key, value in self._reader.scan(*keys.block_pages(content)):
            blocks = _decode_blocks(value)
            for block in blocks:
                yield from self._extent(block.extent)
            yield Row("list", (number, keys.page_offset(key)), _encode([self._block(block) for block in blocks]))

    def _staging(self, staging: int) -> Iterator[Row]:
        number, keys = self._number("id", staging), self._engine.keys
        value = self._reader.get(keys.staging(staging))
        if value is not None:
            yield Row("staging", (number,), value)
        for key, waiting in self._reader.scan(*keys.waiting_blocks(staging)):
            block = _decode_block(waiting)
            yield from self._extent(block.extent)
            yield Row("waiting", (number, keys.waiting.unpack(key)[1]), _encode(self._block(block)))

    def _layer(self, layer: int) -> Iterator[Row]:
        if not self._numbers.is_new("id", layer):
            return
        keys, record = self._engine.keys, layers.load(self._engine, self._reader, layer)
        below = None
        if record.below is not None:
            yield from self._layer(record.below)
            below = self._number("id", record.below)
        number = self._number("id", layer)
        yield Row("layer", (number,), _encode(LayerRecord(0, below)))
        for key, value in self._reader.scan(keys.run(layer, 0), keys.run(layer + 1, 0)):
            run = _decode_run(value)
            if run.extent is not None:
                yield from self._extent(run.extent)
                run.extent = ExtentId(self._number("extent", run.extent))
            yield Row("run", (number, keys.page_offset(key)), _encode(run))

    def _block(self, block: Block) -> Block:
        return msgspec.structs.replace(block, extent=ExtentId(self._number("extent", block.extent)))

    def _number(self, kind: str, old: int) -> int:
        return self._numbers.number(kind, old)


class _IncomingContainer(IncomingResource):
    """See `localzure.services.porting.Incoming`."""

    def __init__(self, *given: Any, engine: Engine) -> None:
        super().__init__(*given)
        self._engine = engine
        self._restorable_until: Instant | None = None
        self._ids: dict[int, int] = {}
        self._extents: dict[int, ExtentId] = {}
        self._lists_used: set[int] = set()

    def put(self, writer: Writer, row: Row) -> None:
        """See `Incoming.put`."""
        handlers = {
            "self": self._put_self,
            EXTENT: self._put_extent,
            "list": self._put_list,
            "staging": self._put_staging,
            "waiting": self._put_waiting,
            "layer": self._put_layer,
            "run": self._put_run,
            "blob": self._put_blob,
            "past": self._put_blob,
        }
        handler = handlers.get(row.family)
        if handler is None:
            raise ValueError(f"a container has no {row.family!r}")
        handler(writer, row)

    def finish(self, writer: Writer) -> None:
        """See `Incoming.finish`."""
        super().finish(writer)
        if self._restorable_until is not None:
            due.remember(self._engine, writer, self._restorable_until, self.key)

    def release(self) -> None:
        """See `Incoming.release`: extents are held by what refers to them now, or swept."""
        for extent in self._extents.values():
            self._engine.extents.unpin(extent)
        self._extents = {}

    def _put_self(self, _writer: Writer, row: Row) -> None:
        if self.is_properties:
            self.own = row.value
            return
        record = _decode_container(row.value)
        record.id = self.number
        self.own, self._restorable_until = _encode(record), record.restorable_until

    def _put_extent(self, writer: Writer, row: Row) -> None:
        number = _int(row.key[0])
        if number in self._extents:
            self._engine.extents.append(writer, self._extents[number], row.value)
        else:
            self._extents[number] = self._engine.extents.create(writer, row.value)

    def _put_list(self, writer: Writer, row: Row) -> None:
        content, offset = row.key
        blocks = [self._take(writer, block) for block in _decode_blocks(row.value)]
        writer.put(self._engine.keys.block_page(self._mapped(writer, content), _int(offset)), _encode(blocks))

    def _put_staging(self, writer: Writer, row: Row) -> None:
        writer.put(self._engine.keys.staging(self._mapped(writer, row.key[0])), row.value)

    def _put_waiting(self, writer: Writer, row: Row) -> None:
        staging, name = row.key
        block = self._take(writer, _decode_block(row.value))
        writer.put(self._engine.keys.waiting_block(self._mapped(writer, staging), str(name)), _encode(block))

    def _put_layer(self, writer: Writer, row: Row) -> None:
        record = _decode_layer(row.value)
        if record.below is not None:
            record.below = self._mapped(writer, record.below)
            layers.retain(self._engine, writer, record.below)
        writer.put(self._engine.keys.layer(self._mapped(writer, row.key[0])), _encode(LayerRecord(0, record.below)))

    def _put_run(self, writer: Writer, row: Row) -> None:
        layer, offset = row.key
        run = _decode_run(row.value)
        if run.extent is not None:
            run.extent = self._extents[run.extent]
            self._engine.extents.retain(writer, run.extent)
        writer.put(self._engine.keys.run(self._mapped(writer, layer), _int(offset)), _encode(run))

    def _put_blob(self, writer: Writer, row: Row) -> None:
        engine, keys = self._engine, self._engine.keys
        record = _decode_blob(row.value)
        given = record.content
        record = _renumbered(
            record, lambda kind, old: self._extents[old] if kind == "extent" else self._mapped(writer, old)
        )
        if record.extent is not None:
            engine.extents.retain(writer, record.extent)
        if record.content is not None:
            assert given is not None, "it was renumbered"
            if given in self._lists_used:
                count = int.from_bytes(writer.get(keys.share_count(record.content)) or b"", "big")
                writer.put(keys.share_count(record.content), (count + 1).to_bytes(8, "big"))
            self._lists_used.add(given)
        if record.layer is not None:
            layers.retain(engine, writer, record.layer)
        key = (keys.blobs if row.family == "blob" else keys.past).pack(self.number, *row.key)
        writer.put(key, _encode(record))
        self._remember(writer, record, key)

    def _remember(self, writer: Writer, record: BlobRecord, key: bytes) -> None:
        """Enter in the due index what time takes from a blob."""
        at = record.restorable_until if record.deleted is not None else record.expires
        if at is not None:
            due.remember(self._engine, writer, at, key)
        if record.staging is not None:
            staging_key = self._engine.keys.staging(record.staging)
            value = writer.get(staging_key)
            if value is not None and (staging := _decode_staging(value)).due:
                due.remember(self._engine, writer, staging.due, staging_key, key)

    def _take(self, writer: Writer, block: Block) -> Block:
        block.extent = self._extents[block.extent]
        self._engine.extents.retain(writer, block.extent)
        return block

    def _mapped(self, writer: Writer, part: Part) -> int:
        number = _int(part)
        if number not in self._ids:
            self._ids[number] = self._engine.keys.next_number(writer)
        return self._ids[number]


def _renumbered(record: BlobRecord, number: Callable[[str, int], int]) -> BlobRecord:
    """Return a blob with other numbers for all that it refers to."""
    return msgspec.structs.replace(
        record,
        extent=None if record.extent is None else ExtentId(number("extent", record.extent)),
        content=None if record.content is None else number("id", record.content),
        staging=None if record.staging is None else number("id", record.staging),
        layer=None if record.layer is None else number("id", record.layer),
    )


def _int(part: Part) -> int:
    if not isinstance(part, int):
        raise ValueError("a number is expected in a row's key")  # noqa: TRY004 - of a file's content
    return part
