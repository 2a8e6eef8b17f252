"""Duplicate detection: message ids that a queue has taken within its window.

An id is kept as a digest with the instant at which its message was taken and that message's number, and in the due
index until its window has passed. A duplicate does not lengthen the window of the message that it repeats.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING

from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.record import annotation, message_id_of
from localzure_protocols.amqp.codec import encode

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn

DIGEST_BYTES = 16

_TAKEN = Struct(">qq")


def detects_duplicates(queue: Queue) -> bool:
    """Whether `queue` drops messages whose id it has taken before."""
    return queue.description.requires_duplicate_detection and not queue.is_sub_queue


def digest_of(queue: Queue, value: bytes) -> bytes:
    """What a stored message is compared by: its id, in a partitioned queue with the partition key."""
    parts = encode(message_id_of(value))
    if queue.description.enable_partitioning:
        parts += encode(annotation(value, "x-opt-partition-key"))
    return blake2b(parts, digest_size=DIGEST_BYTES).digest()


def original_of(turn: Turn, queue: Queue, digest: bytes) -> int | None:
    """The number of the message of which another with this `digest` is a duplicate; None where it is none."""
    stored = turn.writer.get(turn.keys.duplicate(queue.queue_id, digest))
    if stored is None:
        return None
    taken_at, sequence_number = _TAKEN.unpack(stored)
    window = queue.description.duplicate_detection_history_time_window
    return int(sequence_number) if taken_at + window > turn.now else None


def remember(turn: Turn, queue: Queue, digest: bytes, sequence_number: int) -> None:
    """Note the id of a message that was taken, until the window has passed."""
    turn.writer.put(turn.keys.duplicate(queue.queue_id, digest), _TAKEN.pack(turn.now, sequence_number))
    window = queue.description.duplicate_detection_history_time_window
    turn.put_due(turn.now + window, DueKind.DUPLICATE, queue.queue_id, sequence_number, digest)


def forget(turn: Turn, queue: Queue | None, queue_id: int, sequence_number: int, digest: bytes) -> None:
    """The window of a message may have passed; it has not where the queue's window was made longer meanwhile.

    `queue` is None where the queue is gone.
    """
    key = turn.keys.duplicate(queue_id, digest)
    stored = turn.writer.get(key)
    if stored is None:
        return
    taken_at, number = _TAKEN.unpack(stored)
    if number != sequence_number:
        # A later message with the same id has an entry of its own.
        return
    if queue is not None:
        until = taken_at + queue.description.duplicate_detection_history_time_window
        if until > turn.now:
            turn.put_due(until, DueKind.DUPLICATE, queue_id, sequence_number, digest)
            return
    turn.writer.delete(key)
