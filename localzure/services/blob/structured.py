"""Structured bodies: content in segments, each followed by its CRC-64, and behind the last that of the whole.

The header `x-ms-structured-body` with `XSM/1.0; properties=crc64` says that a body is one, and
`x-ms-structured-content-length` how long its content is. All numbers are little-endian:

| part | bytes |
| --- | --- |
| message header | version 1, length of the message 8, flags 2, number of segments 2 |
| segment header | number from one on 2, length of its content 8 |
| segment footer | CRC-64 of its content 8, where flag 1 is set |
| message footer | CRC-64 of the whole content 8, where flag 1 is set |
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

from localzure.services.blob.checksums import CRC64_BYTES, add_crc64, crc64_bytes, join_crc64

if TYPE_CHECKING:
    from localzure.services.interface import BodySource

STRUCTURED_BODY = "XSM/1.0; properties=crc64"
"""The only kind there is."""

SEGMENT_BYTES = 4 * 1024 * 1024
"""Content of each segment but the last in what is sent."""

SEGMENT_COUNT_MAX = 0xFFFF
"""As many as the header can count."""

_VERSION = 1
_CRC64_FLAG = 1
_MESSAGE_HEADER = struct.Struct("<BQHH")
_SEGMENT_HEADER = struct.Struct("<HQ")


class StructureError(Exception):
    """A body is no structured one."""


class SegmentError(StructureError):
    """A sum in a structured body is not that of its content."""


class StructuredReader:
    """Takes a structured body apart as it arrives."""

    def __init__(self, length: int) -> None:
        """`length` is that of the whole message."""
        self._length = length
        self._part: Literal["header", "segment", "content", "sum", "total", "end"] = "header"
        self._wanted = _MESSAGE_HEADER.size
        self._head = b""
        self._has_sums = False
        self._count = 0
        self._number = 0
        self._size = 0
        self._crc = 0
        self._total = 0
        self._total_size = 0

    def receive(self, data: bytes) -> list[bytes]:
        """Return the content in the next piece of a body. Raises StructureError."""
        content: list[bytes] = []
        at = 0
        while at < len(data):
            if self._part == "end":
                raise StructureError("something follows the last segment")
            taken = data[at : at + self._wanted]
            at += len(taken)
            self._wanted -= len(taken)
            if self._part == "content":
                self._crc = add_crc64(taken, self._crc)
                content.append(taken)
            else:
                self._head += taken
            if not self._wanted:
                self._next()
        return content

    def close(self) -> None:
        """The body is complete. Raises StructureError where the message is not."""
        if self._part != "end":
            raise StructureError("the message is not complete")

    def _next(self) -> None:
        """One part is complete: begin the next that has any bytes."""
        head, self._head = self._head, b""
        if self._part == "header":
            self._take_header(head)
            self._begin("segment", _SEGMENT_HEADER.size)
        elif self._part == "segment":
            number, size = _SEGMENT_HEADER.unpack(head)
            self._number += 1
            if number != self._number or size > self._length:
                raise StructureError("a segment is not the next one")
            self._size, self._crc = size, 0
            self._begin("content", size)
        elif self._part == "content":
            self._begin("sum", CRC64_BYTES if self._has_sums else 0)
        elif self._part == "sum":
            if self._has_sums and head != crc64_bytes(self._crc):
                raise SegmentError(f"segment {self._number}")
            self._end_segment()
        else:
            if self._has_sums and head != crc64_bytes(self._total):
                raise SegmentError("the whole")
            self._begin("end", 0)

    def _begin(self, part: Literal["segment", "content", "sum", "total", "end"], wanted: int) -> None:
        self._part, self._wanted = part, wanted
        if not wanted and part != "end":
            self._next()

    def _take_header(self, head: bytes) -> None:
        version, length, flags, self._count = _MESSAGE_HEADER.unpack(head)
        if version != _VERSION or flags & ~_CRC64_FLAG or not self._count:
            raise StructureError("the header is of another kind")
        if length != self._length:
            raise StructureError("the message has another length than the body")
        self._has_sums = bool(flags & _CRC64_FLAG)

    def _end_segment(self) -> None:
        self._total = join_crc64(self._total, self._total_size, self._crc, self._size)
        self._total_size += self._size
        if self._number < self._count:
            self._begin("segment", _SEGMENT_HEADER.size)
        else:
            self._begin("total", CRC64_BYTES if self._has_sums else 0)


class StructuredSource:
    """A reply's body, structured while it is sent (see `localzure.services.interface.BodySource`)."""

    def __init__(self, content: BodySource | bytes) -> None:
        self._content = content
        size = len(content) if isinstance(content, bytes) else content.length
        assert size is not None, "a download knows how long it is"
        self._size = size
        self._at = 0
        count, self._segment_bytes = _segments(self._size)
        self._length = structured_length(self._size)
        self._pending = _MESSAGE_HEADER.pack(_VERSION, self._length, _CRC64_FLAG, count)
        self._number = 0
        self._start = self._stop = 0
        self._crc = 0
        self._total = 0
        self._begin_segment()

    @property
    def length(self) -> int:
        """Bytes in the whole message."""
        return self._length

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`; empty at the end."""
        piece, self._pending = self._pending[:limit], self._pending[limit:]
        take = min(limit - len(piece), self._stop - self._at)
        if self._pending or not take:
            return piece
        data = self._read_content(take)
        self._crc = add_crc64(data, self._crc)
        self._at += len(data)
        if self._at == self._stop:
            self._end_segment()
        return piece + data if piece else data

    def close(self) -> None:
        """Let go of the content."""
        if not isinstance(self._content, bytes):
            self._content.close()

    def _read_content(self, limit: int) -> bytes:
        if isinstance(self._content, bytes):
            return self._content[self._at : self._at + limit]
        return self._content.read(limit)

    def _begin_segment(self) -> None:
        self._number += 1
        self._start, self._stop = self._at, min(self._at + self._segment_bytes, self._size)
        self._crc = 0
        self._pending += _SEGMENT_HEADER.pack(self._number, self._stop - self._start)
        if self._start == self._stop:
            self._end_segment()

    def _end_segment(self) -> None:
        self._total = join_crc64(self._total, self._start, self._crc, self._stop - self._start)
        self._pending += crc64_bytes(self._crc)
        if self._at < self._size:
            self._begin_segment()
        else:
            self._pending += crc64_bytes(self._total)


def structured_length(length: int) -> int:
    """Return how long the message is that carries this much content."""
    count, _ = _segments(length)
    return _MESSAGE_HEADER.size + count * (_SEGMENT_HEADER.size + CRC64_BYTES) + length + CRC64_BYTES


def _segments(length: int) -> tuple[int, int]:
    """Return how many segments a content has, and how long they are: longer where the header could not count them."""
    segment_bytes = max(SEGMENT_BYTES, -(-length // SEGMENT_COUNT_MAX))
    return -(-length // segment_bytes) or 1, segment_bytes
