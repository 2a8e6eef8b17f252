"""How long a connection lives that is of no use, and what becomes of links when a token expires.

The service drops a connection that puts no token, or opens no link, soon after it was made; clients take both for
something to try again. Time here is the machine's: tokens are dated by it, and patience is no matter of virtual time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.interface import SECOND
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.events import AmqpError

if TYPE_CHECKING:
    from localzure.services.servicebus.access import Claims
    from localzure.services.servicebus.amqp.peer import ServiceBusPeer

CLAIMS_SECONDS = 20.0
"""Within this time a connection puts its first token (Azure's "AMQP 1.0 protocol guide": 20 seconds)."""

FIRST_LINK_SECONDS = 60.0
"""Within this time a connection opens its first link ("AMQP errors in Azure Service Bus": 60000 milliseconds)."""

NO_LINK_SECONDS = 300.0
"""So long a connection may be without links later on (the same page: 300000 milliseconds)."""

LOOK_SECONDS = 60.0
"""A connection is looked at this often, whatever is known to come."""


class ConnectionLife:
    """Watches one connection."""

    __slots__ = ("_claims", "_had_link", "_opened_at", "_peer", "_unlinked_since")

    def __init__(self, peer: ServiceBusPeer, claims: Claims) -> None:
        self._peer = peer
        self._claims = claims
        self._opened_at = peer.broker.clock.monotonic()
        self._unlinked_since: float | None = self._opened_at
        self._had_link = False

    def links_changed(self, count: int) -> None:
        """The connection has `count` links now."""
        if count:
            self._had_link, self._unlinked_since = True, None
        elif self._unlinked_since is None:
            self._unlinked_since = self._peer.broker.clock.monotonic()

    def tick(self, now: float) -> float | None:
        """Do what is due at monotonic second `now`; returns when to look again, None for never."""
        ends = [now + LOOK_SECONDS]
        if self._peer.enforces and not self._claims.were_made:
            ends.append(self._opened_at + CLAIMS_SECONDS)
            if ends[-1] <= now:
                self._close(f"No token was put within {CLAIMS_SECONDS:.0f} seconds.")
                return None
        if self._unlinked_since is not None:
            patience = NO_LINK_SECONDS if self._had_link else FIRST_LINK_SECONDS
            ends.append(self._unlinked_since + patience)
            if ends[-1] <= now:
                self._close(
                    "The connection was inactive for more than the allowed "
                    f"{patience * 1000:.0f} milliseconds and is closed by container 'LinkTracker'."
                )
                return None
        expiry = self._end_links()
        if expiry is not None:
            ends.append(now + max(0.0, (expiry - self._peer.broker.clock.wall()) / SECOND))
        return min(ends)

    def _end_links(self) -> int | None:
        """Detach the links whose token has expired; returns when the next token expires."""
        wall = self._peer.broker.clock.wall()
        if not self._claims.drop_expired(wall):
            return self._claims.next_expiry()
        error = ServiceBusError(ErrorCode.TOKEN_REFUSED, detail="ExpiredToken: The token is expired.")
        for link, path in self._peer.links_without_right():
            self._peer.detach(link, self._peer.amqp_error(error, path))
        return self._claims.next_expiry()

    def _close(self, text: str) -> None:
        self._peer.core.close(AmqpError("amqp:connection:forced", self._peer.traced(text, "")))
        self._peer.host.flush()
