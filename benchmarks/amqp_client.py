"""An AMQP 1.0 client with one session and one link, as far as a load generator needs one.

It does what a Service Bus server asks for, in the order in which the SDKs do it: SASL ANONYMOUS, OPEN, BEGIN, a token
for the entity through `$cbs`, ATTACH. Servers without claims-based security are spoken to without the token. After
that the socket does not block any more, and the load that owns the client reads the frames and sends its own.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from proton import Described, Message, symbol, timestamp, ubyte, uint, ulong, ushort

from benchmarks import amqp_frames as wire
from benchmarks.amqp_frames import Inbox, PeerError, described, fields_of, frame, transfer_at
from benchmarks.shared_access import DEVELOPMENT_KEY, service_bus_token

if TYPE_CHECKING:
    from collections.abc import Callable

SET_UP_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 2.0
_TOKEN_SECONDS = 3600
_WINDOW = 1 << 30
"""Frames that the server may send us: the load bounds them with credit, not with the session."""

_CBS_SENDER, _CBS_RECEIVER, LOAD_HANDLE = 0, 1, 2
_SOURCE, _TARGET = 0x28, 0x29


@dataclass(frozen=True, slots=True)
class Entity:
    """Where messages are sent to or received from."""

    host: str
    port: int
    address: str
    """The address of the link: a queue's name, or what a server that is no Service Bus calls it."""
    needs_token: bool = True
    """Whether the server has `$cbs` and wants a token there."""
    confirms_completion: bool = True
    """Whether the server settles what a receiver accepted after it (rcv-settle-mode second); else the receiver does."""
    key: str = field(default=DEVELOPMENT_KEY, repr=False)
    """The namespace's key that signs the token."""

    @property
    def audience(self) -> str:
        """The uri that a token is for."""
        return f"sb://{self.host}:{self.port}/{self.address}"


class AmqpClient:
    """One connection. Use as a context manager; `attach` comes first, then the counters are kept up by `handle`."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.socket = socket.create_connection((entity.host, entity.port), timeout=SET_UP_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.inbox = Inbox(self.socket)
        self.frame_bytes_max = 512
        """What the server takes."""
        self.delivery_id = 0
        """The number of the next delivery that we send."""
        self.transfers_sent = 0
        self.transfers_allowed = 0
        """How many transfers the session may send in all."""
        self.deliveries_allowed = 0
        """How many deliveries the load's link may send in all."""
        self.transfers_received = 0
        """For the flow that grants credit."""
        self._credits: dict[int, int] = {}
        """Link credit plus delivery-count, by our handle."""
        self._handles: dict[int, int] = {}
        """The server's handles, as ours."""

    def __enter__(self) -> AmqpClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def attach(self, *, is_sender: bool, settles_on_send: bool = False) -> None:
        """Open everything up to the load's link. Raises PeerError where the server refuses, OSError on time-out.

        A receiver with `settles_on_send` receives and deletes; otherwise messages are locked (peek-lock).
        """
        self._open()
        if self.entity.needs_token:
            self._put_token()
        modes = (1, 0) if settles_on_send else (0, int(not is_sender and self.entity.confirms_completion))
        self._attach_link(LOAD_HANDLE, "load", self.entity.address, is_sender=is_sender, modes=modes)
        self.socket.setblocking(False)

    def cycle(self, times: int) -> None:
        """Detach the load's link of a sender and attach it again, so many times, under a new name each."""
        self.socket.settimeout(SET_UP_SECONDS_MAX)
        for number in range(times):
            self._send(described(wire.DETACH, uint(LOAD_HANDLE), True))
            self._wait(lambda code, _: code == wire.DETACH)
            self._attach_link(LOAD_HANDLE, f"load-{number}", self.entity.address, is_sender=True, modes=(0, 0))
        self.socket.setblocking(False)

    def close(self) -> None:
        """Say goodbye where that is still possible, and close the socket."""
        try:
            self.socket.settimeout(CLOSE_SECONDS_MAX)
            self._send(described(wire.CLOSE))
            self._wait(lambda code, _: code == wire.CLOSE)
        except (OSError, PeerError):
            pass
        finally:
            self.socket.close()

    def flow(self, handle: int, credit: int, delivery_count: int) -> bytes:
        """Return the frame that lets a link of ours receive `credit` deliveries after the first `delivery_count`."""
        return frame(
            described(
                wire.FLOW,
                uint(self.transfers_received),
                uint(_WINDOW),
                uint(self.transfers_sent),
                uint(_WINDOW),
                uint(handle),
                uint(delivery_count),
                uint(credit),
            )
        )

    def handle(self, body: int, end: int) -> None:
        """Take a frame that is no transfer and no disposition. Raises PeerError where it ends the load."""
        data = self.inbox.data
        code = data[body + 2]
        if code == wire.FLOW:
            self._on_flow(fields_of(data[body:end], 11))
        elif code in (wire.DETACH, wire.END, wire.CLOSE):
            error = fields_of(data[body:end], 3)[{wire.DETACH: 2, wire.END: 0, wire.CLOSE: 0}[code]]
            raise PeerError(f"the server ended the load: {error.value[:2] if error is not None else 'no reason given'}")

    def _on_flow(self, fields: list[Any]) -> None:
        self.transfers_allowed = (fields[0] or 0) + fields[1]
        if fields[4] is not None:
            handle = self._handles[fields[4]]
            self._credits[handle] = (fields[5] or 0) + (fields[6] or 0)
            self.deliveries_allowed = self._credits.get(LOAD_HANDLE, 0)

    def _open(self) -> None:
        self.socket.sendall(wire.SASL_HEADER)
        self._wait_header(wire.SASL_HEADER)
        self._wait(lambda code, _: code == wire.SASL_MECHANISMS)
        self._send(described(wire.SASL_INIT, symbol("ANONYMOUS"), b"", self.entity.host), wire.SASL_FRAME)
        if (outcome := self._wait(lambda code, _: code == wire.SASL_OUTCOME)[0]) != 0:
            raise PeerError(f"SASL ANONYMOUS was refused: code {outcome}")
        self.socket.sendall(wire.AMQP_HEADER)
        self._wait_header(wire.AMQP_HEADER)
        properties = {symbol("product"): "localzure-benchmark"}
        limits = (uint(wire.FRAME_BYTES_MAX), ushort(0), None, None, None, None, None)
        self._send(described(wire.OPEN, "load", self.entity.host, *limits, properties))
        self._send(described(wire.BEGIN, None, uint(0), uint(_WINDOW), uint(_WINDOW), uint(255)))
        opened = self._wait(lambda code, _: code == wire.OPEN)
        self.frame_bytes_max = min(int(opened[2] or wire.FRAME_BYTES_MAX), wire.FRAME_BYTES_MAX)
        begun = self._wait(lambda code, _: code == wire.BEGIN)
        self.transfers_allowed = int(begun[2])

    def _attach_link(self, handle: int, name: str, address: str, *, is_sender: bool, modes: tuple[int, int]) -> None:
        source, target = (Described(ulong(code), [address]) for code in (_SOURCE, _TARGET))
        initial_delivery_count = uint(0) if is_sender else None
        self._send(
            described(
                wire.ATTACH, name, uint(handle), not is_sender, ubyte(modes[0]), ubyte(modes[1]), source, target,
                None, None, initial_delivery_count,
            )
        )  # fmt: skip
        attached = self._wait(lambda code, fields: code == wire.ATTACH and fields[0] == name)
        self._handles[attached[1]] = handle
        if attached[6 if is_sender else 5] is None:
            self._wait(lambda _, __: False)  # until the detach that says why

    def _put_token(self) -> None:
        """Authorise for the entity: a request on the `$cbs` node, answered with status 200 or 202."""
        self._attach_link(_CBS_SENDER, "cbs-requests", "$cbs", is_sender=True, modes=(0, 0))
        self._attach_link(_CBS_RECEIVER, "cbs-replies", "$cbs", is_sender=False, modes=(0, 0))
        self.socket.sendall(self.flow(_CBS_RECEIVER, 1, 0))
        while not self._credits.get(_CBS_SENDER):
            self._on_flow(self._wait(lambda code, _: code == wire.FLOW))
        self._send(self._token_transfer())
        status, description = self._cbs_reply()
        if status not in (200, 202):
            raise PeerError(f"the token was refused: {status} {description}")

    def _token_transfer(self) -> bytes:
        expiry = int(time.time()) + _TOKEN_SECONDS  # noqa: TID251 - a client dates its tokens by the wall clock
        audience = self.entity.audience
        request = Message(
            id="put-token",
            properties={
                "operation": "put-token",
                "type": "servicebus.windows.net:sastoken",
                "name": audience,
                "expiration": timestamp(expiry * 1000),
            },
            body=service_bus_token(audience, expiry, self.entity.key),
        )
        head = described(wire.TRANSFER, uint(_CBS_SENDER), uint(self.delivery_id), b"put-token", uint(0), False)
        self.delivery_id += 1
        self.transfers_sent += 1
        return head + bytes(request.encode())

    def _cbs_reply(self) -> tuple[int, str]:
        """Wait for the reply and settle it; returns its status and description."""
        body, end = self._wait_frame(lambda code, _: code == wire.TRANSFER)
        self.transfers_received += 1
        delivery_id, settled, _, payload_at = transfer_at(self.inbox.data, body)
        if not settled and delivery_id is not None:
            accepted = Described(ulong(wire.ACCEPTED), [])
            self._send(described(wire.DISPOSITION, True, uint(delivery_id), uint(delivery_id), True, accepted))
        reply = Message()
        reply.decode(bytes(self.inbox.data[payload_at:end]))
        properties = cast("dict[str, Any]", reply.properties)
        return int(properties.get("status-code", 0)), str(properties.get("status-description", ""))

    def _send(self, body: bytes, frame_type: int = wire.AMQP_FRAME) -> None:
        self.socket.sendall(frame(body, frame_type))

    def _wait_header(self, expected: bytes) -> None:
        while (header := self.inbox.take_header()) is None:
            self.inbox.fill()
        if header != expected:
            raise PeerError(f"the server answered {expected!r} with {header!r}")

    def _wait(self, wanted: Callable[[int, list[Any]], bool]) -> list[Any]:
        """Read frames up to the wanted one; returns its fields. The others are handled as they come."""
        body, end = self._wait_frame(wanted)
        return fields_of(self.inbox.data[body:end], 14)

    def _wait_frame(self, wanted: Callable[[int, list[Any]], bool]) -> tuple[int, int]:
        while True:
            for body, end in self.inbox.frames():
                code = self.inbox.data[body + 2]
                fields = fields_of(self.inbox.data[body:end], 14)
                if wanted(code, fields):
                    return body, end
                self.handle(body, end)
            self.inbox.fill()
