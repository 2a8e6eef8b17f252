"""Carrying tables from one store to another (see `localzure.services.porting`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.porting import PROPERTIES, IncomingResource, Resource, Row, SpacePorter
from localzure.services.table.engine import remains
from localzure.services.table.model import TableRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.table.engine.state import Engine
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TableRecord).decode


class TablePorter(SpacePorter):
    """See `localzure.services.porting.Porter`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            {"table": engine.keys.tables, PROPERTIES: engine.keys.properties},
            lambda writer, value: remains.leave(engine, writer, _decode(value).id),
        )
        self._engine = engine

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """See `Porter.rows`."""
        value = self.record(reader, resource)
        if resource.kind == PROPERTIES:
            yield Row("self", (), value)
            return
        record = _decode(value)
        entities = self._engine.keys.entities
        yield Row("self", (), _encode(msgspec.structs.replace(record, id=0)))
        for key, entity in reader.scan(*self._engine.keys.whole_table(record.id)):
            yield Row("entity", entities.unpack(key)[1:], entity)

    def begin(self, writer: Writer, resource: Resource) -> _IncomingTable:
        """See `Porter.begin`."""
        engine = self._engine
        return _IncomingTable(
            self,
            writer,
            resource,
            engine.keys.next_number,
            partial(remains.leave, engine),
            entities=engine.keys.entities,
        )


class _IncomingTable(IncomingResource):
    def __init__(self, *given: Any, entities: Subspace) -> None:
        super().__init__(*given)
        self._entities = entities

    def put(self, writer: Writer, row: Row) -> None:
        """See `Incoming.put`."""
        if row.family == "self":
            renumbered = None if self.is_properties else msgspec.structs.replace(_decode(row.value), id=self.number)
            self.own = row.value if renumbered is None else _encode(renumbered)
        elif row.family == "entity":
            writer.put(self._entities.pack(self.number, *row.key), row.value)
        else:
            raise ValueError(f"a table has no {row.family!r}")
