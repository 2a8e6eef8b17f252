"""The frames that a server must refuse: the cases of h2spec, and with which error code (RFC 9113, RFC 7541)."""

from __future__ import annotations

from typing import TypedDict

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame, PingFrame, SettingsFrame

from localzure_protocols.events import EndBody, Headers, Request, StreamClosed
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.http2.connection import REASON_BYTES_MAX
from localzure_protocols.sniff import HTTP2_PREFACE
from tests.protocols.http2_wire import (
    GET,
    HELLO,
    PUT,
    block,
    body,
    broken,
    continuation,
    goaway,
    head,
    open_block,
    opened,
    ping,
    priority,
    raw,
    reset,
    resets,
    settings,
    take,
    window,
)

PROTOCOL, FLOW, CLOSED, SIZE, COMPRESSION, CALM = (
    ErrorCodes.PROTOCOL_ERROR,
    ErrorCodes.FLOW_CONTROL_ERROR,
    ErrorCodes.STREAM_CLOSED,
    ErrorCodes.FRAME_SIZE_ERROR,
    ErrorCodes.COMPRESSION_ERROR,
    ErrorCodes.ENHANCE_YOUR_CALM,
)
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
MOST = 2**31 - 1

PROMISED: Headers = [*PUT, (b"content-length", b"2")]
WEBSOCKET: Headers = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]


class _Rows(TypedDict):
    argvalues: list[tuple[bytes, ErrorCodes]]
    ids: list[str]


def _rows(table: list[tuple[str, bytes, ErrorCodes]]) -> _Rows:
    return _Rows(argvalues=[row[1:] for row in table], ids=[row[0] for row in table])


BREAKS_THE_CONNECTION = [
    ("4.2 DATA longer than allowed", head(1, PUT, end=False) + raw(DATA, 0, 1, length=16385), SIZE),
    ("4.2 HEADERS longer than allowed", raw(HEADERS, 4, 1, length=16385), SIZE),
    ("4.2 unknown frame longer than allowed", raw(0x16, 0, 0, length=1 << 23), SIZE),
    ("4.3 header block that is none", raw(HEADERS, 5, 1, b"\x40\x01"), COMPRESSION),
    ("4.3 PRIORITY inside a header block", open_block(1) + priority(1), PROTOCOL),
    ("4.3 HEADERS of another stream inside a header block", open_block(1) + head(3), PROTOCOL),
    ("4.3 DATA inside a header block", open_block(1) + body(1), PROTOCOL),
    ("5.1 DATA on an idle stream", body(1, b"x", end=True), PROTOCOL),
    ("5.1 RST_STREAM on an idle stream", reset(1), PROTOCOL),
    ("5.1 RST_STREAM on a server's stream", head(1) + reset(2), PROTOCOL),
    ("5.1 WINDOW_UPDATE on an idle stream", window(1, 100), PROTOCOL),
    ("5.1 WINDOW_UPDATE on a server's stream", window(2, 100), PROTOCOL),
    ("5.1 CONTINUATION on an idle stream", continuation(1, block(GET)), PROTOCOL),
    ("5.1 CONTINUATION on a half-closed stream", head(1) + continuation(1), PROTOCOL),
    ("5.1.1 even stream identifier", head(2), PROTOCOL),
    ("5.1.1 stream identifier that goes back", head(5) + head(3), PROTOCOL),
    ("5.3.1 HEADERS that depend on themselves", raw(HEADERS, 0x25, 1, b"\0\0\0\1\1" + block(GET)), PROTOCOL),
    ("5.3.1 PRIORITY that depends on itself", priority(1, 1), PROTOCOL),
    ("5.5 unknown frame inside a header block", open_block(1) + raw(0x16, 0, 0), PROTOCOL),
    ("6.1 DATA on stream 0", raw(DATA, 1, 0, b"x"), PROTOCOL),
    ("6.1 DATA with more padding than payload", head(1, PUT, end=False) + raw(DATA, 8, 1, b"\x06test"), PROTOCOL),
    ("6.2 HEADERS on stream 0", raw(HEADERS, 5, 0, block(GET)), PROTOCOL),
    ("6.2 HEADERS with more padding than payload", raw(HEADERS, 0xD, 1, b"\xff" + block(GET)), PROTOCOL),
    ("6.3 PRIORITY on stream 0", raw(PRIORITY, 0, 0, b"\0\0\0\0\1"), PROTOCOL),
    ("6.3 PRIORITY of 4 bytes", raw(PRIORITY, 0, 1, b"\0\0\0\1"), SIZE),
    ("6.4 RST_STREAM on stream 0", raw(RST_STREAM, 0, 0, b"\0\0\0\0"), PROTOCOL),
    ("6.4 RST_STREAM of 3 bytes", head(1, end=False) + raw(RST_STREAM, 0, 1, b"\0\0\0"), SIZE),
    ("6.5 SETTINGS with ACK and payload", raw(SETTINGS, 1, 0, b"\0\1\0\0\0\0"), SIZE),
    ("6.5 SETTINGS on a stream", raw(SETTINGS, 0, 1), PROTOCOL),
    ("6.5 SETTINGS of 3 bytes", raw(SETTINGS, 0, 0, b"\0\3\0"), SIZE),
    ("6.5.2 ENABLE_PUSH of 2", settings({2: 2}), PROTOCOL),
    ("6.5.2 INITIAL_WINDOW_SIZE above the most", settings({4: 2**31}), FLOW),
    ("6.5.2 MAX_FRAME_SIZE below the least", settings({5: 16383}), PROTOCOL),
    ("6.5.2 MAX_FRAME_SIZE above the most", settings({5: 2**24}), PROTOCOL),
    ("6.6 PUSH_PROMISE from a client", head(1) + raw(PUSH_PROMISE, 4, 1, b"\0\0\0\3" + block(GET)), PROTOCOL),
    ("6.6 PUSH_PROMISE that does not end", raw(PUSH_PROMISE, 0, 1, b"\0\0\0\3"), PROTOCOL),
    ("6.7 PING on a stream", raw(PING, 0, 1, b"12345678"), PROTOCOL),
    ("6.7 PING of 6 bytes", raw(PING, 0, 0, b"123456"), SIZE),
    ("6.8 GOAWAY on a stream", raw(GOAWAY, 0, 1, b"\0\0\0\0\0\0\0\0"), PROTOCOL),
    ("6.8 GOAWAY of 7 bytes", raw(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0"), SIZE),
    ("6.9 WINDOW_UPDATE of 0", raw(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), PROTOCOL),
    ("6.9 WINDOW_UPDATE of 0 on a stream", head(1) + raw(WINDOW_UPDATE, 0, 1, b"\0\0\0\0"), PROTOCOL),
    ("6.9 WINDOW_UPDATE of 3 bytes", raw(WINDOW_UPDATE, 0, 0, b"\0\0\1"), SIZE),
    ("6.9.1 window above the most", window(0, MOST) + window(0, MOST), FLOW),
    ("6.9.2 INITIAL_WINDOW_SIZE too large by far", head(1) + window(1, MOST - 65535) + settings({4: 65536}), FLOW),
    ("6.10 CONTINUATION, then a frame that is none", open_block(1) + continuation(1, end=False) + body(1), PROTOCOL),
    ("6.10 CONTINUATION on stream 0", open_block(1) + raw(CONTINUATION, 4, 0), PROTOCOL),
    ("6.10 CONTINUATION after a block's end", open_block(1) + continuation(1) + continuation(1), PROTOCOL),
    ("6.10 CONTINUATION after DATA", head(1, PUT, end=False) + body(1, b"x") + continuation(1), PROTOCOL),
    ("8.1 second HEADERS without END_STREAM", head(1, PUT, end=False) + head(1, [], end=False), PROTOCOL),
    ("8.1.1 less body than was promised", head(1, PROMISED, end=False) + body(1, b"x", end=True), PROTOCOL),
    ("8.1.1 more body than was promised", head(1, PROMISED, end=False) + body(1, b"xyz"), PROTOCOL),
    ("8.1.1 no body where one was promised", head(1, PROMISED, end=False) + body(1, end=True), PROTOCOL),
    ("8.1.1 content-length that is no number", head(1, [*PUT, (b"content-length", b"-1")], end=False), PROTOCOL),
    ("hpack 2.3.3 index beyond the tables", raw(HEADERS, 5, 1, b"\xff\x00"), COMPRESSION),
    ("hpack 4.2 table size update at the end", raw(HEADERS, 5, 1, block(GET) + b"\x21"), COMPRESSION),
    ("hpack 5.2 Huffman padding above 7 bits", raw(HEADERS, 5, 1, block(GET) + b"\x00\x01a\x82\x1f\xff"), COMPRESSION),
    ("hpack 5.2 Huffman padding of zeros", raw(HEADERS, 5, 1, block(GET) + b"\x00\x01a\x81\x18"), COMPRESSION),
    ("hpack 5.2 Huffman end of string", raw(HEADERS, 5, 1, block(GET) + b"\x00\x01a\x84\xff\xff\xff\xff"), COMPRESSION),
    ("hpack 6.1 index 0", raw(HEADERS, 5, 1, block(GET) + b"\x80"), COMPRESSION),
    ("hpack 6.3 table size update too large", raw(HEADERS, 5, 1, b"\x3f\xe2\x1f" + block(GET)), COMPRESSION),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "code"), **_rows(BREAKS_THE_CONNECTION))
def test_breaks_the_connection(wire: bytes, code: ErrorCodes) -> None:
    core = opened()
    events, frames = take(core, wire)
    assert broken(frames) == code
    assert core.is_finished
    assert core.failure
    assert isinstance(frames[-1], GoAwayFrame)
    assert frames[-1].additional_data.decode() == core.failure[:REASON_BYTES_MAX]
    assert core.open_exchanges == 0
    announced = [event.stream_id for event in events if isinstance(event, Request)]
    assert [event.stream_id for event in events if isinstance(event, StreamClosed)] == announced
    assert take(core, head(101)) == ([], [])


@pytest.mark.parametrize(("wire", "code"), **_rows(BREAKS_THE_CONNECTION))
def test_breaks_the_connection_the_same_byte_by_byte(wire: bytes, code: ErrorCodes) -> None:
    whole, core = opened(), opened()
    events = [event for byte in wire for event in core.receive(bytes([byte]))]
    assert (events, core.data_to_send()) == (whole.receive(wire), whole.data_to_send())
    assert broken(take(opened(), wire)[1]) == code


BREAKS_A_STREAM = [
    ("5.1 DATA on a half-closed stream", head(1) + body(1, b"x"), CLOSED),
    ("5.1 HEADERS on a half-closed stream", head(1) + head(1), CLOSED),
    ("6.9.1 a stream's window above the most", head(1) + window(1, MOST), FLOW),
    ("8.2 upper-case field name", head(1, [*GET, (b"X-TEST", b"ok")]), PROTOCOL),
    ("8.2 field name with a space", head(1, [*GET, (b"x test", b"ok")]), PROTOCOL),
    ("8.2 empty field name", head(1, [*GET, (b"", b"ok")]), PROTOCOL),
    ("8.2 field value with a line break", head(1, [*GET, (b"x", b"a\r\nb: c")]), PROTOCOL),
    ("8.2 field value with a null", head(1, [*GET, (b"x", b"\0")]), PROTOCOL),
    ("8.2 field value that starts with a space", head(1, [*GET, (b"x", b" a")]), PROTOCOL),
    ("8.2.2 connection-specific field", head(1, [*GET, (b"connection", b"keep-alive")]), PROTOCOL),
    ("8.2.2 transfer-encoding", head(1, [*GET, (b"transfer-encoding", b"chunked")]), PROTOCOL),
    ("8.2.2 te that says more than trailers", head(1, [*GET, (b"te", b"trailers, deflate")]), PROTOCOL),
    ("8.3 unknown pseudo-header field", head(1, [*GET, (b":test", b"ok")]), PROTOCOL),
    ("8.3 pseudo-header field of a response", head(1, [*GET, (b":status", b"200")]), PROTOCOL),
    ("8.3 pseudo-header field after a regular one", head(1, [(b"x", b"y"), *GET]), PROTOCOL),
    ("8.3 pseudo-header field in trailers", head(1, PUT, end=False) + head(1, [(b":method", b"GET")]), PROTOCOL),
    ("8.1 bad field in trailers", head(1, PUT, end=False) + head(1, [(b"X", b"y")]), PROTOCOL),
    ("8.3.1 empty :path", head(1, [*GET[:3], (b":path", b"")]), PROTOCOL),
    ("8.3.1 :path without a slash", head(1, [*GET[:3], (b":path", b"a")]), PROTOCOL),
    ("8.3.1 :path with a space", head(1, [*GET[:3], (b":path", b"/a b")]), PROTOCOL),
    ("8.3.1 no :method", head(1, GET[1:]), PROTOCOL),
    ("8.3.1 no :scheme", head(1, [GET[0], *GET[2:]]), PROTOCOL),
    ("8.3.1 no :path", head(1, GET[:3]), PROTOCOL),
    ("8.3.1 no :authority", head(1, [*GET[:2], GET[3]]), PROTOCOL),
    ("8.3.1 two :method", head(1, [GET[0], *GET]), PROTOCOL),
    ("8.3.1 two :scheme", head(1, [GET[1], *GET]), PROTOCOL),
    ("8.3.1 two :path", head(1, [GET[3], *GET]), PROTOCOL),
    ("8.3.1 host that differs from :authority", head(1, [*GET, (b"host", b"other")]), PROTOCOL),
    ("8.5 CONNECT with a :path", head(1, [(b":method", b"CONNECT"), *GET[1:]]), PROTOCOL),
    ("8.5 extended CONNECT, which was not offered", head(1, WEBSOCKET), PROTOCOL),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "code"), **_rows(BREAKS_A_STREAM))
def test_breaks_a_stream_and_leaves_the_others_alone(wire: bytes, code: ErrorCodes) -> None:
    core = opened()
    events, frames = take(core, wire)
    assert resets(frames) == [(1, code)]
    assert core.open_exchanges == 0
    announced = [event.stream_id for event in events if isinstance(event, Request)]
    assert [event.stream_id for event in events if isinstance(event, StreamClosed)] == announced
    events, _ = take(core, head(3))
    assert [type(event) for event in events] == [Request, EndBody]
    assert not core.is_finished


IS_TAKEN = [
    ("4.1 unknown frame", raw(0x16, 0, 0, b"12345678")),
    ("4.1 undefined flags", raw(PING, 0x16, 0, b"12345678")),
    ("4.1 reserved bit", raw(PING, 0, 1 << 31, b"12345678")),
    ("5.1 PRIORITY on an idle stream", priority(1)),
    ("5.1 PRIORITY of a dependency", priority(3, 1)),
    ("6.5 empty SETTINGS", settings({})),
    ("6.5.2 unknown setting", settings({0xFF: 1, 0x9: 2**32 - 1})),
    ("6.7 unasked PING with ACK", ping(ack=True)),
    ("6.9 WINDOW_UPDATE on the connection", window(0, MOST - 65535)),
    ("5.1 WINDOW_UPDATE on a half-closed stream", head(1, end=True) + window(1, 1)),
    ("5.1 RST_STREAM on a half-closed stream", head(1) + reset(1)),
    ("7 unknown error code in RST_STREAM", head(1) + reset(1, 0xFF)),
    ("5.1 PRIORITY on a closed stream", head(1) + reset(1) + priority(1)),
    ("5.1 WINDOW_UPDATE on a closed stream", head(1) + reset(1) + window(1, 5)),
    ("5.1 RST_STREAM on a closed stream", head(1) + reset(1) + reset(1)),
]


@pytest.mark.parametrize("wire", [row[1] for row in IS_TAKEN], ids=[row[0] for row in IS_TAKEN])
def test_is_taken(wire: bytes) -> None:
    core = opened()
    events, frames = take(core, wire + ping(b"still on") + head(5))
    assert isinstance(events[-1], EndBody)
    assert resets(frames) == []
    acks = [frame.opaque_data for frame in frames if isinstance(frame, PingFrame)]
    assert acks[-1] == b"still on"
    assert not core.is_finished


@pytest.mark.parametrize("trailing", [body(1, b"x"), head(1), body(1, end=True)])
def test_frames_on_a_stream_that_was_reset_are_answered_with_a_reset(trailing: bytes) -> None:
    core = opened()
    take(core, head(1, PUT, end=False) + reset(1))
    events, frames = take(core, trailing)
    assert events == []
    assert resets(frames) == [(1, CLOSED)]
    assert not core.is_finished


@pytest.mark.parametrize(
    "hello",
    [
        b"GET / HTTP/1.1\r\n",
        HTTP2_PREFACE[:-1] + b"x",
        HTTP2_PREFACE + ping(),
        HTTP2_PREFACE + head(1),
        HTTP2_PREFACE + SettingsFrame(0, flags=["ACK"]).serialize(),
        HTTP2_PREFACE + b"\xff" * 9,
    ],
)
def test_a_connection_that_starts_with_something_else_is_refused(hello: bytes) -> None:
    for parts in ([hello], [bytes([byte]) for byte in hello]):
        core = Http2Connection()
        assert [event for part in parts for event in core.receive(part)] == []
        assert core.is_finished
        _, frames = take(core, b"")
        assert broken(frames) in {PROTOCOL, SIZE}


def test_settings_are_told_and_acknowledged() -> None:
    core = Http2Connection()
    _, (ours, update) = take(core, b"")
    assert isinstance(ours, SettingsFrame)
    assert ours.settings[3] == 128
    assert ours.settings[4] == 256 * 1024
    assert ours.settings[6] == 64 * 1024
    assert ours.settings[2] == 0
    assert update.stream_id == 0
    _, (ack,) = take(core, HELLO)
    assert isinstance(ack, SettingsFrame)
    assert "ACK" in ack.flags


def test_unknown_error_codes_in_goaway_are_taken() -> None:
    core = opened()
    assert take(core, head(1) + goaway(0xFF))[0]
    assert not core.is_finished
