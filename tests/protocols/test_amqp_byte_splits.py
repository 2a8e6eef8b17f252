"""However the client's bytes are cut, the same things happen: every cut of a whole conversation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Symbol, Uint, Ulong
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import (
    ACCEPTED,
    AmqpEvent,
    ConnectionClosed,
    LinkAttached,
    LinkDetached,
    LinkFlow,
    MessageReceived,
    OutcomeReceived,
)
from localzure_protocols.amqp.frames import AMQP_HEADER, SASL_HEADER
from tests.protocols.amqp_peers import attach_frame, begin_frame, frame, open_frame, read_frames, transfer_frame
from tests.protocols.test_amqp_delivery import ERROR_STATE, flow_frame
from tests.protocols.test_amqp_handshake import sasl_frame

ACCEPTED_STATE = Described(Ulong(0x24), [])

TURNS = [
    SASL_HEADER + sasl_frame(0x41, Symbol("PLAIN"), b"\0name\0key", "host"),
    AMQP_HEADER + open_frame(product="azsdk-python-servicebus") + begin_frame() + begin_frame(channel=1),
    attach_frame("s", 0, is_sender=True) + attach_frame("r", 1, is_sender=False) + flow_frame(1, 3),
    transfer_frame(0, 0, b"one", b"1", Uint(0))
    + transfer_frame(0, 1, b"tw", b"2", Uint(0), False, True)
    + transfer_frame(0, 1, b"o", None, None, False)
    + transfer_frame(0, 2, b"batch", b"3", Uint(0x80013700), True)
    + b"\x00\x00\x00\x08\x02\x00\x00\x00"
    + frame(0, frames.DISPOSITION, True, Uint(0), Uint(1), False, ACCEPTED_STATE)
    + frame(0, frames.DISPOSITION, True, Uint(2), None, True, ERROR_STATE),
    transfer_frame(0, 3, b"", b"4", Uint(0), None, None, None, None, None, True)
    + flow_frame(1, 2, count=3, drain=True, echo=True)
    + transfer_frame(0, 4, b"x" * 40, b"5", Uint(0), False, True)
    + frame(0, frames.DETACH, Uint(0), True),
    attach_frame("t", 0, is_sender=True, channel=1) + frame(1, frames.END),
    frame(0, frames.CLOSE, None),
]


def described(event: AmqpEvent) -> tuple[Any, ...]:
    """What an event says, with the state that its link has at that moment."""
    match event:
        case LinkAttached(link) | LinkDetached(link):
            return (type(event).__name__, link.name, link.is_receiver)
        case LinkFlow(link, credit, drain, echo):
            return ("LinkFlow", link.name, credit, drain, echo)
        case MessageReceived():
            return ("MessageReceived", event.link.name, event.tag, event.message_format, event.payload, event.settled)
        case OutcomeReceived(link, _, outcome, settled):
            return ("OutcomeReceived", link.name, outcome, settled)
        case _:
            return (repr(event),)


def react(core: AmqpConnection, events: list[AmqpEvent]) -> None:
    for event in events:
        match event:
            case LinkAttached(link):
                core.accept_link(link, max_message_size=100)
                core.grant_credit(link, 10)
                while core.deliver(link, b"tag", [b"to the client"], settled=False):
                    pass
            case LinkFlow(link, _, True, _):
                core.drained(link)
            case MessageReceived() | OutcomeReceived():
                core.settle(event.delivery, ACCEPTED)
            case _:
                pass


def converse(cuts: dict[int, list[int]], *, flush: bool = False) -> tuple[list[Any], list[Any]]:
    """Run the conversation with each turn cut at these offsets; returns the events and the frames."""
    core = AmqpConnection("server")
    said: list[Any] = []
    out: list[bytes] = []
    for turn, data in enumerate(TURNS):
        events: list[AmqpEvent] = []
        edges = [0, *cuts.get(turn, []), len(data)]
        for start, end in pairwise(edges):
            events += core.receive(data[start:end])
            if flush:
                out += core.data_to_send()
        said += [described(event) for event in events]
        react(core, events)
        out += core.data_to_send()
    sent = b"".join(out).removeprefix(SASL_HEADER)
    return said, read_frames(sent[sent.index(AMQP_HEADER) :])


WHOLE = converse({})


def test_the_conversation_has_everything_in_it() -> None:
    said, sent = WHOLE
    assert {event[0] for event in said if event[0].isidentifier()} == {
        "LinkAttached",
        "LinkDetached",
        "LinkFlow",
        "MessageReceived",
        "OutcomeReceived",
    }
    assert said[-1] == (repr(ConnectionClosed()),)
    assert {answer.code for answer in sent} == set(range(frames.OPEN, frames.CLOSE + 1))


@pytest.mark.parametrize("turn", range(len(TURNS)))
def test_one_cut_anywhere_changes_nothing(turn: int) -> None:
    for at in range(1, len(TURNS[turn])):
        assert converse({turn: [at]}) == WHOLE, f"cut at {at}"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11, 64])
def test_pieces_of_one_size_change_nothing(size: int) -> None:
    assert converse({turn: list(range(size, len(data), size)) for turn, data in enumerate(TURNS)}) == WHOLE


@pytest.mark.parametrize("size", [1, 5, 13])
def test_answering_between_the_pieces_changes_no_event(size: int) -> None:
    cuts = {turn: list(range(size, len(data), size)) for turn, data in enumerate(TURNS)}
    assert converse(cuts, flush=True)[0] == WHOLE[0]
