"""Tables: create, read, list, delete, and their stored access policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.storage_rest.times import Ticks
from localzure.services.table.engine import remains
from localzure.services.table.errors import TableError
from localzure.services.table.model import EntityRecord, TablePage, TableRecord

if TYPE_CHECKING:
    from localzure.services.table.engine.state import Engine, Moment
    from localzure.services.table.model import ListTables, OnTable, SetPolicies
    from localzure_storage.store import Reader, Writer

STEPS_MAX = 10_000
"""Tables that one page may look at, whatever its filter leaves of them."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TableRecord).decode


def find(engine: Engine, reader: Reader, account: str, table: str, code: str = "TableNotFound") -> TableRecord:
    """Return a table. Raises TableError `code`: what its absence is called depends on what it is wanted for."""
    value = reader.get(engine.keys.table(account, table))
    if value is None:
        raise TableError(code)
    return _decode(value)


def create(engine: Engine, writer: Writer, command: OnTable, _moment: Moment) -> TableRecord:
    """Make a table. Its name may be that of one whose entities are still being swept."""
    key = engine.keys.table(command.account, command.table)
    if writer.get(key) is not None:
        raise TableError("TableAlreadyExists")
    record = TableRecord(engine.keys.next_number(writer), command.table)
    writer.put(key, _encode(record))
    return record


def table_id(value: bytes) -> int:
    """Return the number in a table's record."""
    return _decode(value).id


def get(engine: Engine, reader: Reader, command: OnTable, _moment: Moment) -> TableRecord:
    """Return a table by itself, as an entry of the list of tables."""
    return find(engine, reader, command.account, command.table, "ResourceNotFound")


def delete(engine: Engine, writer: Writer, command: OnTable, _moment: Moment) -> None:
    """Remove a table at once; its entities, which nobody can reach any more, are left to be swept."""
    record = find(engine, writer, command.account, command.table, "ResourceNotFound")
    writer.delete(engine.keys.table(command.account, command.table))
    remains.leave(engine, writer, record.id)


def list_page(engine: Engine, reader: Reader, command: ListTables, _moment: Moment) -> TablePage:
    """Return a page of an account's tables, in the order of their names in lower case."""
    keys = engine.keys
    test = command.plan.test
    start, stop = keys.tables.range(command.account)
    start = max(start, keys.table(command.account, command.start))
    names: list[str] = []
    if not command.limit:
        return TablePage(names, None)
    for step, (_, value) in enumerate(reader.scan(start, stop, limit=STEPS_MAX + 1)):
        name = _decode(value).name
        if len(names) == command.limit or step == STEPS_MAX:
            return TablePage(names, name.lower())
        if test is None or test("", "", EntityRecord(Ticks(0), {"TableName": name}, {})):
            names.append(name)
    return TablePage(names, None)


def get_policies(engine: Engine, reader: Reader, command: OnTable, _moment: Moment) -> TableRecord:
    """Return a table for its stored access policies."""
    return find(engine, reader, command.account, command.table)


def set_policies(engine: Engine, writer: Writer, command: SetPolicies, _moment: Moment) -> None:
    """Replace a table's stored access policies."""
    record = find(engine, writer, command.account, command.table)
    record.policies = command.policies
    writer.put(engine.keys.table(command.account, command.table), _encode(record))
