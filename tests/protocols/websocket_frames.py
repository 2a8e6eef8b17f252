"""WebSocket frames by hand, legal and illegal, and the frames in what a server sent."""

from __future__ import annotations

import struct

from localzure_protocols.events import Headers, Request
from localzure_protocols.websocket import WebSocketConnection

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x11\x22\x33\x44"

HEADERS: Headers = [
    (b"host", b"localhost:5672"),
    (b"upgrade", b"websocket"),
    (b"connection", b"keep-alive, Upgrade"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"sec-websocket-version", b"13"),
]
"""The opening handshake of RFC 6455, section 1.3."""


def request(*extra: tuple[bytes, bytes], without: bytes = b"", method: bytes = b"GET") -> Request:
    headers = [(name, value) for name, value in HEADERS if name != without]
    return Request(1, method, b"/$servicebus/websocket", [*headers, *extra])


def opened(unread: bytes = b"") -> WebSocketConnection:
    """A connection whose opening handshake is over."""
    connection = WebSocketConnection(request(), unread)
    (answer,) = connection.data_to_send()
    assert answer.startswith(b"HTTP/1.1 101 ")
    return connection


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = MASK, rsv: int = 0, length: int | None = None
) -> bytes:
    """One frame; `length` is what the head claims where it is not the payload's, `mask` may be empty."""
    claimed = len(payload) if length is None else length
    head = bytes([fin << 7 | rsv << 4 | opcode])
    masked = 0x80 if mask else 0
    if claimed < 126:
        head += bytes([masked | claimed])
    elif claimed < 1 << 16:
        head += bytes([masked | 126]) + struct.pack("!H", claimed)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", claimed)
    return head + mask + bytes(byte ^ mask[index % 4] if mask else byte for index, byte in enumerate(payload))


def sent_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Take apart what a server sent: unmasked, whole messages, minimal lengths."""
    frames = []
    while data:
        assert data[0] & 0xF0 == 0x80, "final, and no reserved bits"
        length, start = data[1], 2
        assert length < 128, "a server does not mask"
        if length == 126:
            (length,), start = struct.unpack_from("!H", data, 2), 4
        elif length == 127:
            (length,), start = struct.unpack_from("!Q", data, 2), 10
        assert len(data) >= start + length
        frames.append((data[0] & 0x0F, data[start : start + length]))
        data = data[start + length :]
    return frames


def close_code(connection: WebSocketConnection) -> int | None:
    """The code of the close frame that `connection` has sent, None where it has sent none."""
    frames = sent_frames(b"".join(connection.data_to_send()))
    codes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames if opcode == CLOSE]
    assert len(codes) <= 1
    return codes[0] if codes else None
