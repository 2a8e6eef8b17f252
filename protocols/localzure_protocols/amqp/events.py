"""What happens on an AMQP connection, as the layers above see it: links, outcomes and events.

Roles are the server's: a link with `is_receiver` brings messages from the client. A `delivery` is an opaque number
that stays safe to use after the delivery, its link or the connection has gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class AmqpError:
    """An AMQP error condition. `info` is never sent empty: some clients index it."""

    condition: str
    description: str = ""
    info: dict[Any, Any] | None = None


@dataclass(slots=True)
class Accepted:
    """The message was taken."""


@dataclass(slots=True)
class Released:
    """The message goes back as if it had not been delivered."""


@dataclass(slots=True)
class Rejected:
    """The message was refused."""

    error: AmqpError | None = None


@dataclass(slots=True)
class Modified:
    """The message goes back changed."""

    delivery_failed: bool = False
    undeliverable_here: bool = False
    message_annotations: dict[Any, Any] | None = None


@dataclass(slots=True)
class Declared:
    """A transaction was opened."""

    txn_id: bytes


@dataclass(slots=True)
class TransactionalState:
    """The outcome takes effect with a transaction."""

    txn_id: bytes
    outcome: Accepted | Released | Rejected | Modified | None = None


Outcome = Accepted | Released | Rejected | Modified | Declared | TransactionalState

ACCEPTED = Accepted()
RELEASED = Released()


@dataclass(slots=True)
class Terminus:
    """A source or a target. `address` is None where the client gave none."""

    address: str | None = None
    filter: dict[Any, Any] | None = None
    """Source only: symbol -> value, described values kept as `codec.Described`."""
    is_coordinator: bool = False
    """Target only: the transaction coordinator."""
    capabilities: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Link:
    """One attached link. `credit` is kept up to date by the connection on links that the server sends on."""

    name: str
    is_receiver: bool
    session: int
    """Number of the session on its connection, unique for the connection's life."""
    source: Terminus
    target: Terminus
    snd_settle_mode: int
    """0 unsettled, 1 settled, 2 mixed, as the client asked."""
    rcv_settle_mode: int
    """0 first, 1 second."""
    properties: dict[str, Any]
    desired_capabilities: list[str] = field(default_factory=list)
    credit: int = 0
    drain: bool = False
    is_open: bool = False
    """Attached by both sides and not detached by either."""
    context: Any = None
    """The service's own."""


@dataclass(slots=True)
class ConnectionOpened:
    """The client's OPEN; the connection has answered it."""

    container_id: str
    hostname: str | None
    properties: dict[str, Any]
    sasl_mechanism: str | None
    sasl_response: bytes


@dataclass(slots=True)
class LinkAttached:
    """The client attached: answer with `accept_link`, or with `refuse_link`, now or later."""

    link: Link


@dataclass(slots=True)
class LinkDetached:
    """The client detached the link, or ended its session; the connection has answered it."""

    link: Link
    error: AmqpError | None = None


@dataclass(slots=True)
class LinkFlow:
    """The client changed the credit of a link that the server sends on, asks to drain it, or asks for its state."""

    link: Link
    credit: int
    drain: bool
    echo: bool


@dataclass(slots=True)
class MessageReceived:
    """A whole message from the client."""

    link: Link
    delivery: int
    tag: bytes
    message_format: int
    payload: bytes
    settled: bool
    """The client sent it settled: no answer is expected."""
    state: TransactionalState | None = None
    oversize: int = 0
    """Size of a message beyond the link's limit, whose payload was dropped as it came: refuse it."""


@dataclass(slots=True)
class OutcomeReceived:
    """The client's disposition of a message that the server sent. None is a settlement without outcome."""

    link: Link
    delivery: int
    outcome: Outcome | None
    settled: bool


@dataclass(slots=True)
class ConnectionClosed:
    """The client closed, or broke the protocol; what is left to send is in `data_to_send`."""

    error: AmqpError | None = None


AmqpEvent = (
    ConnectionOpened | LinkAttached | LinkDetached | LinkFlow | MessageReceived | OutcomeReceived | ConnectionClosed
)
