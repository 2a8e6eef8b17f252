"""The key space of Service Bus.

    ("entity", name in lower case)              -> model.EntityRecord of a queue
    ("topic", name in lower case)               -> model.EntityRecord of a topic
    ("subscription", topic id, name in lower case) -> model.EntityRecord of a subscription
    ("tally", topic or subscription id)         -> model.Tally
    ("rule", subscription id, name in lower case) -> a rule (see `rules.stored`)
    ("entity-id",)                              -> the last number given to a queue, sub-queue or topic
    ("owner", queue id)                         -> the path of the queue or sub-queue that has this number
    ("counters", queue id)                      -> model.Counters
    ("message", queue id, state, sequence)      -> a message (see `record`)
    ("content", topic id, sequence)             -> what copies of a message have in common (see `engine.contents`)
    ("content-references", topic id, sequence)  -> how many copies there are
    ("session-message", queue id, state, session id, sequence) -> nothing: which messages are of a session
    ("session-state", queue id, session id)    -> what a session keeps (see `engine.session_states`)
    ("due", deadline, kind, queue id, sequence) -> what happens to a message or a queue at an instant
    ("duplicate", queue id, digest)             -> a message id that was taken (see `engine.duplicates`)
    ("remains", queue id)                       -> a queue, sub-queue or topic that is gone, whose rest is to be swept
    ("namespace",)                              -> when the namespace was made, in microseconds

Every state of a message has a range of its own in its queue, so that a receiver's cursor never passes over what is
deferred or scheduled, and the due index is ordered by time over all queues.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING

from localzure_storage.keys import INT_TAG, int_of

if TYPE_CHECKING:
    from localzure.services.servicebus.model import MessageState
    from localzure_storage.keys import Subspace

_DUE = Struct(">BqBqBqBq")


class DueKind(IntEnum):
    """What is due."""

    EXPIRY = 0
    """The end of a message's time to live."""
    SCHEDULED = 1
    """A scheduled message is to be enqueued."""
    DUPLICATE = 2
    """The window of a message id has passed; the entry's value is the id's digest."""
    TRANSFER = 3
    """Messages from this number on are to be forwarded."""
    IDLE = 4
    """An entity is to be deleted if nobody has used it."""
    FAN_OUT = 5
    """Messages that a topic holds are to be given to its subscriptions; the entry's value tells how far
    that has come (see `engine.fan_out`)."""


class ServiceBusKeys:
    """The keys of one Service Bus store."""

    def __init__(self, space: Subspace) -> None:
        self._entities = space.subspace("entity")
        self._topics = space.subspace("topic")
        self._subscriptions = space.subspace("subscription")
        self._rules = space.subspace("rule")
        self._tallies = space.subspace("tally")
        self._contents = space.subspace("content")
        self._content_references = space.subspace("content-references")
        self._owners = space.subspace("owner")
        self._counters = space.subspace("counters")
        self._messages = space.subspace("message")
        self._session_messages = space.subspace("session-message")
        self._session_states = space.subspace("session-state")
        self._due = space.subspace("due")
        self._duplicates = space.subspace("duplicate")
        self._remains = space.subspace("remains")
        self.last_id = space.pack("entity-id")
        """Where the last number given to a queue stands."""
        self.namespace = space.pack("namespace")
        """Where the instant stands at which the namespace was made."""

    def entity(self, name: str) -> bytes:
        """The key of the queue called `name`, in any case."""
        return self._entities.pack(name.lower())

    def entity_range(self) -> tuple[bytes, bytes]:
        """All queues, ordered by name."""
        return self._entities.range()

    def topic(self, name: str) -> bytes:
        """The key of the topic called `name`, in any case."""
        return self._topics.pack(name.lower())

    def topic_range(self) -> tuple[bytes, bytes]:
        """All topics, ordered by name."""
        return self._topics.range()

    def subscription(self, topic_id: int, name: str) -> bytes:
        """The key of the subscription called `name`, in any case."""
        return self._subscriptions.pack(topic_id, name.lower())

    def subscription_range(self, topic_id: int) -> tuple[bytes, bytes]:
        """All subscriptions of a topic, ordered by name."""
        return self._subscriptions.range(topic_id)

    def rule(self, subscription_id: int, name: str) -> bytes:
        """The key of the rule called `name`, in any case."""
        return self._rules.pack(subscription_id, name.lower())

    def rule_range(self, subscription_id: int) -> tuple[bytes, bytes]:
        """All rules of a subscription, ordered by name."""
        return self._rules.range(subscription_id)

    def tally(self, entity_id: int) -> bytes:
        """Where it is told how many subscriptions and rules a topic has, or how many rules a subscription has."""
        return self._tallies.pack(entity_id)

    def content(self, topic_id: int, sequence_number: int) -> bytes:
        """The key of what copies of a message of a topic have in common."""
        return self._contents.pack(topic_id, sequence_number)

    def content_references(self, topic_id: int, sequence_number: int) -> bytes:
        """The key of the number of these copies."""
        return self._content_references.pack(topic_id, sequence_number)

    def contents(self, topic_id: int) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """All that copies of messages of a topic have in common, and the numbers of copies."""
        return self._contents.range(topic_id), self._content_references.range(topic_id)

    def owner(self, queue_id: int) -> bytes:
        """The key under which the path of the queue `queue_id` stands."""
        return self._owners.pack(queue_id)

    def counters(self, queue_id: int) -> bytes:
        """The key of a queue's counters."""
        return self._counters.pack(queue_id)

    def messages(self, queue_id: int) -> tuple[bytes, bytes]:
        """All messages of a queue, in whatever state."""
        return self._messages.range(queue_id)

    def message_prefix(self, queue_id: int, state: MessageState) -> bytes:
        """What the keys of a queue's messages in one state begin with; `keys.int_key` adds the sequence number."""
        return self._messages.pack(queue_id, state)

    def duplicate(self, queue_id: int, digest: bytes) -> bytes:
        """The key of a message id that a queue has taken."""
        return self._duplicates.pack(queue_id, digest)

    def session_messages(self, queue_id: int, state: MessageState) -> Subspace:
        """The index of a queue's messages in one state by session: (session id, sequence number)."""
        return self._session_messages.subspace(queue_id, state)

    def session_states(self, queue_id: int) -> Subspace:
        """The states of a queue's sessions, by session id."""
        return self._session_states.subspace(queue_id)

    def sessions(self, queue_id: int) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """All that is kept by session of a queue: the index of its messages, and the states."""
        return self._session_messages.range(queue_id), self._session_states.range(queue_id)

    def due(self, deadline: int, kind: DueKind, queue_id: int, sequence_number: int) -> bytes:
        """The key of something that is due at `deadline`. Like `Subspace.pack`, for numbers that are not negative."""
        return self._due.prefix + _DUE.pack(
            INT_TAG, deadline, INT_TAG, kind, INT_TAG, queue_id, INT_TAG, sequence_number
        )

    def due_until(self, now: int) -> tuple[bytes, bytes]:
        """The part of the due index that has come by `now`."""
        return self._due.range()[0], self._due.pack(now + 1)

    def due_range(self) -> tuple[bytes, bytes]:
        """All of the due index."""
        return self._due.range()

    def due_parts(self, key: bytes) -> tuple[int, DueKind, int, int]:
        """Take a key of the due index apart: (deadline, kind, queue id, sequence number)."""
        _, deadline, _, kind, _, queue_id, _, sequence_number = _DUE.unpack_from(key, len(self._due.prefix))
        return deadline, DueKind(kind), queue_id, sequence_number

    def remains(self, queue_id: int) -> bytes:
        """The key that notes that the queue `queue_id` is gone."""
        return self._remains.pack(queue_id)

    def remains_range(self) -> tuple[bytes, bytes]:
        """All queues that are gone."""
        return self._remains.range()

    def remains_id(self, key: bytes) -> int:
        """The number in a key of `remains`."""
        (queue_id,) = self._remains.unpack(key)
        assert isinstance(queue_id, int)
        return queue_id


def sequence_number_of(key: bytes) -> int:
    """The sequence number in a message's key."""
    return int_of(key)
