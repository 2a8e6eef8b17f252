"""Queues: create, read, set metadata and policies, delete, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.queue.engine import remains
from localzure.services.queue.errors import QueueError
from localzure.services.queue.model import QueueCounters, QueueIdentity, QueuePage, QueueRecord, QueueState

if TYPE_CHECKING:
    from localzure.services.queue.engine.state import Engine, Moment
    from localzure.services.queue.model import ListQueues, OnQueue, SetMetadata, SetPolicies
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(QueueRecord).decode
_decode_identity = msgspec.msgpack.Decoder(QueueIdentity).decode
_decode_counters = msgspec.msgpack.Decoder(QueueCounters).decode


def find_id(engine: Engine, reader: Reader, account: str, queue: str) -> int:
    """Return the id under which a queue's messages are kept. Raises QueueError `QueueNotFound`."""
    value = reader.get(engine.keys.queue(account, queue))
    if value is None:
        raise QueueError("QueueNotFound")
    return _decode_identity(value).id


def find(engine: Engine, reader: Reader, account: str, queue: str) -> QueueRecord:
    """Return a queue. Raises QueueError `QueueNotFound`."""
    value = reader.get(engine.keys.queue(account, queue))
    if value is None:
        raise QueueError("QueueNotFound")
    return _decode(value)


def counters(engine: Engine, reader: Reader, queue_id: int) -> QueueCounters | None:
    """Return what is counted of a queue's messages; None where it never had one, or is gone."""
    value = reader.get(engine.keys.counters(queue_id))
    return None if value is None else _decode_counters(value)


def save_counters(engine: Engine, writer: Writer, queue_id: int, counted: QueueCounters) -> None:
    """Write what is counted of a queue's messages."""
    writer.put(engine.keys.counters(queue_id), _encode(counted))


def uncount(engine: Engine, writer: Writer, queue_id: int, removed: int) -> None:
    """Count the removal of messages, unless they are those of a deleted or cleared queue."""
    counted = counters(engine, writer, queue_id)
    if counted is not None:
        counted.count -= removed
        save_counters(engine, writer, queue_id, counted)


def create(engine: Engine, writer: Writer, command: SetMetadata, _moment: Moment) -> bool:
    """Make a queue; False where there is one with the same metadata. Raises QueueError `QueueAlreadyExists`.

    Its name may be that of one whose messages are still being swept.
    """
    key = engine.keys.queue(command.account, command.queue)
    value = writer.get(key)
    if value is not None:
        if _folded(_decode(value).metadata) != _folded(command.metadata):
            raise QueueError("QueueAlreadyExists")
        return False
    writer.put(key, _encode(QueueRecord(engine.keys.next_number(writer), command.metadata)))
    return True


def get(engine: Engine, reader: Reader, command: OnQueue, _moment: Moment) -> QueueState:
    """Return a queue for its metadata."""
    record = find(engine, reader, command.account, command.queue)
    counted = counters(engine, reader, record.id)
    return QueueState(record, 0 if counted is None else counted.count)


def get_policies(engine: Engine, reader: Reader, command: OnQueue, _moment: Moment) -> QueueRecord:
    """Return a queue for its stored access policies."""
    return find(engine, reader, command.account, command.queue)


def set_metadata(engine: Engine, writer: Writer, command: SetMetadata, _moment: Moment) -> None:
    """Replace a queue's metadata."""
    record = find(engine, writer, command.account, command.queue)
    record.metadata = command.metadata
    writer.put(engine.keys.queue(command.account, command.queue), _encode(record))


def set_policies(engine: Engine, writer: Writer, command: SetPolicies, _moment: Moment) -> None:
    """Replace a queue's stored access policies."""
    record = find(engine, writer, command.account, command.queue)
    record.policies = command.policies
    writer.put(engine.keys.queue(command.account, command.queue), _encode(record))


def delete(engine: Engine, writer: Writer, command: OnQueue, _moment: Moment) -> None:
    """Remove a queue at once; its messages, which nobody can reach any more, are left to be swept."""
    key = engine.keys.queue(command.account, command.queue)
    value = writer.get(key)
    if value is None:
        raise QueueError("QueueNotFound")
    writer.delete(key)
    abandon(engine, writer, value)


def abandon(engine: Engine, writer: Writer, value: bytes) -> None:
    """Leave to be swept what a queue held whose record, `value`, is gone."""
    queue_id = _decode_identity(value).id
    counted = counters(engine, writer, queue_id)
    if counted is not None:
        _abandon_messages(engine, writer, queue_id, counted)


def clear(engine: Engine, writer: Writer, command: OnQueue, _moment: Moment) -> None:
    """Remove a queue's messages at once, however many: it goes on under a new id."""
    record = find(engine, writer, command.account, command.queue)
    counted = counters(engine, writer, record.id)
    if counted is not None and counted.count:
        _abandon_messages(engine, writer, record.id, counted)
        record.id = engine.keys.next_number(writer)
        writer.put(engine.keys.queue(command.account, command.queue), _encode(record))


def list_page(engine: Engine, reader: Reader, command: ListQueues, _moment: Moment) -> QueuePage:
    """Return a page of an account's queues."""
    keys = engine.keys
    start, stop = keys.queues.prefix_range(command.account, command.prefix)
    if command.start:
        start = max(start, keys.queue(command.account, command.start))
    page: list[tuple[str, QueueRecord]] = []
    for key, value in reader.scan(start, stop, limit=command.limit + 1):
        name = keys.queue_name(key)
        if len(page) == command.limit:
            return QueuePage(page, name)
        page.append((name, _decode(value)))
    return QueuePage(page, None)


def _abandon_messages(engine: Engine, writer: Writer, queue_id: int, counted: QueueCounters) -> None:
    """Leave a queue's messages to be swept, and stop counting them."""
    writer.delete(engine.keys.counters(queue_id))
    if counted.count:
        remains.leave(engine, writer, queue_id)


def _folded(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata for comparison: its names are the same in any case."""
    return {name.lower(): value for name, value in metadata.items()}
