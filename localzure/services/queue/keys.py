"""The key space of the Queue service.

| key | value |
| --- | --- |
| `q`, account, queue | `QueueRecord` |
| `c`, queue id | `QueueCounters` |
| `m`, queue id, sequence | `MessageRecord` |
| `t`, queue id, sequence | the text of a message, where it is long |
| `v`, queue id, visible, sequence | when the message expires: the order in which messages are handed out |
| `d`, expires, queue id, sequence | nothing: the order in which messages expire, over all queues |
| `p`, account | `ServiceProperties` |
| `r`, number | the queue id of messages that are to be swept |
| `n` | the last number given to a queue or to remains |
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from localzure_storage.counter import Counter
from localzure_storage.keys import INT_TAG, int_key, int_of

if TYPE_CHECKING:
    from localzure_storage.keys import Subspace

_THREE = Struct(">BqBqBq")
_TWO = Struct(">BqBq")
_INSTANT = Struct(">q")


class QueueKeys:
    """Makes and takes apart the service's keys. Numbers and instants are not negative."""

    def __init__(self, space: Subspace) -> None:
        """`space` is the service's own."""
        self.queues = space.subspace("q")
        self._counters = space.subspace("c").prefix
        self._messages = space.subspace("m").prefix
        self._texts = space.subspace("t").prefix
        self._places = space.subspace("v").prefix
        self._due = space.subspace("d").prefix
        self.properties = space.subspace("p")
        self.remains = space.subspace("r")
        self.next_number = Counter(space.pack("n"))

    def queue(self, account: str, queue: str) -> bytes:
        """The key of a queue's record."""
        return self.queues.pack(account, queue)

    def queue_name(self, key: bytes) -> str:
        """The name in a queue's key."""
        return str(self.queues.unpack(key)[1])

    def counters(self, queue_id: int) -> bytes:
        """The key of what is counted of a queue's messages."""
        return int_key(self._counters, queue_id)

    def message(self, queue_id: int, sequence: int) -> bytes:
        """The key of a message's record."""
        return self._messages + _TWO.pack(INT_TAG, queue_id, INT_TAG, sequence)

    def messages(self, queue_id: int) -> tuple[bytes, bytes]:
        """The range of a queue's messages."""
        return int_key(self._messages, queue_id), int_key(self._messages, queue_id + 1)

    def sequence(self, key: bytes) -> int:
        """The sequence number in the key of a message, or of its place."""
        return int_of(key)

    def text(self, queue_id: int, sequence: int) -> bytes:
        """The key of a message's text, where it is long."""
        return self._texts + _TWO.pack(INT_TAG, queue_id, INT_TAG, sequence)

    def place(self, queue_id: int, visible: int, sequence: int) -> bytes:
        """The key of a message's place in its queue."""
        return self._places + _THREE.pack(INT_TAG, queue_id, INT_TAG, visible, INT_TAG, sequence)

    def places_until(self, queue_id: int, now: int) -> tuple[bytes, bytes]:
        """The range of the places of messages that are visible at `now`."""
        start = int_key(self._places, queue_id)
        return start, int_key(start, now + 1)

    def due(self, expires: int, queue_id: int, sequence: int) -> bytes:
        """The key of the end of a message's time to live."""
        return self._due + _THREE.pack(INT_TAG, expires, INT_TAG, queue_id, INT_TAG, sequence)

    def due_until(self, now: int) -> tuple[bytes, bytes]:
        """The range of what has expired by `now`."""
        return int_key(self._due, 0), int_key(self._due, now + 1)

    def due_parts(self, key: bytes) -> tuple[int, int, int]:
        """Take the end of a time to live apart: (expires, queue id, sequence)."""
        _, expires, _, queue_id, _, sequence = _THREE.unpack_from(key, len(self._due))
        return expires, queue_id, sequence

    def service_properties(self, account: str) -> bytes:
        """The key of an account's properties of this service."""
        return self.properties.pack(account)

    def remains_of(self, number: int) -> bytes:
        """The key of a note of what is to be swept."""
        return int_key(self.remains.prefix, number)


def pack_instant(instant: int) -> bytes:
    """Write an instant as the value of a place."""
    return _INSTANT.pack(instant)


def unpack_instant(value: bytes) -> int:
    """Read the value of a place."""
    instant: int = _INSTANT.unpack(value)[0]
    return instant
