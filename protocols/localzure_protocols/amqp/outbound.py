"""Makes what proton has to send fit for Azure's clients.

proton leaves trailing nulls out of performatives, which azure-servicebus up to 7.14 and azure-eventhub up to 5.15
cannot read: they index fields by position. It does not answer a drain without credit, or an echo, which rhea and
go-amqp wait for. And its BEGIN, ATTACH and DETACH say less than ours have to. So the frames that begin and end things
are written again, all of them; the many others only for the clients that need it, and otherwise not even looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Uint, Ushort
from localzure_protocols.amqp.frames import START, pad_frame, read_performative, write_frame
from localzure_protocols.amqp.links import HANDLE_MAX
from localzure_protocols.amqp.performatives import error_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure_protocols.amqp.links import Attachment, Links
    from localzure_protocols.amqp.pointers import Engine

PADDING_BYTES_MAX = 16
"""What padding adds to a transfer at most; proton is told a frame size so much smaller than the client's."""

_PYTHON_PRODUCTS = "azsdk-python-"
_PADDING_PRODUCT, _PADDING_VERSION = "azsdk-python-servicebus", (7, 15)
"""The product that pads what it reads, since this version."""


def needs_padding(properties: Mapping[str, Any]) -> bool:
    """Whether the client with these OPEN properties indexes performatives by position."""
    product, version = properties.get("product"), properties.get("version")
    if not isinstance(product, str) or not product.startswith(_PYTHON_PRODUCTS):
        return False
    if product != _PADDING_PRODUCT or not isinstance(version, str):
        return True
    numbers = version.split()[0].split(".") if version.strip() else []
    if len(numbers) < 2 or not (numbers[0].isdecimal() and numbers[1].isdecimal()):
        return True
    return (int(numbers[0]), int(numbers[1])) < _PADDING_VERSION


def exchanges_deliveries(properties: Mapping[str, Any]) -> bool:
    """Whether the client with these OPEN properties may send deliveries out of turn (see `numbering`)."""
    return str(properties.get("product")).startswith(_PYTHON_PRODUCTS)


class Outbound:
    """Takes frames from the engine and keeps them until the transport takes them."""

    def __init__(self, engine: Engine, links: Links) -> None:
        self._engine = engine
        self._links = links
        self._flows_due: dict[Attachment, None] = {}
        self._is_padding = False
        self._out: list[bytes] = []

    def pad(self) -> None:
        """From now on write every performative in full."""
        self._is_padding = True

    def write(self, data: bytes) -> None:
        """Send bytes that do not come from the engine, behind all that do."""
        if data:
            self._out.append(data)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the transport has not taken."""
        return sum(map(len, self._out))

    def take(self) -> list[bytes]:
        """Hand over what is to be sent."""
        out, self._out = self._out, []
        return out

    def owe_flow(self, attachment: Attachment) -> None:
        """Send the state of a link, once the messages before it are out."""
        self._flows_due[attachment] = None

    def pump(self) -> None:
        """Move what the engine has to send, and then free what has ended."""
        data = self._engine.drain()
        if data:
            links = self._links
            if self._is_padding or links.frames_due or links.are_renumbered or self._engine.failure:
                self._rewrite(data)
            else:
                self._out.append(data)
        if self._flows_due and not self._engine.failure:
            self._send_flows()
        self._links.free_finished()

    def _rewrite(self, data: bytes) -> None:
        """Walk over whole frames; runs of frames that stay as they are stay in one piece."""
        at, kept_from, length, out = 0, 0, len(data), self._out
        while at < length:
            size, _, channel, word = START.unpack_from(data, at)
            end, code = at + size, word >> 8 & 0xFF
            rewritten: list[bytes] | None = None
            if code in _REWRITTEN:
                rewritten = self._control(code, channel, data, at, end)
            elif code == frames.DISPOSITION and self._links.are_renumbered:
                rewritten = self._disposition(channel, data, at, end)
            elif self._is_padding:
                rewritten = pad_frame(data, at, end, code)
            if rewritten is not None:
                if kept_from < at:
                    out.append(data[kept_from:at])
                out += rewritten
                kept_from = end
            at = end
        if kept_from < length:
            out.append(data[kept_from:] if kept_from else data)

    def _control(self, code: int, channel: int, data: bytes, at: int, end: int) -> list[bytes]:
        """Write a frame that begins or ends something as we want it."""
        links = self._links
        _, fields, _ = read_performative(data, at + frames.FRAME_HEADER_LENGTH, end)
        if code == frames.BEGIN:
            # The channel that it answers is missing where the client has already ended the session again.
            fields[0] = Ushort(links.begin_written(channel).channel)
            fields[4] = Uint(HANDLE_MAX)
        elif code == frames.ATTACH:
            attachment = links.by_number[int(fields[0])]
            links.attach_written(attachment, fields[1])
            assert attachment.answer is not None
            fields = attachment.answer
            fields[1] = Uint(attachment.local_handle)
        elif code == frames.DETACH:
            attachment = links.by_local[channel, fields[0]]
            links.detach_written(attachment)
            fields = [fields[0], True, error_value(attachment.error)]
        elif code == frames.END:
            links.end_written(links.sessions_by_local[channel])
            fields = [None]
        else:
            # OPEN and CLOSE are the connection's own to write.
            return []
        return [write_frame(channel, code, fields)]

    def _disposition(self, channel: int, data: bytes, at: int, end: int) -> list[bytes]:
        """Tell the client of its deliveries by the numbers that it gave them, in a frame each."""
        _, fields, _ = read_performative(data, at + frames.FRAME_HEADER_LENGTH, end)
        is_of_clients, first, last, settled = fields[:4]
        last = first if last is None else last
        numbering = self._links.sessions_by_local[channel].numbering
        if not is_of_clients or not numbering.are_given(first, last):
            return pad_frame(data, at, end, frames.DISPOSITION)
        return [
            write_frame(channel, frames.DISPOSITION, [True, Uint(given), Uint(given), *fields[3:]])
            for given in (numbering.given(number, settled=bool(settled)) for number in range(first, last + 1))
        ]

    def _send_flows(self) -> None:
        """Answer drains and echoes.

        A FLOW also carries the state of its session, which only the engine knows: it is asked for a FLOW of the
        session, and the links' are made from that.
        """
        due = [attachment for attachment in list(self._flows_due) if self._can_tell(attachment)]
        for attachment in due:
            del self._flows_due[attachment]
            self._engine.ask_session_flow(attachment.session.engine)
        sessions: dict[int, list[Any]] = {}
        data, at = self._engine.drain(), 0
        while at < len(data):
            size, _, channel, _ = START.unpack_from(data, at)
            code, fields, _ = read_performative(data, at + frames.FRAME_HEADER_LENGTH, at + size)
            if code == frames.FLOW:
                sessions[channel] = fields[:_LINK_FIELDS]
            else:
                # Deliveries on a link whose DETACH has just been written are settled only then.
                self._rewrite(data[at : at + size])
            at += size
        for attachment in due:
            session = sessions[attachment.session.local_channel]
            self._out.append(write_frame(attachment.session.local_channel, frames.FLOW, session + _state(attachment)))

    def _can_tell(self, attachment: Attachment) -> bool:
        """Whether the link's state can be sent now: it has a handle, and no message that it counts is still here."""
        if attachment.is_ending:
            del self._flows_due[attachment]
            return False
        return attachment.local_handle >= 0 and not self._engine.unsent_bytes(attachment.session.engine)


_REWRITTEN = frozenset({frames.OPEN, frames.BEGIN, frames.ATTACH, frames.DETACH, frames.END, frames.CLOSE})
_LINK_FIELDS = 4
"""Where the fields of the link begin in a FLOW."""


def _state(attachment: Attachment) -> list[Any]:
    """The fields of a FLOW behind those of the session: handle, delivery count, credit, available, drain."""
    link = attachment.link
    return [
        Uint(attachment.local_handle),
        Uint(attachment.delivery_count & 0xFFFFFFFF),
        Uint(max(0, attachment.credit)),
        None if link.is_receiver else Uint(0),
        link.drain,
    ]
