"""Things in memory that end at an instant, in the order of their ends.

Whatever ends before its time leaves nothing behind, so a client that comes and goes a million times costs no memory.
"""

from __future__ import annotations

from itertools import islice
from typing import Generic, TypeVar

from sortedcontainers import SortedDict

T = TypeVar("T")

Ticket = tuple[int, int]
"""The instant, and what tells one thing from others with the same."""


class Deadlines(Generic[T]):
    """Things by the instant at which they end."""

    __slots__ = ("_by_ticket", "_last")

    def __init__(self) -> None:
        self._by_ticket: SortedDict[Ticket, T] = SortedDict()
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_ticket)

    def add(self, at: int, thing: T) -> Ticket:
        """`thing` ends at `at`; returns what `remove` takes."""
        self._last += 1
        ticket = (at, self._last)
        self._by_ticket[ticket] = thing
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """It does not end at that instant any more. What has been removed may be removed again."""
        self._by_ticket.pop(ticket, None)

    def first(self) -> int | None:
        """When the next of them ends."""
        return self._by_ticket.peekitem(0)[0][0] if self._by_ticket else None

    def all(self) -> list[T]:
        """All of them, in the order of their ends."""
        return list(self._by_ticket.values())

    def due(self, now: int, limit: int) -> list[T]:
        """Up to `limit` of those that have ended by `now`; they stay until they are removed."""
        ended = self._by_ticket.irange(maximum=(now + 1, 0), inclusive=(True, False))
        return [self._by_ticket[ticket] for ticket in islice(ended, limit)]
