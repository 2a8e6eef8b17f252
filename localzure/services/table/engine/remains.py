"""What deleted tables leave behind, and sweeping it in bounded steps.

A delete notes the table's id in its own transaction and is done. `sweep` takes the notes up, a few entities at a
time; each step is a transaction of its own, so a crash in between loses nothing and frees nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.table.engine.state import Engine
    from localzure_storage.store import Writer

_NOTES_READ = 64
"""Notes that one step looks at."""


def leave(engine: Engine, writer: Writer, table_id: int) -> bytes:
    """Note a table that is gone; returns the key of the note."""
    key = engine.keys.remains_of(engine.keys.next_number(writer))
    writer.put(key, table_id.to_bytes(8, "big"))
    return key


def sweep(engine: Engine, writer: Writer, budget: int) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed."""
    has_freed = False
    for note, table_id in list(writer.scan(*engine.keys.remains.range(), limit=_NOTES_READ)):
        if budget <= 0:
            break
        start, stop = engine.keys.whole_table(int.from_bytes(table_id, "big"))
        entities = [key for key, _ in writer.scan(start, stop, limit=budget)]
        for key in entities:
            writer.delete(key)
        if len(entities) < budget:
            writer.delete(note)
        budget -= len(entities) + 1
        has_freed = True
    return has_freed
