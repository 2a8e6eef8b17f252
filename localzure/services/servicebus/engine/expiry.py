"""What time does by itself: locks that end, and messages whose time to live is over.

Done in bounded steps, so that a hundred thousand messages that expire together do not stop everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.engine.dead_letters import expire
from localzure.services.servicebus.engine.settlement import end_expired
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import MessageState
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.turn import Turn

STEP_MAX = 500
"""Locks, and messages, that are ended at once."""


def run_due(broker: Broker) -> None:
    """Do what has come due, or the beginning of it, and set the alarm to what comes next.

    Raises StorageError where the store cannot be written to at all; the alarm is set then too.
    """
    broker.alarm_rang()
    if not broker.has_due(broker.now()):
        broker.arm_next()
        return
    try:
        with broker.turn() as turn:
            turn.then(broker.arm_next, lambda _: broker.retry_later())
            _end_locks(broker, turn)
            _expire_messages(broker, turn)
    except StorageError:
        broker.retry_later()
        raise


def _end_locks(broker: Broker, turn: Turn) -> None:
    left = STEP_MAX
    touched = []
    for queue in broker.queues_with_ended_locks(turn.now):
        touched.append(queue)
        for lock in queue.locks.due(turn.now, left):
            end_expired(turn, queue, lock)
            left -= 1
        if not left:
            break
    for queue in touched:
        broker.watch_locks(queue)


def _expire_messages(broker: Broker, turn: Turn) -> None:
    """End the messages that are due.

    One that is locked is left to its settlement. Its entry moves to the end of the lock, and so is there after a crash,
    when nobody holds the lock any more; an entry whose message has gone meanwhile means nothing. One that is deferred
    stays.
    """
    due = [key for key, _ in turn.writer.scan(*broker.keys.due_until(turn.now), limit=STEP_MAX)]
    for key in due:
        _, _, queue_id, sequence_number = broker.keys.due_parts(key)
        turn.writer.delete(key)
        queue = broker.entities.owner(turn.writer, queue_id)
        if queue is None:
            continue
        lock = queue.locks.of(sequence_number)
        if lock is not None:
            turn.writer.put(broker.keys.due(lock.deadline, DueKind.EXPIRY, queue_id, sequence_number), b"")
            continue
        value = turn.writer.get(queue.message_key(MessageState.ACTIVE, sequence_number))
        if value is not None:
            turn.handed_out(queue, sequence_number)
            expire(turn, queue, MessageState.ACTIVE, sequence_number, value)
