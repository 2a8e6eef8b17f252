"""How a message is kept: its record, its place in its queue, and its text, beside the record where that is long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.queue.keys import pack_instant
from localzure.services.queue.model import Message, MessageRecord

if TYPE_CHECKING:
    from localzure.services.queue.engine.state import Engine
    from localzure_storage.store import Reader, Writer

TEXT_BYTES_IN_RECORD_MAX = 3 * 1024
"""Longest text that is kept in the record, which then fits a page of the store. A longer one is kept beside it: it is
not written again each time the message is handed out."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(MessageRecord).decode


def load(engine: Engine, reader: Reader, queue_id: int, sequence: int) -> Message | None:
    """Return a message, without a text that is kept beside its record; None where it is gone."""
    value = reader.get(engine.keys.message(queue_id, sequence))
    return None if value is None else Message(sequence, _decode(value))


def load_all(engine: Engine, reader: Reader, queue_id: int, limit: int) -> list[Message]:
    """Return the first `limit` of a queue's messages in the order in which they were put, as `load` does."""
    found = reader.scan(*engine.keys.messages(queue_id), limit=limit)
    return [Message(engine.keys.sequence(key), _decode(value)) for key, value in found]


def load_text(engine: Engine, reader: Reader, queue_id: int, message: Message) -> None:
    """Complete a message by its text, where that is kept beside its record. Do not `save` it then."""
    if message.record.text is None:
        text = reader.get(engine.keys.text(queue_id, message.sequence))
        assert text is not None, "a text is removed with its message"
        message.record.text = text.decode()


def save(engine: Engine, writer: Writer, queue_id: int, message: Message) -> None:
    """Write a message's record and its place, but not a text that is kept beside it."""
    keys, record = engine.keys, message.record
    writer.put(keys.message(queue_id, message.sequence), _encode(record))
    writer.put(keys.place(queue_id, record.visible, message.sequence), pack_instant(record.expires))


def save_text(engine: Engine, writer: Writer, queue_id: int, message: Message, text: str) -> None:
    """Keep a message's text where its length says; `save` the record afterwards."""
    key = engine.keys.text(queue_id, message.sequence)
    raw = text.encode()
    if len(raw) > TEXT_BYTES_IN_RECORD_MAX:
        message.record.text = None
        writer.put(key, raw)
    else:
        if message.record.text is None:
            writer.delete(key)
        message.record.text = text


def leave_place(engine: Engine, writer: Writer, queue_id: int, message: Message) -> None:
    """Take a message out of its place, before `save` gives it another one."""
    writer.delete(engine.keys.place(queue_id, message.record.visible, message.sequence))


def remove(engine: Engine, writer: Writer, queue_id: int, message: Message) -> None:
    """Remove everything that is kept of a message that was not completed by `load_text`. The caller counts."""
    keys, record = engine.keys, message.record
    writer.delete(keys.message(queue_id, message.sequence))
    writer.delete(keys.place(queue_id, record.visible, message.sequence))
    writer.delete(keys.due(record.expires, queue_id, message.sequence))
    if record.text is None:
        writer.delete(keys.text(queue_id, message.sequence))
