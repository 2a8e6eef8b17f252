"""Entities: insert, read, update, merge, delete, and the limits on what they hold.

An entity's Timestamp is its entity tag too. It grows with each write, also where the clock stands still or goes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.storage_rest.times import Ticks
from localzure.services.table.edm import utf16_units, value_size
from localzure.services.table.engine import tables
from localzure.services.table.errors import TableError
from localzure.services.table.etags import format_etag
from localzure.services.table.model import (
    ENTITY_BYTES_MAX,
    KEY_UNITS_MAX,
    PROPERTIES_MAX,
    Changed,
    DeleteEntity,
    Entity,
    EntityRecord,
    InsertEntity,
    ReadEntity,
    WriteEntity,
)

if TYPE_CHECKING:
    from localzure.services.table.engine.state import Engine, Moment
    from localzure.services.table.model import Change, OnEntity, TableRecord
    from localzure_storage.store import Reader, Writer

_SMALL_BYTES_MAX = ENTITY_BYTES_MAX // 4
"""Bytes of a record that needs no measuring: each counts for two in the entity's size at the most, and what the size
adds for keys and properties is some ten KiB."""

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(EntityRecord).decode


def get(engine: Engine, reader: Reader, command: OnEntity, _moment: Moment) -> ReadEntity:
    """Return an entity. Raises TableError `TableNotFound`, `ResourceNotFound`."""
    table = tables.find(engine, reader, command.account, command.table)
    value = None
    if _is_key(command.partition_key) and _is_key(command.row_key):
        value = reader.get(engine.keys.entity(table.id, command.partition_key, command.row_key))
    if value is None:
        raise TableError("ResourceNotFound")
    return ReadEntity(table.name, Entity(command.partition_key, command.row_key, decode(value)))


def change(engine: Engine, writer: Writer, command: Change, moment: Moment) -> Changed:
    """Do one change by itself."""
    table = tables.find(engine, writer, command.account, command.table)
    return apply(engine, writer, table, command, moment)


def apply(engine: Engine, writer: Writer, table: TableRecord, command: Change, moment: Moment) -> Changed:
    """Do one change to a table's entities. Raises TableError; nothing is written then."""
    if type(command) is InsertEntity:
        return Changed(table.name, _insert(engine, writer, table.id, command, moment))
    if type(command) is WriteEntity:
        return Changed(table.name, _write(engine, writer, table.id, command, moment))
    assert type(command) is DeleteEntity
    _delete(engine, writer, table.id, command)
    return Changed(table.name, None)


def _insert(engine: Engine, writer: Writer, table_id: int, command: InsertEntity, moment: Moment) -> EntityRecord:
    _check_keys(command)
    key = engine.keys.entity(table_id, command.partition_key, command.row_key)
    if writer.get(key) is not None:
        raise TableError("EntityAlreadyExists")
    record = EntityRecord(moment.ticks, command.values, command.tags)
    _put(writer, key, command, record)
    return record


def _write(engine: Engine, writer: Writer, table_id: int, command: WriteEntity, moment: Moment) -> EntityRecord:
    _check_keys(command)
    key = engine.keys.entity(table_id, command.partition_key, command.row_key)
    old = _current(writer, key, command.condition)
    record = EntityRecord(moment.ticks, command.values, command.tags)
    if old is not None:
        record.ticks = max(moment.ticks, Ticks(old.ticks + 1))
        if command.is_merge:
            _merge(old, record)
    _put(writer, key, command, record)
    return record


def _delete(engine: Engine, writer: Writer, table_id: int, command: DeleteEntity) -> None:
    if not _is_key(command.partition_key) or not _is_key(command.row_key):
        raise TableError("ResourceNotFound")
    key = engine.keys.entity(table_id, command.partition_key, command.row_key)
    _current(writer, key, command.condition)
    writer.delete(key)


def _current(writer: Writer, key: bytes, condition: str | None) -> EntityRecord | None:
    """Return the entity that a condition speaks of; None only where there need be none."""
    value = writer.get(key)
    if value is None:
        if condition is None:
            return None
        raise TableError("ResourceNotFound")
    record = decode(value)
    if condition not in {None, "*"} and condition != format_etag(record.ticks):
        raise TableError("UpdateConditionNotSatisfied")
    return record


def _merge(old: EntityRecord, record: EntityRecord) -> None:
    """Add to `record` what `old` has beside it; a property takes its new value at its old place."""
    values, tags = old.values, old.tags
    for name in record.values:
        tags.pop(name, None)
    values.update(record.values)
    tags.update(record.tags)
    record.values, record.tags = values, tags


# --- limits -------------------------------------------------------------------------------------------------------


def _is_key(text: str) -> bool:
    """Whether a PartitionKey or RowKey is short enough to be one."""
    return len(text) <= KEY_UNITS_MAX // 2 or utf16_units(text) <= KEY_UNITS_MAX


def _check_keys(command: InsertEntity | WriteEntity) -> None:
    if not _is_key(command.partition_key) or not _is_key(command.row_key):
        raise TableError("PropertyValueTooLarge")


def _put(writer: Writer, key: bytes, command: InsertEntity | WriteEntity, record: EntityRecord) -> None:
    """Write an entity that is within the limits: those of the whole are looked at once it is merged."""
    if len(record.values) > PROPERTIES_MAX:
        raise TableError("TooManyProperties")
    value = encode(record)
    if len(value) > _SMALL_BYTES_MAX and _size(command, record) > ENTITY_BYTES_MAX:
        raise TableError("EntityTooLarge")
    writer.put(key, value)


def _size(command: InsertEntity | WriteEntity, record: EntityRecord) -> int:
    """Return the bytes that an entity counts for: 4, its keys, and per property 8, its name and its value."""
    size = 4 + 2 * (utf16_units(command.partition_key) + utf16_units(command.row_key))
    for name, value in record.values.items():
        size += 8 + 2 * utf16_units(name) + value_size(value, record.tags.get(name))
    return size
