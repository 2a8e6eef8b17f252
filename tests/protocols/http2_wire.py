"""An HTTP/2 client made of frames, legal and illegal, and the frames in what a server sent."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from localzure_protocols.events import Body, EndBody, Response
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.sniff import HTTP2_PREFACE

if TYPE_CHECKING:
    from localzure_protocols.events import Headers, HttpEvent

HELLO = HTTP2_PREFACE + SettingsFrame(0).serialize()

GET: Headers = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost:10000"), (b":path", b"/a?b")]
PUT: Headers = [(b":method", b"PUT"), *GET[1:]]


def raw(kind: int, flags: int, stream_id: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """A frame whose head says what it is told to."""
    claimed = len(payload) if length is None else length
    return struct.pack("!BHBBI", claimed >> 16, claimed & 0xFFFF, kind, flags, stream_id) + payload


def block(fields: Headers) -> bytes:
    """A header block that leaves the compression table alone, so that it means the same anywhere."""
    return bytes(Encoder().encode([(name, value, True) for name, value in fields], huffman=False))


def head(stream_id: int, fields: Headers = GET, *flags: str, end: bool = True) -> bytes:
    """A request's HEADERS frame; the last of the request unless told otherwise."""
    names = {"END_HEADERS", *flags} | ({"END_STREAM"} if end else set())
    return HeadersFrame(stream_id, block(fields), flags=sorted(names)).serialize()


def open_block(stream_id: int, fields: Headers = GET) -> bytes:
    """A HEADERS frame that does not end its block."""
    return HeadersFrame(stream_id, block(fields), flags=["END_STREAM"]).serialize()


def continuation(stream_id: int, data: bytes = b"", *, end: bool = True) -> bytes:
    return ContinuationFrame(stream_id, data, flags=["END_HEADERS"] if end else []).serialize()


def body(stream_id: int, data: bytes = b"", *, end: bool = False, pad: int | None = None) -> bytes:
    flags = (["END_STREAM"] if end else []) + ([] if pad is None else ["PADDED"])
    return DataFrame(stream_id, data, pad_length=pad or 0, flags=flags).serialize()


def settings(values: dict[int, int]) -> bytes:
    return SettingsFrame(0, settings=values).serialize()


def window(stream_id: int, increment: int) -> bytes:
    return WindowUpdateFrame(stream_id, window_increment=increment).serialize()


def reset(stream_id: int, code: int = 8) -> bytes:
    return RstStreamFrame(stream_id, error_code=code).serialize()


def ping(data: bytes = b"12345678", *, ack: bool = False) -> bytes:
    return PingFrame(0, data, flags=["ACK"] if ack else []).serialize()


def priority(stream_id: int, depends_on: int = 0) -> bytes:
    return PriorityFrame(stream_id, depends_on=depends_on, stream_weight=1).serialize()


def goaway(code: int = 0) -> bytes:
    return GoAwayFrame(0, error_code=code).serialize()


def sent(data: bytes) -> list[Frame]:
    """Take apart what a server sent."""
    frames = []
    while data:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        assert len(data) >= 9 + length, "whole frames are sent"
        frame.parse_body(memoryview(data[9 : 9 + length]))
        frames.append(frame)
        data = data[9 + length :]
    return frames


def opened(hello: bytes = HELLO) -> Http2Connection:
    """A connection whose settings have been exchanged."""
    core = Http2Connection()
    assert core.receive(hello + SettingsFrame(0, flags=["ACK"]).serialize()) == []
    core.data_to_send()
    return core


def take(core: Http2Connection, data: bytes) -> tuple[list[HttpEvent], list[Frame]]:
    """Feed bytes; returns the events, and the frames that are sent for them."""
    events = core.receive(data)
    return events, sent(core.data_to_send())


def broken(frames: list[Frame]) -> int | None:
    """The error code of the GOAWAY among `frames`, which is the last of them; None where there is none."""
    codes = [frame.error_code for frame in frames if isinstance(frame, GoAwayFrame)]
    assert len(codes) <= 1
    assert not codes or isinstance(frames[-1], GoAwayFrame)
    return codes[0] if codes else None


def resets(frames: list[Frame]) -> list[tuple[int, int]]:
    """Stream and error code of each RST_STREAM."""
    return [(frame.stream_id, frame.error_code) for frame in frames if isinstance(frame, RstStreamFrame)]


def data_of(frames: list[Frame], stream_id: int = 1) -> bytes:
    """The body that a stream's DATA frames carry."""
    return b"".join(frame.data for frame in frames if isinstance(frame, DataFrame) and frame.stream_id == stream_id)


def ends(frames: list[Frame], stream_id: int = 1) -> bool:
    """Whether the stream's response has ended among `frames`."""
    return any("END_STREAM" in frame.flags for frame in frames if frame.stream_id == stream_id)


def reply(core: Http2Connection, stream_id: int, data: bytes, status: int = 200) -> list[Frame]:
    """Answer a request; returns the frames that are sent."""
    response = Response(stream_id, status, [(b"content-length", b"%d" % len(data))])
    return sent(core.send(response) + core.send(Body(stream_id, data)) + core.send(EndBody(stream_id)))
