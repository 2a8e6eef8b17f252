"""What takes AMQP connections while Service Bus is stopped: they are closed with an error, and clients come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure_protocols.amqp.events import AmqpError, ConnectionOpened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.interface import AmqpHost, AmqpPeer
    from localzure_protocols.amqp.connection import AmqpConnection
    from localzure_protocols.amqp.events import AmqpEvent

OPEN_SECONDS_MAX = 30.0
"""How long a client may take to open its connection."""


class RestingAmqp:
    """Serves nothing (an `AmqpService`)."""

    def connected(self, core: AmqpConnection, host: AmqpHost) -> AmqpPeer:
        """See `AmqpService.connected`."""
        return _RestingPeer(core, host)


class _RestingPeer:
    """Closes one connection as soon as its client has opened it."""

    def __init__(self, core: AmqpConnection, host: AmqpHost) -> None:
        self._core = core
        self._host = host
        self._ends_at: float | None = None

    def handle(self, events: Sequence[AmqpEvent]) -> None:
        """See `AmqpPeer.handle`."""
        if any(isinstance(event, ConnectionOpened) for event in events):
            self.shutdown()

    def writable(self) -> None:
        """See `AmqpPeer.writable`: there is nothing to hand out."""

    def tick(self, now: float) -> float | None:
        """See `AmqpPeer.tick`."""
        if self._ends_at is None:
            self._ends_at = now + OPEN_SECONDS_MAX
        elif now >= self._ends_at:
            self.shutdown()
            return None
        return self._ends_at

    def disconnected(self) -> None:
        """See `AmqpPeer.disconnected`: nothing was held."""

    def shutdown(self) -> None:
        """See `AmqpPeer.shutdown`."""
        self._core.close(AmqpError("amqp:connection:forced", "The service is stopped."))
        self._host.flush()


RESTING = RestingAmqp()
