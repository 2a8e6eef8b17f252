"""Locks on messages: who may settle a message, and until when.

Locks are in memory only. After a crash nobody holds a lock, so every message that was locked is available again at
once, with the delivery count that it had: a crash is not a failed delivery.

Finding what expires next must not cost anything per message, and most locks end by being settled. Locks that are taken
one after the other with the same duration end in the same order, so a dict, which keeps the order of insertion, is a
queue of deadlines with removal from its middle for free. A lock whose deadline lies before the last one's (another lock
duration, a clock that was set back) goes to another such lane; there are as many lanes as it takes, which is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.sessions import Session
    from localzure.services.servicebus.model import MessageState


class Lane(dict[bytes, "Lock"]):
    """Locks by token, in the order of their deadlines."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        super().__init__()
        self.last = 0
        """The latest deadline that was ever in it."""


@dataclass(slots=True, eq=False)
class Lock:
    """One message, locked."""

    token: bytes
    """16 bytes, the delivery tag: a GUID in .NET's byte order."""
    sequence_number: int
    state: MessageState
    deadline: int
    expires_at: int
    """End of the message's time to live; 0 for never."""
    size: int
    """Bytes of the stored message."""
    delivery_count: int
    session: Session | None = None
    """The session that the message is of; the lock then ends with the session's."""
    lane: Lane = field(init=False, repr=False)


class Locks:
    """The locks of one queue."""

    __slots__ = ("_by_number", "_by_token", "_lanes")

    def __init__(self) -> None:
        self._by_token: dict[bytes, Lock] = {}
        self._by_number: dict[int, Lock] = {}
        self._lanes: list[Lane] = []

    def __len__(self) -> int:
        return len(self._by_token)

    def add(self, lock: Lock) -> None:
        """Take note of a lock."""
        self._by_token[lock.token] = lock
        self._by_number[lock.sequence_number] = lock
        lane = self._lane(lock.deadline) if lock.session is None else lock.session.lane
        lane[lock.token] = lock
        lock.lane = lane

    def _lane(self, deadline: int) -> Lane:
        for lane in self._lanes:
            if lane.last <= deadline:
                break
        else:
            lane = Lane()
            self._lanes.append(lane)
        lane.last = deadline
        return lane

    def get(self, token: bytes) -> Lock | None:
        """The lock with this token, if it is held."""
        return self._by_token.get(token)

    def take(self, token: bytes) -> Lock | None:
        """End the lock with this token; None when nobody holds it."""
        lock = self._by_token.pop(token, None)
        if lock is not None:
            del lock.lane[token]
            del self._by_number[lock.sequence_number]
        return lock

    def of(self, sequence_number: int) -> Lock | None:
        """The lock on the message with this number."""
        return self._by_number.get(sequence_number)

    def renew(self, lock: Lock, deadline: int) -> None:
        """Move the end of a lock."""
        del lock.lane[lock.token]
        lock.deadline = deadline
        self.add(lock)

    def first_deadline(self) -> int | None:
        """When the next lock ends. Drops lanes that are empty."""
        self._lanes = [lane for lane in self._lanes if lane]
        return min((next(iter(lane.values())).deadline for lane in self._lanes), default=None)

    def due(self, now: int, limit: int) -> list[Lock]:
        """Up to `limit` of the locks that have ended by `now`."""
        ended = (lock for lane in self._lanes for lock in takewhile(lambda lock: lock.deadline <= now, lane.values()))
        return list(islice(ended, limit))
