"""What deleted and cleared queues leave behind, and sweeping it in bounded steps.

A delete notes the id of the messages in its own transaction and is done. `sweep` takes the notes up, a few messages at
a time; each step is a transaction of its own, so a crash in between loses nothing and frees nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.queue.engine import records

if TYPE_CHECKING:
    from localzure.services.queue.engine.state import Engine
    from localzure_storage.store import Writer

RECORDS_PER_MESSAGE = 4
"""What a message takes at most of a step's budget: its record, its place, its end and its text."""

_NOTES_READ = 64
"""Notes that one step looks at."""


def leave(engine: Engine, writer: Writer, queue_id: int) -> bytes:
    """Note the id of messages that nobody can reach any more; returns the key of the note."""
    key = engine.keys.remains_of(engine.keys.next_number(writer))
    writer.put(key, queue_id.to_bytes(8, "big"))
    return key


def sweep(engine: Engine, writer: Writer, budget: int) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed."""
    has_freed = False
    for note, queue_id in list(writer.scan(*engine.keys.remains.range(), limit=_NOTES_READ)):
        if budget <= 0:
            break
        budget -= _sweep_one(engine, writer, note, int.from_bytes(queue_id, "big"), budget)
        has_freed = True
    return has_freed


def _sweep_one(engine: Engine, writer: Writer, note: bytes, queue_id: int, budget: int) -> int:
    """Work on one note, remove it when nothing is left of it, and return what of the budget was used."""
    limit = max(1, budget // RECORDS_PER_MESSAGE)
    messages = records.load_all(engine, writer, queue_id, limit)
    for message in messages:
        records.remove(engine, writer, queue_id, message)
    if len(messages) < limit:
        writer.delete(note)
    return len(messages) * RECORDS_PER_MESSAGE + 1
