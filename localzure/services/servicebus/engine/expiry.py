"""What time does by itself: locks that end, messages whose time to live is over, and whatever else is in the due index.

Done in bounded steps, so that a hundred thousand messages that expire together do not stop everything else.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from localzure.services.servicebus.engine.dead_letters import expire
from localzure.services.servicebus.engine.duplicates import forget
from localzure.services.servicebus.engine.fan_out import go_on
from localzure.services.servicebus.engine.forwarding import move_on
from localzure.services.servicebus.engine.idle import delete_if_idle
from localzure.services.servicebus.engine.scheduling import activate
from localzure.services.servicebus.engine.sessions import end_waits, give_notices, lose, watch_again
from localzure.services.servicebus.engine.settlement import end_expired
from localzure.services.servicebus.engine.topics import Topic
from localzure.services.servicebus.engine.transactions import end_transactions
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import MessageState
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.sessions import Session
    from localzure.services.servicebus.engine.turn import Turn

STEP_MAX = 500
"""Locks that are ended, and entries of the due index that are worked on, at once."""

MOVES_MAX = 1
"""Entries of the due index worked on at once that forward messages, up to `forwarding.STEP_MAX` of them, or give
those of a topic to subscriptions, up to `fan_out.COPIES_MAX` of these."""

_HEAVY = {DueKind.TRANSFER, DueKind.FAN_OUT}


def run_due(broker: Broker) -> None:
    """Do what has come due, or the beginning of it, and set the alarm to what comes next.

    Raises StorageError where the store cannot be written to at all; the alarm is set then too.
    """
    broker.alarm_rang()
    end_waits(broker, STEP_MAX)
    give_notices(broker, STEP_MAX)
    end_transactions(broker, STEP_MAX)
    if not broker.has_due(broker.now()):
        broker.arm_next()
        return
    try:
        with broker.turn() as turn:
            turn.then(broker.arm_next, lambda _: broker.retry_later())
            _end_locks(broker, turn)
            _end_sessions(broker, turn)
            _run_entries(broker, turn)
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


def _end_sessions(broker: Broker, turn: Turn) -> None:
    """End the sessions whose locks have expired; each of their messages has failed once more."""
    for session in broker.session_ends.due(turn.now, STEP_MAX):
        broker.session_ends.remove(session.ticket)
        session.is_ending = True
        for lock in list(session.lane.values()):
            end_expired(turn, session.queue, lock)
        turn.then(partial(lose, broker, session), partial(_not_lost, broker, session))


def _not_lost(broker: Broker, session: Session, _error: Exception) -> None:
    watch_again(broker, session)


def _run_entries(broker: Broker, turn: Turn) -> None:
    """Do what the due index holds. An entry whose message or queue has gone meanwhile means nothing."""
    due = list(turn.writer.scan(*broker.keys.due_until(turn.now), limit=STEP_MAX))
    moves_left = MOVES_MAX
    for key, value in due:
        _, kind, queue_id, number = broker.keys.due_parts(key)
        if kind in _HEAVY:
            # One of these moves as much as all the others of a step together do.
            if not moves_left:
                continue
            moves_left -= 1
        turn.writer.delete(key)
        queue = broker.entities.owner(turn.writer, queue_id)
        if kind is DueKind.DUPLICATE:
            forget(turn, queue, queue_id, number, value)
        elif kind is DueKind.FAN_OUT:
            if isinstance(queue, Topic):
                go_on(turn, queue, number, value)
        elif queue is not None:
            _ENTRIES[kind](broker, turn, queue, number)


def _expire_message(broker: Broker, turn: Turn, queue: Queue, sequence_number: int) -> None:
    """End a message.

    One that is locked is left to its settlement. Its entry moves to the end of the lock, and so is there after a crash,
    when nobody holds the lock any more. One that is deferred stays.
    """
    del broker
    lock = queue.locks.of(sequence_number)
    if lock is not None:
        turn.put_due(lock.deadline, DueKind.EXPIRY, queue.queue_id, sequence_number)
        return
    value = turn.writer.get(queue.message_key(MessageState.ACTIVE, sequence_number))
    if value is not None:
        turn.handed_out(queue, sequence_number)
        expire(turn, queue, MessageState.ACTIVE, sequence_number, value)


def _activate(_broker: Broker, turn: Turn, queue: Queue, sequence_number: int) -> None:
    activate(turn, queue, sequence_number)


def _transfer(_broker: Broker, turn: Turn, queue: Queue, sequence_number: int) -> None:
    move_on(turn, queue, sequence_number)


def _idle(broker: Broker, turn: Turn, queue: Queue, _number: int) -> None:
    delete_if_idle(broker, turn, queue)


_ENTRIES: dict[DueKind, Callable[[Broker, Turn, Queue, int], None]] = {
    DueKind.EXPIRY: _expire_message,
    DueKind.SCHEDULED: _activate,
    DueKind.TRANSFER: _transfer,
    DueKind.IDLE: _idle,
}
