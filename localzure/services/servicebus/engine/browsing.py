"""Looking at messages without receiving them, and receiving the deferred ones by number."""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.servicebus.engine.counts import RECEIVED
from localzure.services.servicebus.engine.locks import Lock
from localzure.services.servicebus.engine.sessions import sessions_of
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import sequence_number_of
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.record import decode_fixed, render, session_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.sessions import Session
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_storage.store import Reader

PEEK_MESSAGES_MAX = 250
"""Messages given by one peek, whatever the client asks for; it asks again from the last number."""

PEEK_BYTES_MAX = 1024 * 1024
"""Bytes after which a peek ends early."""

NUMBERS_MAX = 1000
"""Sequence numbers in one request."""

_LAST_NUMBER = 2**63 - 2


class Fetched(NamedTuple):
    """A deferred message that was received by its number."""

    message: bytes
    """Encoded."""
    token: UUID | None
    """Its lock, if it was received under one."""


def peek(reader: Reader, queue: Queue, first: int, limit: int, session_id: str | None = None) -> list[bytes]:
    """The messages from number `first` on, encoded, in whatever state: active (locked too), deferred or scheduled.

    With a `session_id` those of one session. Raises ServiceBusError (SESSION_NOT_SUPPORTED).
    """
    found, size = [], 0
    numbered = merge(*(_numbered(reader, queue, state, max(first, 0), session_id) for state in MessageState))
    for sequence_number, state, value in islice(numbered, min(limit, PEEK_MESSAGES_MAX)):
        whole = queue.whole(reader, value)
        _, front, rest = render(whole, sequence_number, state=state)
        found.append(front + rest)
        size += len(whole)
        if size >= PEEK_BYTES_MAX:
            break
    return found


def receive_deferred(
    broker: Broker, turn: Turn, queue: Queue, numbers: Sequence[int], *, locked: bool, session: Session | None = None
) -> list[Fetched]:
    """Receive deferred messages, under a lock or for good. All or none. Those of a session need the session.

    Raises ServiceBusError (MESSAGE_NOT_FOUND) where one is missing, is not deferred, is locked, or is of another
    session.
    """
    values = []
    for sequence_number in numbers:
        value = turn.writer.get(queue.message_key(MessageState.DEFERRED, sequence_number))
        if (
            value is None
            or queue.locks.of(sequence_number) is not None
            or (session is not None and session_id_of(value) != session.session_id)
        ):
            raise ServiceBusError(ErrorCode.MESSAGE_NOT_FOUND)
        values.append((sequence_number, value))
    if len(set(numbers)) != len(numbers):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="A sequence number is given twice.")
    turn.counted += RECEIVED * len(values)
    if locked:
        return [_lock_deferred(broker, turn, queue, *found, session) for found in values]
    fetched = []
    for sequence_number, value in values:
        whole = queue.whole(turn.writer, value)
        turn.remove(queue, MessageState.DEFERRED, sequence_number, len(value), decode_fixed(value).expires_at)
        _, front, rest = render(whole, sequence_number, state=MessageState.DEFERRED)
        fetched.append(Fetched(front + rest, None))
    return fetched


def _lock_deferred(
    broker: Broker, turn: Turn, queue: Queue, sequence_number: int, value: bytes, session: Session | None
) -> Fetched:
    fixed, token = decode_fixed(value), broker.entropy.uuid()
    deadline = turn.now + queue.description.lock_duration if session is None else session.deadline
    lock = Lock(
        token.bytes_le,
        sequence_number,
        MessageState.DEFERRED,
        deadline,
        fixed.expires_at,
        len(value),
        fixed.delivery_count,
        session,
    )
    queue.locks.add(lock)
    if session is None:
        broker.watch_lock(queue, deadline)
    _, front, rest = render(
        queue.whole(turn.writer, value),
        sequence_number,
        state=MessageState.DEFERRED,
        locked_until=deadline,
        token=token.bytes_le,
    )
    return Fetched(front + rest, token)


def _numbered(
    reader: Reader, queue: Queue, state: MessageState, first: int, session_id: str | None
) -> Iterator[tuple[int, MessageState, bytes]]:
    if session_id is not None:
        start, stop = sessions_of(queue).message_range(state, session_id, first, _LAST_NUMBER)
        for key, _ in reader.scan(start, stop):
            sequence_number = sequence_number_of(key)
            indexed = reader.get(queue.message_key(state, sequence_number))
            assert indexed is not None, "the index is written with the messages"
            yield sequence_number, state, indexed
        return
    for key, value in reader.scan(*queue.message_range(state, first, _LAST_NUMBER)):
        yield sequence_number_of(key), state, value
