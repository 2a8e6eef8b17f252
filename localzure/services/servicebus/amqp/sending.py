"""Links on which clients send messages to an entity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.amqp.links import LinkHandler
from localzure.services.servicebus.engine.limits import require_sendable, too_large
from localzure.services.servicebus.engine.messages import send
from localzure.services.servicebus.engine.transactions import send_in
from localzure.services.servicebus.engine.via import send_via
from localzure.services.servicebus.errors import ServiceBusError
from localzure_protocols.amqp.events import ACCEPTED, Rejected, TransactionalState

if TYPE_CHECKING:
    from localzure.services.servicebus.amqp.peer import ServiceBusPeer
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.transactions import Transaction
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_protocols.amqp.events import Link, MessageReceived

CREDIT = 1000
"""Messages that a client may have under way on one link; topped up when half of it is used."""


class SendLink(LinkHandler):
    """Takes messages, and accepts each once it is committed."""

    __slots__ = ("_credit", "_destination", "_peer", "_queue")

    def __init__(self, peer: ServiceBusPeer, link: Link, queue: Queue, destination: str | None = None) -> None:
        """`destination` is the address of the entity to which it sends via `queue`."""
        super().__init__(link)
        self._destination = destination
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
            if event.state is not None:
                self._peer.transactions.doom(event.state, error)
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
            state = event.state
            self._peer.answer(event.delivery, ACCEPTED if state is None else TransactionalState(state.txn_id, ACCEPTED))

    def _store(self, turn: Turn, event: MessageReceived) -> None:
        """Raises ServiceBusError."""
        if event.oversize:
            raise too_large(self._queue, event.oversize)
        require_sendable(self._queue, self._queue.path)
        if event.state is not None:
            self._store_in(turn, self._peer.transactions.of(event.state), event)
        elif self._destination is not None:
            send_via(turn, self._queue, self._destination, event.message_format, event.payload)
        else:
            send(turn, self._queue, event.message_format, event.payload, self._peer.broker.entropy)

    def _store_in(self, turn: Turn, transaction: Transaction, event: MessageReceived) -> None:
        """Raises ServiceBusError."""
        broker = self._peer.broker
        transaction.join(broker, self._queue, self.link.session, is_via=self._destination is not None)
        send_in(broker, turn, transaction, self._queue, event.message_format, event.payload, self._destination)

    def _top_up(self) -> None:
        self._peer.core.grant_credit(self.link, CREDIT - self._credit)
        self._credit = CREDIT
