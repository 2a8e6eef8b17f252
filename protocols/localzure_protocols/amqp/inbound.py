"""Reads the client's frames: assembles messages, decodes what begins and ends things, and keeps the engine informed.

Transfers are read here once, by offsets into the buffer that came from the socket. The engine gets each of them
without its payload, to count by; everything else goes to it whole. What is collected for the engine is given to it
before any frame that begins or ends something, so that events keep the order of the frames.

Every frame is checked before the engine sees it, because proton trusts its peer in places: it takes a transfer on a
link that it sends on, and a second link on a handle in use.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import TYPE_CHECKING, Any

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Uint
from localzure_protocols.amqp.events import (
    AmqpError,
    ConnectionClosed,
    LinkAttached,
    LinkFlow,
    MessageReceived,
    TransactionalState,
)
from localzure_protocols.amqp.frames import (
    FRAME_HEADER_LENGTH,
    FRAME_SIZE_MAX,
    PLAIN_FORM,
    START,
    TRANSFER_LIST8,
    FrameBuffer,
    delivery_id_at,
    read_performative,
    read_transfer,
    write_frame,
)
from localzure_protocols.amqp.links import HANDLE_BITS, HANDLE_MAX
from localzure_protocols.amqp.performatives import ProtocolViolation, check_fields, read_error, read_link, read_outcome
from localzure_protocols.amqp.pointers import CHANNEL_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure_protocols.amqp.events import AmqpEvent
    from localzure_protocols.amqp.frames import Transfer
    from localzure_protocols.amqp.links import Attachment, Links, Session
    from localzure_protocols.amqp.outbound import Outbound
    from localzure_protocols.amqp.pointers import Engine

HELD_BYTES_MAX = 128 * 1024 * 1024
"""Bytes of incomplete messages on one connection; the largest single message of Azure Service Bus has 100 MiB."""

CREDIT_MAX = 2**31 - 1
"""The largest credit that proton can count."""

_SIZE, _HEAD, _PREFIX = Struct(">I"), Struct(">IHH"), Struct(">IBBH")

_PLAIN_DISPOSITION = re.compile(
    # role, first, last, settled, then accepted or released in its usual forms, and batchable
    rb"\x00\x53\x15(?:\xc0..|\xd0.{8})[\x41\x42](?:\x43|\x52.|\x70.{4})(?:[\x40\x43]|\x52.|\x70.{4})[\x40-\x42]"
    rb"\x00\x53[\x24\x26](?:\x45|\xc0\x01\x00)[\x40-\x42]?",
    re.DOTALL,
)
"""Most dispositions there are, checked without decoding them; their sizes are proton's to check."""


class Inbound:
    """The reading side of an open connection."""

    def __init__(
        self, engine: Engine, links: Links, outbound: Outbound, on_open: Callable[[list[Any], list[AmqpEvent]], None]
    ) -> None:
        self._engine = engine
        self._links = links
        self._outbound = outbound
        self._on_open = on_open
        self._frames = FrameBuffer()
        self._for_engine: list[bytes] = []
        self._is_open = False
        self.numbers_deliveries = False
        """The client is known to send deliveries out of turn (see `numbering`)."""
        self.is_closed = False
        """The client has sent CLOSE."""

    def receive(self, data: bytes, events: list[AmqpEvent]) -> None:
        """Take bytes and append what they made happen to `events`. Raises ProtocolViolation and AmqpDecodeError."""
        try:
            self._walk(self._frames.take(data), events)
        finally:
            # What came before a frame that breaks the protocol still counts, however the bytes were cut.
            self._inform(events)

    def _walk(self, buffer: bytes, events: list[AmqpEvent]) -> None:
        at, length = 0, len(buffer)
        by_handle, for_engine = self._links.by_handle, self._for_engine
        while length - at >= FRAME_HEADER_LENGTH:
            if length - at >= START.size:
                size, form, channel, word = START.unpack_from(buffer, at)
            else:
                (size, form, channel), word = _HEAD.unpack_from(buffer, at), 0
            if not FRAME_HEADER_LENGTH <= size <= FRAME_SIZE_MAX:
                raise ProtocolViolation("amqp:connection:framing-error", f"A frame of {size} bytes is not allowed.")
            end = at + size
            if end > length:
                break
            transfer = None
            if word == TRANSFER_LIST8 and form == PLAIN_FORM:
                transfer = read_transfer(buffer, at, end)
            if transfer is None or (self.numbers_deliveries and not self._follows(channel, transfer, buffer, at)):
                self._read_frame(buffer, at, end, form, channel, events)
                if self.is_closed:
                    return
            else:
                handle, tag, message_format, settled, more, payload_start = transfer
                attachment = by_handle.get(channel << HANDLE_BITS | handle)
                if attachment is None:
                    raise _unattached(channel, handle)
                payload = buffer[payload_start:end]
                is_plain = attachment.is_receiving and not more and not attachment.is_inside and attachment.credit > 0
                if not is_plain or len(payload) > attachment.max_message_size:
                    self._transfer(attachment, (tag, message_format, settled, None), payload, events, more=more)
                else:
                    attachment.credit -= 1
                    attachment.delivery_count += 1
                    engine = attachment.engine
                    engine.expected.append(
                        MessageReceived(attachment.link, engine.next_number(), tag, message_format, payload, settled)
                    )
                for_engine.append(_SIZE.pack(payload_start - at))
                for_engine.append(buffer[at + 4 : payload_start])
            at = end
        if at < length:
            self._frames.keep(buffer[at:])

    def _inform(self, events: list[AmqpEvent]) -> None:
        """Give the engine what has been collected for it. Raises ProtocolViolation if it finds fault."""
        if self._for_engine:
            data = b"".join(self._for_engine)
            self._for_engine.clear()
            self._engine.push(data, events)
            failure = self._engine.failure
            if failure is not None:
                raise ProtocolViolation(failure.condition, failure.description)

    def _read_frame(self, buffer: bytes, at: int, end: int, form: int, channel: int, events: list[AmqpEvent]) -> None:
        """Read a frame that is no transfer, or one that is written unusually."""
        start = at + 4 * (form >> 8)
        if form & 0xFF or not at + FRAME_HEADER_LENGTH <= start <= end:
            raise ProtocolViolation("amqp:connection:framing-error", f"A frame of form 0x{form:04x} is not allowed.")
        if start == end:
            return
        if self._is_open and form == PLAIN_FORM and _PLAIN_DISPOSITION.fullmatch(buffer, start, end):
            self._for_engine.append(buffer[at:end])
            return
        code, fields, payload_start = read_performative(buffer, start, end)
        check_fields(code, fields)
        if self._is_open == (code == frames.OPEN):
            raise ProtocolViolation("amqp:illegal-state", f"Performative 0x{code:x} is out of turn.")
        if buffer.startswith(b"\x00\x53", start):
            performative = buffer[start:payload_start]
            frame = _PREFIX.pack(FRAME_HEADER_LENGTH + len(performative), 2, 0, channel) + performative
        else:
            # proton reads no symbolic descriptors.
            frame = write_frame(channel, code, fields)
        if code == frames.TRANSFER:
            self._read_transfer(channel, fields, buffer[payload_start:end], frame, events)
        elif payload_start != end:
            raise ProtocolViolation("amqp:connection:framing-error", f"Performative 0x{code:x} has no payload.")
        else:
            _HANDLERS[code](self, channel, fields, frame, events)

    # -- messages

    def _read_transfer(
        self, channel: int, fields: list[Any], payload: bytes, frame: bytes, events: list[AmqpEvent]
    ) -> None:
        handle, given, tag, message_format, settled, more, _, state, _, aborted, _ = fields
        attachment = self._attachment(channel, handle)
        if self.numbers_deliveries:
            number = attachment.session.numbering.arrived(handle, given, more=bool(more) and not aborted)
            if number is not None and number != given:
                self._links.are_renumbered = True
                fields[1] = Uint(number)
                frame = write_frame(channel, frames.TRANSFER, fields)
        if aborted:
            self._abort(attachment, events)
        else:
            outcome = read_outcome(state)
            transaction = outcome if isinstance(outcome, TransactionalState) else None
            begun = (tag or b"", message_format or 0, bool(settled), transaction)
            self._transfer(attachment, begun, payload, events, more=bool(more))
        self._for_engine.append(frame)

    def _follows(self, channel: int, transfer: Transfer, buffer: bytes, at: int) -> bool:
        """Whether a transfer is a whole delivery with the number that follows; if so that is noted."""
        handle, _, _, _, more, _ = transfer
        attachment = self._links.by_handle.get(channel << HANDLE_BITS | handle)
        given = delivery_id_at(buffer, at)
        return not more and given is not None and attachment is not None and attachment.session.numbering.follows(given)

    def _transfer(
        self,
        attachment: Attachment,
        begun: tuple[bytes, int, bool, TransactionalState | None],
        payload: bytes,
        events: list[AmqpEvent],
        *,
        more: bool,
    ) -> None:
        """Take a piece of a message, and complete the message if it is the last one."""
        if not self._begin_message(attachment, events):
            return
        if attachment.is_inside and not more:
            # The engine has an event for the first transfer of this message: it must not stand for the last one.
            self._inform(events)
        if not attachment.is_inside:
            attachment.begun = begun
            attachment.message_size = 0
        elif begun[2]:
            # Settled by a later transfer of the same delivery (part 2, 2.7.5).
            attachment.begun = (*attachment.begun[:2], True, attachment.begun[3])
        attachment.is_inside = more
        attachment.message_size += len(payload)
        if attachment.message_size > attachment.max_message_size:
            # Dropped as it comes and refused when it has ended: pyamqp does not tell its user why a link was detached.
            self._links.drop_pieces(attachment)
            oversize = attachment.message_size
        else:
            attachment.pieces.append(payload)
            attachment.pieces_size += len(payload)
            self._links.held_bytes += len(payload)
            oversize = 0
        if self._links.held_bytes > HELD_BYTES_MAX:
            self._end(
                attachment,
                "amqp:resource-limit-exceeded",
                f"The incomplete messages of a connection may have {HELD_BYTES_MAX} bytes together.",
                events,
            )
        elif not more:
            engine = attachment.engine
            tag, message_format, settled, state = attachment.begun
            payload = b"".join(attachment.pieces)
            number = engine.next_number()
            engine.expected.append(
                MessageReceived(attachment.link, number, tag, message_format, payload, settled, state, oversize)
            )
            self._links.drop_pieces(attachment)

    def _abort(self, attachment: Attachment, events: list[AmqpEvent]) -> None:
        if self._begin_message(attachment, events):
            attachment.is_inside = False
            attachment.engine.expected.append(None)
            self._links.drop_pieces(attachment)

    def _begin_message(self, attachment: Attachment, events: list[AmqpEvent]) -> bool:
        """Count a message that begins against the credit; False if the transfer is to be ignored."""
        if not attachment.link.is_receiver:
            raise ProtocolViolation("amqp:not-allowed", f"Link '{attachment.link.name}' takes no transfers.")
        if attachment.is_ending:
            return False
        if not attachment.is_inside:
            if attachment.credit <= 0:
                text = f"Link '{attachment.link.name}' has no credit for another message."
                self._end(attachment, "amqp:link:transfer-limit-exceeded", text, events)
                return False
            attachment.credit -= 1
            attachment.delivery_count += 1
        return True

    def _end(self, attachment: Attachment, condition: str, description: str, events: list[AmqpEvent]) -> None:
        """Detach a link for what came on it, after the messages before."""
        self._inform(events)
        self._links.end(attachment, AmqpError(condition, description), events)

    # -- the other performatives

    def _read_open(self, _channel: int, fields: list[Any], _frame: bytes, events: list[AmqpEvent]) -> None:
        self._is_open = True
        self._on_open(fields, events)

    def _read_begin(self, channel: int, fields: list[Any], frame: bytes, events: list[AmqpEvent]) -> None:
        if channel > CHANNEL_MAX or channel in self._links.sessions or fields[0] is not None:
            raise ProtocolViolation("amqp:not-allowed", f"No session can begin on channel {channel}.")
        self._tell(frame, events)
        self._links.begin(channel, self._engine.open_session())

    def _read_attach(self, channel: int, fields: list[Any], _frame: bytes, events: list[AmqpEvent]) -> None:
        session, handle = self._session(channel), fields[1]
        if handle > HANDLE_MAX:
            raise ProtocolViolation("amqp:connection:framing-error", f"Handle {handle} is above {HANDLE_MAX}.")
        if handle in session.links:
            raise ProtocolViolation("amqp:session:handle-in-use", f"Handle {handle} is in use on channel {channel}.")
        link = read_link(fields, session.number)
        number = self._links.next_number()
        # proton gets a name of ours and nothing that it might hold against the client.
        attach = [str(number), Uint(handle), fields[2], *[None] * 6, Uint(fields[9] or 0)]
        self._tell(write_frame(channel, frames.ATTACH, attach), events)
        self._links.attach(fields, session, self._engine.take_link(number, link, session.engine), events)
        events.append(LinkAttached(link))

    def _read_flow(self, channel: int, fields: list[Any], frame: bytes, events: list[AmqpEvent]) -> None:
        session = self._session(channel)
        _, _, _, _, handle, count, credit, _, drain, echo, _ = fields
        if credit is not None and credit > CREDIT_MAX:
            credit = fields[6] = Uint(CREDIT_MAX)
            frame = write_frame(channel, frames.FLOW, fields)
        attachment = None if handle is None else self._attachment(channel, handle)
        self._tell(frame, events)
        if attachment is None:
            if echo:
                self._engine.ask_session_flow(session.engine)
        elif attachment.is_ending:
            return
        elif attachment.link.is_receiver:
            if echo:
                self._outbound.owe_flow(attachment)
        else:
            # Part 2, 2.6.7: what the receiver grants, less what is on its way to it.
            left = ((count or 0) + (credit or 0) - attachment.delivery_count) & 0xFFFFFFFF
            attachment.credit = left if left <= CREDIT_MAX else 0
            link = attachment.link
            link.credit = 0 if session.is_blocked else attachment.credit
            link.drain = bool(drain)
            events.append(LinkFlow(link, link.credit, link.drain, bool(echo)))

    def _read_disposition(self, _channel: int, fields: list[Any], frame: bytes, _events: list[AmqpEvent]) -> None:
        read_outcome(fields[4])
        self._for_engine.append(frame)

    def _read_detach(self, channel: int, fields: list[Any], frame: bytes, events: list[AmqpEvent]) -> None:
        attachment, error = self._attachment(channel, fields[0]), read_error(fields[2])
        attachment.session.numbering.detached(attachment.handle)
        self._tell(frame, events)
        self._links.detached(attachment, error, events)

    def _read_end(self, channel: int, fields: list[Any], frame: bytes, events: list[AmqpEvent]) -> None:
        session, error = self._session(channel), read_error(fields[0])
        self._tell(frame, events)
        self._links.ended(session, error, events)

    def _read_close(self, _channel: int, fields: list[Any], _frame: bytes, events: list[AmqpEvent]) -> None:
        error = read_error(fields[0])
        self._inform(events)
        self.is_closed = True
        events.append(ConnectionClosed(error))

    def _tell(self, frame: bytes, events: list[AmqpEvent]) -> None:
        """Give the engine a frame now, behind all that came before it."""
        self._for_engine.append(frame)
        self._inform(events)

    def _session(self, channel: int) -> Session:
        session = self._links.sessions.get(channel)
        if session is None:
            raise ProtocolViolation("amqp:not-allowed", f"No session has begun on channel {channel}.")
        return session

    def _attachment(self, channel: int, handle: int) -> Attachment:
        attachment = self._links.by_handle.get(channel << HANDLE_BITS | handle)
        if attachment is None:
            raise _unattached(channel, handle)
        return attachment


def _unattached(channel: int, handle: int) -> ProtocolViolation:
    return ProtocolViolation(
        "amqp:session:unattached-handle", f"No link is attached to handle {handle} on channel {channel}."
    )


_HANDLERS = {
    frames.OPEN: Inbound._read_open,
    frames.BEGIN: Inbound._read_begin,
    frames.ATTACH: Inbound._read_attach,
    frames.FLOW: Inbound._read_flow,
    frames.DISPOSITION: Inbound._read_disposition,
    frames.DETACH: Inbound._read_detach,
    frames.END: Inbound._read_end,
    frames.CLOSE: Inbound._read_close,
}
