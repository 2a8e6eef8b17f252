"""Queues, topics and subscriptions as entities: created, found by address, and held in memory once they are used.

Nothing is read at start-up: ten thousand entities that nobody uses cost nothing but their records in the store.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.addresses import (
    EntityAddress,
    SubQueue,
    parse_address,
    split_subscription,
    subscription_path,
)
from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.engine.queue import Queue, queue_id_of
from localzure.services.servicebus.engine.tallies import count_subscription, drop_subscription
from localzure.services.servicebus.engine.topics import Topic
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import Counters, EntityDescription, EntityKind, EntityRecord, Remains

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.engine.topics import Subscriber
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode_entity = msgspec.msgpack.Decoder(EntityRecord).decode
_decode_counters = msgspec.msgpack.Decoder(Counters).decode
_ID_BYTES = 8

LOAD_STEP = 100
"""Subscriptions that are made ready at once, so that a topic with thousands stops nobody for long."""


class Entities:
    """The entities of the namespace."""

    def __init__(self, keys: ServiceBusKeys, message_kilobytes: int) -> None:
        """`message_kilobytes` is the size limit of messages that every entity has at least."""
        self._keys = keys
        self._message_kilobytes = message_kilobytes
        self._queues: dict[tuple[str, SubQueue], Queue] = {}

    def queues(self, reader: Reader, skip: int = 0) -> Iterator[EntityRecord]:
        """All queues, ordered by name, without the first `skip`."""
        return _records(reader, self._keys.entity_range(), skip)

    def topics(self, reader: Reader, skip: int = 0) -> Iterator[EntityRecord]:
        """All topics, ordered by name, without the first `skip`."""
        return _records(reader, self._keys.topic_range(), skip)

    def subscriptions(self, reader: Reader, topic: EntityRecord, skip: int = 0) -> Iterator[EntityRecord]:
        """All subscriptions of a topic, ordered by name, without the first `skip`."""
        return _records(reader, self._keys.subscription_range(topic.queue_id), skip)

    def subscription_ids(self, reader: Reader, topic: EntityRecord) -> list[int]:
        """The numbers of all subscriptions of a topic."""
        return [record.queue_id for record in self.subscriptions(reader, topic)]

    def record(self, reader: Reader, path: str) -> EntityRecord | None:
        """The queue, topic or subscription at `path`, in any case."""
        parts = split_subscription(path)
        if parts is not None:
            topic = reader.get(self._keys.topic(parts[0]))
            if topic is None:
                return None
            value = reader.get(self._keys.subscription(_decode_entity(topic).queue_id, parts[1]))
        else:
            value = reader.get(self._keys.entity(path)) or reader.get(self._keys.topic(path))
        return None if value is None else _decode_entity(value)

    def topic_of(self, reader: Reader, subscription: EntityRecord) -> EntityRecord | None:
        """The topic of a subscription; None where it is gone."""
        parts = split_subscription(subscription.name)
        topic = None if parts is None else self.record(reader, parts[0])
        return topic if topic is not None and topic.queue_id == subscription.topic_id else None

    def find(self, reader: Reader, address: EntityAddress) -> Queue | None:
        """The queue, topic, subscription or sub-queue at `address`, ready to be used; None where there is none."""
        name = address.entity.lower()
        queue = self._queues.get((name, address.sub_queue))
        if queue is not None:
            return queue
        record = self.record(reader, name) if name else None
        if record is None or (record.kind is EntityKind.TOPIC and address.sub_queue is not SubQueue.NONE):
            return None
        return self._load(reader, record, address.sub_queue)

    def owner(self, reader: Reader, queue_id: int) -> Queue | None:
        """The queue, topic, subscription or sub-queue that has this number."""
        path = reader.get(self._keys.owner(queue_id))
        queue = None if path is None else self.find(reader, parse_address(path.decode()))
        # A subscription whose topic is gone may be found under the name of one that is new.
        return queue if queue is not None and queue.queue_id == queue_id else None

    def subscribers(self, reader: Reader, topic: Topic, entropy: Entropy) -> list[Subscriber] | None:
        """The subscriptions of a topic, ready to be used; None while there is more of that to do, for another call."""
        if topic.subscribers is not None:
            return topic.subscribers
        left, found = LOAD_STEP, []
        for record in self.subscriptions(reader, topic.record):
            if left <= 0:
                return None
            queue = self._queues.get((record.name.lower(), SubQueue.NONE))
            if queue is None:
                left -= 1
                queue = self._load(reader, record, SubQueue.NONE)
            subscriber = topic.subscriber(queue)
            left -= subscriber.make_ready(reader, self._keys, entropy)
            found.append(subscriber)
        return topic.subscribe(found)

    def counters(self, reader: Reader, queue: Queue) -> Counters:
        """What is counted for `queue`."""
        stored = reader.get(queue.counters_key)
        return Counters() if stored is None else _decode_counters(stored)

    def create_queue(self, writer: Writer, name: str, description: EntityDescription, now: int) -> EntityRecord:
        """Write a new queue and its sub-queues. Raises ServiceBusError (ENTITY_EXISTS)."""
        return self._create(writer, name, description, now, EntityKind.QUEUE)

    def create_topic(self, writer: Writer, name: str, description: EntityDescription, now: int) -> EntityRecord:
        """Write a new topic. Raises ServiceBusError (ENTITY_EXISTS)."""
        return self._create(writer, name, description, now, EntityKind.TOPIC)

    def create_subscription(
        self, writer: Writer, topic: EntityRecord, name: str, description: EntityDescription, now: int
    ) -> EntityRecord:
        """Write a new subscription and its sub-queues, without rules. Raises ServiceBusError (ENTITY_EXISTS)."""
        path = subscription_path(topic.name, name)
        counters = writer.get(self._keys.counters(topic.queue_id))
        since = 0 if counters is None else _decode_counters(counters).last_sequence_number
        record = self._create(
            writer, path, description, now, EntityKind.SUBSCRIPTION, topic_id=topic.queue_id, since=since
        )
        count_subscription(writer, self._keys, topic.queue_id)
        return record

    def _create(
        self,
        writer: Writer,
        name: str,
        description: EntityDescription,
        now: int,
        kind: EntityKind,
        *,
        topic_id: int = 0,
        since: int = 0,
    ) -> EntityRecord:
        if self.record(writer, name) is not None:
            raise ServiceBusError(ErrorCode.ENTITY_EXISTS, entity=name)
        first_id = int.from_bytes(writer.get(self._keys.last_id) or b"", "big") + 1
        record = EntityRecord(
            name=name,
            queue_id=first_id,
            dead_letter_id=first_id + 1,
            transfer_dead_letter_id=first_id + 2,
            created_at=now,
            updated_at=now,
            description=self.fitted(description),
            kind=kind,
            topic_id=topic_id,
            since=since,
        )
        writer.put(self._keys.last_id, (first_id + 2).to_bytes(_ID_BYTES, "big"))
        writer.put(self._key(record), _encode(record))
        for sub_queue in SubQueue:
            writer.put(self._keys.owner(queue_id_of(record, sub_queue)), (name + sub_queue.value).encode())
        self._put_due(writer, record, now)
        return record

    def update(self, writer: Writer, record: EntityRecord, description: EntityDescription, now: int) -> EntityRecord:
        """Write an entity's properties anew. Give the result to `apply` once it is committed."""
        record = msgspec.structs.replace(record, description=self.fitted(description), updated_at=now)
        writer.put(self._key(record), _encode(record))
        self._put_due(writer, record, now)
        return record

    def fitted(self, description: EntityDescription) -> EntityDescription:
        """The properties with a size limit of messages that the namespace's tier has at least."""
        if description.max_message_size_kilobytes >= self._message_kilobytes:
            return description
        return msgspec.structs.replace(description, max_message_size_kilobytes=self._message_kilobytes)

    def _key(self, record: EntityRecord) -> bytes:
        if record.kind is EntityKind.SUBSCRIPTION:
            return self._keys.subscription(record.topic_id, short_name(record))
        return (self._keys.topic if record.kind is EntityKind.TOPIC else self._keys.entity)(record.name)

    def _put_due(self, writer: Writer, record: EntityRecord, now: int) -> None:
        """Have done what follows from the properties: forward what the queue holds, look whether it is idle."""
        description = record.description
        if description.forward_to:
            writer.put(self._keys.due(now, DueKind.TRANSFER, record.queue_id, 0), b"")
        if description.forward_dead_lettered_messages_to:
            writer.put(self._keys.due(now, DueKind.TRANSFER, record.dead_letter_id, 0), b"")
        if description.auto_delete_on_idle < FOREVER:
            writer.put(self._keys.due(now + description.auto_delete_on_idle, DueKind.IDLE, record.queue_id, 0), b"")

    def delete(self, writer: Writer, record: EntityRecord) -> None:
        """Delete an entity, and leave its messages and subscriptions to `remains.sweep`.

        Call `forget` once it is committed.
        """
        writer.delete(self._key(record))
        if record.kind is EntityKind.SUBSCRIPTION:
            drop_subscription(writer, self._keys, record)
        leave(writer, self._keys, record)

    def counters_of(self, reader: Reader, record: EntityRecord) -> dict[SubQueue, Counters]:
        """What is counted for a queue and each of its sub-queues, whether they are in use or not."""
        found = {}
        for sub_queue in SubQueue:
            stored = reader.get(self._keys.counters(queue_id_of(record, sub_queue)))
            found[sub_queue] = Counters() if stored is None else _decode_counters(stored)
        return found

    def in_use(self, record: EntityRecord) -> list[Queue]:
        """The entity and those of its sub-queues that somebody has used."""
        found = (self._queues.get((record.name.lower(), sub_queue)) for sub_queue in SubQueue)
        return [queue for queue in found if queue is not None and queue.record.queue_id == record.queue_id]

    def subscriptions_in_use(self, topic: EntityRecord) -> list[Queue]:
        """The subscriptions of a topic, and those of their sub-queues, that somebody has used."""
        return [queue for queue in self._queues.values() if queue.record.topic_id == topic.queue_id]

    def forget(self, record: EntityRecord) -> None:
        """An entity is gone, or was never committed: nobody finds it any more, and it has nothing to hand out."""
        gone = self.in_use(record)
        if record.kind is EntityKind.TOPIC:
            gone += self.subscriptions_in_use(record)
        for queue in gone:
            del self._queues[queue.record.name.lower(), queue.sub_queue]
            queue.empty()
        self.subscriptions_changed(record)

    def apply(self, record: EntityRecord) -> None:
        """From now on use `record` for its entity and sub-queues, where they are in use."""
        for queue in self.in_use(record):
            queue.record = record

    def subscriptions_changed(self, subscription: EntityRecord) -> None:
        """There is a new subscription, or one is gone: its topic is to know."""
        if (topic := self._topic_in_use(subscription)) is not None:
            topic.subscriptions_changed()

    def rules_changed(self, subscription: EntityRecord) -> None:
        """The rules of a subscription have changed: its topic is to know."""
        if (topic := self._topic_in_use(subscription)) is not None:
            topic.rules_changed(subscription.queue_id)

    def _topic_in_use(self, subscription: EntityRecord) -> Topic | None:
        parts = split_subscription(subscription.name)
        topic = None if parts is None else self._queues.get((parts[0].lower(), SubQueue.NONE))
        return topic if isinstance(topic, Topic) and topic.queue_id == subscription.topic_id else None

    def _load(self, reader: Reader, record: EntityRecord, sub_queue: SubQueue) -> Queue:
        key = (record.name.lower(), sub_queue)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._made(reader, record, sub_queue)
            counters = self.counters(reader, queue)
            queue.visible, queue.accessed_at = counters.last_sequence_number, counters.accessed_at
            self._queues[key] = queue
        return queue

    def _made(self, reader: Reader, record: EntityRecord, sub_queue: SubQueue) -> Queue:
        if record.kind is EntityKind.TOPIC:
            return Topic(self._keys, record)
        topic = None
        if (parts := split_subscription(record.name)) is not None:
            topic = self.find(reader, EntityAddress(parts[0], SubQueue.NONE, is_management=False))
        dead_letter = self._load(reader, record, SubQueue.DEAD_LETTER) if sub_queue is SubQueue.NONE else None
        return Queue(self._keys, record, sub_queue, dead_letter, topic)


def short_name(record: EntityRecord) -> str:
    """The name of an entity: its path, but of a subscription what stands behind its topic's."""
    parts = split_subscription(record.name) if record.kind is EntityKind.SUBSCRIPTION else None
    return record.name if parts is None else parts[1]


def leave(writer: Writer, keys: ServiceBusKeys, record: EntityRecord) -> None:
    """Note that an entity is gone, so that what is left of it is swept."""
    note = _encode(Remains(kind=record.kind, topic_id=record.topic_id))
    for sub_queue in SubQueue:
        queue_id = queue_id_of(record, sub_queue)
        writer.delete(keys.owner(queue_id))
        if sub_queue is SubQueue.NONE or record.kind is not EntityKind.TOPIC:
            writer.put(keys.remains(queue_id), note)


def _records(reader: Reader, bounds: tuple[bytes, bytes], skip: int) -> Iterator[EntityRecord]:
    for _, value in islice(reader.scan(*bounds), skip, None):
        yield _decode_entity(value)
