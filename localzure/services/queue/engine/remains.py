"""What deleted and cleared queues leave behind: their messages (see `localzure.services.storage_rest.remains`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.queue.engine import records
from localzure.services.storage_rest import remains

if TYPE_CHECKING:
    from localzure.services.queue.engine.state import Engine
    from localzure_storage.store import Writer

RECORDS_PER_MESSAGE = 4
"""What a message takes at most of a step's budget: its record, its place, its end and its text."""


def leave(engine: Engine, writer: Writer, queue_id: int) -> bytes:
    """Note the id of messages that nobody can reach any more; returns the key of the note."""
    return remains.leave(engine.keys, writer, queue_id)


def sweep(engine: Engine, writer: Writer, budget: int) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed."""

    def free(queue_id: int, budget: int) -> tuple[int, bool]:
        limit = max(1, budget // RECORDS_PER_MESSAGE)
        messages = records.load_all(engine, writer, queue_id, limit)
        for message in messages:
            records.remove(engine, writer, queue_id, message)
        return len(messages) * RECORDS_PER_MESSAGE, len(messages) < limit

    return remains.sweep(engine.keys, writer, budget, free)
