"""Emptying an account, or all of them: what it holds is gone at once, and left to be swept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.table.engine import remains, tables

if TYPE_CHECKING:
    from localzure.services.table.engine.state import Engine
    from localzure_storage.store import Writer


def empty(engine: Engine, writer: Writer, account: str | None, budget: int) -> bool:
    """Remove up to `budget` tables of an account, None for all, and its properties; True while there may be more."""
    keys = engine.keys
    found = list(writer.scan(*keys.tables.range(*(() if account is None else (account,))), limit=budget))
    for key, value in found:
        writer.delete(key)
        remains.leave(engine, writer, tables.table_id(value))
    if len(found) == budget:
        return True
    start, stop = keys.properties.range() if account is None else (keys.service_properties(account), b"")
    for key, _ in list(writer.scan(start, stop or start + b"\x00", limit=budget)):
        writer.delete(key)
    return False
