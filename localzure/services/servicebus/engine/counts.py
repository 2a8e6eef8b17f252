"""What was done with messages since the server started: counted in memory, once the turn that did it is committed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.turn import Turn


class Counts:
    """Of all namespaces of one server."""

    __slots__ = ("abandoned", "completed", "dead_lettered", "errors", "received", "sent")

    def __init__(self) -> None:
        """Nothing has been counted."""
        self.sent = 0
        """Messages that clients sent, each of a batch, scheduled ones too."""
        self.received = 0
        """Messages that were handed out, each time that they were."""
        self.completed = 0
        self.abandoned = 0
        """By their receivers; locks that expire are none of these."""
        self.dead_lettered = 0
        """By receivers, and by the broker."""
        self.errors: Counter[str] = Counter()
        """What was refused over AMQP, by its condition."""

    def add(self, turn: Turn) -> None:
        """A turn has been committed."""
        self.sent += turn.sent
        self.received += turn.received
        self.completed += turn.completed
        self.abandoned += turn.abandoned
        self.dead_lettered += turn.dead_lettered
