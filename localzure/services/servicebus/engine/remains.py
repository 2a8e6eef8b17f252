"""What deleted queues leave behind, and sweeping it in bounded steps.

A delete notes the numbers of the queue and its sub-queues in its own transaction and is done, however many messages
there are. `sweep` takes the notes up, some messages at a time; each step is a transaction of its own, so a crash in
between loses nothing and frees nothing twice. Numbers are never given again, so nobody finds what waits to be swept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.keys import DueKind, sequence_number_of
from localzure.services.servicebus.record import decode_fixed

if TYPE_CHECKING:
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Writer

RECORDS_PER_MESSAGE = 2
"""What a message takes at most of a step's budget: itself and its end."""

_NOTES_READ = 64
"""Notes that one step looks at."""


def sweep(keys: ServiceBusKeys, writer: Writer, budget: int) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed."""
    has_freed = False
    for note, _ in list(writer.scan(*keys.remains_range(), limit=_NOTES_READ)):
        if budget <= 0:
            break
        budget -= _sweep_one(keys, writer, note, budget)
        has_freed = True
    return has_freed


def _sweep_one(keys: ServiceBusKeys, writer: Writer, note: bytes, budget: int) -> int:
    """Work on one queue, remove its note when nothing is left of it; returns what of the budget was used."""
    queue_id = keys.remains_id(note)
    limit = max(1, budget // RECORDS_PER_MESSAGE)
    for start, stop in keys.sessions(queue_id):
        entries = [key for key, _ in writer.scan(start, stop, limit=limit)]
        for key in entries:
            writer.delete(key)
        if len(entries) == limit:
            return limit
    messages = list(writer.scan(*keys.messages(queue_id), limit=limit))
    for key, value in messages:
        writer.delete(key)
        expires_at = decode_fixed(value).expires_at
        if expires_at:
            writer.delete(keys.due(expires_at, DueKind.EXPIRY, queue_id, sequence_number_of(key)))
    if len(messages) < limit:
        writer.delete(keys.counters(queue_id))
        writer.delete(note)
    return len(messages) * RECORDS_PER_MESSAGE + 1
