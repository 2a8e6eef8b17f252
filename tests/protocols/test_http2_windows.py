"""HTTP/2 windows: what a client may have under way, and how a response goes through as they open."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, Frame, WindowUpdateFrame

from localzure_protocols.events import (
    Body,
    EndBody,
    HttpEvent,
    Response,
    StreamClosed,
    Writable,
)
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.http2.engine import CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES
from localzure_protocols.http2.exchange import QUEUE_BYTES
from tests.protocols.http2_wire import (
    PUT,
    body,
    broken,
    data_of,
    ends,
    head,
    opened,
    ping,
    raw,
    reply,
    reset,
    sent,
    settings,
    take,
    window,
)

# Inbound.


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
    reply(core, 1, b"")
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
            frames = take(core, body(stream_id, end=True))[1] + reply(core, stream_id, b"ok")
        returned += _updates(frames).get(0, 0)
        assert core.open_exchanges == 0
    assert returned == 20 * STREAM_WINDOW_BYTES


# Outbound.


def test_a_response_never_exceeds_the_clients_windows() -> None:
    core = opened()
    take(core, settings({4: 100}) + head(1))
    assert core.room(1) == 100 + QUEUE_BYTES
    data = bytes(range(256)) * 4
    frames = reply(core, 1, data)
    assert (data_of(frames), ends(frames)) == (data[:100], False)
    assert core.awaits_peer
    events, frames = take(core, window(1, 900))
    assert (data_of(frames), ends(frames), events) == (data[100:1000], False, [])
    events, frames = take(core, window(1, 900))
    assert (data_of(frames), ends(frames), events) == (data[1000:], True, [])
    assert (core.open_exchanges, core.awaits_peer) == (0, False)


def test_settings_shrink_and_grow_the_windows_of_open_exchanges() -> None:
    core = opened()
    take(core, settings({4: 10}) + head(1))
    assert data_of(reply(core, 1, b"0123456789abcdef")) == b"0123456789"
    take(core, settings({4: 4}))
    assert data_of(take(core, window(1, 6))[1]) == b""
    assert data_of(take(core, settings({4: 5}))[1]) == b"a"
    _, frames = take(core, settings({4: 100}))
    assert (data_of(frames), ends(frames)) == (b"bcdef", True)


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
    assert (events, len(data_of(frames))) == ([], QUEUE_BYTES - 1)
    assert core.room(1) == QUEUE_BYTES - 1
    events, frames = take(core, window(1, 501))
    assert (events, len(data_of(frames))) == ([Writable(1)], 1)
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
    assert [len(data_of(frames, stream_id)) for stream_id in (1, 3, 5)] == [40_000 - 16384] * 3
    assert events == [Writable(1), Writable(3), Writable(5)]


def test_larger_frames_are_sent_to_who_takes_them() -> None:
    core = opened()
    take(core, settings({5: 32768}) + head(1))
    assert [len(frame.data) for frame in reply(core, 1, b"x" * 40_000) if isinstance(frame, DataFrame)] == [
        32768,
        40_000 - 32768,
    ]


def test_progress_stands_still_while_nothing_moves() -> None:
    core = opened()
    take(core, settings({4: 0}) + head(1) + head(3, PUT, end=False))
    reply(core, 1, b"stalled")
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
