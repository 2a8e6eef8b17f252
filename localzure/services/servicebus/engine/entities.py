"""Queues as entities: created, found by address, and held in memory once they are used.

Nothing is read at start-up: ten thousand entities that nobody uses cost nothing but their records in the store.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.addresses import EntityAddress, SubQueue, parse_address
from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.engine.queue import Queue, queue_id_of
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import Counters, EntityDescription, EntityRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode_queue = msgspec.msgpack.Decoder(EntityRecord).decode
_decode_counters = msgspec.msgpack.Decoder(Counters).decode
_ID_BYTES = 8


class Entities:
    """The entities of the namespace."""

    def __init__(self, keys: ServiceBusKeys) -> None:
        self._keys = keys
        self._queues: dict[tuple[str, SubQueue], Queue] = {}

    def queues(self, reader: Reader, skip: int = 0) -> Iterator[EntityRecord]:
        """All queues, ordered by name, without the first `skip`."""
        start, stop = self._keys.entity_range()
        for _, value in islice(reader.scan(start, stop), skip, None):
            yield _decode_queue(value)

    def record(self, reader: Reader, name: str) -> EntityRecord | None:
        """The queue called `name`, in any case."""
        value = reader.get(self._keys.entity(name))
        return None if value is None else _decode_queue(value)

    def find(self, reader: Reader, address: EntityAddress) -> Queue | None:
        """The queue or sub-queue at `address`, ready to be used; None where there is none."""
        name = address.entity.lower()
        queue = self._queues.get((name, address.sub_queue))
        if queue is not None:
            return queue
        record = self.record(reader, name) if name else None
        return None if record is None else self._load(reader, record, address.sub_queue)

    def owner(self, reader: Reader, queue_id: int) -> Queue | None:
        """The queue or sub-queue that has this number."""
        path = reader.get(self._keys.owner(queue_id))
        return None if path is None else self.find(reader, parse_address(path.decode()))

    def counters(self, reader: Reader, queue: Queue) -> Counters:
        """What is counted for `queue`."""
        stored = reader.get(queue.counters_key)
        return Counters() if stored is None else _decode_counters(stored)

    def create_queue(self, writer: Writer, name: str, description: EntityDescription, now: int) -> EntityRecord:
        """Write a new queue and its sub-queues. Raises ServiceBusError (ENTITY_EXISTS)."""
        if writer.get(self._keys.entity(name)) is not None:
            raise ServiceBusError(ErrorCode.ENTITY_EXISTS, entity=name)
        first_id = int.from_bytes(writer.get(self._keys.last_id) or b"", "big") + 1
        record = EntityRecord(
            name=name,
            queue_id=first_id,
            dead_letter_id=first_id + 1,
            transfer_dead_letter_id=first_id + 2,
            created_at=now,
            updated_at=now,
            description=description,
        )
        writer.put(self._keys.last_id, (first_id + 2).to_bytes(_ID_BYTES, "big"))
        writer.put(self._keys.entity(name), _encode(record))
        for sub_queue in SubQueue:
            writer.put(self._keys.owner(queue_id_of(record, sub_queue)), (name + sub_queue.value).encode())
        self._put_due(writer, record, now)
        return record

    def update_queue(
        self, writer: Writer, record: EntityRecord, description: EntityDescription, now: int
    ) -> EntityRecord:
        """Write a queue's properties anew. Give the result to `apply` once it is committed."""
        record = msgspec.structs.replace(record, description=description, updated_at=now)
        writer.put(self._keys.entity(record.name), _encode(record))
        self._put_due(writer, record, now)
        return record

    def _put_due(self, writer: Writer, record: EntityRecord, now: int) -> None:
        """Have done what follows from the properties: forward what the queue holds, look whether it is idle."""
        description = record.description
        if description.forward_to:
            writer.put(self._keys.due(now, DueKind.TRANSFER, record.queue_id, 0), b"")
        if description.forward_dead_lettered_messages_to:
            writer.put(self._keys.due(now, DueKind.TRANSFER, record.dead_letter_id, 0), b"")
        if description.auto_delete_on_idle < FOREVER:
            writer.put(self._keys.due(now + description.auto_delete_on_idle, DueKind.IDLE, record.queue_id, 0), b"")

    def delete_queue(self, writer: Writer, record: EntityRecord) -> None:
        """Delete a queue and leave its messages to `remains.sweep`. Call `forget` once it is committed."""
        writer.delete(self._keys.entity(record.name))
        for sub_queue in SubQueue:
            queue_id = queue_id_of(record, sub_queue)
            writer.delete(self._keys.owner(queue_id))
            writer.put(self._keys.remains(queue_id), b"")

    def counters_of(self, reader: Reader, record: EntityRecord) -> dict[SubQueue, Counters]:
        """What is counted for a queue and each of its sub-queues, whether they are in use or not."""
        found = {}
        for sub_queue in SubQueue:
            stored = reader.get(self._keys.counters(queue_id_of(record, sub_queue)))
            found[sub_queue] = Counters() if stored is None else _decode_counters(stored)
        return found

    def in_use(self, record: EntityRecord) -> list[Queue]:
        """The queue and those of its sub-queues that somebody has used."""
        found = (self._queues.get((record.name.lower(), sub_queue)) for sub_queue in SubQueue)
        return [queue for queue in found if queue is not None and queue.record.queue_id == record.queue_id]

    def forget(self, record: EntityRecord) -> None:
        """A queue is gone, or was never committed: nobody finds it any more, and it has nothing to hand out."""
        for queue in self.in_use(record):
            del self._queues[record.name.lower(), queue.sub_queue]
            queue.empty()

    def apply(self, record: EntityRecord) -> None:
        """From now on use `record` for its queue and sub-queues, where they are in use."""
        for queue in self.in_use(record):
            queue.record = record

    def _load(self, reader: Reader, record: EntityRecord, sub_queue: SubQueue) -> Queue:
        key = (record.name.lower(), sub_queue)
        queue = self._queues.get(key)
        if queue is None:
            dead_letter = self._load(reader, record, SubQueue.DEAD_LETTER) if sub_queue is SubQueue.NONE else None
            queue = Queue(self._keys, record, sub_queue, dead_letter)
            counters = self.counters(reader, queue)
            queue.visible, queue.accessed_at = counters.last_sequence_number, counters.accessed_at
            self._queues[key] = queue
        return queue
