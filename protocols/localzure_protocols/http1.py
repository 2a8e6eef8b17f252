"""HTTP/1.1, server side, without IO, behind the neutral events.

One exchange at a time: while a response is unfinished, pipelined requests stay unparsed in the buffer, and
`receive(b"")` after the response's `EndBody` goes on with them. `is_blocked` tells when to stop reading.

Plain requests (see `http1_plain`) are read here, all others by h11 (see `http1_general`); which of the two reads a
request is decided for each anew, and shows in nothing but time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure_protocols.events import Body, EndBody, Foreign, Request, Response, StreamClosed
from localzure_protocols.http1_general import HEAD_BYTES_MAX, GeneralHttp1
from localzure_protocols.http1_plain import NO_BODY_STATUS, FramingError, PlainExchange, parse_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure_protocols.events import Continue, HttpEvent

__all__ = ["HEAD_BYTES_MAX", "ROOM_BYTES", "Http1Connection", "has_body"]

ROOM_BYTES = 1024 * 1024
"""What `room` answers."""


class Http1Connection:
    """Bytes in, events out; events in, bytes out."""

    def __init__(self, is_foreign: Callable[[bytes], bool] | None = None) -> None:
        """`is_foreign` tells of a request line in absolute form whether it is for another host: a `Foreign` event."""
        self._is_foreign = is_foreign
        self._general = GeneralHttp1()
        self._plain: PlainExchange | None = None
        self._is_general = False
        """h11 was the last to read, and may not be done."""
        self._waiting = b""
        """Received while a plain exchange was unfinished, and behind it."""
        self._stream_id = 0
        self._progress = 0
        self._closing = False
        self._finished = False
        self._eof = False

    @property
    def progress(self) -> int:
        """Grows with every head and every piece of a body that is complete: a head that dribbles in is no progress."""
        return self._progress + self._general.progress

    @property
    def is_finished(self) -> bool:
        """No further exchange is possible: close once everything has been written."""
        if self._finished or self._plain is not None:
            return self._finished
        if self._is_general or self._closing:
            return self._general.is_finished
        return self._eof and not self._waiting

    @property
    def is_blocked(self) -> bool:
        """A request has been read whole and its response is unfinished: more bytes would only pile up."""
        if self._plain is None:
            return self._general.is_blocked
        return not self._plain.left_to_read and not self._plain.response_ended

    @property
    def awaits_peer(self) -> bool:
        """A request, or its head, has begun and is not complete: the client is the one to go on."""
        return self._general.awaits_peer if self._plain is None else self._plain.left_to_read > 0

    @property
    def unread(self) -> bytes:
        """Bytes received and not parsed, for whoever takes the connection over after an upgrade."""
        return self._general.unread + self._waiting

    def receive(self, data: bytes) -> list[HttpEvent]:
        """Take bytes (or none, to go on with those that wait) and return what they made happen."""
        if self._plain is None:
            return self._begin(data)
        if self._plain.left_to_read:
            return self._go_on(self._plain, data)
        if data:
            self._waiting += data
        return []

    def receive_eof(self) -> list[HttpEvent]:
        """The peer will send no more."""
        self._eof = True
        if self._is_general:
            return self._general.receive_eof()
        if self._plain is None or not self._plain.left_to_read:
            return []
        self._finished = True
        return [StreamClosed(self._stream_id)]

    def data_to_send(self) -> bytes:
        """Bytes that no `send` gave: there are none in this protocol."""
        return b""

    def room(self, stream_id: int) -> int:
        """Bytes of body that may be sent now: the transport alone bounds them."""
        del stream_id
        return ROOM_BYTES

    def consumed(self, stream_id: int, count: int) -> None:
        """Part of a request's body has been dealt with: nothing to tell the client in this protocol."""

    def shutdown(self) -> None:
        """No further exchange is wanted: told to the client with the next response."""
        self._closing = True
        self._general.shutdown()

    def send(self, event: Response | Body | EndBody | Continue | StreamClosed) -> bytes:
        """Encode a part of a response. After `EndBody`, call `receive(b"")` for what was pipelined.

        A response that breaks its own framing (a body that is not as long as its head said) ends the connection: the
        client must not take it for whole.
        """
        if self._plain is None:
            return self._general.send(event)
        try:
            return self._send_plain(self._plain, event)
        except FramingError:
            self._finished = True
            return b""

    def _send_plain(self, plain: PlainExchange, event: Response | Body | EndBody | Continue | StreamClosed) -> bytes:
        if isinstance(event, Response):
            return plain.response(event, close=event.close or self._closing)
        if isinstance(event, Body):
            return plain.body(event.data)
        if isinstance(event, EndBody):
            last = plain.end()
            self._finished = plain.must_close
            self._end_if_over(plain)
            return last
        if isinstance(event, StreamClosed):
            self._finished = True
        return b""

    def _end_if_over(self, plain: PlainExchange) -> None:
        if plain.is_over and not self._finished:
            self._plain = None

    def _begin(self, data: bytes) -> list[HttpEvent]:
        """Read the head of the next request, if it is plain and whole."""
        if self._is_general and self._general.is_engaged:
            return self._read_generally(data)
        self._is_general = False
        if self._waiting:
            data, self._waiting = self._waiting + data, b""
        if not data:
            return []
        if self._is_foreign is not None and data.partition(b" ")[2][:7].lower() == b"http://":
            line, ended, _ = data.partition(b"\r\n")
            if not ended and len(data) < HEAD_BYTES_MAX:
                self._waiting = data
                return []
            if self._is_foreign(line):
                self._waiting = data
                self._stream_id += 1
                return [Foreign(self._stream_id)]
        head = parse_head(data)
        if head is None:
            return self._read_generally(data)
        self._stream_id += 1
        self._progress += 1
        self._plain = PlainExchange(head)
        request = Request(self._stream_id, head.method, head.target, head.headers, b"1.1", head.sent_names)
        return [request, *self._go_on(self._plain, data[head.end :])]

    def _go_on(self, plain: PlainExchange, data: bytes) -> list[HttpEvent]:
        """Read on in the body of a request; what follows it waits for the response, or is the next request."""
        events: list[HttpEvent] = []
        if data and plain.left_to_read:
            piece, data = data[: plain.left_to_read], data[plain.left_to_read :]
            plain.left_to_read -= len(piece)
            self._progress += 1
            events.append(Body(self._stream_id, piece))
        if not plain.left_to_read:
            self._progress += 1
            events.append(EndBody(self._stream_id))
            self._waiting = data
            self._end_if_over(plain)
            if self._plain is None:
                events += self._begin(b"")
        return events

    def _read_generally(self, data: bytes) -> list[HttpEvent]:
        self._is_general = True
        self._general.stream_id = self._stream_id
        events = self._general.receive(data)
        if self._eof:
            events += self._general.receive_eof()
        self._stream_id = self._general.stream_id
        return events


def has_body(method: bytes, status: int) -> bool:
    """Whether a response to `method` with `status` carries a body (RFC 9110, section 6.4.1)."""
    return method != b"HEAD" and status not in NO_BODY_STATUS and status >= 200
