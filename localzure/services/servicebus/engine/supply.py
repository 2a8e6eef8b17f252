"""What messages are handed out from: a queue, or one session of a queue that has sessions.

No memory per waiting message: what is next to hand out is found by a cursor over the store. `cursor` is the number up
to which everything was handed out or looked at once; `returned` holds the numbers at or below it that came back since
(abandoned, released, their locks expired); `visible` is the highest number whose commit has succeeded. Nothing above
`visible` is ever handed out, so a transaction that is still open can be read without giving away what it may lose.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.sessions import Session
    from localzure_storage.store import Reader


class Supply:
    """A cursor over active messages, and what came back behind it."""

    __slots__ = ("cursor", "returned", "visible")

    def __init__(self) -> None:
        self.visible = 0
        self.cursor = 0
        self.returned: list[int] = []
        """A heap; it may hold numbers of messages that have gone since."""

    @property
    def queue(self) -> Queue:
        """The queue that the messages are in."""
        raise NotImplementedError

    @property
    def session(self) -> Session | None:
        """The session that they are of."""
        return None

    @property
    def has_available(self) -> bool:
        """There may be a message to hand out."""
        return bool(self.returned) or self.cursor < self.visible

    def ahead(self, reader: Reader, limit: int) -> Iterator[tuple[int, bytes]]:
        """Up to `limit` active messages after the cursor that are visible: sequence number and stored message."""
        raise NotImplementedError

    def give_back(self, sequence_number: int) -> None:
        """A message that was handed out, or passed over, is available again."""
        if sequence_number <= self.cursor:
            heappush(self.returned, sequence_number)

    def next_returned(self) -> int:
        """Take the lowest of the numbers that came back."""
        return heappop(self.returned)
