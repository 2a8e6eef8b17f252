"""Queries: scans of the ranges that a filter leaves, in the order of the keys.

A page costs what it looks at, and that is bounded: one that has looked at very many entities, or gathered very many
bytes, ends early with a continuation, as Azure's pages may, also where nothing fitted so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.table.engine import entities, tables
from localzure.services.table.model import Entity, EntityPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.table.engine.state import Engine, Moment
    from localzure.services.table.model import QueryEntities
    from localzure_storage.store import Reader

STEPS_MAX = 4000
"""Entities that one page may look at: about ten milliseconds of work."""

BYTES_MAX = 4 * 1024 * 1024
"""Bytes of records that one page may gather."""


def page(engine: Engine, reader: Reader, command: QueryEntities, _moment: Moment) -> EntityPage:
    """Return a page of a table's entities. Raises TableError `TableNotFound`."""
    table = tables.find(engine, reader, command.account, command.table)
    result = EntityPage(table.name, [], None)
    if not command.limit:
        return result
    test = command.plan.test
    size = 0
    for step, (key, value) in enumerate(_scan(engine, reader, table.id, command)):
        partition_key, row_key = engine.keys.entity_keys(key)
        if len(result.entities) == command.limit or step == STEPS_MAX or size >= BYTES_MAX:
            result.next_start = (partition_key, row_key)
            break
        record = entities.decode(value)
        if test is None or test(partition_key, row_key, record):
            result.entities.append(Entity(partition_key, row_key, record))
            size += len(value)
    return result


def _scan(engine: Engine, reader: Reader, table_id: int, command: QueryEntities) -> Iterator[tuple[bytes, bytes]]:
    """Yield what lies in the plan's ranges, from the start of the page on."""
    prefix = engine.keys.entities_of(table_id)
    first = b"" if command.start is None else engine.keys.entity(table_id, *command.start)
    for start, stop in command.plan.ranges:
        if first < prefix + stop:
            yield from reader.scan(max(first, prefix + start), prefix + stop)
