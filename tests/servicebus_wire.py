"""An AMQP client in memory, frame by frame, on a Service Bus namespace without a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from localzure.config.settings import AuthLevel
from localzure.services.interface import AmqpService
from localzure.services.servicebus.access import Authority
from localzure.services.servicebus.amqp.peer import ServiceBusPeer
from localzure.services.servicebus.settings import DEFAULT_KEY
from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Symbol, Ubyte, Uint, Ulong
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.message import (
    Properties,
    Sections,
    encode_application_properties,
    encode_properties,
    encode_value,
    split,
)
from tests.servicebus_world import World

ACCEPTED = Described(Ulong(0x24), [])
RELEASED = Described(Ulong(0x26), [])


def modified(
    *, failed: bool = True, undeliverable: bool = False, annotations: dict[Any, Any] | None = None
) -> Described:
    return Described(Ulong(0x27), [failed, undeliverable, annotations])


def rejected(condition: str, info: Mapping[Any, Any], description: str = "") -> Described:
    return Described(Ulong(0x25), [Described(Ulong(0x1D), [Symbol(condition), description, dict(info)])])


@dataclass
class Delivery:
    """A message from the server."""

    handle: int
    delivery_id: int
    tag: bytes
    settled: bool
    payload: bytes

    @property
    def message(self) -> Sections:
        return split(self.payload)

    @property
    def lock_token(self) -> UUID:
        return UUID(bytes_le=self.tag)


@dataclass
class Answer:
    """The server's disposition of a delivery of either direction."""

    outcome: int
    """The code of the outcome."""
    condition: str | None
    text: str
    settled: bool
    info: Any = None


class Wire:
    """One client connection."""

    def __init__(self, world: World, level: AuthLevel = "off", service: AmqpService | None = None) -> None:
        """With a `service` it is this that the client connects to, else the namespace of the world alone."""
        self.world = world
        self.is_writable = True
        self.core = AmqpConnection("server")
        if service is not None:
            peer = service.connected(self.core, self)
            assert isinstance(peer, ServiceBusPeer)
            self.handler = peer
        else:
            authority = Authority(level, (DEFAULT_KEY,))
            self.handler = ServiceBusPeer(world.broker, world.dispatch, authority, self.core, self)
        self.frames: list[tuple[int, list[Any]]] = []
        """What the server said since it was last looked at, transfers and dispositions apart."""
        self.deliveries: list[Delivery] = []
        self.sent: dict[int, Answer] = {}
        """How what this client sent was answered, by delivery id."""
        self.settled: dict[int, Answer] = {}
        """How what this client settled was answered, by delivery id."""
        self._out: list[bytes] = []
        self._handles = 0
        self._names: dict[str, int] = {}
        self._remote: dict[int, int] = {}
        self._delivery_id = 0
        self._parts: dict[int, Delivery] = {}
        self._unread = b""
        self._feed(frames.AMQP_HEADER)
        self.say(frames.OPEN, ["client", "my.host"])
        self.say(frames.BEGIN, [None, Uint(0), Uint(5000), Uint(5000)])

    # The host's side (see `AmqpHost`).

    @property
    def peer(self) -> str:
        return "127.0.0.1"

    def flush(self) -> None:
        self._unread += b"".join(self.core.data_to_send())

    # What a client does.

    def say(self, code: int, fields: list[Any], payload: bytes = b"", *, commit: bool = True) -> None:
        self._feed(frame(code, fields, payload))
        if commit:
            self.commit()

    def commit(self) -> None:
        """End the tick, and read what the server says."""
        self.world.commit()
        self.read()

    def attach(
        self,
        address: str | None,
        *,
        sends: bool,
        name: str | None = None,
        snd: int = 0,
        rcv: int = 0,
        reply_address: str | None = None,
        source_filter: dict[Any, Any] | None = None,
        target: Described | None = None,
        properties: dict[Any, Any] | None = None,
    ) -> int:
        """Attach a link; returns its handle."""
        handle, self._handles = self._handles, self._handles + 1
        name = name or f"link-{handle}"
        self._names[name] = handle
        own = reply_address if not sends else None
        source = Described(Ulong(0x28), [own if sends else address, None, None, None, None, None, None, source_filter])
        target = target or Described(Ulong(0x29), [address if sends else own])
        fields = [
            name, Uint(handle), not sends, Ubyte(snd), Ubyte(rcv), source, target,
            None, None, Uint(0) if sends else None, None, None, None, properties,
        ]  # fmt: skip
        self.say(frames.ATTACH, fields)
        return handle

    def sender(self, address: str = "q") -> int:
        """Attach a link to send on."""
        return self.attach(address, sends=True)

    def receiver(self, address: str = "q", credit: int = 0, *, deletes: bool = False) -> int:
        """Attach a link to receive on."""
        handle = self.attach(address, sends=False, snd=1 if deletes else 0, rcv=0 if deletes else 1)
        if credit:
            self.flow(handle, credit)
        return handle

    def flow(self, handle: int, credit: int, *, drain: bool = False, echo: bool = False) -> None:
        """Set the credit of a link, whose delivery count is what has come on it."""
        count = len([delivery for delivery in self.deliveries if delivery.handle == handle])
        fields = [Uint(0), Uint(5000), Uint(0), Uint(5000), Uint(handle), Uint(count), Uint(credit), None, drain, echo]
        self.say(frames.FLOW, fields)

    def send(
        self,
        handle: int,
        payload: bytes,
        message_format: int = 0,
        *,
        settled: bool = False,
        commit: bool = True,
        state: Described | None = None,
    ) -> int:
        """Send a message; returns its delivery id."""
        delivery_id, self._delivery_id = self._delivery_id, self._delivery_id + 1
        fields = [
            Uint(handle), Uint(delivery_id), delivery_id.to_bytes(4, "big"), Uint(message_format), settled, False,
            None, state,
        ]  # fmt: skip
        self.say(frames.TRANSFER, fields, payload, commit=commit)
        return delivery_id

    def settle(
        self, first: Delivery, outcome: Described | None, *, last: Delivery | None = None, settled: bool = False
    ) -> None:
        """Settle deliveries, or ask the server to."""
        until = None if last is None else Uint(last.delivery_id)
        self.say(frames.DISPOSITION, [True, Uint(first.delivery_id), until, settled, outcome])

    def detach(self, handle: int) -> None:
        self.say(frames.DETACH, [Uint(handle), True])

    def request(self, handle: int, body: Any, message_id: Any, reply_to: str | None = None, **properties: Any) -> int:
        """Send a request to a node."""
        return self.send(
            handle,
            encode_properties(Properties(message_id=message_id, reply_to=reply_to))
            + encode_application_properties(properties)
            + encode_value(body),
        )

    # What it reads.

    def heard(self, code: int) -> list[list[Any]]:
        """The frames of one kind that came since the last look, which are then forgotten."""
        found = [fields for each, fields in self.frames if each == code]
        self.frames = [(each, fields) for each, fields in self.frames if each != code]
        return found

    def detached_with(self, handle: int) -> tuple[str, str]:
        """The condition and text with which the server detached a link."""
        for fields in self.heard(frames.DETACH):
            if fields[0] == handle and fields[1] and fields[2] is not None:
                condition, text, info = fields[2].value
                assert info, "info is never empty"
                return condition, text
        raise AssertionError("not detached with an error")

    def flows(self, handle: int) -> list[list[Any]]:
        """The FLOW frames of one link that came since the last look."""
        return [fields for fields in self.heard(frames.FLOW) if fields[4] == handle]

    def bodies(self, handle: int | None = None) -> list[str]:
        return [
            b"".join(delivery.message.data()).decode()
            for delivery in self.deliveries
            if handle is None or delivery.handle == handle
        ]

    def _feed(self, data: bytes) -> None:
        events = self.core.receive(data)
        if events:
            self.handler.handle(events)

    def read(self) -> None:
        """Read what the server has written."""
        self.flush()
        data, self._unread = self._unread, b""
        if data.startswith(frames.AMQP_HEADER):
            data = data[frames.HEADER_LENGTH :]
        at = 0
        while at < len(data):
            end = at + int.from_bytes(data[at : at + 4], "big")
            if end > at + 8:
                code, fields, payload_at = frames.read_performative(data, at + 8, end)
                self._take(code, fields, data[payload_at:end])
            at = end

    def _take(self, code: int, fields: list[Any], payload: bytes) -> None:
        if code == frames.ATTACH:
            self._remote[fields[1]] = fields[1] = self._names[fields[0]]
        elif code in _HANDLE_AT and fields[_HANDLE_AT[code]] is not None:
            # Each side numbers links in its own way.
            fields[_HANDLE_AT[code]] = self._remote[fields[_HANDLE_AT[code]]]
        if code == frames.TRANSFER:
            handle = fields[0]
            if fields[1] is not None:
                self._parts[handle] = Delivery(handle, fields[1], fields[2], bool(fields[4]), b"")
            self._parts[handle].payload += payload
            if not fields[5]:
                self.deliveries.append(self._parts.pop(handle))
        elif code == frames.DISPOSITION:
            if fields[4] is None:
                # Deliveries of a link that has gone.
                return
            answers = self.sent if fields[0] else self.settled
            for delivery_id in range(fields[1], (fields[1] if fields[2] is None else fields[2]) + 1):
                answers[delivery_id] = _answer(fields)
        else:
            self.frames.append((code, fields))


_HANDLE_AT = {frames.TRANSFER: 0, frames.FLOW: 4, frames.DETACH: 0}


def _answer(fields: list[Any]) -> Answer:
    state = fields[4]
    error = state.value[0] if state.descriptor == 0x25 and state.value else None
    if error is None:
        return Answer(int(state.descriptor), None, "", bool(fields[3]))
    condition, text, info = error.value
    return Answer(int(state.descriptor), condition, text, bool(fields[3]), info)


def frame(code: int, fields: list[Any], payload: bytes = b"") -> bytes:
    """A frame on channel 0."""
    written = frames.write_frame(0, code, fields) + payload
    return len(written).to_bytes(4, "big") + written[4:]
