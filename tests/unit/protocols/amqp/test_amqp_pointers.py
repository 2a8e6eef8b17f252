"""The engine's pointers: what is gone is unknown, and using it is harmless."""

from __future__ import annotations

import gc
import weakref

import pytest

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import AmqpDecodeError, Described, MapPairs, Symbol, Uint, Ulong
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    AmqpError,
    ConnectionClosed,
    Declared,
    MessageReceived,
    Modified,
    Outcome,
    OutcomeReceived,
    Rejected,
    TransactionalState,
)
from localzure_protocols.amqp.frames import AMQP_HEADER, write_frame
from localzure_protocols.amqp.performatives import outcome_value, read_outcome
from localzure_protocols.amqp.pointers import Engine
from tests.protocols.amqp_peers import FramePeer, attach_frame, begin_frame, frame, transfer_frame

OUTCOMES: list[Outcome] = [
    ACCEPTED,
    RELEASED,
    Rejected(),
    Rejected(AmqpError("a:b", "text", {"k": 1})),
    Modified(delivery_failed=True, message_annotations={"k": [1, "two"]}),
    Declared(b"txn"),
    TransactionalState(b"txn", RELEASED),
    TransactionalState(b"txn", Modified(undeliverable_here=True)),
    TransactionalState(b"txn"),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
def test_outcomes_are_written_as_they_are_read(outcome: Outcome) -> None:
    assert read_outcome(outcome_value(outcome)) == outcome


@pytest.mark.parametrize(
    "state",
    [
        Described(Ulong(0x27), [True, True, MapPairs([("k", 1), ("k", 2)])]),
        Described(Ulong(0x33), ["text"]),
        Described(Ulong(0x34), [b"txn", Described(Ulong(0x33), [b"inner"])]),
        Described(Ulong(0x35), []),
        Described([], []),
        Ulong(0x24),
    ],
    ids=repr,
)
def test_what_is_no_outcome_is_refused(state: object) -> None:
    with pytest.raises(AmqpDecodeError):
        read_outcome(state)


def test_outcomes_are_read_by_name_too() -> None:
    named = {"accepted": ACCEPTED, "released": RELEASED, "rejected": Rejected(), "modified": Modified()}
    for name, outcome in named.items():
        assert read_outcome(Described(Symbol(f"amqp:{name}:list"), [])) == outcome
    assert read_outcome(Described(Symbol("amqp:received:list"), [])) is None
    assert read_outcome(Described(Symbol("amqp:declared:list"), [b"t"])) == Declared(b"t")
    assert read_outcome(Described(Symbol("amqp:transactional-state:list"), [b"t"])) == TransactionalState(b"t")


def test_an_engine_can_be_released_at_any_time_and_twice() -> None:
    engine = Engine()
    engine.release()
    engine.release()
    assert not engine.settle(1, ACCEPTED)
    started = Engine()
    started.start()
    started.open_connection(write_frame(0, frames.OPEN, ["c"]))
    started.push(begin_frame(), [])
    session = started.open_session()
    assert started.unsent_bytes(session) == 0
    assert started.drain()
    del started, session
    gc.collect()


def test_an_engine_that_is_dropped_frees_itself() -> None:
    engine = Engine()
    seen = weakref.ref(engine)
    del engine
    assert seen() is None


def test_a_number_works_once_whatever_the_outcome() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True))
    for number, outcome in enumerate(OUTCOMES):
        peer.exchange(transfer_frame(0, number, b"x", b"t", Uint(0)))
        delivery = peer.server.last(MessageReceived).delivery
        assert peer.core.settle(delivery, outcome)
        assert not peer.core.settle(delivery, outcome)
        (disposition,) = peer.exchange(b"")
        assert disposition.fields[:4] == [True, number, None, True]


def test_numbers_of_one_link_are_unknown_on_another() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True) + attach_frame("r", 1, is_sender=False))
    peer.exchange(frame(0, frames.FLOW, Uint(0), Uint(9), Uint(0), Uint(9), Uint(1), Uint(0), Uint(9)))
    sent = peer.core.deliver(peer.server.link("r"), b"t", [b"x"], settled=False)
    peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0)))
    received = peer.server.one(MessageReceived).delivery
    assert sent != received
    peer.exchange(frame(0, frames.DETACH, Uint(1), True))
    assert not peer.core.settle(sent, ACCEPTED)
    assert peer.core.settle(received, ACCEPTED)


def test_dispositions_of_messages_that_are_gone_are_ignored() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("r", 0, is_sender=False))
    peer.exchange(frame(0, frames.FLOW, Uint(0), Uint(9), Uint(0), Uint(9), Uint(0), Uint(0), Uint(9)))
    link = peer.server.link("r")
    numbers = [peer.core.deliver(link, b"t", [b"x"], settled=False) for _ in range(3)]
    peer.exchange(b"")
    assert peer.core.settle(numbers[0], ACCEPTED)
    disposition = frame(0, frames.DISPOSITION, True, Uint(0), Uint(2), False, Described(Ulong(0x24), []))
    # In one burst with DETACH, the engine still knows deliveries that the connection has let go.
    peer.exchange(disposition + frame(0, frames.DETACH, Uint(0), True) + disposition)
    assert [event.delivery for event in peer.server.all(OutcomeReceived)] == numbers[1:]
    peer.exchange(disposition)
    assert len(peer.server.all(OutcomeReceived)) == 2
    assert not peer.core.is_finished


def test_everything_behind_what_the_engine_refuses_is_dropped() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True))
    data = transfer_frame(0, 0, b"x", b"t", Uint(0)) + transfer_frame(0, 7, b"x", b"t", Uint(0))
    data += b"".join(frame(0, frames.DISPOSITION, True, Uint(0), Uint(2), True) for _ in range(2000))
    answers = peer.exchange(data)
    assert [answer.code for answer in answers] == [frames.CLOSE]
    assert len(peer.server.all(MessageReceived)) == 1
    assert isinstance(peer.server.events[-1], ConnectionClosed)


def test_a_client_is_held_to_its_own_channel_limit() -> None:
    opening = write_frame(0, frames.OPEN, ["c", None, None, Uint(3)])
    peer = FramePeer(opening=AMQP_HEADER + opening + begin_frame(channel=3))
    assert not peer.core.is_finished
    (close,) = peer.exchange(begin_frame(channel=4))
    assert close.fields[0].value[0] == "amqp:connection:framing-error"


def test_links_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localzure_protocols.amqp.links.LINKS_MAX", 3)
    peer = FramePeer()
    for handle in range(3):
        peer.exchange(attach_frame(f"link-{handle}", handle, is_sender=True))
    (close,) = peer.exchange(attach_frame("link-3", 3, is_sender=True))
    assert close.fields[0].value[0] == "amqp:resource-limit-exceeded"
