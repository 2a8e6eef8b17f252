"""Whatever a client sends, and however it is cut, an HTTP/2 connection raises nothing, gives out the same well-formed
exchanges, sends whole frames within the client's windows, and ends with at most one GOAWAY."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localzure_protocols.events import Body, EndBody, HttpEvent, PeerError, Request, Response, StreamClosed, Writable
from localzure_protocols.http2 import Http2Connection
from tests.protocols import http2_wire as wire

STREAM_IDS = st.sampled_from([1, 1, 1, 3, 3, 5, 7, 2, 0])
NUMBERS = st.sampled_from([0, 1, 5, 100, 16384, 65535, 2**31 - 1, 2**32 - 1])
FIELDS = st.sampled_from([
    wire.GET,
    wire.PUT,
    wire.PUT,
    [*wire.PUT, (b"content-length", b"5")],
    [*wire.PUT, (b"expect", b"100-continue")],
    [(b":method", b"HEAD"), *wire.GET[1:]],
    wire.GET[1:],
    [(b"x-trailer", b"1")],
    [*wire.GET, (b"X", b"y")],
])  # fmt: skip
FRAMES = st.one_of(
    st.builds(wire.head, STREAM_IDS.filter(bool), FIELDS, end=st.booleans()),
    st.builds(wire.head, STREAM_IDS.filter(bool), FIELDS, end=st.booleans()),
    st.builds(
        wire.body, STREAM_IDS.filter(bool), st.binary(max_size=20), end=st.booleans(), pad=st.sampled_from([None, 0, 9])
    ),
    st.builds(wire.open_block, STREAM_IDS.filter(bool)),
    st.builds(wire.continuation, STREAM_IDS.filter(bool), st.binary(max_size=9), end=st.booleans()),
    st.builds(wire.window, STREAM_IDS, NUMBERS.filter(lambda number: 0 < number < 2**31)),
    st.builds(wire.reset, STREAM_IDS.filter(bool)),
    st.builds(wire.settings, st.dictionaries(st.sampled_from([1, 2, 3, 4, 4, 5, 6, 8, 99]), NUMBERS, max_size=2)),
    st.builds(wire.ping),
    st.builds(wire.goaway),
    st.builds(wire.priority, STREAM_IDS.filter(bool), STREAM_IDS),
    st.builds(wire.raw, st.integers(0, 11), st.integers(0, 255), STREAM_IDS, st.binary(max_size=40)),
)
STREAMS = st.lists(st.one_of(FRAMES, FRAMES, FRAMES, st.binary(max_size=30)), max_size=14).map(b"".join)
REPLY = b"0123456789" * 5
"""Short, so that a few bytes of window are all it takes."""


@dataclass
class Outcome:
    events: list[HttpEvent] = field(default_factory=list)
    sent: bytes = b""
    finished: bool = False
    failure: str | None = None


def _outcome(parts: list[bytes]) -> Outcome:
    """Feed `parts` to a connection that answers every complete request at once, and consumes every body."""
    core, outcome, unanswered = Http2Connection(), Outcome(), set[int]()
    for part in parts:
        for event in core.receive(part):
            outcome.events.append(event)
            if isinstance(event, Body):
                core.consumed(event.stream_id, len(event.data))
            elif isinstance(event, EndBody | PeerError):
                unanswered.add(event.stream_id)
        outcome.sent += core.data_to_send()
    # Afterwards, since a reply in the middle of the stream would depend on how it is cut.
    for stream_id in sorted(unanswered):
        length = (b"content-length", b"%d" % len(REPLY))
        outcome.sent += core.send(Response(stream_id, 200, [length]))
        outcome.sent += core.send(Body(stream_id, REPLY)) + core.send(EndBody(stream_id))
    outcome.sent += core.data_to_send()
    outcome.finished, outcome.failure = core.is_finished, core.failure
    return outcome


def _check_exchanges(events: list[HttpEvent]) -> None:
    """Each stream has one head, then its body, then one end."""
    states: dict[int, str] = {}
    for event in events:
        assert not isinstance(event, Writable), "nothing was refused for want of a window"
        state = states.get(event.stream_id, "idle")
        if isinstance(event, Request | PeerError):
            assert state == "idle"
            states[event.stream_id] = "open"
        elif isinstance(event, StreamClosed):
            assert state in {"open", "ended"}
            states[event.stream_id] = "closed"
        else:
            assert state == "open"
            states[event.stream_id] = "open" if isinstance(event, Body) else "ended"


def _check(outcome: Outcome, same: Outcome) -> None:
    assert outcome == same
    _check_exchanges(outcome.events)
    frames = wire.sent(outcome.sent)
    goodbyes = [index for index, frame in enumerate(frames) if isinstance(frame, GoAwayFrame)]
    assert len(goodbyes) <= 1
    assert bool(goodbyes) == (outcome.failure is not None)
    if goodbyes:
        assert goodbyes == [len(frames) - 1]
        assert outcome.finished
    given = sum(len(frame.data) for frame in frames if isinstance(frame, DataFrame))
    assert given <= len(REPLY) * len({event.stream_id for event in outcome.events if isinstance(event, EndBody)})


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([wire.HELLO, wire.HELLO, wire.HELLO, wire.HELLO[:24], b""]), STREAMS, st.lists(st.integers(0, 300))
)
@example(wire.HELLO, wire.head(1, wire.PUT, end=False) + wire.body(1, b"x") + wire.reset(99), [30, 60])
@example(wire.HELLO, wire.settings({4: 3}) + wire.head(1) + wire.window(1, 4), [40])
def test_any_stream_is_harmless(hello: bytes, stream: bytes, cuts: list[int]) -> None:
    data = hello + stream
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole = _outcome([data])
    _check(_outcome([data[start:stop] for start, stop in pairwise(edges)]), whole)
    _check(_outcome([bytes([byte]) for byte in data]), whole)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 200), st.lists(st.integers(0, 300), max_size=12), st.integers(0, 5000))
def test_a_response_comes_whole_through_any_windows(initial: int, increments: list[int], length: int) -> None:
    core = wire.opened()
    wire.take(core, wire.settings({4: initial}) + wire.head(1))
    reply = bytes(range(256)) * 20
    reply = reply[:length]
    head, rest = Response(1, 200, [(b"content-length", b"%d" % length)]), reply
    output, allowed = core.send(head), initial
    for increment in [*increments, 6000]:
        while rest and (room := min(core.room(1), 700)):
            output, rest = output + core.send(Body(1, rest[:room])), rest[room:]
        data = b"".join(frame.data for frame in wire.sent(output) if isinstance(frame, DataFrame))
        assert data == reply[: min(allowed, length)]
        if increment:
            core.receive(wire.window(1, increment) if core.open_exchanges else b"")
            output, allowed = output + core.data_to_send(), allowed + increment
    assert b"".join(frame.data for frame in wire.sent(output) if isinstance(frame, DataFrame)) == reply
    assert core.open_exchanges == 0


def test_the_check_notices_what_is_wrong() -> None:
    stream = wire.HELLO + wire.head(1, wire.PUT, end=False) + wire.body(1, b"x", end=True) + wire.head(3)
    right = _outcome([stream])
    _check(right, right)
    assert [type(event) for event in right.events] == [Request, Body, EndBody, Request, EndBody]
    goodbye = wire.goaway()
    for wrong in (
        Outcome(right.events[:-1], right.sent + goodbye, right.finished, "why"),
        Outcome([*right.events, EndBody(3)], right.sent, right.finished, right.failure),
        Outcome([right.events[1], *right.events], right.sent, right.finished, right.failure),
        Outcome([*right.events, StreamClosed(5)], right.sent, right.finished, right.failure),
        Outcome(right.events, right.sent[:-1], right.finished, right.failure),
        Outcome(right.events, right.sent + goodbye, right.finished, right.failure),
        Outcome(right.events, right.sent + wire.body(1, b"more than was asked for"), right.finished, right.failure),
    ):
        with pytest.raises(AssertionError):
            _check(wrong, wrong)
    with pytest.raises(AssertionError):
        _check(right, _outcome([stream + wire.ping()]))
