"""WebSocket, server side, without IO: a byte stream in binary messages, taking over from an HTTP/1.1 upgrade.

What is carried (AMQP) is a stream: where messages and frames begin and end means nothing, so payload is passed on as
it arrives and a frame's size costs no memory. Text is refused, no extension is negotiated, and a client that breaks
the protocol gets the close code of RFC 6455 and is let go.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, Opcode, RsvBits
from wsproto.utilities import generate_accept_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsproto.frame_protocol import FrameDecoder, FrameProtocol

    from localzure_protocols.events import Headers, Request

FRAME_BYTES_MAX = 128 * 1024 * 1024
"""Longest frame that is taken: more than the largest Service Bus message (100 MiB), which a client may send in one."""

MESSAGE_BYTES_MAX = 64 * 1024
"""Longest message that is sent: clients collect a message before they look at it."""

VERSION = b"13"
"""The one version of the protocol (RFC 6455, section 4.1)."""

_KEY_BYTES = 16
_REASONS = {
    CloseReason.MESSAGE_TOO_BIG: f"a frame may have {FRAME_BYTES_MAX} bytes",
    CloseReason.UNSUPPORTED_DATA: "only binary messages are taken",
}


def is_upgrade(request: Request) -> bool:
    """Whether a request asks for WebSocket, be it well or badly: `WebSocketConnection` answers both."""
    return b"websocket" in [token.lower() for token in _tokens(request.headers, b"upgrade")]


class WebSocketConnection:
    """Bytes in, payload out; payload in, bytes out. Starts with the answer to the upgrade request."""

    def __init__(self, request: Request, unread: bytes, subprotocols: Sequence[bytes] = ()) -> None:
        """Accept or refuse `request`; `unread` is what came after it, `subprotocols` are those that are spoken.

        Of the subprotocols that the client offers, the first that is spoken is chosen; none where none is.
        """
        self._output: list[bytes] = []
        self._unread = unread
        self._wire: Connection | None = None
        self._peer_ended = False
        self.failure: str | None = None
        """Why the connection was refused, or ended before its time, in one line for the log."""
        self.subprotocol = next(
            (offer for offer in _tokens(request.headers, b"sec-websocket-protocol") if offer in subprotocols), None
        )
        """The one that was chosen."""
        refusal = _refusal(request)
        if refusal is None:
            self._wire = Connection(ConnectionType.SERVER, [_Limits()])
            self._output.append(_acceptance(request, self.subprotocol))
        else:
            self.failure = refusal[1]
            self._output.append(_render_refusal(*refusal))

    @property
    def is_accepted(self) -> bool:
        """The upgrade request was accepted: what is being sent is `101 Switching Protocols`."""
        return self._wire is not None

    @property
    def is_finished(self) -> bool:
        """Nothing more will come or go: close once `data_to_send` has been written."""
        return self._peer_ended or self._wire is None or self._wire.state is ConnectionState.CLOSED

    @property
    def is_peer_ended(self) -> bool:
        """The client will send no more. It cannot say so and still read: a close is answered, and ends both sides."""
        return self.is_finished

    @property
    def is_closing(self) -> bool:
        """`close` was called, or the connection has finished: nothing more can be sent."""
        return self.is_finished or (self._wire is not None and self._wire.state is not ConnectionState.OPEN)

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes (at first also none, for what came with the request); returns the payload they held."""
        wire = self._wire
        if wire is None or self.is_finished:
            return []
        if self._unread:
            data, self._unread = self._unread + data, b""
        wire.receive_data(data)
        pieces: list[bytes] = []
        for event in wire.events():
            if isinstance(event, BytesMessage):
                if event.data and wire.state is ConnectionState.OPEN:
                    pieces.append(bytes(event.data))
            elif isinstance(event, Ping):
                if wire.state is ConnectionState.OPEN:
                    self._output.append(wire.send(Pong(event.payload)))
            elif isinstance(event, CloseConnection):
                self._end(wire, event)
        return pieces

    def receive_eof(self) -> list[bytes]:
        """The client's side of the transport has ended."""
        if not self.is_finished:
            self.failure = "the client went away without closing"
        self._peer_ended = True
        return []

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send payload as binary messages. Nothing happens once the connection is closing."""
        wire = self._wire
        if wire is None or self.is_closing:
            return
        payload = memoryview(b"".join(pieces))
        for start in range(0, len(payload), MESSAGE_BYTES_MAX):
            self._output.append(wire.send(BytesMessage(bytes(payload[start : start + MESSAGE_BYTES_MAX]))))

    def data_to_send(self) -> list[bytes]:
        """Take the bytes that wait for the client."""
        output, self._output = self._output, []
        return output

    def close(self, code: int = CloseReason.NORMAL_CLOSURE, reason: str = "") -> None:
        """Begin to close. The connection finishes when the client has answered; what it still sends is dropped."""
        if self._wire is not None and not self.is_closing:
            self._output.append(self._wire.send(CloseConnection(code, reason)))

    def _end(self, wire: Connection, event: CloseConnection) -> None:
        """The client has closed, has answered our close, or has broken the protocol."""
        if wire.state is ConnectionState.REMOTE_CLOSING:
            self._output.append(wire.send(event.response()))
        elif wire.state is ConnectionState.OPEN:
            self.failure = _REASONS.get(CloseReason(event.code), event.reason)
            self._output.append(wire.send(CloseConnection(event.code, self.failure)))
            self._peer_ended = True
        else:
            self._peer_ended = True


class _Limits(Extension):
    """Refuses by a frame's head what is not taken. Never negotiated: wsproto asks its extensions about every frame."""

    name = "limits"

    def offer(self) -> bool:
        return False

    def enabled(self) -> bool:
        return True

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        del proto, rsv
        if opcode is Opcode.TEXT:
            return CloseReason.UNSUPPORTED_DATA
        if payload_length > FRAME_BYTES_MAX:
            return CloseReason.MESSAGE_TOO_BIG
        return RsvBits(rsv1=False, rsv2=False, rsv3=False)


def _refusal(request: Request) -> tuple[int, str] | None:
    """Status and reason where the request is no WebSocket opening handshake (RFC 6455, section 4.2.1)."""
    headers = request.headers
    if request.method != b"GET":
        return 400, "a WebSocket handshake is a GET request"
    if not is_upgrade(request) or b"upgrade" not in [token.lower() for token in _tokens(headers, b"connection")]:
        return 400, "a WebSocket handshake has the headers Upgrade: websocket and Connection: Upgrade"
    if _values(headers, b"sec-websocket-version") != [VERSION]:
        return 426, "the version of WebSocket spoken here is 13"
    keys = _values(headers, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return 400, "a WebSocket handshake has one Sec-WebSocket-Key of 16 bytes in base64"
    return None


def _is_key(value: bytes) -> bool:
    try:
        return len(b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def _acceptance(request: Request, subprotocol: bytes | None) -> bytes:
    (key,) = _values(request.headers, b"sec-websocket-key")
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + generate_accept_token(key),
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol)
    return b"\r\n".join([*lines, b"", b""])


def _render_refusal(status: int, reason: str) -> bytes:
    text = f"{reason}\n".encode()
    lines = [
        b"HTTP/1.1 400 Bad Request" if status == 400 else b"HTTP/1.1 426 Upgrade Required",
        b"Content-Type: text/plain",
        b"Content-Length: %d" % len(text),
    ]
    if status == 426:
        lines += [b"Upgrade: websocket", b"Sec-WebSocket-Version: " + VERSION, b"Connection: upgrade, close"]
    else:
        lines.append(b"Connection: close")
    return b"\r\n".join([*lines, b"", text])


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for given, value in headers if given == name]


def _tokens(headers: Headers, name: bytes) -> list[bytes]:
    """The elements of a list header, which may be spread over several lines."""
    return [token.strip() for value in _values(headers, name) for token in value.split(b",")]
