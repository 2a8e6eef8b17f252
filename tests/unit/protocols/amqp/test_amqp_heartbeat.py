"""Idle time-outs, with a clock that is a number."""

from __future__ import annotations

from itertools import pairwise

import pytest

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Uint
from localzure_protocols.amqp.frames import AMQP_HEADER, EMPTY_FRAME
from localzure_protocols.amqp.heartbeat import (
    INTERVAL_SECONDS_BEFORE_OPEN,
    INTERVAL_SECONDS_MAX,
    INTERVAL_SECONDS_MIN,
    OPEN_SECONDS_MAX,
    SILENCE_SECONDS_MAX,
)
from tests.protocols.amqp_peers import Server, frame, read_frames


def opened(timeout_ms: int | None) -> Server:
    """A connection whose client asked for heartbeats, first looked at in second 100."""
    server = Server()
    assert server.core.tick(100.0) == 100.0 + INTERVAL_SECONDS_BEFORE_OPEN
    timeout = None if timeout_ms is None else Uint(timeout_ms)
    server.receive(AMQP_HEADER + frame(0, frames.OPEN, "c", None, None, None, timeout))
    server.take()
    return server


def run(server: Server, start: float, stop: float, *, hear: bool = True) -> list[float]:
    """Look whenever it is asked for; returns when heartbeats went out."""
    sent, now = [], start
    while now < stop:
        if hear:
            server.receive(EMPTY_FRAME)
        following = server.core.tick(now)
        out = server.take()
        if out == EMPTY_FRAME:
            sent.append(now)
        assert following is not None
        assert now < following <= now + INTERVAL_SECONDS_MAX
        now = following
    return sent


@pytest.mark.parametrize("timeout_ms", [1000, 5000, 30_000, 60_000, 119_000, 240_000])
def test_no_silence_reaches_half_the_clients_timeout(timeout_ms: int) -> None:
    server = opened(timeout_ms)
    sent = [100.0, *run(server, 100.5, 100.5 + 20 * timeout_ms / 1000)]
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert len(gaps) >= 20
    assert max(gaps) <= timeout_ms / 1000 / 2 + INTERVAL_SECONDS_MIN


def test_what_is_sent_anyway_is_a_heartbeat() -> None:
    server = opened(60_000)
    assert run(server, 100.5, 101.0) == []
    now = 115.5
    for _ in range(10):
        server.receive(frame(0, frames.BEGIN, None, Uint(0), Uint(1), Uint(1)) + frame(0, frames.END))
        assert server.take()
        following = server.core.tick(now)
        assert server.take() == b""
        assert following == now + 15.0
        now = following
    server.core.tick(now)
    assert server.take() == EMPTY_FRAME


def test_who_asks_for_no_heartbeats_gets_none() -> None:
    assert run(opened(None), 100.5, 1000.0) == []


def test_looking_more_often_than_asked_sends_no_more() -> None:
    server = opened(60_000)
    sent = 0
    for tenth in range(1005, 1605):
        server.core.tick(tenth / 10)
        sent += server.take() == EMPTY_FRAME
    assert sent == 2


def test_a_silent_client_is_given_up() -> None:
    server = opened(None)
    run(server, 100.5, 200.0)
    run(server, 200.0, 200.0 + SILENCE_SECONDS_MAX - 60, hear=False)
    assert not server.core.is_finished
    assert server.core.tick(200.0 + SILENCE_SECONDS_MAX + 30) is None
    (close,) = read_frames(server.take())
    assert close.code == frames.CLOSE
    assert close.fields[0].value[0] == "amqp:connection:forced"
    assert server.core.is_finished


def test_a_client_that_never_opens_is_given_up_though_it_talks() -> None:
    server = Server()
    now: float | None = 0.0
    last = 0.0
    while now is not None:
        last = now
        server.receive(b"")
        server.receive(AMQP_HEADER[:1] if now == 0.0 else b"")
        now = server.core.tick(now)
    assert last == OPEN_SECONDS_MAX
    assert server.take() == b""
    assert server.core.is_finished
