"""Requests that receive one message: they wait in the queue's line as AMQP's receivers do, and hold nothing else.

A request that waits is an entry in the line, one in the order of deadlines, and its connection: no task, no timer of
its own, and nobody asks while there is no message. What is handed out for a client that has gone meanwhile goes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.interface import LaterReply
from localzure.services.servicebus.engine.deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localzure.services.interface import HttpReply
    from localzure.services.servicebus.dispatch import Dispatch
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.deadlines import Ticket
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.receiving import Delivery
    from localzure.services.servicebus.model import EntityRecord

ENDED_MAX = 256
"""Requests that are answered at once because their time is over; the others follow in the next tick."""


class Receiver:
    """One request for a message (a `dispatch.Waiter`)."""

    __slots__ = ("_delivered", "_make", "_receivers", "is_destructive", "is_over", "queue", "queued", "reply", "ticket")

    def __init__(
        self,
        receivers: Receivers,
        queue: Queue,
        make: Callable[[Delivery | None], HttpReply],
        *,
        is_destructive: bool,
    ) -> None:
        """`make` makes the reply: of a delivery, or None where there was no message."""
        self._receivers = receivers
        self._make = make
        self._delivered: Delivery | None = None
        self.queue = queue
        self.is_destructive = is_destructive
        self.queued = 0
        self.is_over = False
        """It has its reply, or needs none."""
        self.reply: LaterReply | None = None
        self.ticket: Ticket | None = None

    def wait(self, timeout: int) -> HttpReply:
        """Queue up for `timeout` microseconds; returns the reply, or one that comes later."""
        self.queue.receiver_came(self)
        self._receivers.dispatch.join(self.queue, self, 1)
        if self.is_over:
            return self._make(self._delivered)
        self.reply = LaterReply(self.abandon, self.end)
        broker = self._receivers.broker
        self.ticket = self._receivers.deadlines.add(broker.now() + timeout, self)
        if timeout:
            broker.arm(broker.now() + timeout)
        else:
            # What is received and deleted is given away after its commit, and the end comes behind that.
            broker.after_commit(self.end, lambda _error: self.end())
            if self._has_ended():
                return self._make(self._delivered)
        return self.reply

    def _has_ended(self) -> bool:
        return self.is_over

    # What the dispatcher asks (see `dispatch.Waiter`).

    def wanted(self) -> int:
        """See `dispatch.Waiter`."""
        return 0 if self.is_over else 1

    def reserve(self, count: int) -> None:
        """See `dispatch.Waiter`: it wants one message, so that the line holds no more of its credit."""

    def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See `dispatch.Waiter`."""
        if self.is_over or not deliveries:
            return deliveries
        self._finish(deliveries[0])
        return deliveries[1:]

    # How it ends.

    def end(self) -> None:
        """There is no message for it."""
        if not self.is_over:
            self._leave()

    def fail(self, error: Exception) -> None:
        """There will be none: the entity is gone, or cannot be received from any more."""

        def refuse(_delivery: Delivery | None) -> HttpReply:
            raise error

        if not self.is_over:
            self._make = refuse
            self._leave()

    def abandon(self) -> None:
        """The client has gone."""
        if not self.is_over:
            self.reply = None
            self._leave()

    def _leave(self) -> None:
        self._receivers.dispatch.leave(self.queue, self)
        self._finish(None)

    def _finish(self, delivery: Delivery | None) -> None:
        # Who is being handed something out leaves the line by having no credit left.
        self.is_over = True
        self.queue.receiver_went(self)
        self._delivered = delivery
        if self.ticket is not None:
            self._receivers.deadlines.remove(self.ticket)
        if self.reply is not None:
            self.reply.answer(lambda: self._make(delivery))


class Receivers:
    """The requests that wait for messages."""

    def __init__(self, broker: Broker, dispatch: Dispatch) -> None:
        self.broker = broker
        self.dispatch = dispatch
        self.deadlines: Deadlines[Receiver] = Deadlines()

    def expire(self) -> None:
        """Answer those whose time is over, and be woken for the next."""
        for receiver in self.deadlines.due(self.broker.now(), ENDED_MAX):
            receiver.end()
        first = self.deadlines.first()
        if first is not None:
            self.broker.arm(first)

    def end_all(self) -> None:
        """Answer all: the namespace is not served from here any more."""
        for receiver in self.deadlines.all():
            receiver.end()

    def fail(self, record: EntityRecord, error: Callable[[Queue], Exception | None]) -> None:
        """Refuse those that wait at an entity, where `error` tells why."""
        for receiver in self.deadlines.all():
            if receiver.queue.record.queue_id == record.queue_id and (why := error(receiver.queue)) is not None:
                receiver.fail(why)
