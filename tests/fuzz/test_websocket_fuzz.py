"""Whatever a client sends, a WebSocket connection raises nothing, answers in whole frames, and gives out the same
payload however the bytes are cut."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.protocols.websocket_frames import BINARY, CLOSE, PING, frame, opened, sent_frames

FRAMES = st.builds(
    frame,
    st.sampled_from([0, 2, 2, 2, 8, 9, 10, 1, 3, 15]),
    st.binary(max_size=300),
    fin=st.sampled_from([True, True, True, False]),
    mask=st.sampled_from([b"\x11\x22\x33\x44", b"\0\0\0\0", b""]),
    rsv=st.sampled_from([0, 0, 0, 0, 1, 4]),
    length=st.sampled_from([None, None, None, 5, 1 << 20, 1 << 40, (1 << 64) - 1]),
)
STREAMS = st.lists(st.one_of(FRAMES, FRAMES, st.binary(max_size=20)), max_size=8).map(b"".join)


class Outcome(NamedTuple):
    payload: bytes
    sent: bytes
    finished: bool
    failure: str | None


def _outcome(parts: list[bytes]) -> Outcome:
    connection, payload, sent = opened(), b"", b""
    for part in parts:
        finished = connection.is_finished
        pieces, output = connection.receive(part), b"".join(connection.data_to_send())
        assert not finished or not (pieces or output)
        payload, sent = payload + b"".join(pieces), sent + output
    return Outcome(payload, sent, connection.is_finished, connection.failure)


def _check(outcome: Outcome, same: Outcome) -> None:
    assert outcome == same
    frames = sent_frames(outcome.sent)
    assert all(len(payload) <= 125 for _, payload in frames)
    closes = [index for index, (opcode, _) in enumerate(frames) if opcode == CLOSE]
    assert closes == ([len(frames) - 1] if outcome.finished else [])
    assert outcome.finished or outcome.failure is None


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 600), max_size=4))
@example(frame(BINARY, b"a" * 200) + frame(PING, b"b") + frame(CLOSE, b"\x03\xe8"), [1, 2, 3])
def test_any_stream_is_harmless(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parts = [stream[start:stop] for start, stop in pairwise(edges)]
    whole = _outcome([stream])
    _check(_outcome(parts), whole)
    _check(_outcome([bytes([byte]) for byte in stream]), whole)


def test_the_check_notices_a_lost_byte_and_a_torn_frame() -> None:
    whole = _outcome([frame(BINARY, b"abc") + frame(PING, b"x") + frame(CLOSE)])
    _check(whole, whole)
    assert whole.payload == b"abc"
    for wrong in (
        whole._replace(payload=b"ab"),
        whole._replace(sent=whole.sent[:-1]),
        whole._replace(finished=False),
        whole._replace(sent=whole.sent + whole.sent),
    ):
        with pytest.raises((AssertionError, IndexError)):
            _check(wrong, wrong._replace(payload=whole.payload))
