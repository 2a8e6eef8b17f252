"""Deleting many messages at once, without receiving them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import sequence_number_of
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.record import decode_fixed

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn

DELETIONS_MAX = 4000
"""Messages that one request deletes (Azure's bound of its premium tier)."""

_LAST_NUMBER = 2**63 - 2


def delete_batch(turn: Turn, queue: Queue, limit: int, before: int) -> int:
    """Delete up to `limit` of the oldest active messages that were enqueued before `before`; returns how many.

    Those that are locked are left out. Raises ServiceBusError (NOT_ALLOWED).
    """
    if queue.is_topic:
        raise ServiceBusError(ErrorCode.NOT_ALLOWED, detail="Messages of a topic are deleted from its subscriptions.")
    limit = min(limit, DELETIONS_MAX)
    found: list[tuple[int, int, int]] = []
    for key, value in turn.writer.scan(*queue.message_range(MessageState.ACTIVE, 0, _LAST_NUMBER)):
        fixed = decode_fixed(value)
        # What comes later was enqueued later.
        if len(found) == limit or fixed.enqueued_at >= before:
            break
        sequence_number = sequence_number_of(key)
        if queue.locks.of(sequence_number) is None:
            found.append((sequence_number, len(value), fixed.expires_at))
    for sequence_number, size, expires_at in found:
        turn.remove(queue, MessageState.ACTIVE, sequence_number, size, expires_at)
    return len(found)
