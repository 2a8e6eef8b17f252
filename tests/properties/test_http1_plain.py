"""The plain reader of HTTP/1.1 against h11: the same requests, replies and endings from any bytes, cut anywhere."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure_protocols.events import Body, EndBody, HttpEvent, PeerError, Request, Response, StreamClosed
from localzure_protocols.http1 import Http1Connection
from localzure_protocols.http1_general import GeneralHttp1
from localzure_protocols.http1_plain import KNOWN_LINES_MAX, known_lines, parse_head

if TYPE_CHECKING:
    from collections.abc import Iterable


class Core(Protocol):
    """What both have."""

    @property
    def is_finished(self) -> bool: ...
    @property
    def is_blocked(self) -> bool: ...
    @property
    def awaits_peer(self) -> bool: ...
    def receive(self, data: bytes) -> list[HttpEvent]: ...
    def receive_eof(self) -> list[HttpEvent]: ...
    def send(self, event: Response | Body | EndBody) -> bytes: ...


LINES = [
    b"Host: x:1",
    b"host:x",
    b"Content-Length: 5",
    b"Content-Length: 05",
    b"Content-Length: 5, 5",
    b"Content-Length: -1",
    b"Content-Length: 9999999999999999999999",
    b"content-length:  2 \t",
    b"Transfer-Encoding: chunked",
    b"Connection: keep-alive",
    b"Connection: Close",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"X-Empty:",
    b"X-Two:  a \t b  ",
    b"x-ms-meta-Name: caf\xe9",
    b"X-Folded: a\r\n b",
    b"X Y: 1",
    b"X : 1",
    b"no colon",
    b": no name",
    b"X-Nul: a\x00b",
    b"X-Bell: a\x07b",
    b"X-Del: a\x7fb",
    b"X-Lf: a\nX-Smuggled: b",
    b"X-Cr: a\rb",
    b"Authorization: SharedKey a:b=",
]
FIRSTS = [
    b"GET / HTTP/1.1",
    b"PUT /a%20b?comp=block HTTP/1.1",
    b"HEAD /c HTTP/1.1",
    b"MERGE /t(PartitionKey='a') HTTP/1.1",
    b"get / HTTP/1.1",
    b"TRACE / HTTP/1.1",
    b"GET  / HTTP/1.1",
    b"GET / HTTP/1.0",
    b"GET / HTTP/1.2",
    b"GET http://h/a HTTP/1.1",
    b"GET * HTTP/1.1",
    b"GET /\xe9 HTTP/1.1",
    b"GET /",
    b"",
]
BODIES = [b"", b"hello", b"he", b"5\r\nhello\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"\x00"]

heads = st.builds(
    lambda first, lines, body: b"\r\n".join([first, *lines]) + b"\r\n\r\n" + body,
    st.sampled_from(FIRSTS[:4]) | st.sampled_from(FIRSTS),
    st.lists(st.sampled_from(LINES[:3]) | st.sampled_from(LINES), max_size=5).map(lambda lines: [LINES[0], *lines])
    | st.lists(st.sampled_from(LINES), max_size=5),
    st.sampled_from(BODIES),
)
wires = st.lists(heads | st.binary(max_size=8), min_size=1, max_size=4).map(b"".join)


def _joined(events: Iterable[HttpEvent]) -> list[HttpEvent]:
    joined: list[HttpEvent] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Body) and isinstance(last, Body):
            joined[-1] = Body(last.stream_id, last.data + event.data)
        elif isinstance(event, PeerError):
            joined.append(PeerError(event.stream_id, event.status, ""))
        else:
            joined.append(event)
    return joined


def _run(core: Core, pieces: list[bytes], *, early: bool, late: int, eof: bool) -> tuple[list[HttpEvent], bytes, bool]:
    """Feed the pieces; answer each request at its head, or at its end (or `late` pieces after)."""
    seen: list[HttpEvent] = []
    sent = b""
    owed: list[tuple[int, int]] = []

    def answer(stream_id: int) -> None:
        nonlocal sent
        sent += core.send(Response(stream_id, 200, [(b"content-length", b"2"), (b"etag", b'"1"')]))
        if not head_only.get(stream_id):
            sent += core.send(Body(stream_id, b"ok"))
        sent += core.send(EndBody(stream_id))

    head_only: dict[int, bool] = {}

    def take(events: list[HttpEvent], at: int) -> None:
        while events:
            seen.extend(events)
            for event in events:
                if isinstance(event, Request):
                    head_only[event.stream_id] = event.method == b"HEAD"
                if isinstance(event, (Request if early else EndBody, PeerError)):
                    owed.append((at + late, event.stream_id))
            due = [stream_id for when, stream_id in owed if when <= at]
            owed[:] = [entry for entry in owed if entry[0] > at]
            for stream_id in due:
                answer(stream_id)
            events = [] if core.is_blocked or core.is_finished else core.receive(b"")

    for at, piece in enumerate(pieces):
        take(core.receive(piece), at)
    if eof:
        take(core.receive_eof(), len(pieces))
    while owed:
        _, stream_id = owed.pop(0)
        answer(stream_id)
        take([] if core.is_blocked or core.is_finished else core.receive(b""), 10_000)
    return _joined(seen), sent.lower(), core.is_finished


@given(wire=wires, cuts=st.lists(st.integers(0, 400), max_size=3), late=st.integers(0, 2), eof=st.booleans())
def test_the_plain_reader_gives_what_h11_gives(wire: bytes, cuts: list[int], late: int, eof: bool) -> None:
    ends = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[start:end] for start, end in pairwise(ends)]
    assert _run(Http1Connection(), pieces, early=False, late=late, eof=eof) == _run(
        GeneralHttp1(), pieces, early=False, late=late, eof=eof
    )


@given(wire=wires, cuts=st.lists(st.integers(0, 400), max_size=3), eof=st.booleans())
def test_replies_that_come_before_the_body_are_the_same(wire: bytes, cuts: list[int], eof: bool) -> None:
    ends = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[start:end] for start, end in pairwise(ends)]
    assert _run(Http1Connection(), pieces, early=True, late=0, eof=eof) == _run(
        GeneralHttp1(), pieces, early=True, late=0, eof=eof
    )


def test_the_plain_case_is_taken() -> None:
    """Were everything declined, the comparison above would compare h11 with itself."""
    head = parse_head(b"PUT /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-A: \t b \r\n\r\nabc")
    assert head is not None
    assert head.headers == [(b"host", b"x"), (b"content-length", b"3"), (b"x-a", b"b")]
    assert (head.length, head.sent_names) == (3, (b"Host", b"Content-Length", b"X-A"))


def test_lines_are_remembered_within_bounds() -> None:
    for number in range(3 * KNOWN_LINES_MAX):
        assert parse_head(b"GET / HTTP/1.1\r\nHost: x\r\nx-n: %d\r\n\r\n" % number) is not None
    assert len(known_lines.fields) <= KNOWN_LINES_MAX


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"0"), (b"x", b"a\r\nset-cookie: b")],
        [(b"content-length", b"0"), (b"x", b"a\nb")],
        [(b"content-length", b"0"), (b"x", b"a\rb")],
        [(b"content-length", b"0"), (b"x", b"a\x00b")],
        [(b"x", b"no length\r\n")],
    ],
)
def test_a_head_that_would_break_its_frame_is_not_sent(headers: list[tuple[bytes, bytes]]) -> None:
    core = Http1Connection()
    core.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert core.send(Response(1, 200, headers)) == b""
    assert core.is_finished


def test_a_body_of_another_length_than_promised_ends_the_connection() -> None:
    for body in (b"abcd", b"ab"):
        core = Http1Connection()
        core.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        core.send(Response(1, 200, [(b"content-length", b"3")]))
        core.send(Body(1, body))
        core.send(EndBody(1))
        assert core.is_finished


def test_an_exchange_that_is_given_up_ends_the_connection() -> None:
    core = Http1Connection()
    core.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert core.send(StreamClosed(1)) == b""
    assert core.is_finished


def test_a_body_without_a_length_is_chunked() -> None:
    core = Http1Connection()
    core.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    head = core.send(Response(1, 200, [(b"x", b"y")]))
    assert head == b"HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n"
    assert core.send(Body(1, b"")) == b""
    assert core.send(Body(1, b"ten bytes.")) == b"a\r\nten bytes.\r\n"
    assert core.send(EndBody(1)) == b"0\r\n\r\n"
    assert not core.is_finished
    assert core.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
