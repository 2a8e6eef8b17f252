"""What time does by itself: messages whose time to live is over are removed.

Nobody sees an expired message, removed or not, so this only frees what they take and corrects the counts. It is done in
bounded steps, so that a hundred thousand messages that expire together do not stop everything else.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from localzure.services.interface import Instant
from localzure.services.queue.engine import queues, records
from localzure.services.queue.model import NEVER

if TYPE_CHECKING:
    from localzure.services.queue.engine.state import Engine
    from localzure_storage.store import Reader, Writer

STEP_MAX = 500
"""Messages that are removed at once: a few milliseconds of work."""


def next_due(engine: Engine, reader: Reader) -> Instant | None:
    """Return when the next message expires; None where none does."""
    for key, _ in reader.scan(*engine.keys.due_until(NEVER), limit=1):
        return Instant(engine.keys.due_parts(key)[0])
    return None


def expire(engine: Engine, writer: Writer, now: Instant) -> None:
    """Remove the messages that have expired by `now`, or the first of them."""
    expired: Counter[int] = Counter()
    for key, _ in list(writer.scan(*engine.keys.due_until(now), limit=STEP_MAX)):
        _, queue_id, sequence = engine.keys.due_parts(key)
        message = records.load(engine, writer, queue_id, sequence)
        assert message is not None, "the end of a message is removed with it"
        records.remove(engine, writer, queue_id, message)
        expired[queue_id] += 1
    for queue_id, count in expired.items():
        queues.uncount(engine, writer, queue_id, count)
