"""The neutral HTTP vocabulary: what HTTP/1.1, HTTP/2 and WebSocket upgrades look like from above.

A core (`http1.Http1Connection`, later `http2`) turns bytes into `Request`, `Body`, `EndBody`, `StreamClosed` and
`PeerError`, and turns `Response`, `Body`, `EndBody` into bytes. `stream_id` is 1, 2, 3 ... on HTTP/1.1 (one
exchange after the other) and the stream's number on HTTP/2. Header names are lower-case.
"""

from __future__ import annotations

from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Request:
    """The head of a request."""

    stream_id: int
    method: bytes
    target: bytes
    """As sent: origin form with its query, absolute form, `*`, or an authority for CONNECT."""
    headers: Headers
    http_version: bytes = b"1.1"
    sent_names: tuple[bytes, ...] = ()
    """The names of `headers` as sent, where the protocol keeps their case; empty where it has only lower case."""


@dataclass(slots=True)
class Response:
    """The head of a response. Framing headers (content-length) are the sender's to give."""

    stream_id: int
    status: int
    headers: Headers
    close: bool = False
    """This is the connection's last response, where the protocol has a word for that (HTTP/1.1)."""


@dataclass(slots=True)
class Continue:
    """Tell a client that sent `Expect: 100-continue` to go on; nothing where it is not waiting."""

    stream_id: int


@dataclass(slots=True)
class Body:
    """A piece of a body, in either direction."""

    stream_id: int
    data: bytes


@dataclass(slots=True)
class EndBody:
    """The message is complete, in either direction."""

    stream_id: int


@dataclass(slots=True)
class StreamClosed:
    """This exchange ends without being complete: the peer gave it up, or, when sent, this side does."""

    stream_id: int


@dataclass(slots=True)
class PeerError:
    """The peer broke the protocol. Answer `status` where an answer is still possible, then close."""

    stream_id: int
    status: int
    reason: str


@dataclass(slots=True)
class Foreign:
    """A request in absolute form for another host has begun: its bytes are unread, for who forwards them (HTTP/1.1)."""

    stream_id: int


@dataclass(slots=True)
class Writable:
    """The peer takes more of this exchange's response again, after it had taken none (HTTP/2)."""

    stream_id: int


HttpEvent = Request | Body | EndBody | StreamClosed | PeerError | Foreign | Writable
