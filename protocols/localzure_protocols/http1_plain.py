"""The plain case of HTTP/1.1: heads that need no second thought, read in a few microseconds.

`parse_head` takes only what is beyond doubt: a whole head in one piece, origin-form target, `HTTP/1.1`, visible ASCII,
CRLF line ends, one `Host`, at most one `Content-Length`, nothing that changes framing or the connection. For anything
else it returns None and has touched nothing, and h11, the authority, reads the same bytes. `PlainExchange` is the rest
of such a request, its body, and the framing of its response.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from localzure_protocols.events import Headers, Response

METHODS = frozenset({b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"MERGE", b"PATCH", b"OPTIONS"})

VISIBLE = bytes(range(0x21, 0x7F))
"""What a request's target is made of here (RFC 9112, section 3.2)."""

FIELD_VALUE = VISIBLE + b" \t"
"""What a field's value is made of here: RFC 9110, section 5.5, without obs-text."""

TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What a field's name is made of (RFC 9110, section 5.6.2)."""

_UNSENDABLE = bytes(code for code in range(0x20) if code not in b"\t\r\n") + b"\x7f"
"""Bytes that no head of a response may hold."""

_DECLINED = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"http2-settings", b"trailer"})
"""Fields that change what follows: h11's to read."""

_CHANGING = frozenset({b"authorization", b"date", b"x-ms-date", b"x-ms-client-request-id", b"content-md5"})
"""Fields that differ from request to request: not worth remembering."""

LENGTH_DIGITS_MAX = 18

KNOWN_LINES_MAX = 1024
KNOWN_LINE_BYTES_MAX = 256

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}

NO_BODY_STATUS = frozenset({204, 304})


class Field(NamedTuple):
    """A line of a head, read."""

    pair: tuple[bytes, bytes]
    """Lower-case name and value."""
    sent_name: bytes


class PlainHead(NamedTuple):
    """A request's head."""

    method: bytes
    target: bytes
    headers: Headers
    sent_names: tuple[bytes, ...]
    length: int
    """Bytes of body that follow."""
    end: int
    """Where the body begins in the bytes that were parsed."""


class KnownLines:
    """Lines that were read before: clients repeat most of theirs with every request."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self.fields: dict[bytes, Field] = {}

    def read(self, line: bytes) -> Field | None:
        """Read a line that is not known, and remember it where that pays; None where it is not plain."""
        sent_name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not sent_name or sent_name.translate(None, TOKEN) or value.translate(None, FIELD_VALUE):
            return None
        field = Field((sent_name.lower(), value), sent_name)
        if field.pair[0] not in _CHANGING and len(line) <= KNOWN_LINE_BYTES_MAX:
            if len(self.fields) >= KNOWN_LINES_MAX:
                self.fields.clear()
            self.fields[line] = field
        return field


known_lines = KnownLines()


def parse_head(data: bytes) -> PlainHead | None:
    """Read the head at the start of `data`; None where it is incomplete or not plain."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = data[:end].split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or parts[2] != b"HTTP/1.1" or parts[0] not in METHODS:
        return None
    target = parts[1]
    if target[:1] != b"/" or target.translate(None, VISIBLE):
        return None
    known, headers, sent_names = known_lines.fields, [], []
    length = hosts = -1
    for line in lines:
        field = known.get(line) or known_lines.read(line)
        if field is None:
            return None
        name, value = pair = field.pair
        if name == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > LENGTH_DIGITS_MAX:
                return None
            length = int(value)
        elif name == b"host":
            hosts += 1
        elif name in _DECLINED or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
        headers.append(pair)
        sent_names.append(field.sent_name)
    if hosts != 0:
        return None
    return PlainHead(parts[0], target, headers, tuple(sent_names), max(0, length), end + 4)


class FramingError(Exception):
    """A response that is not what its head says."""


class PlainExchange:
    """The framing of one request's body and of its response."""

    __slots__ = ("_has_body", "_is_chunked", "_left_to_send", "left_to_read", "must_close", "response_ended")

    def __init__(self, head: PlainHead) -> None:
        """`head` is the request's."""
        self.left_to_read = head.length
        self.must_close = False
        self.response_ended = False
        self._has_body = head.method != b"HEAD"
        self._is_chunked = False
        self._left_to_send = -1

    @property
    def is_over(self) -> bool:
        """Request and response are both complete."""
        return self.response_ended and not self.left_to_read

    def response(self, event: Response, *, close: bool) -> bytes:
        """Encode the head of the response, whose body is chunked where its length is not given. Raises FramingError."""
        if self._left_to_send >= 0:
            raise FramingError
        length = 0 if not self._has_body or event.status in NO_BODY_STATUS else None
        pieces = [_STATUS_LINES.get(event.status) or b"HTTP/1.1 %d \r\n" % event.status]
        for name, value in event.headers:
            if name == b"content-length" and length is None:
                length = int(value)
            pieces.append(b"%b: %b\r\n" % (name, value))
        if length is None:
            self._is_chunked, length = True, 0
            pieces.append(b"transfer-encoding: chunked\r\n")
        if close:
            self.must_close = True
            pieces.append(b"connection: close\r\n")
        pieces.append(b"\r\n")
        head = b"".join(pieces)
        if not head.count(b"\n") == head.count(b"\r") == len(pieces):
            raise FramingError
        if len(head.translate(None, _UNSENDABLE)) != len(head):
            raise FramingError
        self._left_to_send = length
        return head

    def body(self, data: bytes) -> bytes:
        """Encode a piece of the response's body. Raises FramingError."""
        if self._is_chunked:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._left_to_send -= len(data)
        if self._left_to_send < 0:
            raise FramingError
        return data

    def end(self) -> bytes:
        """The response is complete: encode its end. Raises FramingError where it is not."""
        if self._left_to_send != 0:
            raise FramingError
        self.response_ended = True
        return b"0\r\n\r\n" if self._is_chunked else b""
