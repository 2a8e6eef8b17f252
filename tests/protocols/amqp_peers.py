"""Clients for AmqpConnection, in memory: one that is proton, and one that writes and reads single frames."""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from
from typing import Any, NamedTuple, TypeVar

from cproton import ffi, lib
from proton import Collector, Connection, Transport

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Uint, Ulong, decode, encode
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import AmqpEvent, Link, LinkAttached
from localzure_protocols.amqp.frames import AMQP_HEADER, write_frame

EventType = TypeVar("EventType")

SOURCE, TARGET = Ulong(0x28), Ulong(0x29)


class Frame(NamedTuple):
    """A frame as it came, its fields not padded."""

    channel: int
    code: int
    fields: list[Any]
    payload: bytes


def accept(server: AmqpConnection, event: AmqpEvent, *, credit: int = 100, max_message_size: int = 262144) -> None:
    """Accept every link, and let the client send on it."""
    if isinstance(event, LinkAttached) and server.accept_link(event.link, max_message_size=max_message_size):
        assert server.grant_credit(event.link, credit) == event.link.is_receiver


class Server:
    """An AmqpConnection with the events it gave."""

    def __init__(self, react: Callable[[AmqpConnection, AmqpEvent], None] | None = accept) -> None:
        self.core = AmqpConnection("server")
        self.events: list[AmqpEvent] = []
        self._react = react

    def receive(self, data: bytes) -> list[AmqpEvent]:
        events = self.core.receive(data)
        self.events += events
        for event in events:
            if self._react is not None:
                self._react(self.core, event)
        return events

    def take(self) -> bytes:
        return b"".join(self.core.data_to_send())

    def all(self, event_type: type[EventType]) -> list[EventType]:
        return [event for event in self.events if isinstance(event, event_type)]

    def one(self, event_type: type[EventType]) -> EventType:
        (event,) = self.all(event_type)
        return event

    def last(self, event_type: type[EventType]) -> EventType:
        return self.all(event_type)[-1]

    def link(self, name: str) -> Link:
        return [event.link for event in self.all(LinkAttached) if event.link.name == name][-1]


class ProtonPeer:
    """A proton client and an AmqpConnection, joined."""

    def __init__(
        self,
        react: Callable[[AmqpConnection, AmqpEvent], None] | None = accept,
        *,
        properties: dict[Any, Any] | None = None,
        frame_size: int = 65536,
    ) -> None:
        self.server = Server(react)
        self.core = self.server.core
        self.connection, self.collector = Connection(), Collector()
        self.connection.container = "client"
        self.connection.properties = properties
        self.transport = Transport(Transport.CLIENT)
        self.transport.max_frame_size = frame_size
        self.connection.collect(self.collector)
        self.transport.bind(self.connection)
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.connection.open()
        self.session = self.connection.session()
        self.session.incoming_capacity = 1 << 24
        self.session.open()

    def take(self) -> bytes:
        """What the client wants to send."""
        out = []
        while (size := self.transport.pending()) > 0:
            out.append(bytes(self.transport.peek(size) or b""))
            self.transport.pop(len(out[-1]))
        return b"".join(out)

    def give(self, data: bytes) -> None:
        """Let the client read; its events are dropped, its objects are what tests look at."""
        at, source = 0, ffi.from_buffer(data)
        while at < len(data):
            room = lib.pn_transport_capacity(self.transport._impl)
            assert room > 0, "the client takes no more"
            at += lib.pn_transport_push(self.transport._impl, source + at, min(room, len(data) - at))
            while self.collector.peek():
                self.collector.pop()

    def pump(self) -> None:
        """Carry bytes both ways until there are none."""
        for _ in range(1000):
            data = self.take()
            if data:
                self.sent.append(data)
                self.server.receive(data)
            answer = self.server.take()
            if answer:
                self.received.append(answer)
                self.give(answer)
            if not data and not answer:
                return
        raise AssertionError("the two never fall silent")

    def sender(self, name: str, address: str = "q", session: Any = None) -> Any:
        sender = (session or self.session).sender(name)
        sender.target.address = address
        sender.source.address = name
        sender.open()
        return sender

    def receiver(self, name: str, address: str = "q", credit: int = 0, session: Any = None) -> Any:
        receiver = (session or self.session).receiver(name)
        receiver.source.address = address
        receiver.target.address = name
        receiver.open()
        if credit:
            receiver.flow(credit)
        return receiver

    def send(self, sender: Any, payload: bytes, tag: bytes = b"tag", *, settled: bool = False) -> Any:
        delivery = sender.delivery(tag)
        sender.stream(payload)
        sender.advance()
        if settled:
            delivery.settle()
        return delivery

    def take_message(self, receiver: Any) -> tuple[Any, bytes]:
        """The next message on a receiver, and its delivery."""
        delivery = receiver.current
        assert delivery is not None
        assert delivery.readable
        assert not delivery.partial
        payload = b""
        while piece := receiver.recv(1 << 20):
            payload += piece
        receiver.advance()
        return delivery, payload


def read_frames(data: bytes) -> list[Frame]:
    """Take a stream of AMQP frames apart; protocol headers are skipped, empty frames have code 0."""
    found, at = [], 0
    while at < len(data):
        if data[at : at + 4] == b"AMQP":
            at += 8
            continue
        size, offset, _, channel = unpack_from(">IBBH", data, at)
        end = at + size
        assert at + 8 <= end <= len(data), "the stream ends inside a frame"
        if 4 * offset == size:
            found.append(Frame(channel, 0, [], b""))
        else:
            value, payload_start = decode(data, at + 4 * offset)
            found.append(Frame(channel, int(value.descriptor), value.value, data[payload_start:end]))
        at = end
    return found


def frame(channel: int, code: int, *fields: Any, payload: bytes = b"") -> bytes:
    """A frame with just these fields."""
    performative = encode(Described(Ulong(code), list(fields)))
    size = 8 + len(performative) + len(payload)
    return size.to_bytes(4, "big") + b"\x02\x00" + channel.to_bytes(2, "big") + performative + payload


def open_frame(container_id: str = "client", **properties: Any) -> bytes:
    return write_frame(
        0, frames.OPEN, [container_id, "host", Uint(65536), None, None, None, None, None, None, properties]
    )


def begin_frame(channel: int = 0, window: int = 2048) -> bytes:
    return frame(channel, frames.BEGIN, None, Uint(0), Uint(window), Uint(window))


def attach_frame(
    name: str,
    handle: int,
    *,
    is_sender: bool,
    channel: int = 0,
    source: Any = "source",
    target: Any = "target",
    **more: Any,
) -> bytes:
    """An ATTACH; termini are addresses, or values that are written as they are."""
    if isinstance(source, str):
        source = Described(SOURCE, [source])
    if isinstance(target, str):
        target = Described(TARGET, [target])
    fields = [
        name,
        Uint(handle),
        not is_sender,
        more.get("snd"),
        more.get("rcv"),
        source,
        target,
        None,
        None,
        Uint(0) if is_sender else None,
        None,
        None,
        more.get("desired"),
        more.get("properties"),
    ]
    return write_frame(channel, frames.ATTACH, fields)


def transfer_frame(handle: int, delivery_id: int | None, payload: bytes, *rest: Any, channel: int = 0) -> bytes:
    """A transfer: `rest` are the fields from the delivery tag on."""
    fields = [Uint(handle), None if delivery_id is None else Uint(delivery_id), *rest]
    return frame(channel, frames.TRANSFER, *fields, payload=payload)


class FramePeer:
    """An AmqpConnection driven by single frames."""

    def __init__(
        self,
        react: Callable[[AmqpConnection, AmqpEvent], None] | None = accept,
        opening: bytes = AMQP_HEADER + open_frame() + begin_frame(),
    ) -> None:
        self.server = Server(react)
        self.core = self.server.core
        self.first = self.exchange(opening)

    def exchange(self, data: bytes) -> list[Frame]:
        """Give the server bytes; returns the frames that it answers with."""
        self.server.receive(data)
        return read_frames(self.server.take())
