"""Carrying queues from one store to another (see `localzure.services.porting`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.porting import PROPERTIES, IncomingResource, Resource, Row, SpacePorter
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


class QueuePorter(SpacePorter):
    """See `localzure.services.porting.Porter`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            {"queue": engine.keys.queues, PROPERTIES: engine.keys.properties},
            lambda writer, value: queues.abandon(engine, writer, value),
        )
        self._engine = engine

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """See `Porter.rows`."""
        value = self.record(reader, resource)
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

    def begin(self, writer: Writer, resource: Resource) -> _IncomingQueue:
        """See `Porter.begin`."""
        engine = self._engine
        leave = partial(remains.leave, engine)
        return _IncomingQueue(self, writer, resource, engine.keys.next_number, leave, engine=engine)


class _IncomingQueue(IncomingResource):
    def __init__(self, *given: Any, engine: Engine) -> None:
        super().__init__(*given)
        self._engine = engine
        self._counters: QueueCounters | None = None

    def put(self, writer: Writer, row: Row) -> None:
        """See `Incoming.put`."""
        keys = self._engine.keys
        if row.family == "self":
            renumbered = None if self.is_properties else msgspec.structs.replace(_decode(row.value), id=self.number)
            self.own = row.value if renumbered is None else _encode(renumbered)
        elif row.family == "counters":
            self._counters = _decode_counters(row.value)
        elif row.family == "text":
            writer.put(keys.text(self.number, _sequence(row)), row.value)
        elif row.family == "message":
            message = Message(_sequence(row), _decode_message(row.value))
            records.save(self._engine, writer, self.number, message)
            if message.record.expires < NEVER:
                writer.put(keys.due(message.record.expires, self.number, message.sequence), b"")
        else:
            raise ValueError(f"a queue has no {row.family!r}")

    def finish(self, writer: Writer) -> None:
        """See `Incoming.finish`."""
        super().finish(writer)
        if self._counters is not None:
            queues.save_counters(self._engine, writer, self.number, self._counters)


def _sequence(row: Row) -> int:
    (sequence,) = row.key
    if not isinstance(sequence, int):
        raise ValueError("a message has a number")  # noqa: TRY004 - of a file's content, not of a caller's type
    return sequence
