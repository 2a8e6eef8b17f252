"""The transaction coordinator: the link on which a client declares and discharges transactions (part 4, 4.2 to 4.5).

A transaction belongs to the link that declared it, and rolls back when the link or its connection is lost. What is done
in it may come on any link of the connection.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.amqp.links import LinkHandler
from localzure.services.servicebus.engine.transactions import Transaction, commit
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Symbol, Ulong
from localzure_protocols.amqp.events import ACCEPTED, Declared, Rejected
from localzure_protocols.amqp.message import split

if TYPE_CHECKING:
    from localzure.services.servicebus.amqp.peer import ServiceBusPeer
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_protocols.amqp.events import Link, MessageReceived, TransactionalState

CREDIT = 100
"""Declarations and discharges that a client may have under way on one link."""

REQUEST_BYTES_MAX = 1024
"""Largest message to the coordinator."""

OPEN_MAX = 1000
"""Transactions that a connection may have open."""

_ID_BYTES = 16

DECLARE = {Ulong(0x31), Symbol("amqp:declare:list")}
DISCHARGE = {Ulong(0x32), Symbol("amqp:discharge:list")}


class OpenTransactions:
    """The transactions of one connection."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._by_id: dict[bytes, Transaction] = {}

    def of(self, state: TransactionalState) -> Transaction:
        """The transaction that a transfer or a disposition is of. Raises ServiceBusError (TRANSACTION_UNKNOWN)."""
        transaction = self._by_id.get(state.txn_id)
        if transaction is None or transaction.is_over:
            raise ServiceBusError(ErrorCode.TRANSACTION_UNKNOWN)
        return transaction

    def doom(self, state: TransactionalState, error: ServiceBusError) -> None:
        """Something that was to be in a transaction was refused."""
        transaction = self._by_id.get(state.txn_id)
        if transaction is not None:
            transaction.failure = error

    def declare(self) -> Transaction:
        """Open one. Raises ServiceBusError where there are too many."""
        if len(self._by_id) >= OPEN_MAX:
            self._by_id = {key: each for key, each in self._by_id.items() if not each.is_over}
            if len(self._by_id) >= OPEN_MAX:
                raise ServiceBusError(
                    ErrorCode.NOT_ALLOWED, detail=f"A connection has up to {OPEN_MAX} open transactions."
                )
        transaction = Transaction(self._broker.entropy.bytes(_ID_BYTES))
        self._by_id[transaction.transaction_id] = transaction
        return transaction

    def discharge(self, transaction_id: bytes) -> Transaction:
        """Take one that is to end. Raises ServiceBusError (TRANSACTION_UNKNOWN, TRANSACTION_TIMEOUT)."""
        transaction = self._by_id.pop(transaction_id, None)
        if transaction is None:
            raise ServiceBusError(ErrorCode.TRANSACTION_UNKNOWN)
        if transaction.is_over:
            raise ServiceBusError(ErrorCode.TRANSACTION_TIMEOUT)
        return transaction

    def roll_back(self, transaction: Transaction) -> None:
        """End one without doing what was asked in it."""
        self._by_id.pop(transaction.transaction_id, None)
        if not transaction.is_over:
            transaction.forget(self._broker)


class CoordinatorLink(LinkHandler):
    """Opens and ends transactions."""

    __slots__ = ("_declared", "_peer")

    def __init__(self, peer: ServiceBusPeer, link: Link) -> None:
        super().__init__(link)
        self._peer = peer
        self._declared: dict[bytes, Transaction] = {}

    def opened(self) -> None:
        """Let the client declare."""
        self._peer.core.grant_credit(self.link, CREDIT)

    def received(self, turn: Turn, event: MessageReceived) -> None:
        """Open a transaction, or end one."""
        del turn
        self._peer.core.grant_credit(self.link, 1)
        try:
            self._do(event)
        except ServiceBusError as error:
            self._refuse(event, error)

    def detached(self) -> None:
        """Roll back what is open."""
        for transaction in self._declared.values():
            self._peer.transactions.roll_back(transaction)
        self._declared.clear()

    def _do(self, event: MessageReceived) -> None:
        """Raises ServiceBusError."""
        request = _read(event)
        if request.descriptor in DECLARE:
            transaction = self._peer.transactions.declare()
            self._declared[transaction.transaction_id] = transaction
            self._peer.answer(event.delivery, Declared(transaction.transaction_id))
            return
        transaction_id, fails = [*request.value, None, None][:2]
        if not isinstance(transaction_id, bytes):
            raise ServiceBusError(ErrorCode.TRANSACTION_UNKNOWN)
        transaction = self._peer.transactions.discharge(transaction_id)
        self._declared.pop(transaction_id, None)
        if fails:
            self._peer.transactions.roll_back(transaction)
            self._peer.answer(event.delivery, ACCEPTED)
        else:
            # Its steps make a transaction of the store of their own, which cannot begin inside the one of this turn.
            self._peer.after_turn(partial(self._commit, transaction, event.delivery))

    def _commit(self, transaction: Transaction, delivery: int) -> None:
        peer = self._peer

        def failed(error: Exception) -> None:
            peer.core.settle(delivery, Rejected(peer.storage_error(error)))
            peer.host.flush()

        def done() -> None:
            peer.core.settle(delivery, ACCEPTED)
            peer.host.flush()

        try:
            commit(peer.broker, transaction, done, failed)
        except ServiceBusError as error:
            refusal = ServiceBusError(ErrorCode.TRANSACTION_ROLLED_BACK, detail=error.text)
            peer.core.settle(delivery, Rejected(peer.amqp_error(refusal, "")))

    def _refuse(self, event: MessageReceived, error: ServiceBusError) -> None:
        self._peer.answer(event.delivery, Rejected(self._peer.amqp_error(error, "")))


def _read(event: MessageReceived) -> Described:
    """What a client asks of the coordinator. Raises ServiceBusError."""
    if event.settled:
        # Nobody could learn the id of what is declared so, nor how a discharge went.
        raise ServiceBusError(ErrorCode.NOT_ALLOWED, detail="What is sent to the coordinator must not be settled.")
    try:
        request: Any = None if event.oversize else split(event.payload).value()
    except AmqpDecodeError as error:
        raise ServiceBusError(ErrorCode.MESSAGE_MALFORMED, detail=error) from None
    if (
        not isinstance(request, Described)
        or request.descriptor not in DECLARE | DISCHARGE
        or not isinstance(request.value, list)
    ):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="The coordinator is sent 'declare' and 'discharge' only.")
    return request
