"""One AMQP connection, server side, without IO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localzure_protocols.amqp.events import AmqpError, AmqpEvent, Link, Outcome


class AmqpConnection:
    """Bytes in, events out; commands in, bytes out. Starts with the SASL or AMQP protocol header.

    `receive`, `data_to_send`, `tick` and `is_finished` are the server's; the commands are the service's. Commands on
    a link, delivery or connection that has gone do nothing and return False (or 0), so that a late answer is harmless.
    """

    def __init__(self, container_id: str) -> None: ...

    def receive(self, data: bytes) -> list[AmqpEvent]:
        """Take bytes from the peer; returns what they made happen, in order."""
        raise NotImplementedError

    def receive_eof(self) -> list[AmqpEvent]:
        """The peer will send no more."""
        raise NotImplementedError

    def data_to_send(self) -> list[bytes]:
        """Take the bytes that are waiting for the peer."""
        raise NotImplementedError

    def tick(self, now: float) -> float | None:
        """Do what idle time-outs ask at monotonic second `now`; returns the next time to call, or None."""
        raise NotImplementedError

    @property
    def is_finished(self) -> bool:
        """Once `data_to_send` has been written, the transport may be closed."""
        raise NotImplementedError

    def accept_link(
        self,
        link: Link,
        *,
        max_message_size: int,
        properties: Mapping[str, Any] | None = None,
        source_filter: Mapping[Any, Any] | None = None,
    ) -> bool:
        """Attach back, echoing source, target and settle modes; `source_filter` replaces the client's filter."""
        raise NotImplementedError

    def refuse_link(self, link: Link, error: AmqpError) -> bool:
        """Attach with null termini, then detach with `error`."""
        raise NotImplementedError

    def detach_link(self, link: Link, error: AmqpError | None = None) -> bool:
        """Close an attached link."""
        raise NotImplementedError

    def grant_credit(self, link: Link, credit: int) -> bool:
        """Let the client send `credit` more messages on `link`."""
        raise NotImplementedError

    def settle(self, delivery: int, outcome: Outcome) -> bool:
        """Answer a delivery of either direction with `outcome`, settled."""
        raise NotImplementedError

    def deliver(self, link: Link, tag: bytes, payload: Sequence[bytes], *, settled: bool) -> int:
        """Send one message, given in pieces; takes one credit. Returns its delivery number, 0 without credit."""
        raise NotImplementedError

    def drained(self, link: Link) -> bool:
        """Answer a drain: use up the credit and send a FLOW that says so, even where none was left."""
        raise NotImplementedError

    def send_flow(self, link: Link) -> bool:
        """Send the state of a link, as `echo` asks for it."""
        raise NotImplementedError

    def close(self, error: AmqpError | None = None) -> None:
        """Close the connection from this side."""
        raise NotImplementedError
