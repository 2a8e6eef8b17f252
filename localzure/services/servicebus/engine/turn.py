"""A turn: one atomic block of writes, and what happens in memory once it is committed or has failed.

A run of messages that arrived together shares a turn. A message that is refused is refused before anything of it is
written, so the others of its turn are not touched; when the store fails, everybody in the turn is told so.

Counters are read once and written once per turn and queue, in the same transaction as the messages they count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from localzure.services.servicebus.engine.contents import Reference, is_shared, refer, reference_of
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import Counters, MessageState
from localzure.services.servicebus.record import session_id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.engine.entities import Entities
    from localzure.services.servicebus.engine.locks import Lock
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.supply import Supply
    from localzure.services.servicebus.engine.topics import Topic
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Writer

_encode = msgspec.msgpack.Encoder().encode
_decode_counters = msgspec.msgpack.Decoder(Counters).decode


class Published(NamedTuple):
    """A message that a topic has taken."""

    topic: Topic
    sequence_number: int
    value: bytes


class Turn:
    """Writes to queues. Made by `Broker.turn`; `now` is the one instant of everything in it."""

    __slots__ = (
        "_appended",
        "_back",
        "_counters",
        "_references",
        "_removed",
        "_session_ends",
        "_sizes",
        "_sizes_before",
        "_taken",
        "_then",
        "counted",
        "earliest",
        "entities",
        "entropy",
        "keys",
        "now",
        "published",
        "writer",
    )

    def __init__(self, writer: Writer, keys: ServiceBusKeys, now: int, entities: Entities, entropy: Entropy) -> None:
        self.writer = writer
        self.keys = keys
        self.now = now
        self.entities = entities
        self.entropy = entropy
        self.earliest: int | None = None
        """The earliest deadline that was written."""
        self.published: list[Published] = []
        """What topics have taken that is still to be given to their subscriptions (see `fan_out`)."""
        self.counted = 0
        """What was done with messages (see `counts`)."""
        self._counters: dict[Queue, Counters] = {}
        self._sizes_before: dict[Queue, int] = {}
        self._references: dict[Reference, int] = {}
        self._sizes: dict[Queue, int] = {}
        self._appended: dict[Queue, int] = {}
        self._session_ends: dict[tuple[Queue, str], int] = {}
        self._back: list[tuple[Queue, int, str | None]] = []
        self._removed: list[tuple[Queue, int, str | None]] = []
        self._taken: list[tuple[Queue, Lock]] = []
        self._then: list[tuple[Callable[[], None], Callable[[Exception], None] | None]] = []

    # What is written.

    def counters(self, queue: Queue) -> Counters:
        """The counters of `queue`, to be changed in place."""
        counters = self._counters.get(queue)
        if counters is None:
            stored = self.writer.get(queue.counters_key)
            counters = Counters() if stored is None else _decode_counters(stored)
            self._counters[queue] = counters
            if queue.topic is not None:
                self._sizes_before[queue] = counters.bytes
        return counters

    def bytes_of(self, queue: Queue) -> int:
        """The size of what `queue` holds, for who does not change it."""
        counters = self._counters.get(queue)
        if counters is not None:
            return counters.bytes
        size = self._sizes.get(queue)
        if size is None:
            stored = self.writer.get(queue.counters_key)
            size = self._sizes[queue] = 0 if stored is None else _decode_counters(stored).bytes
        return size

    def append(self, queue: Queue, value: bytes, expires_at: int) -> int:
        """Add a message at the end of `queue`; returns its sequence number. `expires_at` is 0 for never."""
        sequence_number = self.take_number(queue)
        self.insert(queue, sequence_number, value, expires_at)
        return sequence_number

    def take_number(self, queue: Queue) -> int:
        """Use up the next sequence number of `queue`."""
        counters = self.counters(queue)
        counters.last_sequence_number += 1
        return counters.last_sequence_number

    def insert(self, queue: Queue, sequence_number: int, value: bytes, expires_at: int) -> None:
        """Add a message under the number that was taken last. `expires_at` is 0 for never."""
        counters = self.counters(queue)
        counters.active += 1
        counters.bytes += len(value)
        self.writer.put(queue.message_key(MessageState.ACTIVE, sequence_number), value)
        if is_shared(value):
            self._refer(value, 1)
        if expires_at:
            self.put_due(expires_at, DueKind.EXPIRY, queue.queue_id, sequence_number)
        if queue.sessions is not None:
            session_id = session_id_of(value)
            self.writer.put(queue.sessions.message_key(MessageState.ACTIVE, session_id, sequence_number), b"")
            self._session_ends[queue, session_id] = sequence_number
        if not queue.is_topic:
            self._appended[queue] = sequence_number

    def publish(self, topic: Topic, value: bytes) -> int:
        """Take a message to a topic, to be given to its subscriptions; returns its number."""
        sequence_number = self.take_number(topic)
        self.published.append(Published(topic, sequence_number, value))
        return sequence_number

    def put_content(self, topic: Topic, sequence_number: int, content: bytes) -> None:
        """Store what copies of a message of `topic` have in common; it stays if the turn stores any of them.

        Copies that differ in what they do not share bring it more than once.
        """
        reference = Reference(topic.queue_id, sequence_number, len(content))
        if reference not in self._references:
            self.writer.put(self.keys.content(topic.queue_id, sequence_number), content)
            self._references[reference] = 0
            self.counters(topic).bytes += len(content)

    def schedule(self, queue: Queue, value: bytes, scheduled_at: int, number: int = 0) -> int:
        """Add a message that is to be enqueued at `scheduled_at`; returns the number that it has until then.

        `number` is one that was taken before; 0 takes one.
        """
        sequence_number = number or self.take_number(queue)
        counters = self.counters(queue)
        counters.scheduled += 1
        counters.bytes += len(value)
        self.writer.put(queue.message_key(MessageState.SCHEDULED, sequence_number), value)
        if queue.sessions is not None:
            key = queue.sessions.message_key(MessageState.SCHEDULED, session_id_of(value), sequence_number)
            self.writer.put(key, b"")
        self.put_due(scheduled_at, DueKind.SCHEDULED, queue.queue_id, sequence_number)
        return sequence_number

    def remove(self, queue: Queue, state: MessageState, sequence_number: int, size: int, expires_at: int) -> None:
        """Delete a message of `size` stored bytes."""
        if queue.sessions is not None:
            session_id = self._session_id(queue, state, sequence_number)
            self.writer.delete(queue.sessions.message_key(state, session_id, sequence_number))
        if queue.may_share:
            value = self.writer.get(queue.message_key(state, sequence_number))
            if value is not None and is_shared(value):
                self._refer(value, -1)
        self.writer.delete(queue.message_key(state, sequence_number))
        if expires_at:
            self.delete_due(expires_at, DueKind.EXPIRY, queue.queue_id, sequence_number)
        counters = self.counters(queue)
        counters.bytes -= size
        _count(counters, state, -1)

    def restore(self, queue: Queue, sequence_number: int, value: bytes, expires_at: int) -> None:
        """Store a message again that was removed, under the number that it had."""
        self.writer.put(queue.message_key(MessageState.ACTIVE, sequence_number), value)
        if queue.sessions is not None:
            key = queue.sessions.message_key(MessageState.ACTIVE, session_id_of(value), sequence_number)
            self.writer.put(key, b"")
        if expires_at:
            self.put_due(expires_at, DueKind.EXPIRY, queue.queue_id, sequence_number)
        counters = self.counters(queue)
        counters.active += 1
        counters.bytes += len(value)

    def replace(
        self, queue: Queue, state: MessageState, sequence_number: int, value: bytes, size: int, new_state: MessageState
    ) -> None:
        """Write a message anew, in the same state or another. `size` is what it had."""
        if new_state is not state:
            self.writer.delete(queue.message_key(state, sequence_number))
            if queue.sessions is not None:
                session_id = session_id_of(value)
                self.writer.delete(queue.sessions.message_key(state, session_id, sequence_number))
                self.writer.put(queue.sessions.message_key(new_state, session_id, sequence_number), b"")
        self.writer.put(queue.message_key(new_state, sequence_number), value)
        counters = self.counters(queue)
        counters.bytes += len(value) - size
        _count(counters, state, -1)
        _count(counters, new_state, 1)

    def save(self) -> None:
        """Write the counters. Called once, at the end of the block."""
        self._save_references()
        for queue, before in self._sizes_before.items():
            if queue.topic is not None:
                self.counters(queue.topic).bytes += self._counters[queue].bytes - before
        for queue, counters in self._counters.items():
            counters.accessed_at = queue.accessed_at
            self.writer.put(queue.counters_key, _encode(counters))

    def _refer(self, value: bytes, change: int) -> None:
        reference = reference_of(value)
        self._references[reference] = self._references.get(reference, 0) + change

    def _save_references(self) -> None:
        """Count references, which many messages of a turn may have to the same content."""
        for reference, change in self._references.items():
            if refer(self.writer, self.keys, reference, change):
                topic = self.entities.owner(self.writer, reference.topic_id)
                if topic is not None:
                    self.counters(topic).bytes -= reference.size

    def put_due(self, at: int, kind: DueKind, queue_id: int, number: int, value: bytes = b"") -> None:
        """Have something done at `at` (see `expiry`)."""
        self.writer.put(self.keys.due(at, kind, queue_id, number), value)
        if self.earliest is None or at < self.earliest:
            self.earliest = at

    def delete_due(self, at: int, kind: DueKind, queue_id: int, number: int) -> None:
        """Do not have it done."""
        self.writer.delete(self.keys.due(at, kind, queue_id, number))

    def _session_id(self, queue: Queue, state: MessageState, sequence_number: int) -> str:
        """The session of a message that is stored, which whoever removes it need not know."""
        value = self.writer.get(queue.message_key(state, sequence_number))
        assert value is not None, "what is removed or given back is stored"
        return session_id_of(value)

    # What happens in memory.

    def take_lock(self, queue: Queue, token: bytes) -> Lock | None:
        """End a lock; it is back where it was if the turn fails. None when nobody holds it."""
        lock = queue.locks.take(token)
        if lock is not None:
            self._taken.append((queue, lock))
        return lock

    def restore_lock(self, queue: Queue, lock: Lock) -> None:
        """Put a lock back that was taken last, because nothing came of it."""
        assert self._taken.pop() == (queue, lock)
        queue.locks.add(lock)

    def give_back(self, queue: Queue, sequence_number: int) -> None:
        """Make a message available again, once the turn is committed."""
        self._back.append((queue, sequence_number, self._session_of_active(queue, sequence_number)))

    def handed_out(self, queue: Queue, sequence_number: int) -> None:
        """A message was taken from those that are available; it is one of them again if the turn fails.

        Called before it is removed.
        """
        self._removed.append((queue, sequence_number, self._session_of_active(queue, sequence_number)))

    def _session_of_active(self, queue: Queue, sequence_number: int) -> str | None:
        return None if queue.sessions is None else self._session_id(queue, MessageState.ACTIVE, sequence_number)

    def then(self, done: Callable[[], None], failed: Callable[[Exception], None] | None = None) -> None:
        """Call `done` after the commit, when the memory has been brought up to date; `failed` if there is none."""
        self._then.append((done, failed))

    def committed(self, wake: Callable[[Supply], None]) -> None:
        """Bring the memory up to date, answer, and wake those who wait for what is available now."""
        available: dict[Supply, None] = {}
        for queue, sequence_number in self._appended.items():
            queue.visible = max(queue.visible, sequence_number)
            available[queue] = None
        for (queue, session_id), sequence_number in self._session_ends.items():
            assert queue.sessions is not None, "sessions are noted of queues that have them"
            available[queue.sessions.arrived(session_id, sequence_number) or queue] = None
        for queue, sequence_number, of_session in self._back:
            available[_give_back(queue, sequence_number, of_session)] = None
        try:
            for done, _ in self._then:
                done()
        finally:
            for supply in available:
                wake(supply)

    def failed(self, error: Exception, wake: Callable[[Supply], None]) -> None:
        """Put back what was taken, and tell everybody in the turn.

        A session that was let go meanwhile takes no lock back: its message is available, and those who wait for a
        session, who did not see it, are woken.
        """
        available: dict[Supply, None] = {}
        for queue, lock in self._taken:
            if lock.session is None or lock.session.is_held:
                queue.locks.add(lock)
            elif lock.state is MessageState.ACTIVE:
                available[_give_back(queue, lock.sequence_number, lock.session.session_id)] = None
        for queue, sequence_number, session_id in self._removed:
            supply = _give_back(queue, sequence_number, session_id)
            if session_id is not None:
                available[supply] = None
        for _, failed in self._then:
            if failed is not None:
                failed(error)
        for supply in available:
            wake(supply)

    def queues_with_restored_locks(self) -> set[Queue]:
        """The queues whose locks are back after the turn has failed."""
        return {queue for queue, _ in self._taken}


def _give_back(queue: Queue, sequence_number: int, session_id: str | None) -> Supply:
    """Make a message available again; returns what it is handed out from now."""
    if session_id is None or queue.sessions is None:
        queue.give_back(sequence_number)
        return queue
    return queue.sessions.came_back(session_id, sequence_number) or queue


def _count(counters: Counters, state: MessageState, change: int) -> None:
    if state is MessageState.ACTIVE:
        counters.active += change
    elif state is MessageState.DEFERRED:
        counters.deferred += change
    else:
        counters.scheduled += change
