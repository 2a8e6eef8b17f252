"""Who gets the next message of a queue or a session: receivers wait in a line, in the order in which they gave credit.

A receiver's place in the line holds the credit that it gave at once; what it gives later stands behind what others gave
meanwhile. Nobody in the line is asked anything while there is no message, and a receiver without credit is not in it.
Hand-out goes in bounded steps, so that a client with much credit does not keep all others waiting.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from localzure.services.servicebus.engine.broker import AT_ONCE
from localzure.services.servicebus.engine.receiving import STEP_BYTES_MAX, lock_next, put_back, take_next
from localzure.services.servicebus.engine.sessions import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.receiving import Delivery
    from localzure.services.servicebus.engine.sessions import Session
    from localzure.services.servicebus.engine.supply import Supply

STEP_MESSAGES_MAX = 256
"""Messages handed out at once. Their bytes are bounded too, by `receiving.STEP_BYTES_MAX` and a message more."""


class Waiter(Protocol):
    """Somebody who waits for messages of a queue."""

    is_destructive: bool
    """It receives and deletes; else it receives under a lock."""
    queued: int
    """Its credit that stands in the line: the dispatcher's to change."""

    def wanted(self) -> int:
        """Messages that it can take now: its credit, or 0 while its client does not take what was sent."""
        ...

    def reserve(self, count: int) -> None:
        """`count` of its credit is spoken for by messages that it gets after a commit; negative to undo that."""
        ...

    def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Take messages; returns those that could not be taken, because the client has gone."""
        ...


@dataclass(slots=True)
class _Place:
    waiter: Waiter
    credit: int


class Dispatch:
    """Hands out messages to those who wait for them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lines: dict[Supply, deque[_Place]] = {}
        self._unfinished: set[Supply] = set()
        self._stalled: set[Supply] = set()
        broker.on_available = self.wake
        broker.is_awaited = self._lines.__contains__

    def join(self, supply: Supply, waiter: Waiter, credit: int) -> None:
        """`waiter` has `credit` more."""
        self._lines.setdefault(supply, deque()).append(_Place(waiter, credit))
        waiter.queued += credit
        self.wake(supply)

    def leave(self, supply: Supply, waiter: Waiter) -> None:
        """`waiter` has no credit any more, or wants to stand at the end."""
        if not waiter.queued:
            return
        waiter.queued = 0
        line = self._lines.get(supply, ())
        kept = deque(place for place in line if place.waiter is not waiter)
        if kept:
            self._lines[supply] = kept
        else:
            self._lines.pop(supply, None)

    def forget(self, session: Session) -> None:
        """A session has been let go: nobody waits for its messages any more."""
        self._lines.pop(session, None)
        self._unfinished.discard(session)
        self._stalled.discard(session)

    def wake(self, supply: Supply) -> None:
        """Hand out what is available to those who wait. The rest of a long hand-out follows in `resume`.

        Those who wait for a session of a queue are given sessions; messages are handed out from these.
        """
        if supply.session is None and supply.queue.sessions is not None:
            serve(self._broker, supply.queue)
        line = self._lines.get(supply)
        if line is None or supply in self._unfinished or supply in self._stalled:
            return
        left, left_bytes = STEP_MESSAGES_MAX, STEP_BYTES_MAX
        while line and supply.has_available:
            place = line[0]
            limit = min(place.credit, place.waiter.wanted())
            if limit <= 0:
                # Its credit was taken back; a client that takes nothing joins again when it does.
                line.popleft()
                place.waiter.queued -= place.credit
            elif left <= 0 or left_bytes <= 0:
                # Whether a client takes what it gets shows only when it has been written.
                self._unfinished.add(supply)
                self._broker.arm(AT_ONCE)
                return
            else:
                given, given_bytes = self._give(supply, place.waiter, min(limit, left))
                place.credit -= given
                place.waiter.queued -= given
                left -= max(given, 1)
                left_bytes -= given_bytes
                if supply in self._stalled:
                    return
                if not place.credit:
                    line.popleft()

    def resume(self) -> None:
        """Go on with what was left, or could not be written, when the alarm has gone off."""
        waiting = self._unfinished | self._stalled
        self._unfinished.clear()
        self._stalled.clear()
        for supply in waiting:
            self.wake(supply)

    def drain(self, supply: Supply, waiter: Waiter) -> None:
        """Take `waiter` out of the line, and give it what its credit and the supply allow, up to a step's bytes."""
        self.leave(supply, waiter)
        left_bytes = STEP_BYTES_MAX
        while left_bytes > 0 and supply.has_available and supply not in self._stalled:
            wanted = waiter.wanted()
            if wanted <= 0:
                break
            left_bytes -= self._give(supply, waiter, wanted)[1]

    def _give(self, supply: Supply, waiter: Waiter, limit: int) -> tuple[int, int]:
        """Give up to `limit` messages; returns how many, and their bytes."""
        if waiter.is_destructive:
            return self._give_for_good(supply, waiter, limit)
        deliveries = lock_next(self._broker, supply, limit)
        for delivery in waiter.deliver(deliveries):
            supply.queue.locks.take(delivery.token)
            supply.give_back(delivery.sequence_number)
        return len(deliveries), _size(deliveries)

    def _give_for_good(self, supply: Supply, waiter: Waiter, limit: int) -> tuple[int, int]:
        """Delete the messages, and give them away once that is committed."""
        broker = self._broker
        deliveries: list[Delivery] = []

        def done() -> None:
            waiter.reserve(-len(deliveries))
            refused = waiter.deliver(deliveries)
            if refused:
                with broker.turn() as turn:
                    put_back(turn, supply.queue, refused)

        def failed(_error: Exception) -> None:
            waiter.reserve(-len(deliveries))
            if supply.session is not None and not supply.session.is_held:
                return
            self._lines.setdefault(supply, deque()).appendleft(_Place(waiter, len(deliveries)))
            waiter.queued += len(deliveries)
            self._stalled.add(supply)
            broker.retry_later()

        with broker.turn() as turn:
            turn.then(done, failed)
            deliveries += take_next(turn, supply, limit)
            waiter.reserve(len(deliveries))
        return len(deliveries), _size(deliveries)


def _size(deliveries: Sequence[Delivery]) -> int:
    return sum([len(delivery.stored) for delivery in deliveries])
