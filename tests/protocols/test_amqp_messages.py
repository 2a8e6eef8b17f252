"""Messages from the client: how transfers become messages, what ends a link, and how messages are settled."""

from __future__ import annotations

from typing import Any

import pytest

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Int, Symbol, Uint, Ulong, encode
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    AmqpError,
    AmqpEvent,
    Declared,
    LinkAttached,
    LinkDetached,
    MessageReceived,
    Modified,
    Outcome,
    Rejected,
    TransactionalState,
)
from localzure_protocols.amqp.message import BATCH_FORMAT, encode_data, split, split_batch
from tests.protocols.amqp_peers import FramePeer, accept, attach_frame, begin_frame, frame, transfer_frame

TXN = Described(Ulong(0x34), [b"txn-1"])


def sending_peer(*, credit: int = 10, max_message_size: int = 262144) -> FramePeer:
    def react(core: AmqpConnection, event: AmqpEvent) -> None:
        accept(core, event, credit=credit, max_message_size=max_message_size)

    peer = FramePeer(react)
    peer.exchange(attach_frame("s", 0, is_sender=True))
    return peer


def test_a_message_in_one_frame() -> None:
    peer = sending_peer()
    tag = bytes(range(200, 232))
    assert peer.exchange(transfer_frame(0, 0, b"payload", tag, Uint(0), False)) == []
    event = peer.server.one(MessageReceived)
    assert event.link is peer.server.link("s")
    assert (event.tag, event.message_format, event.payload) == (tag, 0, b"payload")
    assert (event.settled, event.state) == (False, None)


TRANSFER_FORMS: list[tuple[Any, ...]] = [
    (b"t", None),
    (b"t", Uint(0)),
    (b"t", Uint(0), None),
    (b"t", Uint(0), False, False),
    (b"t", Uint(0), False, None, None, None, None, None, None),
    (b"t", Uint(0), None, None, None, None, None, False, False),
    (b"t", Uint(0), None, None, Int(0)),
    (b"t",),
    (b"t", Uint(0), False, False, None, Described(Ulong(0x24), [])),
]


@pytest.mark.parametrize("form", TRANSFER_FORMS, ids=repr)
def test_transfers_may_be_written_in_many_ways(form: tuple[Any, ...]) -> None:
    peer = sending_peer()
    form = tuple(Uint(0) if type(value) is Int else value for value in form)
    for number in range(3):
        peer.exchange(transfer_frame(0, number, b"payload", *form))
    events = peer.server.all(MessageReceived)
    assert [(event.tag, event.payload, event.message_format, event.settled) for event in events] == [
        (b"t", b"payload", 0, False)
    ] * 3
    assert len({event.delivery for event in events}) == 3


def test_a_large_handle_and_delivery_id_are_read() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 4000, is_sender=True))
    peer.exchange(transfer_frame(4000, 2**31, b"one", b"t", Uint(0)) + transfer_frame(4000, 2**31 + 1, b"two", b"u"))
    assert [event.payload for event in peer.server.all(MessageReceived)] == [b"one", b"two"]


def test_messages_on_several_links_and_sessions_keep_apart() -> None:
    peer = sending_peer()
    peer.exchange(begin_frame(channel=1) + attach_frame("t", 0, is_sender=True, channel=1))
    peer.exchange(attach_frame("u", 1, is_sender=True))
    peer.exchange(
        transfer_frame(0, 0, b"s1", b"1", Uint(0), False, True)
        + transfer_frame(0, 0, b"t1", b"1", Uint(0), channel=1)
        + transfer_frame(1, 1, b"u1", b"1", Uint(0), False, True)
        + transfer_frame(0, None, b"s2", None, None, False, False)
        + transfer_frame(1, None, b"u2")
    )
    assert [(event.link.name, event.payload) for event in peer.server.all(MessageReceived)] == [
        ("t", b"t1"),
        ("s", b"s1s2"),
        ("u", b"u1u2"),
    ]


def test_a_message_of_a_mebibyte_comes_in_many_frames() -> None:
    peer = sending_peer(max_message_size=1 << 20)
    payload = bytes(range(256)) * 4096
    pieces = [payload[at : at + 60000] for at in range(0, len(payload), 60000)]
    data = transfer_frame(0, 0, pieces[0], b"t", Uint(0), False, True)
    for piece in pieces[1:-1]:
        data += transfer_frame(0, 0, piece, b"t", Uint(0), False, True)
    data += transfer_frame(0, None, pieces[-1])
    for at in range(0, len(data), 10007):
        peer.exchange(data[at : at + 10007])
    assert peer.server.one(MessageReceived).payload == payload
    peer.exchange(transfer_frame(0, 1, b"next", b"u", Uint(0)))
    assert peer.server.last(MessageReceived).payload == b"next"


def test_the_format_of_a_batch_belongs_to_its_message_alone() -> None:
    peer = sending_peer()
    messages = [encode_data(b"%d" % number) for number in range(3)]
    batch = b"".join(encode_data(message) for message in messages)
    peer.exchange(
        transfer_frame(0, 0, b"before", b"t", Uint(0), True)
        + transfer_frame(0, 1, batch[:10], b"t", Uint(BATCH_FORMAT), True, True)
        + transfer_frame(0, None, batch[10:])
        + transfer_frame(0, 2, b"after", b"t", Uint(0), True)
        + transfer_frame(0, 3, batch, b"t", Uint(BATCH_FORMAT))
    )
    events = peer.server.all(MessageReceived)
    assert [event.message_format for event in events] == [0, BATCH_FORMAT, 0, BATCH_FORMAT]
    assert split_batch(split(events[1].payload)) == messages
    assert split_batch(split(events[3].payload)) == messages


def test_settled_messages_want_no_answer() -> None:
    peer = sending_peer()
    peer.exchange(
        transfer_frame(0, 0, b"x", b"t", Uint(0), True)
        + transfer_frame(0, 1, b"y", b"u", Uint(0), False, True)
        + transfer_frame(0, 1, b"z", None, None, True)
    )
    first, second = peer.server.all(MessageReceived)
    assert (first.settled, second.settled) == (True, True)
    assert not peer.core.settle(first.delivery, ACCEPTED)
    assert not peer.core.settle(second.delivery, ACCEPTED)
    assert peer.exchange(b"") == []


def test_an_aborted_message_is_not_seen() -> None:
    peer = sending_peer(credit=3)
    aborted = (None, None, None, None, None, True)
    peer.exchange(
        transfer_frame(0, 0, b"half", b"t", Uint(0), False, True)
        + transfer_frame(0, 0, b"", b"t", Uint(0), *aborted)
        + transfer_frame(0, 1, b"whole", b"u", Uint(0))
        + transfer_frame(0, 2, b"", b"v", Uint(0), *aborted)
    )
    event = peer.server.one(MessageReceived)
    assert (event.payload, event.tag) == (b"whole", b"u")
    assert peer.core.settle(event.delivery, ACCEPTED)
    (disposition,) = peer.exchange(b"")
    assert disposition.fields[:2] == [True, 1]


def test_a_transaction_comes_with_the_message() -> None:
    peer = sending_peer()
    peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0), False, False, None, TXN))
    assert peer.server.one(MessageReceived).state == TransactionalState(b"txn-1")


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_message_above_the_links_size_comes_as_its_size_alone(pieces: int) -> None:
    peer = sending_peer(max_message_size=1000)
    peer.exchange(transfer_frame(0, 0, b"x" * 1000, b"a", Uint(0)))
    size = 1005 // pieces
    data = b""
    for number in range(pieces):
        data += transfer_frame(0, 1, b"x" * size, b"b", Uint(0), False, number < pieces - 1)
    peer.exchange(data + transfer_frame(0, 2, b"next", b"c", Uint(0)))
    fitting, beyond, following = peer.server.all(MessageReceived)
    assert [len(event.payload) for event in (fitting, beyond, following)] == [1000, 0, 4]
    assert [event.oversize for event in (fitting, beyond, following)] == [0, pieces * size, 0]
    assert peer.core.settle(beyond.delivery, Rejected(AmqpError("amqp:link:message-size-exceeded", "too large")))
    (answer,) = peer.exchange(b"")
    assert (answer.code, answer.fields[1]) == (frames.DISPOSITION, 1)


def test_nothing_of_a_message_above_the_links_size_is_kept() -> None:
    peer = sending_peer(max_message_size=1000)
    for _ in range(50):
        peer.exchange(transfer_frame(0, 0, b"x" * 60000, b"b", Uint(0), False, True))
        assert peer.core._links.held_bytes == 0
    peer.exchange(transfer_frame(0, 0, b"", None, None, None, False, None, None, None, True))
    peer.exchange(transfer_frame(0, 1, b"next", b"c", Uint(0)))
    event = peer.server.one(MessageReceived)
    assert (event.payload, event.oversize) == (b"next", 0)


def test_a_message_without_credit_detaches_the_link() -> None:
    peer = sending_peer(credit=2)
    data = b"".join(transfer_frame(0, number, b"x", b"%d" % number, Uint(0)) for number in range(3))
    (detach,) = peer.exchange(data)
    assert detach.fields[2].value[0] == "amqp:link:transfer-limit-exceeded"
    assert len(peer.server.all(MessageReceived)) == 2
    assert peer.server.one(LinkDetached).link is peer.server.link("s")


def test_a_message_before_the_answer_to_attach_refuses_the_link() -> None:
    peer = FramePeer(None)
    peer.exchange(attach_frame("s", 0, is_sender=True))
    answers = peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0)))
    assert [answer.code for answer in answers] == [frames.ATTACH, frames.DETACH]
    assert answers[0].fields[5:7] == [None, None]
    assert not peer.core.accept_link(peer.server.one(LinkAttached).link, max_message_size=10)


def test_incomplete_messages_are_bounded_over_all_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localzure_protocols.amqp.inbound.HELD_BYTES_MAX", 100_000)
    peer = sending_peer()
    peer.exchange(attach_frame("t", 1, is_sender=True) + attach_frame("u", 2, is_sender=True))
    peer.exchange(transfer_frame(0, 0, b"x" * 60000, b"a", Uint(0), False, True))
    (detach,) = peer.exchange(transfer_frame(1, 1, b"x" * 60000, b"b", Uint(0), False, True))
    assert detach.fields[2].value[0] == "amqp:resource-limit-exceeded"
    peer.exchange(transfer_frame(0, 0, b"end"))
    assert len(peer.server.one(MessageReceived).payload) == 60003
    peer.exchange(transfer_frame(2, 2, b"x" * 60000, b"c", Uint(0), False, True) + transfer_frame(2, 2, b""))
    assert len(peer.server.last(MessageReceived).payload) == 60000
    assert peer.core._links.held_bytes == 0


OUTCOMES: list[tuple[Outcome, Any]] = [
    (ACCEPTED, Described(Ulong(0x24), [])),
    (RELEASED, Described(Ulong(0x26), [])),
    (Rejected(), Described(Ulong(0x25), [])),
    (
        Rejected(AmqpError("amqp:not-allowed", "no", {Symbol("k"): Int(1)})),
        Described(Ulong(0x25), [Described(Ulong(0x1D), ["amqp:not-allowed", "no", {"k": 1}])]),
    ),
    (
        Rejected(AmqpError("amqp:not-allowed")),
        Described(Ulong(0x25), [Described(Ulong(0x1D), ["amqp:not-allowed", None, {"condition": "amqp:not-allowed"}])]),
    ),
    (
        Modified(delivery_failed=True, undeliverable_here=True, message_annotations={Symbol("a"): "b"}),
        Described(Ulong(0x27), [True, True, {"a": "b"}]),
    ),
    (Modified(), Described(Ulong(0x27), [False, False])),
    (Declared(b"txn-1"), Described(Ulong(0x33), [b"txn-1"])),
    (
        TransactionalState(b"txn-1", ACCEPTED),
        Described(Ulong(0x34), [b"txn-1", Described(Ulong(0x24), [])]),
    ),
    (TransactionalState(b"txn-1"), Described(Ulong(0x34), [b"txn-1"])),
    (
        TransactionalState(b"txn-1", Rejected(AmqpError("x:y", "z", {Symbol("k"): 1}))),
        Described(Ulong(0x34), [b"txn-1", Described(Ulong(0x25), [Described(Ulong(0x1D), ["x:y", "z", {"k": 1}])])]),
    ),
]


def trimmed(fields: list[Any]) -> list[Any]:
    while fields and fields[-1] is None:
        fields = fields[:-1]
    return fields


@pytest.mark.parametrize(("outcome", "state"), OUTCOMES, ids=repr)
def test_a_message_is_settled_with_each_outcome(outcome: Outcome, state: Any) -> None:
    peer = sending_peer()
    peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0)))
    delivery = peer.server.one(MessageReceived).delivery
    assert peer.core.settle(delivery, outcome)
    assert not peer.core.settle(delivery, outcome)
    (disposition,) = peer.exchange(b"")
    assert disposition.code == frames.DISPOSITION
    role, first, last, settled, sent = disposition.fields[:5]
    assert (role, first, last, settled) == (True, 0, None, True)
    assert sent.descriptor == state.descriptor
    assert trimmed(sent.value) == state.value
    assert encode(sent.value) == encode(sent.value)


def test_neighbours_are_settled_together() -> None:
    peer = sending_peer()
    peer.exchange(b"".join(transfer_frame(0, number, b"x", b"%d" % number, Uint(0)) for number in range(5)))
    for event in peer.server.all(MessageReceived):
        peer.core.settle(event.delivery, ACCEPTED)
    (disposition,) = peer.exchange(b"")
    assert disposition.fields[:4] == [True, 0, 4, True]


def test_credit_is_used_up_and_granted_again() -> None:
    peer = sending_peer(credit=1)
    for number in range(5):
        peer.exchange(transfer_frame(0, number, b"x", b"t", Uint(0), True))
        assert peer.core.grant_credit(peer.server.link("s"), 1)
        (flow,) = peer.exchange(b"")
        assert flow.code == frames.FLOW
        assert flow.fields[4:7] == [0, number + 1, 1]
    assert len(peer.server.all(MessageReceived)) == 5


def test_a_session_takes_more_transfers_than_its_window() -> None:
    peer = sending_peer(credit=20_000)
    number = 0
    for _ in range(4):
        data = b"".join(transfer_frame(0, number + index, b"", b"t", Uint(0), True) for index in range(4000))
        peer.exchange(data)
        number += 4000
    assert len(peer.server.all(MessageReceived)) == 16_000
    assert not peer.core.is_finished


def test_a_burst_beyond_the_window_is_a_violation() -> None:
    peer = sending_peer(credit=20_000)
    data = b"".join(transfer_frame(0, number, b"", b"t", Uint(0), True) for number in range(5001))
    answers = peer.exchange(data)
    assert answers[-1].fields[0].value[0] == "amqp:session:window-violation"
    assert len(peer.server.all(MessageReceived)) == 5000


def test_numbers_are_dead_once_their_link_is() -> None:
    peer = sending_peer()
    peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0)) + transfer_frame(0, 1, b"y", b"u", Uint(0)))
    first, second = peer.server.all(MessageReceived)
    peer.exchange(frame(0, frames.DETACH, Uint(0), True))
    assert not peer.core.settle(first.delivery, ACCEPTED)
    peer.exchange(frame(0, frames.END))
    assert not peer.core.settle(second.delivery, Rejected(AmqpError("x:y")))
    assert not peer.core.settle(0, ACCEPTED)
    assert not peer.core.settle(-1, ACCEPTED)
    assert not peer.core.settle(1 << 70, ACCEPTED)


def test_the_client_may_settle_what_it_sent_before_the_answer() -> None:
    peer = sending_peer()
    peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0)))
    delivery = peer.server.one(MessageReceived).delivery
    assert peer.exchange(frame(0, frames.DISPOSITION, False, Uint(0), None, True)) == []
    assert peer.core.settle(delivery, ACCEPTED)
    assert peer.exchange(b"") == []
