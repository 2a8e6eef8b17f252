"""Carrying queues from one store to another (see `localzure.services.porting`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.porting import PROPERTIES, Resource, Row
from localzure.services.queue.engine import queues, records, remains
from localzure.services.queue.model import NEVER, Message, MessageRecord, QueueCounters, QueueRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.queue.engine.state import Engine
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(QueueRecord).decode
_decode_counters = msgspec.msgpack.Decoder(QueueCounters).decode
_decode_message = msgspec.msgpack.Decoder(MessageRecord).decode


class QueuePorter:
    """See `localzure.services.porting.Porter`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def resources(self, reader: Reader, account: str | None) -> Iterator[Resource]:
        """See `Porter.resources`."""
        keys, below = self._engine.keys, () if account is None else (account,)
        for key, _ in reader.scan(*keys.queues.range(*below)):
            owner, *name = keys.queues.unpack(key)
            yield Resource("queue", str(owner), tuple(name))
        if account is not None:
            if reader.get(keys.service_properties(account)) is not None:
                yield Resource(PROPERTIES, account, ())
            return
        for key, _ in reader.scan(*keys.properties.range()):
            yield Resource(PROPERTIES, str(keys.properties.unpack(key)[0]), ())

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """See `Porter.rows`."""
        value = reader.get(self._key(resource))
        assert value is not None, "it was listed"
        if resource.kind == PROPERTIES:
            yield Row("self", (), value)
            return
        record, keys = _decode(value), self._engine.keys
        yield Row("self", (), _encode(msgspec.structs.replace(record, id=0)))
        counted = queues.counters(self._engine, reader, record.id)
        if counted is not None:
            yield Row("counters", (), _encode(counted))
        for key, message in reader.scan(*keys.messages(record.id)):
            sequence = keys.sequence(key)
            yield Row("message", (sequence,), message)
            text = reader.get(keys.text(record.id, sequence))
            if text is not None:
                yield Row("text", (sequence,), text)

    def exists(self, reader: Reader, resource: Resource) -> bool:
        """See `Porter.exists`."""
        return reader.get(self._key(resource)) is not None

    def remove(self, writer: Writer, resource: Resource) -> None:
        """See `Porter.remove`."""
        key = self._key(resource)
        value = writer.get(key)
        if value is not None:
            writer.delete(key)
            if resource.kind != PROPERTIES:
                queues.abandon(self._engine, writer, value)

    def begin(self, writer: Writer, resource: Resource) -> _IncomingQueue:
        """See `Porter.begin`."""
        return _IncomingQueue(self, self._engine, writer, resource, self._key(resource))

    def _key(self, resource: Resource) -> bytes:
        keys = self._engine.keys
        if resource.kind == PROPERTIES:
            return keys.service_properties(resource.account)
        return keys.queues.pack(resource.account, *resource.name)


class _IncomingQueue:
    def __init__(self, porter: QueuePorter, engine: Engine, writer: Writer, resource: Resource, key: bytes) -> None:
        self._porter = porter
        self._engine = engine
        self._resource = resource
        self._key = key
        self._own = b""
        self._counters: QueueCounters | None = None
        self._id = 0
        self._note = b""
        if resource.kind != PROPERTIES:
            self._id = engine.keys.next_number(writer)
            self._note = remains.leave(engine, writer, self._id)

    def put(self, writer: Writer, row: Row) -> None:
        """See `Incoming.put`."""
        keys = self._engine.keys
        if row.family == "self":
            is_queue = self._resource.kind != PROPERTIES
            self._own = _encode(msgspec.structs.replace(_decode(row.value), id=self._id)) if is_queue else row.value
        elif row.family == "counters":
            self._counters = _decode_counters(row.value)
        elif row.family == "text":
            writer.put(keys.text(self._id, _sequence(row)), row.value)
        elif row.family == "message":
            message = Message(_sequence(row), _decode_message(row.value))
            records.save(self._engine, writer, self._id, message)
            if message.record.expires < NEVER:
                writer.put(keys.due(message.record.expires, self._id, message.sequence), b"")
        else:
            raise ValueError(f"a queue has no {row.family!r}")

    def finish(self, writer: Writer) -> None:
        """See `Incoming.finish`."""
        self._porter.remove(writer, self._resource)
        writer.put(self._key, self._own)
        if self._counters is not None:
            queues.save_counters(self._engine, writer, self._id, self._counters)
        if self._note:
            writer.delete(self._note)

    def release(self) -> None:
        """See `Incoming.release`: there is nothing."""


def _sequence(row: Row) -> int:
    (sequence,) = row.key
    if not isinstance(sequence, int):
        raise ValueError("a message has a number")  # noqa: TRY004 - of a file's content, not of a caller's type
    return sequence
