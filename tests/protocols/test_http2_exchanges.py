"""HTTP/2 requests and responses: what they look like from above, and how they and their connection end."""

from __future__ import annotations

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame

from localzure_protocols.events import (
    Body,
    Continue,
    EndBody,
    Headers,
    HttpEvent,
    PeerError,
    Request,
    Response,
    StreamClosed,
)
from localzure_protocols.http1 import HEAD_BYTES_MAX
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.http2.engine import STREAMS_MAX
from tests.protocols.http2_wire import (
    GET,
    HELLO,
    PUT,
    block,
    body,
    broken,
    continuation,
    data_of,
    ends,
    goaway,
    head,
    opened,
    ping,
    raw,
    reply,
    reset,
    resets,
    sent,
    settings,
    take,
    window,
)

HEAD: Headers = [(b":method", b"HEAD"), *GET[1:]]


# Requests.

FIELDS: Headers = [
    *PUT,
    (b"x-ms-version", b"2025-01-05"),
    (b"cookie", b"a=1"),
    (b"x-empty", b""),
    (b"cookie", b"b=2"),
    (b"content-length", b"10"),
]
STREAM = (
    HELLO
    + settings({3: 10, 0x4242: 7})
    + head(1, FIELDS, end=False)
    + body(1, b"hello", pad=20)
    + ping()
    + raw(0x77, 0xFF, 0, b"unknown")
    + HeadersFrame(3, block(GET)[:4], flags=["END_STREAM"]).serialize()
    + continuation(3, block(GET)[4:9], end=False)
    + continuation(3, block(GET)[9:])
    + body(1, b"world")
    + head(1, [(b"x-checksum", b"1")])
    + head(5, [(b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")])
)
EVENTS: list[HttpEvent] = [
    Request(
        1,
        b"PUT",
        b"/a?b",
        [
            (b"host", b"localhost:10000"),
            (b"x-ms-version", b"2025-01-05"),
            (b"x-empty", b""),
            (b"content-length", b"10"),
            (b"cookie", b"a=1; b=2"),
        ],
        b"2",
    ),
    Body(1, b"hello"),
    Request(3, b"GET", b"/a?b", [(b"host", b"localhost:10000")], b"2"),
    EndBody(3),
    Body(1, b"world"),
    EndBody(1),
    Request(5, b"OPTIONS", b"*", [(b"host", b"localhost:10000")], b"2"),
    EndBody(5),
]


def test_every_split_gives_the_same_requests() -> None:
    whole = Http2Connection()
    assert whole.receive(STREAM) == EVENTS
    output = whole.data_to_send()
    for cut in range(1, len(STREAM)):
        core = Http2Connection()
        assert core.receive(STREAM[:cut]) + core.receive(STREAM[cut:]) == EVENTS
        assert core.data_to_send() == output
    core = Http2Connection()
    assert [event for byte in STREAM for event in core.receive(bytes([byte]))] == EVENTS


def test_a_host_header_stands_for_the_authority() -> None:
    without: Headers = [*GET[:2], GET[3]]
    (request, _), _ = take(opened(), head(1, [*without, (b"host", b"a")]))
    assert request == Request(1, b"GET", b"/a?b", [(b"host", b"a")], b"2")
    (request, _), _ = take(opened(), head(1, [*without, (b":authority", b"A"), (b"x", b"y"), (b"host", b"a")]))
    assert request == Request(1, b"GET", b"/a?b", [(b"x", b"y"), (b"host", b"a")], b"2")


def test_connect_has_an_authority_for_a_target() -> None:
    (request, _), _ = take(opened(), head(1, [(b":method", b"CONNECT"), (b":authority", b"host:1")]))
    assert request == Request(1, b"CONNECT", b"host:1", [(b"host", b"host:1")], b"2")


def test_a_header_list_that_is_too_long_is_answered_on_its_stream() -> None:
    core = opened()
    value = b"x" * 1000
    fields: Headers = [*PUT, *[(b"x-%d" % number, value) for number in range(HEAD_BYTES_MAX // 1000)]]
    data = block(fields)
    wire = HeadersFrame(1, data[:16384], flags=[]).serialize()
    wire += b"".join(continuation(1, data[at : at + 16384], end=False) for at in range(16384, len(data), 16384))
    events, frames = take(core, wire + continuation(1) + body(1, b"dropped", end=True) + head(3))
    error = events[0]
    assert isinstance(error, PeerError)
    assert (error.stream_id, error.status) == (1, 431)
    assert [type(event) for event in events[1:]] == [Request, EndBody]
    assert broken(frames) is None
    assert ends(reply(core, 1, b"too long", 431))
    assert core.open_exchanges == 1


# Responses, seen by a real client.


class Client:
    """h2's own client side, joined to a server's core."""

    def __init__(self) -> None:
        self.server = Http2Connection()
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.h2.initiate_connection()
        self.exchange()
        self.exchange()

    def exchange(self) -> tuple[list[HttpEvent], list[Event]]:
        """Carry bytes both ways once."""
        events = self.server.receive(self.h2.data_to_send())
        return events, self.h2.receive_data(self.server.data_to_send())


def test_a_client_gets_a_response_in_frames() -> None:
    client = Client()
    client.h2.send_headers(1, GET, end_stream=True)
    client.exchange()
    data = bytes(range(256)) * 100
    headers: Headers = [(b"Content-Length", b"%d" % len(data)), (b"ETag", b'"1"'), (b"Connection", b"close")]
    output = client.server.send(Response(1, 206, headers)) + client.server.send(Body(1, data))
    events = client.h2.receive_data(output)
    assert isinstance(events[0], ResponseReceived)
    assert events[0].headers == [(b":status", b"206"), (b"content-length", b"25600"), (b"etag", b'"1"')]
    assert b"".join(event.data or b"" for event in events if isinstance(event, DataReceived)) == data
    assert isinstance(events[-1], StreamEnded)
    assert client.server.send(EndBody(1)) == b""
    assert client.server.open_exchanges == 0


def test_responses_of_unknown_length_end_when_told() -> None:
    core = opened()
    take(core, head(1))
    frames = sent(core.send(Response(1, 200, [])) + core.send(Body(1, b"a")) + core.send(Body(1, b"b")))
    assert (data_of(frames), ends(frames)) == (b"ab", False)
    assert ends(sent(core.send(EndBody(1))))
    assert core.open_exchanges == 0


@pytest.mark.parametrize(("fields", "status", "length"), [(HEAD, 200, 5), (GET, 204, 0), (GET, 304, 5), (GET, 200, 0)])
def test_responses_without_a_body_end_with_their_head(fields: Headers, status: int, length: int) -> None:
    core = opened()
    take(core, head(1, fields))
    (frame,) = sent(core.send(Response(1, status, [(b"content-length", b"%d" % length)])))
    assert isinstance(frame, HeadersFrame)
    assert "END_STREAM" in frame.flags
    assert core.send(EndBody(1)) == b""
    assert core.send(Body(1, b"stray")) == b""


@pytest.mark.parametrize(
    "response",
    [
        [Response(1, 200, [(b"content-length", b"3")]), Body(1, b"ab"), EndBody(1)],
        [Response(1, 200, [(b"content-length", b"3")]), Body(1, b"abcd")],
        [Response(1, 200, [(b"content-length", b"three")])],
        [Response(1, 200, [(b"x", b"a\r\nb")])],
        [Response(1, 200, [(b"x y", b"a")])],
        [Response(1, 200, []), Response(1, 200, [])],
        [Body(1, b"headless")],
        [EndBody(1)],
        [Response(1, 200, [(b"content-length", b"3")]), StreamClosed(1)],
    ],
)
def test_a_response_that_breaks_its_own_framing_resets_its_stream(
    response: list[Response | Body | EndBody | StreamClosed],
) -> None:
    core = opened()
    take(core, head(1) + head(3))
    frames = sent(b"".join(core.send(part) for part in response))
    assert resets(frames) == [(1, ErrorCodes.INTERNAL_ERROR)]
    assert not ends(frames)
    assert core.room(1) == 0
    assert core.send(Body(1, b"more")) == b""
    assert ends(reply(core, 3, b"fine"), 3)


def test_a_response_of_unknown_length_ends_after_what_waits() -> None:
    core = opened()
    take(core, settings({4: 0}) + head(1))
    core.send(Response(1, 200, []))
    for part in (b"", b"stalled", b""):
        core.send(Body(1, part))
    assert core.send(EndBody(1)) == b""
    assert core.room(1) == 0
    events, frames = take(core, window(1, 100))
    assert (events, data_of(frames), ends(frames)) == ([], b"stalled", True)
    assert core.open_exchanges == 0


def test_the_rest_of_a_request_that_was_refused_is_dropped() -> None:
    core = opened()
    core.shutdown()
    core.data_to_send()
    wire = head(1, PUT, end=False) + body(1, b"x") + head(1, [(b"x-trailer", b"1")])
    events, frames = take(core, wire)
    assert events == []
    assert resets(frames)[0] == (1, ErrorCodes.REFUSED_STREAM)
    assert broken(frames) is None


def test_a_response_that_is_given_whole_can_still_be_abandoned() -> None:
    core = opened()
    take(core, settings({4: 0}) + head(1))
    reply(core, 1, b"stalled")
    assert resets(sent(core.send(StreamClosed(1)))) == [(1, ErrorCodes.INTERNAL_ERROR)]
    assert core.open_exchanges == 0


def test_continue_is_told_once_and_only_to_who_waits() -> None:
    client = Client()
    client.h2.send_headers(1, [*PUT, (b"expect", b"100-continue")])
    client.h2.send_headers(3, PUT)
    client.exchange()
    output = client.server.send(Continue(1)) + client.server.send(Continue(1)) + client.server.send(Continue(3))
    (event,) = client.h2.receive_data(output)
    assert isinstance(event, InformationalResponseReceived)
    assert event.headers == [(b":status", b"100")]
    client.h2.send_data(1, b"x", end_stream=True)
    client.exchange()
    assert client.server.send(Continue(1)) == b""
    assert ends(reply(client.server, 1, b"ok"))


def test_continue_comes_too_late_after_the_body_or_the_head() -> None:
    core = opened()
    fields: Headers = [*PUT, (b"expect", b"100-continue")]
    take(core, head(1, fields, end=False) + body(1, b"x") + head(3, fields, end=False) + head(5, fields))
    assert core.send(Continue(1)) == b""
    core.send(Response(3, 417, []))
    assert core.send(Continue(3)) == b""
    assert core.send(Continue(5)) == b""


def test_a_reply_may_come_before_the_request_has_ended() -> None:
    core = opened()
    take(core, head(1, PUT, end=False))
    assert ends(reply(core, 1, b"no", 403))
    assert core.open_exchanges == 1
    events, frames = take(core, body(1, b"rest") + body(1, end=True))
    assert events == [Body(1, b"rest"), EndBody(1)]
    assert frames == []
    assert core.open_exchanges == 0


def test_exchanges_are_concurrent() -> None:
    core = opened()
    take(core, head(1) + head(3) + head(5))
    assert not core.is_blocked
    assert [frame.stream_id for frame in reply(core, 5, b"c") + reply(core, 1, b"a") + reply(core, 3, b"b")] == [
        5,
        5,
        1,
        1,
        3,
        3,
    ]
    assert core.open_exchanges == 0


def test_one_exchange_too_many_is_refused_and_may_be_tried_again() -> None:
    core = opened()
    events, frames = take(core, b"".join(head(1 + 2 * number) for number in range(STREAMS_MAX + 1)))
    assert len([event for event in events if isinstance(event, Request)]) == STREAMS_MAX
    assert resets(frames) == [(1 + 2 * STREAMS_MAX, ErrorCodes.REFUSED_STREAM)]
    reply(core, 1, b"done")
    events, frames = take(core, head(3 + 2 * STREAMS_MAX))
    assert [type(event) for event in events] == [Request, EndBody]
    assert frames == []


# How it ends.


def test_a_client_that_gives_an_exchange_up_is_noticed() -> None:
    core = opened()
    take(core, head(1) + head(3, PUT, end=False))
    core.send(Response(1, 200, []))
    assert take(core, reset(1))[0] == [StreamClosed(1)]
    assert take(core, reset(3))[0] == [StreamClosed(3)]
    assert core.send(Body(1, b"late")) == b""
    assert core.send(EndBody(1)) == b""
    assert core.room(1) == 0
    core.consumed(3, 1)
    assert not core.is_finished


def test_shutdown_finishes_what_is_open_and_refuses_what_is_new() -> None:
    client = Client()
    client.h2.send_headers(1, GET, end_stream=True)
    client.h2.send_headers(3, PUT)
    client.exchange()
    client.server.shutdown()
    client.server.shutdown()
    assert client.server.data_to_send() == b""
    client.h2.send_headers(5, GET, end_stream=True)
    events, seen = client.exchange()
    assert events == []
    (refusal,) = seen
    assert isinstance(refusal, StreamReset)
    assert (refusal.stream_id, refusal.error_code) == (5, ErrorCodes.REFUSED_STREAM)
    seen = client.h2.receive_data(b"".join(frame.serialize() for frame in reply(client.server, 1, b"one")))
    assert isinstance(seen[-1], StreamEnded)
    assert not client.server.is_finished
    client.h2.send_data(3, b"x", end_stream=True)
    events, _ = client.exchange()
    assert events == [Body(3, b"x"), EndBody(3)]
    seen = client.h2.receive_data(b"".join(frame.serialize() for frame in reply(client.server, 3, b"three")))
    assert isinstance(seen[-2], StreamEnded)
    assert isinstance(seen[-1], ConnectionTerminated)
    assert (seen[-1].last_stream_id, seen[-1].error_code) == (5, ErrorCodes.NO_ERROR)
    assert client.server.is_finished
    assert client.server.failure is None


def test_an_idle_connection_is_shut_down_at_once() -> None:
    client = Client()
    client.server.shutdown()
    (goodbye,) = client.exchange()[1]
    assert isinstance(goodbye, ConnectionTerminated)
    assert client.server.is_finished
    client.server.shutdown()
    assert client.server.data_to_send() == b""


def test_a_request_that_crosses_the_goaway_is_not_answered() -> None:
    core = opened()
    core.shutdown()
    (goodbye,) = sent(core.data_to_send())
    assert isinstance(goodbye, GoAwayFrame)
    assert goodbye.last_stream_id == 0
    events, frames = take(core, head(1) + ping())
    assert events == []
    assert resets(frames) == [(1, ErrorCodes.REFUSED_STREAM)]
    assert core.is_finished


def test_a_client_that_leaves_gets_its_replies_first() -> None:
    core = opened()
    events, frames = take(core, head(1) + goaway() + ping())
    assert [type(event) for event in events] == [Request, EndBody]
    assert isinstance(frames[0], PingFrame)
    assert not core.is_finished
    assert ends(reply(core, 1, b"bye"))
    assert core.is_finished
    assert core.failure is None


def test_the_end_of_the_transport_ends_what_is_incomplete() -> None:
    core = opened()
    take(core, head(1) + head(3, PUT, end=False))
    assert core.receive_eof() == [StreamClosed(3)]
    assert not core.is_finished
    reply(core, 1, b"late")
    assert core.is_finished


def test_after_the_end_of_the_transport_no_window_opens() -> None:
    core = opened()
    take(core, settings({4: 0}) + head(1))
    reply(core, 1, b"stalled")
    assert core.receive_eof() == []
    assert core.is_finished


def test_the_end_of_a_connection_ends_every_exchange() -> None:
    client = Client()
    client.h2.send_headers(1, GET, end_stream=True)
    client.h2.send_headers(3, PUT)
    client.exchange()
    assert client.server.receive(ping() + reset(99)) == [StreamClosed(1), StreamClosed(3)]
    events = client.h2.receive_data(client.server.data_to_send())
    assert isinstance(events[-1], ConnectionTerminated)
    assert events[-1].error_code == ErrorCodes.PROTOCOL_ERROR
    client.server.shutdown()
    assert client.server.send(Response(1, 200, [])) == b""
    assert client.server.data_to_send() == b""


def test_stragglers_of_old_exchanges_are_told_apart() -> None:
    client = Client()
    for stream_id in range(1, 2001, 2):
        client.h2.send_headers(stream_id, GET, end_stream=True)
        client.exchange()
        events = client.h2.receive_data(b"".join(frame.serialize() for frame in reply(client.server, stream_id, b"")))
        assert not [event for event in events if isinstance(event, StreamReset)]
    assert take(client.server, window(1, 5) + reset(3) + reset(1999)) == ([], [])
    assert not client.server.is_finished
