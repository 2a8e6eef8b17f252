"""Cuts a client's HTTP/2 bytes into whole frames, and bounds what they may cost before anyone parses them.

The HTTP/2 engine is fed one frame at a time: an error in a frame then cannot take the events of the frames before it
along, however the bytes were cut. Frames that no engine has to see end here: unknown kinds, settings that nobody
knows (they would be kept), and header blocks that never end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from h2.errors import ErrorCodes

from localzure_protocols.sniff import HTTP2_PREFACE

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
"""The frame types of RFC 9113, section 6."""

FRAME_BYTES_MAX = 16 * 1024
"""Longest payload: the least that may be advertised (RFC 9113, section 6.5.2), so that little is held per client."""

HEADER_BLOCK_BYTES_MAX = 128 * 1024
"""Longest header block, compressed, over all its frames."""

HEADER_BLOCK_FRAMES_MAX = 32
"""Most frames of one header block: each may be empty, so that bytes alone do not bound them (CVE-2024-27316)."""

HEADER_TABLE_BYTES_MAX = 4096
"""Largest compression table that is kept for a client, however large a one it allows (RFC 7541, section 4.2)."""

_ACK = 0x1
_END_HEADERS = 0x4
_FRAME_HEAD = struct.Struct("!BHBBI")
_SETTING = struct.Struct("!HI")
_HEADER_TABLE_SIZE = 0x1
_KNOWN_SETTINGS = frozenset(range(0x1, 0x7))
_HEAD_BYTES = 9


class ConnectionBrokenError(Exception):
    """The client broke a rule that ends the connection, with the error code for its GOAWAY."""

    def __init__(self, code: ErrorCodes, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class Frame:
    """One whole frame."""

    kind: int
    flags: int
    stream_id: int
    wire: bytes
    """All of it, its head included."""

    @property
    def length(self) -> int:
        """Bytes of payload."""
        return len(self.wire) - _HEAD_BYTES


class FrameCutter:
    """Bytes in, whole frames out; starts with the client's connection preface."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._preface_missing = HTTP2_PREFACE
        self._is_first = True
        self._block_stream = 0
        self._block_bytes = 0
        self._block_frames = 0

    def cut(self, data: bytes) -> Iterator[Frame]:
        """Take bytes; gives the frames that are complete. Raises ConnectionBrokenError."""
        buffer = self._buffer
        buffer += data
        if self._preface_missing and not self._take_preface():
            return
        while len(buffer) >= _HEAD_BYTES:
            high, low, kind, flags, stream_id = _FRAME_HEAD.unpack_from(buffer)
            length = high << 16 | low
            if length > FRAME_BYTES_MAX:
                raise ConnectionBrokenError(ErrorCodes.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            if len(buffer) < _HEAD_BYTES + length:
                return
            frame = Frame(kind, flags, stream_id & 0x7FFFFFFF, bytes(buffer[: _HEAD_BYTES + length]))
            del buffer[: _HEAD_BYTES + length]
            self._check_order(frame)
            if kind <= CONTINUATION:
                yield frame

    def _take_preface(self) -> bool:
        """Take what there is of the preface; returns whether it is complete."""
        count = min(len(self._buffer), len(self._preface_missing))
        if self._buffer[:count] != self._preface_missing[:count]:
            raise ConnectionBrokenError(ErrorCodes.PROTOCOL_ERROR, "no HTTP/2 connection preface")
        del self._buffer[:count]
        self._preface_missing = self._preface_missing[count:]
        return not self._preface_missing

    def _check_order(self, frame: Frame) -> None:
        """SETTINGS come first (RFC 9113, section 3.4); nothing comes between the frames of a header block (6.10)."""
        if self._is_first:
            if frame.kind != SETTINGS or frame.flags & _ACK:
                raise ConnectionBrokenError(ErrorCodes.PROTOCOL_ERROR, "the first frame is no SETTINGS frame")
            self._is_first = False
        if self._block_stream:
            if frame.kind != CONTINUATION or frame.stream_id != self._block_stream:
                raise ConnectionBrokenError(ErrorCodes.PROTOCOL_ERROR, "a frame inside a header block")
        elif frame.kind == CONTINUATION:
            raise ConnectionBrokenError(ErrorCodes.PROTOCOL_ERROR, "CONTINUATION outside a header block")
        if frame.kind == PUSH_PROMISE:
            raise ConnectionBrokenError(ErrorCodes.PROTOCOL_ERROR, "clients do not push (RFC 9113, section 8.4)")
        if frame.kind in {HEADERS, CONTINUATION}:
            self._count_block(frame)

    def _count_block(self, frame: Frame) -> None:
        self._block_bytes += frame.length
        self._block_frames += 1
        if self._block_bytes > HEADER_BLOCK_BYTES_MAX or self._block_frames > HEADER_BLOCK_FRAMES_MAX:
            raise ConnectionBrokenError(ErrorCodes.ENHANCE_YOUR_CALM, "a header block that does not end")
        if frame.flags & _END_HEADERS:
            self._block_stream = self._block_bytes = self._block_frames = 0
        else:
            self._block_stream = frame.stream_id


def known_settings(payload: bytes) -> bytes:
    """The settings of a SETTINGS payload that mean something here, the compression table's size within our bound.

    A payload that is no list of settings is returned as it is, for the engine to refuse.
    """
    if len(payload) % _SETTING.size:
        return payload
    kept = b""
    for identifier, value in _SETTING.iter_unpack(payload):
        if identifier == _HEADER_TABLE_SIZE:
            kept += _SETTING.pack(identifier, min(value, HEADER_TABLE_BYTES_MAX))
        elif identifier in _KNOWN_SETTINGS:
            kept += _SETTING.pack(identifier, value)
    return kept


def with_known_settings(frame: Frame) -> bytes:
    """A SETTINGS frame's bytes without the settings that mean nothing here. Raises ConnectionBrokenError."""
    if frame.flags & _ACK:
        if frame.length:
            raise ConnectionBrokenError(ErrorCodes.FRAME_SIZE_ERROR, "an acknowledgement with settings")
        return frame.wire
    payload = known_settings(frame.wire[_HEAD_BYTES:])
    return _FRAME_HEAD.pack(len(payload) >> 16, len(payload) & 0xFFFF, SETTINGS, frame.flags, frame.stream_id) + payload
