"""Transactions: what a client sends and settles together takes effect together, or not at all.

Until its end a transaction is memory: each thing that is asked in it is checked and kept as a step. So what was sent is
seen by nobody, and what was settled stays locked under the lock that it has; a rollback forgets, and needs no more. To
commit is to take all steps in one turn, which is one transaction of the store: a crash leaves all of it or nothing. A
step that cannot be taken any more (a lock has expired, an entity is full or gone) undoes the others. So does one that
was refused at once: the client for Java does not tell that a message which it sent in a transaction was refused, and
would commit without it.

After a rollback whoever holds a message's lock may settle it again, and if nobody does, the lock ends as locks do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from localzure.services.interface import SECOND
from localzure.services.servicebus.addresses import split_subscription
from localzure.services.servicebus.engine.deadlines import Deadlines
from localzure.services.servicebus.engine.limits import require_sendable
from localzure.services.servicebus.engine.messages import admit_all, send
from localzure.services.servicebus.engine.settlement import require_settleable, settle
from localzure.services.servicebus.engine.via import send_via
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.deadlines import Ticket
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.settlement import Disposition
    from localzure.services.servicebus.engine.turn import Turn

    Step: TypeAlias = Callable[[Turn], object]
    """Does one thing of a transaction. Raises ServiceBusError."""

DURATION = 120 * SECOND
"""How long a transaction may take ("Service Bus transactions": two minutes, from its first operation)."""

MESSAGES_MAX = 100
"""Messages that can be sent in one transaction ("Service Bus quotas")."""

BYTES_MAX = 64 * 1024 * 1024
"""Bytes of messages that one transaction holds in memory; those of the standard tier cannot be as many."""

ALL_BYTES_MAX = 256 * 1024 * 1024
"""The same of all transactions of the namespace together."""


class Transaction:
    """One transaction that is open, or has ended."""

    __slots__ = (
        "_entity",
        "_session",
        "_tokens",
        "bytes",
        "failure",
        "is_over",
        "messages",
        "steps",
        "ticket",
        "transaction_id",
    )

    def __init__(self, transaction_id: bytes) -> None:
        self.transaction_id = transaction_id
        self.steps: list[Step] = []
        self.messages = 0
        """Those that are sent in it."""
        self.bytes = 0
        """Their size."""
        self.ticket: Ticket | None = None
        """Its time-out, from its first operation on."""
        self.failure: ServiceBusError | None = None
        """Something that was asked in it and refused: then it cannot be committed."""
        self.is_over = False
        """It has been committed or rolled back."""
        self._entity = ""
        self._session: object = None
        self._tokens: list[bytes] = []

    def join(self, broker: Broker, queue: Queue, session: object, *, is_via: bool = False) -> None:
        """Note that something is done in it with `queue`, on an AMQP session.

        A transaction is about one queue, or one topic with its subscriptions; about several only where the client asks
        for it: by sending via one of them, or by having all its links on one session, as SDKs do that were told to span
        entities. Raises ServiceBusError.
        """
        parts = split_subscription(queue.record.name)
        entity = (parts[0] if parts else queue.record.name).lower()
        if not self._entity:
            self._entity, self._session = entity, session
        elif entity != self._entity and session != self._session and not is_via:
            raise ServiceBusError(ErrorCode.TRANSACTION_SPANS_ENTITIES, entity=entity, first=self._entity)
        if self.ticket is None:
            at = broker.now() + DURATION
            self.ticket = broker.transactions.deadlines.add(at, self)
            broker.arm(at)

    def hold(self, broker: Broker, token: bytes) -> None:
        """Note that the message that is locked with `token` is settled in it. Raises ServiceBusError (LOCK_LOST)."""
        require_free(broker, token)
        broker.transactions.held[token] = self
        self._tokens.append(token)

    def forget(self, broker: Broker) -> None:
        """It is over: let go of everything."""
        self.is_over = True
        for token in self._tokens:
            broker.transactions.held.pop(token, None)
        if self.ticket is not None:
            broker.transactions.deadlines.remove(self.ticket)
        broker.transactions.bytes -= self.bytes
        self.bytes = 0
        self.steps, self._tokens = [], []


class Transactions:
    """All that are open."""

    def __init__(self) -> None:
        self.deadlines: Deadlines[Transaction] = Deadlines()
        self.held: dict[bytes, Transaction] = {}
        """Lock token → the transaction in which its message is settled."""
        self.bytes = 0
        """Of the messages in them."""


def require_free(broker: Broker, token: bytes) -> None:
    """Raise ServiceBusError (LOCK_LOST) where a message is being settled in a transaction."""
    if token in broker.transactions.held:
        raise ServiceBusError(ErrorCode.LOCK_LOST)


def send_in(
    broker: Broker,
    turn: Turn,
    transaction: Transaction,
    queue: Queue,
    message_format: int,
    payload: bytes,
    destination: str | None = None,
) -> None:
    """Send a message, or a batch, when the transaction is committed; to `destination` via `queue` where that is given.

    Raises ServiceBusError.
    """
    count = len(admit_all(turn, queue, message_format, payload))
    _take(broker, transaction, count, len(payload))

    def step(later: Turn) -> None:
        require_there(later, queue)
        require_sendable(queue, queue.path)
        if destination is None:
            send(later, queue, message_format, payload, broker.entropy)
        else:
            send_via(later, queue, destination, message_format, payload)

    transaction.steps.append(step)


def require_there(turn: Turn, queue: Queue) -> None:
    """Raise ServiceBusError (ENTITY_NOT_FOUND) where an entity has gone since a step was asked for."""
    if turn.entities.owner(turn.writer, queue.queue_id) is None:
        raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=queue.path)


def take_messages(broker: Broker, transaction: Transaction, payloads: list[bytes], size: int = 0) -> None:
    """Make room for messages, and `size` bytes more, that a step of the transaction holds. Raises ServiceBusError."""
    _take(broker, transaction, len(payloads), size + sum(map(len, payloads)))


def settle_in(
    broker: Broker,
    turn: Turn,
    transaction: Transaction,
    queue: Queue,
    token: bytes,
    disposition: Disposition,
    changes: Mapping[Any, Any] | None,
) -> None:
    """End a delivery when the transaction is committed. Raises ServiceBusError."""
    require_settleable(turn, queue, token, disposition)
    transaction.hold(broker, token)
    transaction.steps.append(lambda later: settle(later, queue, token, disposition, changes))


def commit(
    broker: Broker, transaction: Transaction, done: Callable[[], None], failed: Callable[[Exception], None]
) -> None:
    """Do all that was asked in a transaction, and call `done` once that is committed, else `failed`.

    Raises ServiceBusError for what cannot be done any more: then nothing is. Raises StorageError as `Broker.turn`.
    """
    steps = transaction.steps
    transaction.forget(broker)
    if transaction.failure is not None:
        raise transaction.failure
    with broker.turn() as turn:
        for step in steps:
            step(turn)
        turn.then(done, failed)


def end_transactions(broker: Broker, limit: int) -> None:
    """Roll back up to `limit` of the transactions that have taken too long."""
    for transaction in broker.transactions.deadlines.due(broker.now(), limit):
        transaction.forget(broker)


def _take(broker: Broker, transaction: Transaction, messages: int, size: int) -> None:
    if transaction.messages + messages > MESSAGES_MAX:
        raise ServiceBusError(ErrorCode.TRANSACTION_FULL, limit=MESSAGES_MAX)
    if transaction.bytes + size > BYTES_MAX or broker.transactions.bytes + size > ALL_BYTES_MAX:
        raise ServiceBusError(ErrorCode.TRANSACTION_TOO_LARGE, limit=BYTES_MAX)
    transaction.messages += messages
    transaction.bytes += size
    broker.transactions.bytes += size
