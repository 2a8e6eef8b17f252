"""Messages: put, get, peek, update, delete.

A message is kept under its sequence number, and has a place in its queue: the instant at which it is visible, or became
so, and then its sequence number. Putting, getting and updating move its place; a message is visible when the instant
has come, so nothing happens when it comes. The head of the queue is the first place, found by one step of a cursor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.interface import SECOND, Instant
from localzure.services.queue.engine import queues, records
from localzure.services.queue.errors import QueueError
from localzure.services.queue.identity import new_tag, new_token
from localzure.services.queue.keys import unpack_instant
from localzure.services.queue.model import NEVER, Message, MessageRecord, QueueCounters

if TYPE_CHECKING:
    from localzure.services.queue.engine.state import Engine, Moment
    from localzure.services.queue.model import GetMessages, OnMessage, PeekMessages, PutMessage, UpdateMessage
    from localzure_storage.store import Reader, Writer

STEPS_MAX = 10_000
"""Places that one request looks at. Between the instant at which very many messages expire together and their removal,
a request may come across more of them than this, and then finds nothing: milliseconds instead of a long wait."""


def put(engine: Engine, writer: Writer, command: PutMessage, moment: Moment) -> Message:
    """Add a message. Raises QueueError `QueueNotFound`."""
    queue_id = queues.find_id(engine, writer, command.account, command.queue)
    counted = queues.counters(engine, writer, queue_id) or QueueCounters()
    counted.count += 1
    counted.last_sequence += 1
    queues.save_counters(engine, writer, queue_id, counted)
    record = MessageRecord(
        tag=new_tag(moment.entropy),
        token=new_token(moment.entropy),
        inserted=moment.now,
        expires=NEVER if command.time_to_live is None else _later(moment, command.time_to_live),
        visible=_later(moment, command.visibility_timeout),
        dequeue_count=0,
        text="",
    )
    message = Message(counted.last_sequence, record)
    records.save_text(engine, writer, queue_id, message, command.text)
    records.save(engine, writer, queue_id, message)
    if record.expires < NEVER:
        writer.put(engine.keys.due(record.expires, queue_id, message.sequence), b"")
    return message


def get(engine: Engine, writer: Writer, command: GetMessages, moment: Moment) -> list[Message]:
    """Hand out visible messages, and hide them. Raises QueueError `QueueNotFound`."""
    queue_id = queues.find_id(engine, writer, command.account, command.queue)
    visible = _later(moment, command.visibility_timeout)
    messages = _head(engine, writer, queue_id, command.limit, moment)
    for message in messages:
        records.leave_place(engine, writer, queue_id, message)
        message.record.visible = visible
        message.record.token = new_token(moment.entropy)
        message.record.dequeue_count += 1
        records.save(engine, writer, queue_id, message)
        records.load_text(engine, writer, queue_id, message)
    return messages


def peek(engine: Engine, reader: Reader, command: PeekMessages, moment: Moment) -> list[Message]:
    """Return visible messages, and leave them as they are. Raises QueueError `QueueNotFound`."""
    queue_id = queues.find_id(engine, reader, command.account, command.queue)
    messages = _head(engine, reader, queue_id, command.limit, moment)
    for message in messages:
        records.load_text(engine, reader, queue_id, message)
    return messages


def update(engine: Engine, writer: Writer, command: UpdateMessage, moment: Moment) -> MessageRecord:
    """Hide a message from now on for another while, and change its text where a new one is given.

    Raises QueueError `QueueNotFound`, `MessageNotFound`, `PopReceiptMismatch`.
    """
    queue_id, message = _held(engine, writer, command.target, moment)
    records.leave_place(engine, writer, queue_id, message)
    if command.text is not None:
        records.save_text(engine, writer, queue_id, message, command.text)
    message.record.visible = _later(moment, command.visibility_timeout)
    message.record.token = new_token(moment.entropy)
    records.save(engine, writer, queue_id, message)
    return message.record


def delete(engine: Engine, writer: Writer, command: OnMessage, moment: Moment) -> None:
    """Remove a message. Raises QueueError `QueueNotFound`, `MessageNotFound`, `PopReceiptMismatch`."""
    queue_id, message = _held(engine, writer, command, moment)
    records.remove(engine, writer, queue_id, message)
    queues.uncount(engine, writer, queue_id, 1)


def _held(engine: Engine, reader: Reader, target: OnMessage, moment: Moment) -> tuple[int, Message]:
    """Return the id of the queue, and the message, for whoever holds its pop receipt."""
    queue_id = queues.find_id(engine, reader, target.account, target.queue)
    named = target.message
    message = None if named is None else records.load(engine, reader, queue_id, named.sequence)
    if named is None or message is None or message.record.tag != named.tag or message.record.expires <= moment.now:
        raise QueueError("MessageNotFound")
    if target.receipt != named.tag + message.record.token:
        is_stale = target.receipt.startswith(named.tag)
        raise QueueError("MessageNotFound" if is_stale else "PopReceiptMismatch")
    return queue_id, message


def _head(engine: Engine, reader: Reader, queue_id: int, limit: int, moment: Moment) -> list[Message]:
    """Return the first visible messages of a queue, passing over those that have expired."""
    sequences: list[int] = []
    for key, expires in reader.scan(*engine.keys.places_until(queue_id, moment.now), limit=STEPS_MAX):
        if unpack_instant(expires) > moment.now:
            sequences.append(engine.keys.sequence(key))
            if len(sequences) == limit:
                break
    messages = [records.load(engine, reader, queue_id, sequence) for sequence in sequences]
    return [message for message in messages if message is not None]


def _later(moment: Moment, seconds: int) -> Instant:
    return Instant(min(moment.now + seconds * SECOND, NEVER))
