"""What was done with messages since the server started: counted in memory, once the turn that did it is committed.

All that a turn counts is one whole number, in which each kind has 64 bits of its own: adding a turn to what was counted
so far is one addition, whatever was done in it.
"""

from __future__ import annotations

from collections import Counter

_BITS = 64

SENT, RECEIVED, COMPLETED, ABANDONED, DEAD_LETTERED = (1 << _BITS * place for place in range(5))
"""One of a kind. Sent is each message of a batch, and what is scheduled; received each handing out; completed and
abandoned are done by receivers, dead letters made by the broker too."""


class Counts:
    """Of all namespaces of one server."""

    __slots__ = ("errors", "total")

    def __init__(self) -> None:
        """Nothing has been counted."""
        self.total = 0
        """The sum of what the turns have counted."""
        self.errors: Counter[str] = Counter()
        """What was refused over AMQP, by its condition."""

    def of(self, kind: int) -> int:
        """How many of a kind."""
        return self.total // kind & ((1 << _BITS) - 1)
