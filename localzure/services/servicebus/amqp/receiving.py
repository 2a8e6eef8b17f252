"""Links on which clients receive messages from an entity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from localzure.services.servicebus.amqp.links import LinkHandler
from localzure.services.servicebus.engine.reasons import DESCRIPTION, REASON
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.engine.transactions import settle_in
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    Accepted,
    Modified,
    Outcome,
    Rejected,
    Released,
    TransactionalState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localzure.services.servicebus.amqp.peer import ServiceBusPeer
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.receiving import Delivery
    from localzure.services.servicebus.engine.supply import Supply
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_protocols.amqp.events import AmqpError, Link, LinkFlow, OutcomeReceived

PlainOutcome: TypeAlias = Accepted | Modified | Rejected | Released
"""An outcome by itself, not that of a transaction."""

SETTLED = 1
"""The `snd-settle-mode` by which a client asks for messages without locks: receive and delete."""


class ReceiveLink(LinkHandler):
    """Gives messages as far as the client's credit goes, and settles them as it says.

    It waits in the queue's line (see `dispatch.Waiter`). The locks of a link that goes away stay until they expire: its
    client may still settle them through `$management`.
    """

    __slots__ = ("_deliveries", "_peer", "_queue", "_reserved", "_supply", "is_destructive", "queued")

    def __init__(self, peer: ServiceBusPeer, link: Link, queue: Queue) -> None:
        super().__init__(link)
        self._peer = peer
        self._queue = queue
        self._supply: Supply = queue
        """What it is given messages from."""
        self.is_destructive = link.snd_settle_mode == SETTLED
        """See `dispatch.Waiter`."""
        self.queued = 0
        """See `dispatch.Waiter`."""
        self._deliveries: dict[int, bytes] = {}
        self._reserved = 0

    # What the client does.

    def opened(self) -> None:
        """It may have given credit with its attach."""
        self._queue.receiver_came(self)
        self._queue.accessed_at = self._peer.broker.now()
        self._credit_changed()

    def flow(self, event: LinkFlow) -> None:
        """Take the new credit, or use it up."""
        self._queue.accessed_at = self._peer.broker.now()
        if event.drain:
            self._peer.dispatch.drain(self._supply, self)
            # What was received and deleted for it goes out with the commit, and before the answer.
            self._peer.broker.after_commit(self._drained, lambda _: self._drained())
            return
        self._credit_changed()
        if event.echo:
            self._peer.core.send_flow(self.link)

    def settled(self, turn: Turn, event: OutcomeReceived) -> None:
        """Do what the outcome says, and answer with the same once that is committed."""
        token = self._deliveries.pop(event.delivery, None)
        if token is None or event.outcome is None:
            if not event.settled:
                self._refuse(event, ServiceBusError(ErrorCode.DELIVERY_NOT_FOUND))
            return
        outcome = event.outcome
        try:
            if isinstance(outcome, TransactionalState):
                echo: Outcome = self._settle_in(turn, token, outcome)
            else:
                disposition, changes, echo = _meaning(outcome)
                settle(turn, self._queue, token, disposition, changes)
        except ServiceBusError as error:
            if isinstance(outcome, TransactionalState):
                self._peer.transactions.doom(outcome, error)
            if not event.settled:
                self._refuse(event, error)
            return
        if not event.settled:
            self._peer.answer(event.delivery, echo)

    def _settle_in(self, turn: Turn, token: bytes, state: TransactionalState) -> Outcome:
        """Settle in a transaction; returns what that is answered with. Raises ServiceBusError."""
        if state.outcome is None:
            raise ServiceBusError(ErrorCode.ARGUMENT, detail="A message is settled with an outcome.")
        broker, transaction = self._peer.broker, self._peer.transactions.of(state)
        transaction.join(broker, self._queue, self.link.session)
        disposition, changes, echo = _meaning(state.outcome)
        settle_in(broker, turn, transaction, self._queue, token, disposition, changes)
        return TransactionalState(state.txn_id, echo)

    def writable(self) -> None:
        """Take a place in the line again."""
        self._peer.dispatch.leave(self._supply, self)
        self._credit_changed()

    def detached(self) -> None:
        """Nothing can be given to it any more."""
        self._queue.receiver_went(self)
        self._peer.dispatch.leave(self._supply, self)
        self._deliveries.clear()

    # What the dispatcher asks (see `dispatch.Waiter`).

    def wanted(self) -> int:
        """See `dispatch.Waiter`."""
        return self.link.credit - self._reserved if self.link.is_open and self._peer.host.is_writable else 0

    def reserve(self, count: int) -> None:
        """See `dispatch.Waiter`."""
        self._reserved += count

    def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """See `dispatch.Waiter`."""
        core_deliver, link, settled = self._peer.core.deliver, self.link, self.is_destructive
        unsettled = self._deliveries
        refused = []
        for delivery in deliveries:
            number = core_deliver(link, delivery.token, (delivery.front, delivery.rest), settled=settled)
            if not number:
                refused.append(delivery)
            elif not settled:
                unsettled[number] = delivery.token
        self._peer.host.flush()
        return refused

    def _credit_changed(self) -> None:
        """Queue up for credit that is new; start again at the end of the line where some was taken back."""
        credit = self.wanted()
        if credit < self.queued:
            self._peer.dispatch.leave(self._supply, self)
        if credit > self.queued:
            self._peer.dispatch.join(self._supply, self, credit - self.queued)

    def _drained(self) -> None:
        self._peer.core.drained(self.link)
        self._peer.host.flush()

    def _refuse(self, event: OutcomeReceived, error: ServiceBusError) -> None:
        self._peer.answer(event.delivery, Rejected(self._peer.amqp_error(error, self._queue.path)))


DEAD_LETTER_CONDITION = "com.microsoft:dead-letter"
"""The error of a rejected outcome by which SDKs dead-letter a message; its info holds the reasons."""


def _meaning(outcome: Outcome) -> tuple[Disposition, Mapping[Any, Any] | None, PlainOutcome]:
    """What an outcome does, its changes to the message's properties, and what it is answered with.

    The answer is the same outcome; a rejected one without its error, which clients would take for a failure. Only
    `undeliverable-here` tells to defer from to abandon. Raises ServiceBusError.
    """
    if isinstance(outcome, Accepted):
        return Disposition.COMPLETED, None, ACCEPTED
    if isinstance(outcome, Modified):
        disposition = Disposition.DEFERRED if outcome.undeliverable_here else Disposition.ABANDONED
        echo = Modified(delivery_failed=outcome.delivery_failed, undeliverable_here=outcome.undeliverable_here)
        return disposition, outcome.message_annotations, echo
    if isinstance(outcome, Rejected):
        return Disposition.DEAD_LETTERED, _reasons(outcome.error), Rejected()
    if isinstance(outcome, Released):
        return Disposition.RELEASED, None, RELEASED
    raise ServiceBusError(ErrorCode.ARGUMENT, detail="That is no outcome of a message.")


def _reasons(error: AmqpError | None) -> Mapping[Any, Any]:
    if error is None:
        return {}
    if error.condition == DEAD_LETTER_CONDITION:
        return error.info or {}
    return {REASON: error.condition, DESCRIPTION: error.description}
