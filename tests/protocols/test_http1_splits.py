"""HTTP/1.1 requests come out the same, whole or in any two pieces or byte by byte."""

from __future__ import annotations

import pytest

from localzure_protocols.events import (
    Body,
    Continue,
    EndBody,
    HttpEvent,
    PeerError,
    Request,
    Response,
    StreamClosed,
)
from localzure_protocols.http1 import HEAD_BYTES_MAX, Http1Connection, has_body

PLAIN = b"PUT /a%20b?comp=block HTTP/1.1\r\nHost: x:1\r\nContent-Length: 5\r\nX-Two: 1\r\nx-two: 2\r\n\r\nhello"
CHUNKED = b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
EMPTY = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def _joined(events: list[HttpEvent]) -> list[HttpEvent]:
    """Join neighbouring pieces of a body: how a body is cut is nobody's promise."""
    joined: list[HttpEvent] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Body) and isinstance(last, Body):
            joined[-1] = Body(last.stream_id, last.data + event.data)
        else:
            joined.append(event)
    return joined


@pytest.mark.parametrize("wire", [PLAIN, CHUNKED, EMPTY])
def test_every_split_gives_the_same_request(wire: bytes) -> None:
    whole = _joined(Http1Connection().receive(wire))
    assert isinstance(whole[0], Request)
    assert isinstance(whole[-1], EndBody)
    for cut in range(1, len(wire)):
        core = Http1Connection()
        assert _joined(core.receive(wire[:cut]) + core.receive(wire[cut:])) == whole
    core = Http1Connection()
    assert _joined([event for byte in wire for event in core.receive(bytes([byte]))]) == whole


def test_a_request_keeps_its_target_and_headers() -> None:
    request, body, end = Http1Connection().receive(PLAIN)
    assert isinstance(request, Request)
    assert (request.method, request.target) == (b"PUT", b"/a%20b?comp=block")
    assert request.headers == [(b"host", b"x:1"), (b"content-length", b"5"), (b"x-two", b"1"), (b"x-two", b"2")]
    assert (body, end) == (Body(1, b"hello"), EndBody(1))


def _reply(core: Http1Connection, stream_id: int, body: bytes = b"") -> bytes:
    head = Response(stream_id, 200, [(b"content-length", b"%d" % len(body))])
    return core.send(head) + core.send(Body(stream_id, body)) + core.send(EndBody(stream_id))


def test_pipelined_requests_wait_for_the_reply_before_them() -> None:
    core = Http1Connection()
    first = core.receive(EMPTY + PLAIN)
    assert [type(event) for event in first] == [Request, EndBody]
    assert core.is_blocked
    assert core.receive(b"") == []
    assert _reply(core, 1, b"ok") == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    assert not core.is_blocked
    second = core.receive(b"")
    assert [type(event) for event in second] == [Request, Body, EndBody]
    assert second[0].stream_id == 2


def test_a_reply_may_come_before_the_request_has_ended() -> None:
    core = Http1Connection()
    core.receive(PLAIN[:-2])
    _reply(core, 1)
    assert not core.is_finished
    assert [type(event) for event in core.receive(PLAIN[-2:] + EMPTY)] == [Body, EndBody, Request, EndBody]


def test_expect_continue_is_answered_only_when_asked() -> None:
    core = Http1Connection()
    core.receive(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    assert core.send(Continue(1)).startswith(b"HTTP/1.1 100 ")
    assert core.send(Continue(1)) == b""


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET /" + b"a" * HEAD_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r", 431),
    ],
)
def test_a_broken_head_is_answered_and_ends_the_connection(wire: bytes, status: int) -> None:
    core = Http1Connection()
    (event,) = core.receive(wire)
    assert isinstance(event, PeerError)
    assert event.status == status
    assert not core.is_finished
    assert core.send(Response(event.stream_id, status, [(b"content-length", b"0")])).startswith(b"HTTP/1.1 %d" % status)
    core.send(EndBody(event.stream_id))
    assert core.is_finished
    assert core.receive(EMPTY) == []


def test_a_connection_that_ends_inside_a_body_closes_the_stream() -> None:
    core = Http1Connection()
    core.receive(PLAIN[:-1])
    assert core.receive_eof() == [StreamClosed(1)]
    assert core.is_finished


def test_a_half_closed_client_still_gets_its_reply() -> None:
    core = Http1Connection()
    core.receive(EMPTY)
    assert core.receive_eof() == []
    assert not core.is_finished
    assert _reply(core, 1, b"late").endswith(b"late")
    core.receive(b"")
    assert core.is_finished


def test_http_1_0_closes_after_its_reply() -> None:
    core = Http1Connection()
    core.receive(b"GET / HTTP/1.0\r\n\r\n")
    assert b"connection: close" in _reply(core, 1).lower()
    assert core.is_finished


def test_what_carries_a_body() -> None:
    assert has_body(b"GET", 200)
    assert has_body(b"PUT", 404)
    assert not has_body(b"HEAD", 200)
    assert not has_body(b"GET", 204)
    assert not has_body(b"GET", 304)
