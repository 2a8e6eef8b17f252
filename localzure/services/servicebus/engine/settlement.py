"""How a delivery ends: one row per outcome.

A message that is locked can be completed, abandoned, deferred, dead-lettered or released, by its receiver's disposition
or by `update-disposition`; a lock that expires ends like an abandoned one.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.engine.counts import ABANDONED, COMPLETED
from localzure.services.servicebus.engine.dead_letters import dead_letter, expire
from localzure.services.servicebus.engine.reasons import because_of_deliveries
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.record import (
    decode_record,
    encode_record,
    with_application_properties,
    with_delivery_count,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localzure.services.servicebus.engine.locks import Lock
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn


class Disposition(Enum):
    """What becomes of a message. The values are those of `disposition-status` in `update-disposition`."""

    COMPLETED = "completed"
    ABANDONED = "abandoned"
    DEFERRED = "defered"
    DEAD_LETTERED = "suspended"
    RELEASED = "unlocked"


def require_locks(turn: Turn, queue: Queue, tokens: Iterable[bytes]) -> None:
    """Raise ServiceBusError (LOCK_LOST) unless all of `tokens` are locks that are held."""
    for token in tokens:
        _require_lock(turn, queue, token)


def settle(
    turn: Turn, queue: Queue, token: bytes, disposition: Disposition, changes: Mapping[Any, Any] | None = None
) -> None:
    """End the delivery that is locked with `token`. `changes` go into the message's application properties.

    Raises ServiceBusError: LOCK_LOST or SESSION_LOCK_LOST where nobody holds such a lock (any more), NOT_ALLOWED,
    ARGUMENT.
    """
    lock = require_settleable(turn, queue, token, disposition)
    turn.take_lock(queue, token)
    try:
        _OUTCOMES[disposition](turn, queue, lock, changes or {})
    except (TypeError, ValueError) as error:
        turn.restore_lock(queue, lock)
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"The properties cannot be stored: {error}.") from None


def require_settleable(turn: Turn, queue: Queue, token: bytes, disposition: Disposition) -> Lock:
    """The lock of a delivery that can be ended so. Raises ServiceBusError as `settle`."""
    lock = _require_lock(turn, queue, token)
    if disposition is Disposition.DEAD_LETTERED and queue.dead_letter is None:
        raise ServiceBusError(
            ErrorCode.NOT_ALLOWED, detail="A message in a dead-letter queue cannot be dead-lettered again."
        )
    return lock


def _require_lock(turn: Turn, queue: Queue, token: bytes) -> Lock:
    lock = queue.locks.get(token)
    if lock is None:
        raise ServiceBusError(ErrorCode.LOCK_LOST)
    if lock.deadline <= turn.now:
        # One that has just ended is the alarm's to deal with.
        raise ServiceBusError(ErrorCode.LOCK_LOST if lock.session is None else ErrorCode.SESSION_LOCK_LOST)
    return lock


def end_expired(turn: Turn, queue: Queue, lock: Lock) -> None:
    """End a delivery whose lock has expired: the message goes back, or to the dead letters after the last attempt."""
    turn.take_lock(queue, lock.token)
    _abandon(turn, queue, lock, {})


def _complete(turn: Turn, queue: Queue, lock: Lock, _changes: Mapping[Any, Any]) -> None:
    turn.remove(queue, lock.state, lock.sequence_number, lock.size, lock.expires_at)
    turn.counted += COMPLETED


def _abandon_by_receiver(turn: Turn, queue: Queue, lock: Lock, changes: Mapping[Any, Any]) -> None:
    _abandon(turn, queue, lock, changes)
    turn.counted += ABANDONED


def _abandon(turn: Turn, queue: Queue, lock: Lock, changes: Mapping[Any, Any]) -> None:
    value = _stored(turn, queue, lock)
    delivery_count = lock.delivery_count + 1
    if not queue.is_sub_queue and delivery_count >= queue.description.max_delivery_count:
        reasons = {**changes, **because_of_deliveries(delivery_count)}
        dead_letter(turn, queue, lock.state, lock.sequence_number, value, reasons, delivery_count)
        return
    if changes:
        record = with_application_properties(decode_record(value), changes)
        record.delivery_count = delivery_count
        changed = encode_record(record)
    else:
        changed = with_delivery_count(value, delivery_count)
    if _has_expired(turn, lock):
        expire(turn, queue, lock.state, lock.sequence_number, value)
        return
    turn.replace(queue, lock.state, lock.sequence_number, changed, lock.size, lock.state)
    _make_available(turn, queue, lock)


def _defer(turn: Turn, queue: Queue, lock: Lock, changes: Mapping[Any, Any]) -> None:
    value = _stored(turn, queue, lock)
    if changes:
        value = encode_record(with_application_properties(decode_record(value), changes))
    turn.replace(queue, lock.state, lock.sequence_number, value, lock.size, MessageState.DEFERRED)


def _dead_letter(turn: Turn, queue: Queue, lock: Lock, changes: Mapping[Any, Any]) -> None:
    value = _stored(turn, queue, lock)
    dead_letter(turn, queue, lock.state, lock.sequence_number, value, changes, lock.delivery_count)


def _release(turn: Turn, queue: Queue, lock: Lock, _changes: Mapping[Any, Any]) -> None:
    if _has_expired(turn, lock):
        expire(turn, queue, lock.state, lock.sequence_number, _stored(turn, queue, lock))
    else:
        _make_available(turn, queue, lock)


_OUTCOMES: dict[Disposition, Callable[[Turn, Queue, Lock, Mapping[Any, Any]], None]] = {
    Disposition.COMPLETED: _complete,
    Disposition.ABANDONED: _abandon_by_receiver,
    Disposition.DEFERRED: _defer,
    Disposition.DEAD_LETTERED: _dead_letter,
    Disposition.RELEASED: _release,
}


def _stored(turn: Turn, queue: Queue, lock: Lock) -> bytes:
    value = turn.writer.get(queue.message_key(lock.state, lock.sequence_number))
    assert value is not None, "a locked message is only removed by settling it"
    return value


def _has_expired(turn: Turn, lock: Lock) -> bool:
    """A time to live that ended under the lock takes effect now; what is deferred is left alone."""
    return lock.state is MessageState.ACTIVE and 0 < lock.expires_at <= turn.now


def _make_available(turn: Turn, queue: Queue, lock: Lock) -> None:
    if lock.state is MessageState.ACTIVE:
        turn.give_back(queue, lock.sequence_number)
        if queue.forwards_to:
            turn.put_due(turn.now, DueKind.TRANSFER, queue.queue_id, lock.sequence_number)
