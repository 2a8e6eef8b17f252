"""AMQP 1.0 frames as the load generator writes and reads them.

What happens once per connection goes through proton's codec. What happens once per message, TRANSFER and DISPOSITION,
is read here field by field out of the receive buffer and written by patching bytes that were built before, so that
the generator costs a fraction of any server. The layouts are those of OASIS AMQP 1.0, parts 1 (types), 2.3 (frames)
and 2.7 (performatives).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

from proton import Data, Described, ulong

from benchmarks.measurement import LoadError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_INIT, SASL_OUTCOME = 0x40, 0x41, 0x44
ACCEPTED = 0x24

AMQP_FRAME, SASL_FRAME = 0, 1

FRAME_BYTES_MAX = 65536
"""The frame size that the generator offers; its receive buffer holds many."""

_BUFFER_BYTES = 1 << 20

_HEAD = Struct(">IBBH")
_SIZE = Struct(">I")
_UINT = Struct(">I")
_UINT_PAIR = Struct(">IBI")


class PeerError(LoadError):
    """The server broke the protocol, refused, or closed."""


def described(code: int, *fields: Any) -> bytes:
    """Encode a described list: a performative, an outcome, a terminus."""
    data = Data()
    data.put_object(Described(ulong(code), list(fields)))
    return bytes(data.encode())


def frame(body: bytes, frame_type: int = AMQP_FRAME) -> bytes:
    """Put a frame's head, of channel 0, in front of a performative and what follows it."""
    return _HEAD.pack(len(body) + 8, 2, frame_type, 0) + body


def fields_of(body: bytes | bytearray, count: int) -> list[Any]:
    """Decode a performative's fields, filled up to `count` with None."""
    data = Data()
    data.decode(bytes(body))
    data.rewind()
    data.next()
    performative: Any = data.get_object()
    # Proton gives binary values as views of memory that goes with `data`.
    fields = [bytes(field) if isinstance(field, memoryview) else field for field in performative.value]
    return fields + [None] * (count - len(fields))


class Inbox:
    """What has arrived on a socket, as frames."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.data = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self.data)
        self._start = self._end = 0

    def fill(self) -> None:
        """Read what the socket has. Raises PeerError at the end of the stream, BlockingIOError where it has nothing."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end > _BUFFER_BYTES - FRAME_BYTES_MAX:
            left = self._end - self._start
            self._view[:left] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, left
        received = self._socket.recv_into(self._view[self._end :])
        if not received:
            raise PeerError("the server closed the connection")
        self._end += received

    def take_header(self) -> bytes | None:
        """Take a protocol header, None where it has not arrived whole."""
        if self._end - self._start < len(AMQP_HEADER):
            return None
        self._start += len(AMQP_HEADER)
        return bytes(self._view[self._start - len(AMQP_HEADER) : self._start])

    def frames(self) -> Iterator[tuple[int, int]]:
        """Take the whole frames, each as where its body starts and ends in `data`. Empty frames are left out."""
        data, end = self.data, self._end
        size_at = _SIZE.unpack_from
        at = self._start
        while end - at >= 8:
            (size,) = size_at(data, at)
            if end - at < size:
                if size > FRAME_BYTES_MAX:
                    raise PeerError(f"a frame of {size} bytes, more than was offered")
                return
            body = at + 4 * data[at + 4]
            at += size
            self._start = at
            if body < at:
                yield body, at


def _list_at(data: bytearray, at: int) -> tuple[int, int, int]:
    """Read the head of the list at `at`: where its first field is, how many it has, and where it ends."""
    code = data[at]
    if code == 0xC0:
        return at + 3, data[at + 2], at + 2 + data[at + 1]
    if code == 0xD0:
        size, count = _UINT.unpack_from(data, at + 1)[0], _UINT.unpack_from(data, at + 5)[0]
        return at + 9, count, at + 5 + size
    if code == 0x45:
        return at + 1, 0, at + 1
    raise PeerError(f"no list: type {code:#04x}")


def _uint_at(data: bytearray, at: int) -> tuple[int | None, int]:
    """Read an optional uint, and where the next field is."""
    code = data[at]
    if code == 0x70:
        return _UINT.unpack_from(data, at + 1)[0], at + 5
    if code == 0x52:
        return data[at + 1], at + 2
    if code == 0x43:
        return 0, at + 1
    if code == 0x40:
        return None, at + 1
    raise PeerError(f"no uint: type {code:#04x}")


def _boolean_at(data: bytearray, at: int) -> tuple[bool, int]:
    """Read an optional boolean (absent is False), and where the next field is."""
    code = data[at]
    if code == 0x56:
        return data[at + 1] == 1, at + 2
    if code in (0x40, 0x41, 0x42):
        return code == 0x41, at + 1
    raise PeerError(f"no boolean: type {code:#04x}")


def _after_binary(data: bytearray, at: int) -> int:
    """Where the field behind an optional binary is."""
    if data[at] == 0xB0:
        return at + 5 + int(_UINT.unpack_from(data, at + 1)[0])
    return at + 1 if data[at] == 0x40 else at + 2 + data[at + 1]


def transfer_at(data: bytearray, body: int) -> tuple[int | None, bool, bool, int]:
    """Read a TRANSFER: its delivery-id (None where the frame continues a delivery), settled, more, and its payload."""
    at, count, end = _list_at(data, body + 3)
    settled = more = False
    _, at = _uint_at(data, at)
    delivery_id, at = _uint_at(data, at) if count > 1 else (None, at)
    if count > 4:
        at = _after_binary(data, at)
        _, at = _uint_at(data, at)
        settled, at = _boolean_at(data, at)
    if count > 5:
        more, at = _boolean_at(data, at)
    return delivery_id, settled, more, end


def disposition_at(data: bytearray, body: int) -> tuple[int, int, bool, int | None]:
    """Read a DISPOSITION: the first and last delivery-id, settled, and the code of the outcome, if there is one."""
    at, count, _ = _list_at(data, body + 3)
    settled, outcome = False, None
    _, at = _boolean_at(data, at)
    first, at = _uint_at(data, at)
    if first is None:
        raise PeerError("a disposition without its first delivery")
    last, at = _uint_at(data, at) if count > 2 else (None, at)
    if count > 3:
        settled, at = _boolean_at(data, at)
    if count > 4 and data[at] == 0:
        outcome = data[at + 2]
    return first, first if last is None else last, settled, outcome


_ACCEPT_HEAD = _HEAD.pack(30, 2, AMQP_FRAME, 0) + bytes.fromhex("005315 c0 11 05 41 70")
_ACCEPT_TAILS = {False: bytes.fromhex("42 00532445"), True: bytes.fromhex("41 00532445")}


def accept_frame(first: int, last: int, *, settled: bool = False) -> bytes:
    """Accept deliveries: role receiver, first, last, settled, state=accepted."""
    return _ACCEPT_HEAD + _UINT_PAIR.pack(first, 0x70, last) + _ACCEPT_TAILS[settled]
