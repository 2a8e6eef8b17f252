"""How a message becomes a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.engine.counts import DEAD_LETTERED
from localzure.services.servicebus.engine.forwarding import enqueue
from localzure.services.servicebus.engine.reasons import BECAUSE_OF_TIME
from localzure.services.servicebus.record import decode_fixed, decode_record, encode_record, with_application_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn
    from localzure.services.servicebus.model import MessageState


def dead_letter(
    turn: Turn,
    queue: Queue,
    state: MessageState,
    sequence_number: int,
    value: bytes,
    changes: Mapping[Any, Any],
    delivery_count: int,
) -> None:
    """Move a stored message to the dead-letter queue of `queue`, with `changes` to its application properties.

    It keeps its enqueued time and gets a new sequence number; the old one stays visible as enqueue sequence number. It
    lives as long as nobody takes it, or moves on where the queue forwards its dead letters. Raises TypeError and
    ValueError for `changes` that AMQP cannot hold.
    """
    assert queue.dead_letter is not None, "dead letters of a dead-letter queue are refused"
    record = with_application_properties(decode_record(value), changes)
    expires_at, record.expires_at = record.expires_at, 0
    record.enqueue_sequence_number = record.enqueue_sequence_number or sequence_number
    record.delivery_count = delivery_count
    moved = encode_record(record)
    turn.remove(queue, state, sequence_number, len(value), expires_at)
    enqueue(turn, queue.dead_letter, moved, 0)
    turn.counted += DEAD_LETTERED


def expire(turn: Turn, queue: Queue, state: MessageState, sequence_number: int, value: bytes) -> None:
    """End a message whose time to live is over: a dead letter if the queue wants it so, else gone."""
    fixed = decode_fixed(value)
    if queue.description.dead_lettering_on_message_expiration:
        dead_letter(turn, queue, state, sequence_number, value, BECAUSE_OF_TIME, fixed.delivery_count)
    else:
        turn.remove(queue, state, sequence_number, len(value), fixed.expires_at)
