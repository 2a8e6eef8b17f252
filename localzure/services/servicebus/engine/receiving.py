"""Messages on their way out: what is next, the locks, and receiving without a lock.

Handing out under a lock writes nothing: a lock is memory. Receiving and deleting writes, so what it took is given to
the client only once that is committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.servicebus.engine.counts import RECEIVED
from localzure.services.servicebus.engine.dead_letters import expire
from localzure.services.servicebus.engine.locks import Lock
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import EntityStatus, MessageState
from localzure.services.servicebus.record import decode_fixed, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.supply import Supply
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_storage.store import Reader

TOKEN_BYTES = 16
STEP_BYTES_MAX = 1024 * 1024
"""Bytes handed out at once, give or take a message: what others wait for meanwhile."""

Found = tuple[int, bytes, bytes]
"""A sequence number, what is stored of the message, and the message with all of its content."""


@dataclass(slots=True)
class Delivery:
    """A message on its way to a client."""

    token: bytes
    """The lock token, which is the delivery tag too; empty, as with Azure, for a message without a lock."""
    sequence_number: int
    front: bytes
    """The sections that were written for this delivery."""
    rest: bytes
    """The other sections, as they came."""
    stored: bytes
    """The message with all of its content, as it would be stored without sharing any."""


def require_receivable(queue: Queue, entity: str) -> None:
    """Raise ServiceBusError where nothing can be received from `queue`, whose address is `entity`."""
    if queue.is_topic:
        raise ServiceBusError(
            ErrorCode.NOT_ALLOWED, detail=f"Messages of the topic '{entity}' are received from its subscriptions."
        )
    if queue.forwards_to:
        raise ServiceBusError(
            ErrorCode.NOT_ALLOWED,
            detail=f"A receiver cannot be created on the entity '{entity}', which forwards its messages.",
        )
    if queue.description.status in {EntityStatus.DISABLED, EntityStatus.RECEIVE_DISABLED} or (
        queue.topic is not None and queue.topic.description.status is EntityStatus.DISABLED
    ):
        raise ServiceBusError(ErrorCode.ENTITY_DISABLED, entity=entity)


def lock_next(broker: Broker, supply: Supply, limit: int) -> list[Delivery]:
    """Lock up to `limit` of the messages that are available, in order. May give fewer while there are more."""
    now, queue, session = broker.now(), supply.queue, supply.session
    deadline = now + queue.description.lock_duration if session is None else session.deadline
    with broker.reader() as reader:
        found = _available(supply, reader, limit)
    tokens = broker.entropy.bytes(TOKEN_BYTES * len(found))
    deliveries, expired, at = [], [], 0
    for each in found:
        sequence_number, stored, value = each
        token = tokens[at : at + TOKEN_BYTES]
        fixed, front, rest = render(value, sequence_number, locked_until=deadline, token=token)
        if 0 < fixed.expires_at <= now:
            expired.append(each)
            continue
        at += TOKEN_BYTES
        queue.locks.add(
            Lock(
                token,
                sequence_number,
                MessageState.ACTIVE,
                deadline,
                fixed.expires_at,
                len(stored),
                fixed.delivery_count,
                session,
            )
        )
        deliveries.append(Delivery(token, sequence_number, front, rest, value))
    broker.counts.total += RECEIVED * len(deliveries)
    if deliveries and session is None:
        broker.watch_lock(queue, deadline)
    if expired:
        with broker.turn() as turn:
            _expire(turn, queue, expired)
    return deliveries


def take_next(turn: Turn, supply: Supply, limit: int) -> list[Delivery]:
    """Remove up to `limit` of the messages that are available, in order. They may be given away after the commit."""
    queue = supply.queue
    found = _available(supply, turn.writer, limit)
    deliveries, expired = [], []
    for each in found:
        sequence_number, stored, value = each
        fixed, front, rest = render(value, sequence_number)
        if 0 < fixed.expires_at <= turn.now:
            expired.append(each)
            continue
        turn.handed_out(queue, sequence_number)
        turn.remove(queue, MessageState.ACTIVE, sequence_number, len(stored), fixed.expires_at)
        deliveries.append(Delivery(b"", sequence_number, front, rest, value))
    turn.counted += RECEIVED * len(deliveries)
    _expire(turn, queue, expired)
    return deliveries


def put_back(turn: Turn, queue: Queue, deliveries: Sequence[Delivery]) -> None:
    """Undo `take_next` for messages that could not be given to anybody, because the client has gone meanwhile."""
    for delivery in deliveries:
        turn.restore(queue, delivery.sequence_number, delivery.stored, decode_fixed(delivery.stored).expires_at)
        turn.give_back(queue, delivery.sequence_number)
        if queue.forwards_to:
            turn.put_due(turn.now, DueKind.TRANSFER, queue.queue_id, delivery.sequence_number)


def renew(broker: Broker, queue: Queue, token: bytes) -> int:
    """Extend a lock to a whole lock duration from now; returns its new end. Raises ServiceBusError (LOCK_LOST)."""
    now = broker.now()
    lock = queue.locks.get(token)
    if lock is None or lock.deadline <= now:
        raise ServiceBusError(ErrorCode.LOCK_LOST)
    if lock.session is not None:
        raise ServiceBusError(ErrorCode.NOT_ALLOWED, detail="A message of a session has no lock but the session's.")
    deadline = now + queue.description.lock_duration
    queue.locks.renew(lock, deadline)
    broker.watch_lock(queue, deadline)
    return deadline


def _available(supply: Supply, reader: Reader, limit: int) -> list[Found]:
    """Take up to `limit` messages from those that are available: what came back first, then what the cursor finds."""
    queue = supply.queue
    found: list[Found] = []
    size, last = 0, 0
    try:
        while supply.returned and len(found) < limit and size < STEP_BYTES_MAX:
            sequence_number = supply.next_returned()
            # A number may have come back twice, or its message may have been locked or have gone since.
            if sequence_number != last and queue.locks.of(sequence_number) is None:
                last = sequence_number
                value = reader.get(queue.message_key(MessageState.ACTIVE, sequence_number))
                if value is not None:
                    found.append((sequence_number, value, whole := queue.whole(reader, value)))
                    size += len(whole)
        wanted = limit - len(found)
        if wanted <= 0 or size >= STEP_BYTES_MAX or supply.cursor >= supply.visible:
            return found
        cursor = supply.visible
        for sequence_number, value in supply.ahead(reader, wanted):
            found.append((sequence_number, value, whole := queue.whole(reader, value)))
            size += len(whole)
            wanted -= 1
            if not wanted or size >= STEP_BYTES_MAX:
                cursor = sequence_number
                break
        supply.cursor = cursor
    except BaseException:
        for sequence_number, *_ in found:
            supply.give_back(sequence_number)
        raise
    return found


def _expire(turn: Turn, queue: Queue, expired: Sequence[Found]) -> None:
    """End messages that were found past their time, before their entry in the due index was looked at."""
    for sequence_number, stored, _ in expired:
        turn.handed_out(queue, sequence_number)
        expire(turn, queue, MessageState.ACTIVE, sequence_number, stored)
