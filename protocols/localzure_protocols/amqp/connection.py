"""One AMQP connection, server side, without IO.

    bytes ──► sasl ──► inbound ──► engine (proton) ──► outbound ──► bytes
                          │                               ▲
                          └────► events      commands ────┘

This module is the life of the connection and the commands; each of the others answers one question of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import AmqpDecodeError, Symbol, Uint, Ushort
from localzure_protocols.amqp.events import AmqpError, ConnectionClosed, ConnectionOpened, LinkFlow
from localzure_protocols.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    FRAME_SIZE_MAX,
    HEADER_LENGTH,
    SASL_HEADER,
    write_frame,
)
from localzure_protocols.amqp.heartbeat import ADVERTISED_TIMEOUT_MS, Heartbeat
from localzure_protocols.amqp.inbound import Inbound
from localzure_protocols.amqp.links import Links
from localzure_protocols.amqp.outbound import PADDING_BYTES_MAX, Outbound, exchanges_deliveries, needs_padding
from localzure_protocols.amqp.performatives import (
    ProtocolViolation,
    attach_answer,
    error_value,
    refusal_answer,
)
from localzure_protocols.amqp.pointers import CHANNEL_MAX, Engine
from localzure_protocols.amqp.sasl import SaslError, SaslServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localzure_protocols.amqp.events import AmqpEvent, Link, Outcome
    from localzure_protocols.amqp.links import Attachment, Session

PRODUCT = "LocalZure"
"""In the properties of our OPEN."""

UNSENT_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of messages that may wait for the client to open its session window.

For the first session whose window is shut; for a second one half of that, a third for the next, so that they have a
bound together."""

PEER_FRAME_SIZE_MIN = 512
"""Part 2, 2.7.1: no peer may ask for smaller frames."""


class AmqpConnection:
    """Bytes in, events out; commands in, bytes out. Starts with the SASL or AMQP protocol header.

    `receive`, `data_to_send`, `tick` and `is_finished` are the server's; the commands are the service's. Commands on
    a link, delivery or connection that has gone do nothing and return False (or 0), so that a late answer is harmless.
    """

    def __init__(self, container_id: str) -> None:
        self._container_id = container_id
        self._engine = Engine()
        self._links = Links(self._engine)
        self._outbound = Outbound(self._engine, self._links)
        self._inbound = Inbound(self._engine, self._links, self._outbound, self._opened)
        self._heartbeat = Heartbeat()
        self._sasl: SaslServer | None = None
        self._header: bytes | None = b""
        """The protocol header as far as it is there; None once AMQP has begun."""
        self._blocked: list[Session] = []
        self._is_open_sent = False
        self._is_finished = False

    # -- the server's side

    def receive(self, data: bytes) -> list[AmqpEvent]:
        """Take bytes from the peer; returns what they made happen, in order."""
        events: list[AmqpEvent] = []
        if self._is_finished:
            return events
        self._heartbeat.has_heard = True
        try:
            if self._header is not None:
                data = self._handshake(data)
            if data and self._header is None:
                self._inbound.receive(data, events)
                if self._blocked:
                    self._unblock(events)
        except ProtocolViolation as violation:
            self._break(violation.error, events)
        except AmqpDecodeError as error:
            self._break(AmqpError("amqp:decode-error", str(error)), events)
        except SaslError as error:
            self._break(AmqpError("amqp:connection:framing-error", str(error)), events)
        if self._inbound.is_closed and not self._is_finished:
            self.close()
        return events

    def receive_eof(self) -> list[AmqpEvent]:
        """The peer will send no more."""
        if self._is_finished:
            return []
        self._finish()
        return [ConnectionClosed()]

    def data_to_send(self) -> list[bytes]:
        """Take the bytes that are waiting for the peer."""
        if not self._is_finished:
            self._outbound.pump()
        out = self._outbound.take()
        if out:
            self._heartbeat.has_said = True
        return out

    @property
    def unsent_bytes(self) -> int:
        """Bytes of messages and frames that wait for the transport, or for the client to open a session's window."""
        sessions = self._links.sessions.values()
        return self._outbound.waiting_bytes + sum(self._engine.unsent_bytes(session.engine) for session in sessions)

    def tick(self, now: float) -> float | None:
        """Do what idle time-outs ask at monotonic second `now`; returns the next time to call, or None."""
        if self._is_finished:
            return None
        if self._heartbeat.is_lost(now):
            self.close(AmqpError("amqp:connection:forced", "The connection was inactive for more than is allowed."))
            return None
        if self._heartbeat.is_due(now):
            self._outbound.pump()
            self._outbound.write(EMPTY_FRAME)
        return self._heartbeat.next_at(now)

    @property
    def is_finished(self) -> bool:
        """Once `data_to_send` has been written, the transport may be closed."""
        return self._is_finished

    # -- the service's side

    def accept_link(
        self,
        link: Link,
        *,
        max_message_size: int,
        properties: Mapping[str, Any] | None = None,
        source_filter: Mapping[Any, Any] | None = None,
    ) -> bool:
        """Attach back, echoing source, target and settle modes; `source_filter` replaces the client's filter."""
        attachment = self._unanswered(link)
        if attachment is None:
            return False
        answer = attach_answer(
            attachment.attach, max_message_size=max_message_size, properties=properties, source_filter=source_filter
        )
        attachment.max_message_size = max_message_size
        attachment.is_receiving = link.is_receiver
        link.is_open = True
        self._links.answer(attachment, answer)
        return True

    def refuse_link(self, link: Link, error: AmqpError) -> bool:
        """Attach with null termini, then detach with `error`."""
        attachment = self._unanswered(link)
        if attachment is None:
            return False
        self._links.answer(attachment, refusal_answer(attachment.attach))
        self._links.detach(attachment, error)
        return True

    def detach_link(self, link: Link, error: AmqpError | None = None) -> bool:
        """Close an attached link."""
        attachment = self._open(link)
        if attachment is None:
            return False
        self._links.detach(attachment, error)
        return True

    def grant_credit(self, link: Link, credit: int) -> bool:
        """Let the client send `credit` more messages on `link`."""
        attachment = self._open(link)
        if attachment is None or not link.is_receiver:
            return False
        attachment.credit += credit
        self._engine.grant(attachment.engine, credit)
        return True

    def settle(self, delivery: int, outcome: Outcome) -> bool:
        """Answer a delivery of either direction with `outcome`, settled."""
        return self._engine.settle(delivery, outcome)

    def deliver(self, link: Link, tag: bytes, payload: Sequence[bytes], *, settled: bool) -> int:
        """Send one message, given in pieces; takes one credit. Returns its delivery number, 0 without credit.

        `tag` may be empty; anything else is to be unique among what is unsettled, and not three zeros.
        """
        attachment = self._links.find(link)
        if attachment is None or link.credit <= 0 or not link.is_open:
            return 0
        attachment.credit -= 1
        attachment.delivery_count += 1
        link.credit -= 1
        number = self._engine.send(attachment.engine, tag, payload, settled=settled)
        if self._engine.unsent_bytes(attachment.session.engine) > UNSENT_BYTES_MAX // (1 + len(self._blocked)):
            self._block(attachment.session)
        return number

    def drained(self, link: Link) -> bool:
        """Answer a drain: use up the credit and send a FLOW that says so, even where none was left."""
        attachment = self._open(link)
        if attachment is None or link.is_receiver or not link.drain:
            return False
        # proton says so by itself where there was credit to use up.
        used = self._engine.drained(attachment.engine)
        attachment.delivery_count += used
        attachment.credit = link.credit = 0
        if not used:
            self._outbound.owe_flow(attachment)
        return True

    def send_flow(self, link: Link) -> bool:
        """Send the state of a link, as `echo` asks for it."""
        attachment = self._open(link)
        if attachment is None:
            return False
        self._outbound.owe_flow(attachment)
        return True

    def close(self, error: AmqpError | None = None) -> None:
        """Close the connection from this side."""
        if self._is_finished:
            return
        if self._header is None:
            self._outbound.pump()
            if not self._is_open_sent:
                self._send_open()
            self._outbound.write(write_frame(0, frames.CLOSE, [error_value(error)]))
        self._finish()

    # -- inside

    def _handshake(self, data: bytes) -> bytes:
        """Take protocol headers and SASL; returns what is behind them. Raises ProtocolViolation and SaslError."""
        if self._sasl is not None and not self._sasl.is_done:
            out, data = self._sasl.receive(data)
            self._outbound.write(out)
            if self._sasl.has_failed:
                raise ProtocolViolation("amqp:unauthorized-access", "The SASL mechanism is not offered.")
            if not self._sasl.is_done:
                return b""
        assert self._header is not None
        self._header += data
        if len(self._header) < HEADER_LENGTH:
            return b""
        header, rest = self._header[:HEADER_LENGTH], self._header[HEADER_LENGTH:]
        if header == AMQP_HEADER:
            self._header = None
            self._outbound.write(AMQP_HEADER)
            self._engine.start()
            return rest
        if self._sasl is None:
            # Part 2, 2.2: who does not speak what it is asked for says what it speaks, and closes.
            self._sasl = SaslServer()
            self._header = b""
            self._outbound.write(SASL_HEADER)
            if header == SASL_HEADER:
                self._outbound.write(self._sasl.greeting())
                return self._handshake(rest)
        else:
            self._outbound.write(AMQP_HEADER)
        raise ProtocolViolation("amqp:connection:framing-error", f"{header!r} is no protocol that is spoken here.")

    def _opened(self, fields: list[Any], events: list[AmqpEvent]) -> None:
        """The client's OPEN."""
        container_id, hostname, frame_size, channel_max, idle_timeout_ms, *_, properties = fields
        properties = properties or {}
        self._inbound.numbers_deliveries = exchanges_deliveries(properties)
        if needs_padding(properties):
            self._outbound.pad()
        frame_size = min(FRAME_SIZE_MAX, FRAME_SIZE_MAX if frame_size is None else frame_size) - PADDING_BYTES_MAX
        self._engine.open_connection(
            write_frame(
                0,
                frames.OPEN,
                [
                    container_id,
                    None,
                    Uint(max(PEER_FRAME_SIZE_MIN, frame_size)),
                    Ushort(min(CHANNEL_MAX, CHANNEL_MAX if channel_max is None else channel_max)),
                ],
            )
        )
        self._send_open()
        self._heartbeat.opened(idle_timeout_ms or 0)
        sasl = self._sasl
        events.append(
            ConnectionOpened(
                str(container_id),
                hostname,
                properties,
                None if sasl is None else sasl.mechanism,
                b"" if sasl is None else sasl.response,
            )
        )

    def _send_open(self) -> None:
        self._is_open_sent = True
        limits = [Uint(FRAME_SIZE_MAX), Ushort(CHANNEL_MAX), Uint(ADVERTISED_TIMEOUT_MS)]
        properties = {Symbol("product"): PRODUCT}
        fields = [self._container_id, None, *limits, None, None, None, None, properties]
        self._outbound.write(write_frame(0, frames.OPEN, fields))

    def _break(self, error: AmqpError, events: list[AmqpEvent]) -> None:
        """The peer broke the protocol."""
        self.close(error)
        events.append(ConnectionClosed(error))

    def _finish(self) -> None:
        self._is_finished = True
        self._links.clear()
        self._engine.release()

    def _unanswered(self, link: Link) -> Attachment | None:
        attachment = self._links.find(link)
        return attachment if attachment is not None and attachment.answer is None else None

    def _open(self, link: Link) -> Attachment | None:
        attachment = self._links.find(link)
        return attachment if attachment is not None and attachment.answer is not None else None

    def _block(self, session: Session) -> None:
        """Show no credit on a session whose client does not take what it has been sent."""
        self._outbound.pump()
        unsent_max = UNSENT_BYTES_MAX // (1 + len(self._blocked))
        if self._engine.unsent_bytes(session.engine) > unsent_max and not session.is_blocked:
            session.is_blocked = True
            session.unsent_max = unsent_max
            self._blocked.append(session)
            for attachment in session.links.values():
                attachment.link.credit = 0

    def _unblock(self, events: list[AmqpEvent]) -> None:
        """Show the credit again once the client has taken half."""
        self._outbound.pump()
        for session in list(self._blocked):
            if session.is_ended:
                self._blocked.remove(session)
            elif self._engine.unsent_bytes(session.engine) <= session.unsent_max // 2:
                self._blocked.remove(session)
                session.is_blocked = False
                for attachment in session.links.values():
                    link = attachment.link
                    if attachment.credit > 0 and not attachment.is_ending and not link.is_receiver:
                        link.credit = attachment.credit
                        events.append(LinkFlow(link, link.credit, link.drain, echo=False))
