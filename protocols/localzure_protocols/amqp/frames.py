"""AMQP frames as bytes (OASIS AMQP 1.0, part 2, 2.3): splitting a stream, the shape of a transfer, writing, padding.

    +------+------+------+---------+--------------------------+---------+
    | size | doff | type | channel | performative (described) | payload |
    |  4   |  1   |  1   |    2    |                          |         |
    +------+------+------+---------+--------------------------+---------+

Everything here works on offsets into one buffer, because a slice per frame is what costs.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class with a function's name
from typing import Any

from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Symbol, Ulong, decode, encode

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
HEADER_LENGTH = 8

FRAME_SIZE_MAX = 65536
"""The largest frame that either side sends; what Azure Service Bus advertises."""
FRAME_HEADER_LENGTH = 8
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""The heartbeat."""

OPEN, BEGIN, ATTACH, FLOW, TRANSFER = 0x10, 0x11, 0x12, 0x13, 0x14
DISPOSITION, DETACH, END, CLOSE = 0x15, 0x16, 0x17, 0x18

FIELD_COUNTS = {
    OPEN: 10,
    BEGIN: 8,
    ATTACH: 14,
    FLOW: 11,
    TRANSFER: 11,
    DISPOSITION: 6,
    DETACH: 3,
    END: 1,
    CLOSE: 1,
}

START = Struct(">IHHI")
"""Size, data offset with type, channel, and the first four bytes behind an eight-byte header."""
PLAIN_FORM = 0x0200
"""Data offset 2 and type AMQP: nothing between the header and the performative."""
TRANSFER_LIST8 = 0x005314C0
"""How the performative of every transfer begins that no client pads to more than 255 bytes."""

NO_TAG = b"\x00\x00\x00"
"""The delivery tag that stands for an empty one: proton writes null for that, which go-amqp refuses."""
_NO_TAG_AS_WRITTEN, _EMPTY_TAG = b"\xa0\x03" + NO_TAG, b"\xb0\x00\x00\x00\x00"
"""As long as each other, so that no frame changes its size."""

_SIZE = Struct(">I")
_PREFIX = Struct(">IBBH")
_U32_PAIR = Struct(">II")


class FrameBuffer:
    """Keeps the beginning of a frame whose end has not arrived, so that whole frames are walked in one buffer."""

    __slots__ = ("_kept", "_wanted")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._wanted = 0

    def take(self, data: bytes) -> bytes:
        """Put `data` behind what is kept; returns all of it, or b"" while the first frame is known to be incomplete."""
        if not self._kept:
            return data
        self._kept += data
        if len(self._kept) < self._wanted:
            return b""
        buffer = bytes(self._kept)
        self._kept = bytearray()
        return buffer

    def keep(self, rest: bytes) -> None:
        """Keep the beginning of a frame for the next `take`."""
        self._kept = bytearray(rest)
        self._wanted = _SIZE.unpack_from(rest)[0] if len(rest) >= 4 else 4


def empty_tags(data: bytes) -> bytes:
    """Whole frames as proton writes them, with an empty delivery tag where the tag is `NO_TAG`."""
    changed, at, length = bytearray(data), 0, len(data)
    while at < length:
        size, _, _, word = START.unpack_from(data, at)
        if word >> 8 & 0xFF == TRANSFER:
            # Behind the list's code, size and count: the handle and the delivery's id, numbers of one of three forms.
            tag = at + FRAME_HEADER_LENGTH + (6 if word & 0xFF == _LIST8 else 12)
            tag += _UINT_LENGTHS[data[tag]]
            tag += _UINT_LENGTHS[data[tag]]
            if data.startswith(_NO_TAG_AS_WRITTEN, tag):
                changed[tag : tag + len(_EMPTY_TAG)] = _EMPTY_TAG
        at += size
    return bytes(changed)


_LIST8 = 0xC0


def read_performative(buffer: bytes, start: int, end: int) -> tuple[int, list[Any], int]:
    """Decode a frame's performative: (code, fields padded to their full number, offset of the payload).

    Raises AmqpDecodeError, also where the performative reaches beyond `end`.
    """
    value, after = decode(buffer, start)
    if after > end:
        raise AmqpDecodeError("performative reaches beyond its frame")
    if not isinstance(value, Described) or not isinstance(value.value, list):
        raise AmqpDecodeError("a frame begins with a described list")
    code = _CODES.get(value.descriptor) if isinstance(value.descriptor, (Ulong, Symbol)) else None
    if code is None:
        raise AmqpDecodeError(f"{value.descriptor!r:.100} is no performative")
    fields, count = value.value, FIELD_COUNTS[code]
    if len(fields) > count:
        raise AmqpDecodeError(f"performative 0x{code:x} has {count} fields, not {len(fields)}")
    return code, fields + [None] * (count - len(fields)), after


Transfer = tuple[int, bytes, int, bool, bool, int]
"""Handle, delivery tag, message format, settled, more, offset of the payload."""


def read_transfer(buffer: bytes, offset: int, end: int) -> Transfer | None:
    """Read the transfer at `offset`, whose first bytes are `TRANSFER_LIST8`, without the general decoder.

    Returns None where it is written in another way than most are, and `read_performative` has the say.
    """
    try:
        payload_start, count = offset + 13 + buffer[offset + 12], buffer[offset + 13]
        code, at = buffer[offset + 14], offset + 15
        if code == 0x52:
            handle = buffer[at]
            at += 1
        elif code == 0x43:
            handle = 0
        else:
            return None
        at += _UINT_LENGTHS[buffer[at]]  # the delivery id
        tag_start = at + 2
        tag_end = tag_start + buffer[at + 1]
        if buffer[at] != 0xA0 or count < 4 or tag_end >= payload_start or payload_start > end:
            return None
        code, at = buffer[tag_end], tag_end + 1
        if code == 0x70:
            message_format = _SIZE.unpack_from(buffer, at)[0]
            at += 4
        elif code in _ZERO_OR_NULL:
            message_format = 0
        else:
            return None
        # Behind the four: settled and more, then what is hardly ever said. One byte each, or it is not for us.
        rest = buffer[at:payload_start]
    except (IndexError, StructError):
        return None
    if count != 4 + payload_start - at or rest.strip(_BOOLEANS) or (len(rest) > 2 and rest[2:].strip(_UNSAID)):
        return None
    tag = buffer[tag_start:tag_end]
    return handle, tag, message_format, rest[:1] == b"\x41", rest[1:2] == b"\x41", payload_start


def delivery_id_at(buffer: bytes, offset: int) -> int | None:
    """The delivery id of the transfer at `offset`, which `read_transfer` has read; None where it has none."""
    at = offset + 15 + (buffer[offset + 14] == 0x52)
    code = buffer[at]
    if code == 0x52:
        return buffer[at + 1]
    if code == 0x70:
        number: int = _SIZE.unpack_from(buffer, at + 1)[0]
        return number
    return 0 if code == 0x43 else None


def write_frame(channel: int, code: int, fields: list[Any]) -> bytes:
    """Write a frame with all fields of its performative, for clients that index them by position."""
    fields = fields + [None] * (FIELD_COUNTS[code] - len(fields))
    performative = encode(Described(Ulong(code), fields))
    return _PREFIX.pack(FRAME_HEADER_LENGTH + len(performative), 2, 0, channel) + performative


def pad_frame(buffer: bytes, offset: int, end: int, code: int) -> list[bytes]:
    """Write the frame at `offset` again with all fields of its performative; returns its pieces.

    The frame is one that proton wrote: no extended header, the code as a small ulong, a list that is not empty.
    """
    at = offset + 11
    if buffer[at] == 0xC0:
        size, count, items = buffer[at + 1], buffer[at + 2], at + 3
        payload_start = at + 2 + size
    else:
        size, count = _U32_PAIR.unpack_from(buffer, at + 1)
        items, payload_start = at + 9, at + 5 + size
    missing = FIELD_COUNTS[code] - count
    if missing <= 0:
        return [buffer[offset:end]]
    content_size = payload_start - items + missing
    if content_size < 255:
        head = b"\xc0%c%c" % (content_size + 1, count + missing)
    else:
        head = b"\xd0" + _U32_PAIR.pack(content_size + 4, count + missing)
    frame_size = at - offset + len(head) + content_size + end - payload_start
    performative = head + buffer[items:payload_start] + b"\x40" * missing
    return [_SIZE.pack(frame_size) + buffer[offset + 4 : at] + performative, buffer[payload_start:end]]


_UINT_LENGTHS = [0] * 256
"""Bytes of a number, or of a null, by its code."""
_UINT_LENGTHS[0x40], _UINT_LENGTHS[0x43], _UINT_LENGTHS[0x52], _UINT_LENGTHS[0x70] = 1, 1, 2, 5
_ZERO_OR_NULL = frozenset({0x40, 0x43})
_BOOLEANS = b"\x40\x41\x42"
_UNSAID = b"\x40\x42"
_NAMES = {
    "amqp:open:list": OPEN,
    "amqp:begin:list": BEGIN,
    "amqp:attach:list": ATTACH,
    "amqp:flow:list": FLOW,
    "amqp:transfer:list": TRANSFER,
    "amqp:disposition:list": DISPOSITION,
    "amqp:detach:list": DETACH,
    "amqp:end:list": END,
    "amqp:close:list": CLOSE,
}
_CODES: dict[Any, int] = {**{Ulong(code): code for code in FIELD_COUNTS}, **_NAMES}
