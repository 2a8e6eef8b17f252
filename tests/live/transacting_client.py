"""A proton client that moves messages from one queue to another in transactions, as fast as the server takes them.

The Python SDK has no transactions, so this drives the wire itself, with the client half of Qpid's own library.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from proton import Delivery, Message
from proton.handlers import MessagingHandler, TransactionHandler
from proton.reactor import Container, Transaction

KEY_NAME, KEY = "RootManageSharedAccessKey", "SAS_KEY_VALUE"

BATCH = 5
"""Messages that one transaction moves."""


class Mover(MessagingHandler, TransactionHandler):
    """Takes messages of `source`, and for each sends one with the same id to `target`, `BATCH` in a transaction.

    Every third transaction is rolled back and its messages are moved by the next, over their locks. Ends when
    `expected` messages are moved, or with the connection.
    """

    def __init__(self, address: str, source: str, target: str, expected: int | None = None) -> None:
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.moved: set[str] = set()
        """Ids of the messages whose transaction the server said was committed."""
        self.rolled_back = 0
        self.refused: list[str] = []
        self.ended = ""
        self._address, self._source, self._target, self._expected = address, source, target, expected
        self._transaction: Any = None
        self._held: list[tuple[str, Delivery]] = []
        self._declared = 0

    def run(self) -> None:
        """Work until there is nothing more to do, or the server has gone."""
        Container(self).run()

    def on_start(self, event: Any) -> None:
        parts = urlsplit(self._address)
        url = f"amqp://{parts.hostname}:{parts.port}"
        self._connection = event.container.connect(
            url, reconnect=False, user=KEY_NAME, password=KEY, allowed_mechs="PLAIN", allow_insecure_mechs=True
        )
        self._receiver = event.container.create_receiver(self._connection, self._source)
        self._sender = event.container.create_sender(self._connection, self._target)
        self._declare(event.container)

    def on_transaction_declared(self, event: Any) -> None:
        self._transaction = event.transaction
        self._receiver.flow(BATCH - len(self._held))
        self._work(event)

    def on_message(self, event: Any) -> None:
        self._held.append((str(event.message.id), event.delivery))
        self._work(event)

    def on_transaction_committed(self, event: Any) -> None:
        self.moved.update(identity for identity, _ in self._held)
        self._held.clear()
        if self._expected is not None and len(self.moved) >= self._expected:
            self._connection.close()
        else:
            self._declare(event.container)

    def on_transaction_commit_failed(self, event: Any) -> None:
        self.refused.append("commit")
        self._connection.close()

    def on_transaction_aborted(self, event: Any) -> None:
        self.rolled_back += 1
        self._held.clear()
        self._declare(event.container)

    def on_rejected(self, event: Any) -> None:
        self.refused.append(str(event.delivery.remote.condition))

    def on_transport_error(self, event: Any) -> None:
        self.ended = str(event.transport.condition)

    def on_disconnected(self, event: Any) -> None:
        self.ended = self.ended or "disconnected"
        event.container.stop()

    def _declare(self, container: Container) -> None:
        self._transaction = None
        self._declared += 1
        container.declare_transaction(self._connection, handler=self)

    def _work(self, event: Any) -> None:
        transaction: Transaction | None = self._transaction
        if transaction is None or len(self._held) < BATCH:
            return
        self._transaction = None
        fails = self._declared % 3 == 0
        for identity, delivery in self._held:
            transaction.send(self._sender, Message(id=identity, body=identity))
            if not fails:
                transaction.accept(delivery)
        if fails:
            for _, delivery in self._held:
                delivery.update(Delivery.RELEASED)
                delivery.settle()
            transaction.abort()
        else:
            transaction.commit()
