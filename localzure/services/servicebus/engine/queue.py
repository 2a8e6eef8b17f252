"""A queue, a subscription, or a sub-queue of these, as the engine holds it in memory while somebody uses it.

After a restart its cursor (see `supply`) is at the start, so everything that was locked is found again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.engine.contents import whole
from localzure.services.servicebus.engine.locks import Locks
from localzure.services.servicebus.engine.sessions import Sessions
from localzure.services.servicebus.engine.supply import Supply
from localzure.services.servicebus.model import EntityKind, MessageState
from localzure_storage.keys import int_key, int_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure.services.servicebus.model import EntityDescription, EntityRecord
    from localzure_storage.store import Reader


class Queue(Supply):
    """One queue, subscription or sub-queue in use."""

    __slots__ = (
        "_keys",
        "_prefixes",
        "accessed_at",
        "counters_key",
        "dead_letter",
        "locks",
        "queue_id",
        "receivers",
        "record",
        "sessions",
        "sub_queue",
        "topic",
        "watched",
    )

    def __init__(
        self,
        keys: ServiceBusKeys,
        record: EntityRecord,
        sub_queue: SubQueue,
        dead_letter: Queue | None,
        topic: Queue | None = None,
    ) -> None:
        super().__init__()
        self._keys = keys
        self.record = record
        """The entity, which a sub-queue shares with its queue."""
        self.sub_queue = sub_queue
        self.dead_letter = dead_letter
        """Where its dead letters go; None for a sub-queue or a topic."""
        self.topic = topic
        """The topic of a subscription, also of its sub-queues, which is as large as these together."""
        self.queue_id = queue_id_of(record, sub_queue)
        self.counters_key = keys.counters(self.queue_id)
        self._prefixes = [keys.message_prefix(self.queue_id, state) for state in MessageState]
        self.sessions = (
            Sessions(keys, self.queue_id)
            if record.description.requires_session and sub_queue is SubQueue.NONE
            else None
        )
        """None where messages are received without sessions."""
        self.locks = Locks()
        self.receivers: set[object] = set()
        """Who receives from it, of a topic from any of its subscriptions: links, and requests that wait."""
        self.accessed_at = 0
        """When somebody sent to it, or asked it for messages, last; 0 for never."""
        self.watched: int | None = None
        """When the broker looks at its locks next; never later than the first of them ends."""

    @property
    def description(self) -> EntityDescription:
        """The properties of the entity."""
        return self.record.description

    @property
    def path(self) -> str:
        """Its path, as the entity was created."""
        return self.record.name + self.sub_queue.value

    @property
    def is_sub_queue(self) -> bool:
        """It has no time to live, no delivery limit, no sessions and no dead letters of its own."""
        return self.sub_queue is not SubQueue.NONE

    @property
    def is_topic(self) -> bool:
        """It hands nothing out: what is sent to it goes to its subscriptions."""
        return self.record.kind is EntityKind.TOPIC

    @property
    def may_share(self) -> bool:
        """Its messages may be copies that share their content with others."""
        return self.topic is not None or self.is_topic

    @property
    def forwards_to(self) -> str:
        """Address of the entity to which what comes here moves on; empty for none."""
        if self.sub_queue is SubQueue.NONE:
            return self.record.description.forward_to
        if self.sub_queue is SubQueue.DEAD_LETTER:
            return self.record.description.forward_dead_lettered_messages_to
        return ""

    @property
    def queue(self) -> Queue:
        """See `Supply`."""
        return self

    def receiver_came(self, receiver: object) -> None:
        """Somebody receives from it."""
        self.receivers.add(receiver)
        if self.topic is not None:
            self.topic.receivers.add(receiver)

    def receiver_went(self, receiver: object) -> None:
        """They do so no more."""
        self.receivers.discard(receiver)
        if self.topic is not None:
            self.topic.receivers.discard(receiver)

    def message_key(self, state: MessageState, sequence_number: int) -> bytes:
        """The key of one of its messages."""
        return int_key(self._prefixes[state], sequence_number)

    def message_range(self, state: MessageState, first: int, last: int) -> tuple[bytes, bytes]:
        """The keys of its messages in one state, numbers `first` to `last`."""
        prefix = self._prefixes[state]
        return int_key(prefix, first), int_key(prefix, last + 1)

    def ahead(self, reader: Reader, limit: int) -> Iterator[tuple[int, bytes]]:
        """See `Supply`."""
        start, stop = self.message_range(MessageState.ACTIVE, self.cursor + 1, self.visible)
        for key, value in reader.scan(start, stop, limit=limit):
            yield int_of(key), value

    def whole(self, reader: Reader, value: bytes) -> bytes:
        """One of its stored messages with all of its content."""
        return whole(reader, self._keys, value)

    def empty(self) -> None:
        """It is gone: there is nothing to hand out, and nothing is locked."""
        self.locks = Locks()
        self.returned.clear()
        self.cursor = self.visible


def queue_id_of(record: EntityRecord, sub_queue: SubQueue) -> int:
    """The number under which the messages of a queue, or of one of its sub-queues, are kept."""
    if sub_queue is SubQueue.NONE:
        return record.queue_id
    return record.dead_letter_id if sub_queue is SubQueue.DEAD_LETTER else record.transfer_dead_letter_id
