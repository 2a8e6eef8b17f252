"""What deleted tables leave behind: their entities (see `localzure.services.storage_rest.remains`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.storage_rest import remains

if TYPE_CHECKING:
    from localzure.services.table.engine.state import Engine
    from localzure_storage.store import Writer


def leave(engine: Engine, writer: Writer, table_id: int) -> bytes:
    """Note a table that is gone; returns the key of the note."""
    return remains.leave(engine.keys, writer, table_id)


def sweep(engine: Engine, writer: Writer, budget: int) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed."""

    def free(table_id: int, budget: int) -> tuple[int, bool]:
        entities = [key for key, _ in writer.scan(*engine.keys.whole_table(table_id), limit=budget)]
        for key in entities:
            writer.delete(key)
        return len(entities), len(entities) < budget

    return remains.sweep(engine.keys, writer, budget, free)
