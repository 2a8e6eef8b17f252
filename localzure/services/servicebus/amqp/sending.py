"""Links on which clients send messages to an entity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.amqp.links import LinkHandler
from localzure.services.servicebus.engine.limits import require_sendable, too_large
from localzure.services.servicebus.engine.messages import send
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.events import ACCEPTED, Rejected

if TYPE_CHECKING:
    from localzure.services.servicebus.amqp.peer import ServiceBusPeer
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_protocols.amqp.events import Link, MessageReceived

CREDIT = 1000
"""Messages that a client may have under way on one link; topped up when half of it is used."""


class SendLink(LinkHandler):
    """Takes messages, and accepts each once it is committed."""

    __slots__ = ("_credit", "_peer", "_queue")

    def __init__(self, peer: ServiceBusPeer, link: Link, queue: Queue) -> None:
        super().__init__(link)
        self._peer = peer
        self._queue = queue
        self._credit = 0

    def opened(self) -> None:
        """Let the client send."""
        self._top_up()

    def received(self, turn: Turn, event: MessageReceived) -> None:
        """Store a message or a batch; what is refused is refused alone."""
        self._queue.accessed_at = turn.now
        self._credit -= 1
        if self._credit <= CREDIT // 2:
            self._top_up()
        try:
            self._store(turn, event)
        except ServiceBusError as error:
            refusal = self._peer.amqp_error(error, self._queue.path)
            if not event.settled:
                self._peer.answer(event.delivery, Rejected(refusal))
            elif event.oversize:
                # The service lets go of the link. Where an answer is awaited, one does better: see `oversize`.
                turn.then(lambda: self._peer.detach(self.link, refusal))
            return
        if event.settled:
            # Nobody waits for an answer; a client that sends so must still learn that its message was lost.
            turn.then(lambda: None, lambda error: self._peer.detach(self.link, self._peer.storage_error(error)))
        else:
            self._peer.answer(event.delivery, ACCEPTED)

    def _store(self, turn: Turn, event: MessageReceived) -> None:
        """Raises ServiceBusError."""
        if event.state is not None:
            raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation="Sending in a transaction")
        if event.oversize:
            raise too_large(self._queue, event.oversize)
        require_sendable(self._queue, self._queue.path)
        send(turn, self._queue, event.message_format, event.payload, self._peer.broker.entropy)

    def _top_up(self) -> None:
        self._peer.core.grant_credit(self.link, CREDIT - self._credit)
        self._credit = CREDIT
