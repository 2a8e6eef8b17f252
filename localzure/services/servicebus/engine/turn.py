"""A turn: one atomic block of writes, and what happens in memory once it is committed or has failed.

A run of messages that arrived together shares a turn. A message that is refused is refused before anything of it is
written, so the others of its turn are not touched; when the store fails, everybody in the turn is told so.

Counters are read once and written once per turn and queue, in the same transaction as the messages they count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import Counters, MessageState

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.servicebus.engine.locks import Lock
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Writer

_encode = msgspec.msgpack.Encoder().encode
_decode_counters = msgspec.msgpack.Decoder(Counters).decode


class Turn:
    """Writes to queues. Made by `Broker.turn`; `now` is the one instant of everything in it."""

    __slots__ = ("_appended", "_back", "_counters", "_keys", "_removed", "_taken", "_then", "earliest", "now", "writer")

    def __init__(self, writer: Writer, keys: ServiceBusKeys, now: int) -> None:
        self.writer = writer
        self.now = now
        self.earliest: int | None = None
        """The earliest deadline that was written."""
        self._keys = keys
        self._counters: dict[Queue, Counters] = {}
        self._appended: dict[Queue, int] = {}
        self._back: list[tuple[Queue, int]] = []
        self._removed: list[tuple[Queue, int]] = []
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
        return counters

    def append(self, queue: Queue, value: bytes, expires_at: int) -> int:
        """Add a message at the end of `queue`; returns its sequence number. `expires_at` is 0 for never."""
        counters = self.counters(queue)
        counters.last_sequence_number = sequence_number = counters.last_sequence_number + 1
        counters.active += 1
        counters.bytes += len(value)
        self.writer.put(queue.message_key(MessageState.ACTIVE, sequence_number), value)
        if expires_at:
            self._put_expiry(queue, sequence_number, expires_at)
        self._appended[queue] = sequence_number
        return sequence_number

    def remove(self, queue: Queue, state: MessageState, sequence_number: int, size: int, expires_at: int) -> None:
        """Delete a message of `size` stored bytes."""
        self.writer.delete(queue.message_key(state, sequence_number))
        if expires_at:
            self.writer.delete(self._keys.due(expires_at, DueKind.EXPIRY, queue.queue_id, sequence_number))
        counters = self.counters(queue)
        counters.bytes -= size
        _count(counters, state, -1)

    def restore(self, queue: Queue, sequence_number: int, value: bytes, expires_at: int) -> None:
        """Store a message again that was removed, under the number that it had."""
        self.writer.put(queue.message_key(MessageState.ACTIVE, sequence_number), value)
        if expires_at:
            self._put_expiry(queue, sequence_number, expires_at)
        counters = self.counters(queue)
        counters.active += 1
        counters.bytes += len(value)

    def replace(
        self, queue: Queue, state: MessageState, sequence_number: int, value: bytes, size: int, new_state: MessageState
    ) -> None:
        """Write a message anew, in the same state or another. `size` is what it had."""
        if new_state is not state:
            self.writer.delete(queue.message_key(state, sequence_number))
        self.writer.put(queue.message_key(new_state, sequence_number), value)
        counters = self.counters(queue)
        counters.bytes += len(value) - size
        _count(counters, state, -1)
        _count(counters, new_state, 1)

    def save(self) -> None:
        """Write the counters. Called once, at the end of the block."""
        for queue, counters in self._counters.items():
            counters.accessed_at = queue.accessed_at
            self.writer.put(queue.counters_key, _encode(counters))

    def _put_expiry(self, queue: Queue, sequence_number: int, expires_at: int) -> None:
        self.writer.put(self._keys.due(expires_at, DueKind.EXPIRY, queue.queue_id, sequence_number), b"")
        if self.earliest is None or expires_at < self.earliest:
            self.earliest = expires_at

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
        self._back.append((queue, sequence_number))

    def handed_out(self, queue: Queue, sequence_number: int) -> None:
        """A message was taken from those that are available; it is one of them again if the turn fails."""
        self._removed.append((queue, sequence_number))

    def then(self, done: Callable[[], None], failed: Callable[[Exception], None] | None = None) -> None:
        """Call `done` after the commit, when the memory has been brought up to date; `failed` if there is none."""
        self._then.append((done, failed))

    def committed(self, wake: Callable[[Queue], None]) -> None:
        """Bring the memory up to date, answer, and wake those who wait for what is available now."""
        available: dict[Queue, None] = {}
        for queue, sequence_number in self._appended.items():
            queue.visible = max(queue.visible, sequence_number)
            available[queue] = None
        for queue, sequence_number in self._back:
            queue.give_back(sequence_number)
            available[queue] = None
        try:
            for done, _ in self._then:
                done()
        finally:
            for queue in available:
                wake(queue)

    def failed(self, error: Exception) -> None:
        """Put back what was taken, and tell everybody in the turn."""
        for queue, lock in self._taken:
            queue.locks.add(lock)
        for queue, sequence_number in self._removed:
            queue.give_back(sequence_number)
        for _, failed in self._then:
            if failed is not None:
                failed(error)

    def queues_with_restored_locks(self) -> set[Queue]:
        """The queues whose locks are back after the turn has failed."""
        return {queue for queue, _ in self._taken}


def _count(counters: Counters, state: MessageState, change: int) -> None:
    if state is MessageState.ACTIVE:
        counters.active += change
    elif state is MessageState.DEFERRED:
        counters.deferred += change
    else:
        counters.scheduled += change
