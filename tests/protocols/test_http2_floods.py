"""HTTP/2 clients that want to cost more than they pay: each is cut off at a named bound, and memory stays bounded."""

from __future__ import annotations

import tracemalloc

import pytest
from h2.errors import ErrorCodes
from hpack import Encoder
from hyperframe.frame import HeadersFrame

from localzure_protocols.events import Body, EndBody, Headers, Response
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.http2.connection import IDLE_FRAMES_MAX, RESETS_FREE
from localzure_protocols.http2.engine import HEAD_BYTES_HARD_MAX
from localzure_protocols.http2.frames import HEADER_BLOCK_BYTES_MAX, HEADER_BLOCK_FRAMES_MAX
from tests.protocols.http2_wire import (
    GET,
    PUT,
    block,
    body,
    broken,
    continuation,
    head,
    open_block,
    opened,
    ping,
    priority,
    raw,
    reset,
    settings,
    take,
    window,
)

CALM = ErrorCodes.ENHANCE_YOUR_CALM


def _answered(core: Http2Connection, stream_id: int) -> None:
    take(core, head(stream_id))
    core.send(Response(stream_id, 200, []))
    core.send(EndBody(stream_id))


def test_rapid_resets_are_cut_off() -> None:
    core = opened()
    for number in range(RESETS_FREE):
        _, frames = take(core, head(1 + 2 * number) + reset(1 + 2 * number))
        assert broken(frames) is None
    _, frames = take(core, head(5001) + reset(5001))
    assert broken(frames) == CALM
    assert core.failure == "exchanges that end before their response"


def test_resets_that_a_client_provokes_count_too() -> None:
    core, stream_id = opened(), 1
    while not core.is_finished and stream_id < 10_000:
        take(core, head(stream_id, PUT, end=False) + window(stream_id, 2**31 - 1))
        stream_id += 2
    assert core.failure == "exchanges that end before their response"
    malformed, stream_id = opened(), 1
    while not malformed.is_finished and stream_id < 10_000:
        take(malformed, head(stream_id, GET[1:]))
        stream_id += 2
    assert malformed.failure == core.failure


def test_a_client_that_gives_up_a_lot_but_not_most_is_served() -> None:
    core = opened()
    for number in range(3 * RESETS_FREE):
        _answered(core, 1 + 4 * number)
        _, frames = take(core, head(3 + 4 * number) + reset(3 + 4 * number))
        assert broken(frames) is None


@pytest.mark.parametrize(
    "idle",
    [
        ping(),
        ping(ack=True),
        settings({4: 65535}),
        priority(1),
        body(1),
        body(1, pad=0),
        window(0, 1),
        raw(0x44, 0, 0, b"unknown") + ping(),
    ],
)
def test_frames_that_move_nothing_are_cut_off(idle: bytes) -> None:
    core = opened()
    take(core, head(1, PUT, end=False))
    _, frames = take(core, idle * (IDLE_FRAMES_MAX - 10))
    assert broken(frames) is None
    take(core, body(1, b"x"))
    _, frames = take(core, idle * (IDLE_FRAMES_MAX - 10))
    assert broken(frames) is None
    _, frames = take(core, idle * 20)
    assert broken(frames) == CALM


def test_window_updates_of_a_download_are_no_flood() -> None:
    core = opened()
    take(core, settings({4: 10}) + head(1))
    core.send(Response(1, 200, []))
    for _ in range(IDLE_FRAMES_MAX // 4):
        core.send(Body(1, b"0123456789"))
        _, frames = take(core, window(0, 10) + window(1, 10) + ping() + priority(3) + settings({}))
        assert broken(frames) is None


def test_a_header_block_of_many_frames_is_cut_off() -> None:
    core = opened()
    taken = open_block(1) + continuation(1, end=False) * (HEADER_BLOCK_FRAMES_MAX - 1)
    assert take(core, taken) == ([], [])
    _, frames = take(core, continuation(1, end=False))
    assert broken(frames) == CALM


def test_a_header_block_of_many_bytes_is_cut_off() -> None:
    core = opened()
    piece = continuation(1, b"\x00" * 16384, end=False)
    count = HEADER_BLOCK_BYTES_MAX // 16384
    assert take(core, open_block(1) + piece * (count - 1)) == ([], [])
    _, frames = take(core, piece)
    assert broken(frames) == CALM


def test_a_header_list_that_unpacks_to_too_much_is_cut_off() -> None:
    core = opened()
    encoder = Encoder()
    fields: Headers = [*GET, (b"x-large", b"x" * 3000)]
    bomb = encoder.encode([*fields, *[fields[-1]] * (HEAD_BYTES_HARD_MAX // 3000)])
    assert len(bomb) < 4000
    _, frames = take(core, HeadersFrame(1, bomb, flags=["END_HEADERS", "END_STREAM"]).serialize())
    assert broken(frames) == CALM


def _memory_of(core: Http2Connection, *wires: bytes) -> int:
    """Bytes that are kept after `core` has received `wires`."""
    tracemalloc.start()
    for wire in wires:
        core.receive(wire)
        core.data_to_send()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept


def test_settings_that_nobody_knows_are_not_kept() -> None:
    frames = [settings({start + number: 1 for number in range(2000)}) for start in range(100, 20_100, 2000)]
    assert _memory_of(opened(), *frames) < 50_000


def test_a_compression_table_is_no_larger_than_we_like() -> None:
    core = opened()
    core.receive(settings({1: 2**32 - 1}))
    tracemalloc.start()
    for number in range(800):
        core.receive(head(1 + 2 * number))
        core.send(Response(1 + 2 * number, 200, [(b"x-id", b"%0500d" % number), (b"content-length", b"0")]))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 200_000


def test_exchanges_that_are_over_leave_nothing_behind() -> None:
    core = opened()
    for number in range(300):
        _answered(core, 1 + 2 * number)
    tracemalloc.start()
    for number in range(300, 1300):
        _answered(core, 1 + 2 * number)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 50_000


def test_frames_that_do_not_end_are_held_a_frame_at_most() -> None:
    wire = raw(0, 0, 1, length=16384)
    assert _memory_of(opened(), wire, *[b"x" * 100] * 160) < 50_000
    core = opened()
    _, frames = take(core, raw(0, 0, 1, length=16385))
    assert broken(frames) == ErrorCodes.FRAME_SIZE_ERROR


def test_header_blocks_are_made_of_what_they_say() -> None:
    assert take(opened(), open_block(1) + continuation(1))[0] == take(opened(), head(1))[0]
    assert block(GET) in head(1)
