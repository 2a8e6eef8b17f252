"""Carrying tables from one store to another (see `localzure.services.porting`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.porting import PROPERTIES, Resource, Row
from localzure.services.table.engine import remains
from localzure.services.table.model import TableRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.table.engine.state import Engine
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TableRecord).decode


class TablePorter:
    """See `localzure.services.porting.Porter`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def resources(self, reader: Reader, account: str | None) -> Iterator[Resource]:
        """See `Porter.resources`."""
        keys, below = self._engine.keys, () if account is None else (account,)
        for kind, space in (("table", keys.tables), (PROPERTIES, keys.properties)):
            if kind == PROPERTIES and account is not None:
                if reader.get(keys.service_properties(account)) is not None:
                    yield Resource(PROPERTIES, account, ())
                continue
            for key, _ in reader.scan(*space.range(*below)):
                owner, *name = space.unpack(key)
                yield Resource(kind, str(owner), tuple(name))

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """See `Porter.rows`."""
        value = reader.get(self._key(resource))
        assert value is not None, "it was listed"
        if resource.kind == PROPERTIES:
            yield Row("self", (), value)
            return
        record = _decode(value)
        entities = self._engine.keys.entities
        yield Row("self", (), _encode(msgspec.structs.replace(record, id=0)))
        for key, entity in reader.scan(*self._engine.keys.whole_table(record.id)):
            yield Row("entity", entities.unpack(key)[1:], entity)

    def exists(self, reader: Reader, resource: Resource) -> bool:
        """See `Porter.exists`."""
        return reader.get(self._key(resource)) is not None

    def remove(self, writer: Writer, resource: Resource) -> None:
        """See `Porter.remove`."""
        key = self._key(resource)
        value = writer.get(key)
        if value is not None:
            writer.delete(key)
            if resource.kind != PROPERTIES:
                remains.leave(self._engine, writer, _decode(value).id)

    def begin(self, writer: Writer, resource: Resource) -> _IncomingTable:
        """See `Porter.begin`."""
        return _IncomingTable(self, self._engine, writer, resource, self._key(resource))

    def _key(self, resource: Resource) -> bytes:
        keys = self._engine.keys
        if resource.kind == PROPERTIES:
            return keys.service_properties(resource.account)
        return keys.tables.pack(resource.account, *resource.name)


class _IncomingTable:
    def __init__(self, porter: TablePorter, engine: Engine, writer: Writer, resource: Resource, key: bytes) -> None:
        self._porter = porter
        self._engine = engine
        self._resource = resource
        self._key = key
        self._own = b""
        self._id = 0
        self._note = b""
        if resource.kind != PROPERTIES:
            self._id = engine.keys.next_number(writer)
            self._note = remains.leave(engine, writer, self._id)

    def put(self, writer: Writer, row: Row) -> None:
        """See `Incoming.put`."""
        if row.family == "self":
            is_table = self._resource.kind != PROPERTIES
            self._own = _encode(msgspec.structs.replace(_decode(row.value), id=self._id)) if is_table else row.value
        elif row.family == "entity":
            writer.put(self._engine.keys.entities.pack(self._id, *row.key), row.value)
        else:
            raise ValueError(f"a table has no {row.family!r}")

    def finish(self, writer: Writer) -> None:
        """See `Incoming.finish`."""
        self._porter.remove(writer, self._resource)
        writer.put(self._key, self._own)
        if self._note:
            writer.delete(self._note)

    def release(self) -> None:
        """See `Incoming.release`: there is nothing."""
