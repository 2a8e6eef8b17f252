"""HTTP/2 requests and responses: what they look like from above, how windows bound them, and how they end."""

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
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, WindowUpdateFrame

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
    Writable,
)
from localzure_protocols.http1 import HEAD_BYTES_MAX
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.http2.engine import CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES, STREAMS_MAX
from localzure_protocols.http2.exchange import QUEUE_BYTES
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
    opened,
    ping,
    raw,
    reset,
    resets,
    sent,
    settings,
    take,
    window,
)

HEAD: Headers = [(b":method", b"HEAD"), *GET[1:]]


def _data(frames: list[Frame], stream_id: int = 1) -> bytes:
    return b"".join(frame.data for frame in frames if isinstance(frame, DataFrame) and frame.stream_id == stream_id)


def _ends(frames: list[Frame], stream_id: int = 1) -> bool:
    return any("END_STREAM" in frame.flags for frame in frames if frame.stream_id == stream_id)


def _reply(core: Http2Connection, stream_id: int, data: bytes, status: int = 200) -> list[Frame]:
    response = Response(stream_id, status, [(b"content-length", b"%d" % len(data))])
    return sent(core.send(response) + core.send(Body(stream_id, data)) + core.send(EndBody(stream_id)))


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
    assert _ends(_reply(core, 1, b"too long", 431))
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
    assert (_data(frames), _ends(frames)) == (b"ab", False)
    assert _ends(sent(core.send(EndBody(1))))
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
    assert not _ends(frames)
    assert core.room(1) == 0
    assert core.send(Body(1, b"more")) == b""
    assert _ends(_reply(core, 3, b"fine"), 3)


def test_a_response_of_unknown_length_ends_after_what_waits() -> None:
    core = opened()
    take(core, settings({4: 0}) + head(1))
    core.send(Response(1, 200, []))
    for part in (b"", b"stalled", b""):
        core.send(Body(1, part))
    assert core.send(EndBody(1)) == b""
    assert core.room(1) == 0
    events, frames = take(core, window(1, 100))
    assert (events, _data(frames), _ends(frames)) == ([], b"stalled", True)
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
    _reply(core, 1, b"stalled")
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
    assert _ends(_reply(client.server, 1, b"ok"))


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
    assert _ends(_reply(core, 1, b"no", 403))
    assert core.open_exchanges == 1
    events, frames = take(core, body(1, b"rest") + body(1, end=True))
    assert events == [Body(1, b"rest"), EndBody(1)]
    assert frames == []
    assert core.open_exchanges == 0


def test_exchanges_are_concurrent() -> None:
    core = opened()
    take(core, head(1) + head(3) + head(5))
    assert not core.is_blocked
    assert [frame.stream_id for frame in _reply(core, 5, b"c") + _reply(core, 1, b"a") + _reply(core, 3, b"b")] == [
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
    _reply(core, 1, b"done")
    events, frames = take(core, head(3 + 2 * STREAMS_MAX))
    assert [type(event) for event in events] == [Request, EndBody]
    assert frames == []


# Windows, inbound.


def _updates(frames: list[Frame]) -> dict[int, int]:
    """The sum of the window updates of each stream."""
    sums: dict[int, int] = {}
    for frame in frames:
        if isinstance(frame, WindowUpdateFrame):
            sums[frame.stream_id] = sums.get(frame.stream_id, 0) + frame.window_increment
    return sums


def _upload(core: Http2Connection, stream_id: int, count: int) -> tuple[list[HttpEvent], list[Frame]]:
    piece = b"x" * 16384
    return take(core, b"".join(body(stream_id, piece) for _ in range(count // len(piece))))


def test_windows_are_given_back_only_for_what_was_consumed() -> None:
    core = opened()
    take(core, head(1, PUT, end=False))
    _, frames = _upload(core, 1, STREAM_WINDOW_BYTES)
    assert _updates(frames) == {}
    core.consumed(1, STREAM_WINDOW_BYTES // 2)
    assert _updates(sent(core.data_to_send())) == {1: STREAM_WINDOW_BYTES // 2}
    core.consumed(1, 10 * STREAM_WINDOW_BYTES)
    assert _updates(sent(core.data_to_send())) == {1: STREAM_WINDOW_BYTES // 2}
    core.consumed(99, 5)


def test_a_client_that_exceeds_a_streams_window_is_cut_off() -> None:
    core = opened()
    take(core, head(1, PUT, end=False))
    _upload(core, 1, STREAM_WINDOW_BYTES)
    _, frames = take(core, body(1, b"x"))
    assert broken(frames) == ErrorCodes.FLOW_CONTROL_ERROR


def test_a_client_that_exceeds_the_connections_window_is_cut_off() -> None:
    core = opened()
    streams = CONNECTION_WINDOW_BYTES // STREAM_WINDOW_BYTES
    events = []
    for number in range(streams):
        take(core, head(1 + 2 * number, PUT, end=False))
        events += _upload(core, 1 + 2 * number, STREAM_WINDOW_BYTES)[0]
    assert sum(len(event.data) for event in events if isinstance(event, Body)) == CONNECTION_WINDOW_BYTES
    _, frames = take(core, head(101, PUT, end=False) + body(101, b"x"))
    assert broken(frames) == ErrorCodes.FLOW_CONTROL_ERROR


def test_padding_and_dropped_bytes_go_back_by_themselves() -> None:
    core = opened()
    take(core, head(1, PUT, end=False))
    total = 0
    for _ in range(5000):
        events, frames = take(core, body(1, b"", pad=255))
        assert events == []
        assert broken(frames) is None
        total += _updates(frames).get(0, 0)
    assert total > CONNECTION_WINDOW_BYTES / 2
    _reply(core, 1, b"")
    take(core, reset(1))


@pytest.mark.parametrize("ending", ["peer resets", "server resets", "both complete"])
def test_an_exchange_that_is_over_gives_its_share_of_the_window_back(ending: str) -> None:
    core = opened()
    returned = 0
    for stream_id in range(1, 41, 2):
        take(core, head(stream_id, PUT, end=False))
        _, frames = _upload(core, stream_id, STREAM_WINDOW_BYTES)
        assert broken(frames) is None, "the window was not given back"
        if ending == "peer resets":
            frames = take(core, reset(stream_id))[1]
        elif ending == "server resets":
            frames = sent(core.send(StreamClosed(stream_id)))
        else:
            frames = take(core, body(stream_id, end=True))[1] + _reply(core, stream_id, b"ok")
        returned += _updates(frames).get(0, 0)
        assert core.open_exchanges == 0
    assert returned == 20 * STREAM_WINDOW_BYTES


# Windows, outbound.


def test_a_response_never_exceeds_the_clients_windows() -> None:
    core = opened()
    take(core, settings({4: 100}) + head(1))
    assert core.room(1) == 100 + QUEUE_BYTES
    data = bytes(range(256)) * 4
    frames = _reply(core, 1, data)
    assert (_data(frames), _ends(frames)) == (data[:100], False)
    assert core.awaits_peer
    events, frames = take(core, window(1, 900))
    assert (_data(frames), _ends(frames), events) == (data[100:1000], False, [])
    events, frames = take(core, window(1, 900))
    assert (_data(frames), _ends(frames), events) == (data[1000:], True, [])
    assert (core.open_exchanges, core.awaits_peer) == (0, False)


def test_settings_shrink_and_grow_the_windows_of_open_exchanges() -> None:
    core = opened()
    take(core, settings({4: 10}) + head(1))
    assert _data(_reply(core, 1, b"0123456789abcdef")) == b"0123456789"
    take(core, settings({4: 4}))
    assert _data(take(core, window(1, 6))[1]) == b""
    assert _data(take(core, settings({4: 5}))[1]) == b"a"
    _, frames = take(core, settings({4: 100}))
    assert (_data(frames), _ends(frames)) == (b"bcdef", True)


def test_room_tells_how_much_and_writable_when() -> None:
    core = opened()
    take(core, settings({4: 1000}) + head(1))
    core.send(Response(1, 200, []))
    sent_bytes = 0
    while room := core.room(1):
        core.send(Body(1, b"x" * min(room, 400)))
        sent_bytes += min(room, 400)
    assert sent_bytes == 1000 + QUEUE_BYTES
    events, frames = take(core, window(1, QUEUE_BYTES - 1))
    assert (events, len(_data(frames))) == ([], QUEUE_BYTES - 1)
    assert core.room(1) == QUEUE_BYTES - 1
    events, frames = take(core, window(1, 501))
    assert (events, len(_data(frames))) == ([Writable(1)], 1)
    assert core.room(1) == 500 + QUEUE_BYTES
    core.send(EndBody(1))
    assert core.room(1) == 0


def test_exchanges_share_the_connections_window_in_turn() -> None:
    core = opened()
    take(core, settings({4: 1 << 20}) + head(1) + head(3) + head(5))
    for stream_id in (1, 3, 5):
        core.send(Response(stream_id, 200, []))
    core.send(Body(1, b"x" * 65535))
    for stream_id in (1, 3, 5):
        core.send(Body(stream_id, bytes([stream_id]) * 40_000))
    _, frames = take(core, window(0, 3 * 16384))
    assert [(frame.stream_id, len(frame.data)) for frame in frames if isinstance(frame, DataFrame)] == [
        (1, 16384),
        (3, 16384),
        (5, 16384),
    ]
    events, frames = take(core, window(0, 1 << 20))
    assert [len(_data(frames, stream_id)) for stream_id in (1, 3, 5)] == [40_000 - 16384] * 3
    assert events == [Writable(1), Writable(3), Writable(5)]


def test_larger_frames_are_sent_to_who_takes_them() -> None:
    core = opened()
    take(core, settings({5: 32768}) + head(1))
    assert [len(frame.data) for frame in _reply(core, 1, b"x" * 40_000) if isinstance(frame, DataFrame)] == [
        32768,
        40_000 - 32768,
    ]


def test_progress_stands_still_while_nothing_moves() -> None:
    core = opened()
    take(core, settings({4: 0}) + head(1) + head(3, PUT, end=False))
    _reply(core, 1, b"stalled")
    assert core.awaits_peer
    before = core.progress
    take(core, ping() + window(0, 5) + settings({}) + body(3) + raw(0x33, 0, 0))
    assert core.progress == before
    take(core, window(1, 1))
    assert core.progress == before + 1
    take(core, body(3, b"x"))
    assert core.progress == before + 2


def test_who_awaits_whom() -> None:
    core = opened()
    assert not core.awaits_peer
    take(core, head(1, PUT, end=False))
    assert core.awaits_peer
    take(core, body(1, end=True))
    assert not core.awaits_peer


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
    seen = client.h2.receive_data(b"".join(frame.serialize() for frame in _reply(client.server, 1, b"one")))
    assert isinstance(seen[-1], StreamEnded)
    assert not client.server.is_finished
    client.h2.send_data(3, b"x", end_stream=True)
    events, _ = client.exchange()
    assert events == [Body(3, b"x"), EndBody(3)]
    seen = client.h2.receive_data(b"".join(frame.serialize() for frame in _reply(client.server, 3, b"three")))
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
    assert _ends(_reply(core, 1, b"bye"))
    assert core.is_finished
    assert core.failure is None


def test_the_end_of_the_transport_ends_what_is_incomplete() -> None:
    core = opened()
    take(core, head(1) + head(3, PUT, end=False))
    assert core.receive_eof() == [StreamClosed(3)]
    assert not core.is_finished
    _reply(core, 1, b"late")
    assert core.is_finished


def test_after_the_end_of_the_transport_no_window_opens() -> None:
    core = opened()
    take(core, settings({4: 0}) + head(1))
    _reply(core, 1, b"stalled")
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
        events = client.h2.receive_data(b"".join(frame.serialize() for frame in _reply(client.server, stream_id, b"")))
        assert not [event for event in events if isinstance(event, StreamReset)]
    assert take(client.server, window(1, 5) + reset(3) + reset(1999)) == ([], [])
    assert not client.server.is_finished
