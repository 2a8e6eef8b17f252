"""A queue, or a sub-queue, as the engine holds it in memory while somebody uses it.

No memory per waiting message: what is next to hand out is found by a cursor over the store. `cursor` is the number up
to which everything was handed out or looked at once; `returned` holds the numbers at or below it that came back since
(abandoned, released, their locks expired); `visible` is the highest number whose commit has succeeded. Nothing above
`visible` is ever handed out, so a transaction that is still open can be read without giving away what it may lose.

After a restart the cursor is at the start, so everything that was locked is found again.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.engine.locks import Locks
from localzure.services.servicebus.model import MessageState
from localzure_storage.keys import int_key

if TYPE_CHECKING:
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure.services.servicebus.model import QueueDescription, QueueRecord


class Queue:
    """One queue or sub-queue in use."""

    __slots__ = (
        "_prefixes",
        "accessed_at",
        "counters_key",
        "cursor",
        "dead_letter",
        "locks",
        "queue_id",
        "record",
        "returned",
        "sub_queue",
        "visible",
        "watched",
    )

    def __init__(
        self, keys: ServiceBusKeys, record: QueueRecord, sub_queue: SubQueue, dead_letter: Queue | None
    ) -> None:
        self.record = record
        """The entity, which a sub-queue shares with its queue."""
        self.sub_queue = sub_queue
        self.dead_letter = dead_letter
        """Where its dead letters go; None for a sub-queue."""
        self.queue_id = queue_id_of(record, sub_queue)
        self.counters_key = keys.counters(self.queue_id)
        self._prefixes = [keys.message_prefix(self.queue_id, state) for state in MessageState]
        self.visible = 0
        self.cursor = 0
        self.returned: list[int] = []
        """A heap; it may hold numbers of messages that have gone since."""
        self.locks = Locks()
        self.accessed_at = 0
        """When somebody sent to it, or asked it for messages, last; 0 for never."""
        self.watched: int | None = None
        """When the broker looks at its locks next; never later than the first of them ends."""

    @property
    def description(self) -> QueueDescription:
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
    def has_available(self) -> bool:
        """There may be a message to hand out."""
        return bool(self.returned) or self.cursor < self.visible

    def message_key(self, state: MessageState, sequence_number: int) -> bytes:
        """The key of one of its messages."""
        return int_key(self._prefixes[state], sequence_number)

    def message_range(self, state: MessageState, first: int, last: int) -> tuple[bytes, bytes]:
        """The keys of its messages in one state, numbers `first` to `last`."""
        prefix = self._prefixes[state]
        return int_key(prefix, first), int_key(prefix, last + 1)

    def empty(self) -> None:
        """It is gone: there is nothing to hand out, and nothing is locked."""
        self.locks = Locks()
        self.returned.clear()
        self.cursor = self.visible

    def give_back(self, sequence_number: int) -> None:
        """A message that was handed out, or passed over, is available again."""
        if sequence_number <= self.cursor:
            heappush(self.returned, sequence_number)

    def next_returned(self) -> int:
        """Take the lowest of the numbers that came back."""
        return heappop(self.returned)


def queue_id_of(record: QueueRecord, sub_queue: SubQueue) -> int:
    """The number under which the messages of a queue, or of one of its sub-queues, are kept."""
    if sub_queue is SubQueue.NONE:
        return record.queue_id
    return record.dead_letter_id if sub_queue is SubQueue.DEAD_LETTER else record.transfer_dead_letter_id
