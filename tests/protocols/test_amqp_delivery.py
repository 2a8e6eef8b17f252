"""Messages to the client: credit, drains and echoes, settlement of either side, windows that stay shut, and padding."""

from __future__ import annotations

from typing import Any

import pytest

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Symbol, Uint, Ulong, Ushort
from localzure_protocols.amqp.connection import UNSENT_BYTES_MAX
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    AmqpError,
    LinkAttached,
    LinkFlow,
    Modified,
    Outcome,
    OutcomeReceived,
    Rejected,
    TransactionalState,
)
from localzure_protocols.amqp.frames import AMQP_HEADER, FIELD_COUNTS
from tests.protocols.amqp_peers import (
    SOURCE,
    Frame,
    FramePeer,
    attach_frame,
    begin_frame,
    frame,
    open_frame,
    transfer_frame,
)


def flow_frame(
    handle: int | None, credit: int, *, count: int | None = 0, window: int = 2048, next_id: int = 0, **more: Any
) -> bytes:
    fields: list[Any] = [Uint(next_id), Uint(window), Uint(0), Uint(2048)]
    if handle is not None:
        fields += [Uint(handle), None if count is None else Uint(count), Uint(credit), None]
        fields += [more.get("drain"), more.get("echo")]
    elif more.get("echo"):
        fields += [None, None, None, None, None, True]
    return frame(0, frames.FLOW, *fields)


def receiving_peer(credit: int = 10, opening: bytes = AMQP_HEADER + open_frame() + begin_frame()) -> FramePeer:
    peer = FramePeer(opening=opening)
    peer.exchange(attach_frame("r", 0, is_sender=False))
    if credit:
        peer.exchange(flow_frame(0, credit))
    return peer


def deliver(peer: FramePeer, payload: bytes = b"payload", tag: bytes = b"tag", *, settled: bool = False) -> int:
    return peer.core.deliver(peer.server.link("r"), tag, [payload], settled=settled)


def test_a_message_is_sent_in_pieces_as_one() -> None:
    peer = receiving_peer()
    link = peer.server.link("r")
    tag = bytes(range(240, 256))
    assert peer.core.deliver(link, tag, [b"one", b"", b"two"], settled=False)
    assert link.credit == 9
    (transfer,) = peer.exchange(b"")
    assert transfer.code == frames.TRANSFER
    assert transfer.fields[:4] == [0, 0, tag, 0]
    assert transfer.payload == b"onetwo"
    assert peer.core.deliver(link, b"2", [b"x"], settled=True)
    (transfer,) = peer.exchange(b"")
    assert transfer.fields[4] is True
    assert peer.core.deliver(link, b"3", [], settled=True)
    (transfer,) = peer.exchange(b"")
    assert transfer.payload == b""


@pytest.mark.parametrize("product", ["azsdk-python-eventhubs", "MSJSClient"])
def test_an_empty_tag_is_empty_and_not_null(product: str) -> None:
    peer = receiving_peer(credit=1000, opening=AMQP_HEADER + open_frame(product=product) + begin_frame())
    looks_like_a_tag = b"\xa0\x03\x00\x00\x00"
    for number in range(260):
        deliver(peer, looks_like_a_tag, b"", settled=number % 2 == 0)
    deliver(peer, b"x" * 200_000, b"")
    deliver(peer, b"", b"\x00\x00\x01")
    transfers = peer.exchange(b"")
    assert [each.fields[1] for each in transfers[:260]] == list(range(260))
    assert {each.fields[2] for each in transfers[:-1] if each.fields[2] is not None} == {b""}
    assert all(each.fields[2] == b"" for each in transfers[:261])
    assert {each.payload for each in transfers[:260]} == {looks_like_a_tag}
    assert b"".join(each.payload for each in transfers[260:-1]) == b"x" * 200_000
    assert transfers[-1].fields[2] == b"\x00\x00\x01"


def test_nothing_is_sent_beyond_the_credit() -> None:
    peer = receiving_peer(credit=2)
    link = peer.server.link("r")
    assert [bool(deliver(peer)) for _ in range(4)] == [True, True, False, False]
    assert len(peer.exchange(b"")) == 2
    assert link.credit == 0
    peer.exchange(flow_frame(0, 3, count=2))
    assert link.credit == 3
    assert peer.server.last(LinkFlow) == LinkFlow(link, 3, drain=False, echo=False)


def test_credit_counts_from_what_the_client_has_seen() -> None:
    peer = receiving_peer(credit=10)
    link = peer.server.link("r")
    for _ in range(4):
        deliver(peer)
    peer.exchange(flow_frame(0, 10, count=1))
    assert link.credit == 7
    peer.exchange(flow_frame(0, 2, count=1))
    assert link.credit == 0
    peer.exchange(flow_frame(0, 5, count=None))
    assert link.credit == 1
    assert [bool(deliver(peer)) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("credit", [2**31 - 1, 2**31, 2**32 - 1])
def test_credit_may_be_as_large_as_it_can(credit: int) -> None:
    peer = receiving_peer(credit=credit)
    assert peer.server.link("r").credit == 2**31 - 1
    assert deliver(peer)
    (transfer,) = peer.exchange(b"")
    assert transfer.code == frames.TRANSFER
    peer.exchange(flow_frame(0, 0, count=1))
    assert peer.server.link("r").credit == 0


def test_credit_may_come_before_the_link_is_answered() -> None:
    peer = FramePeer(None)
    peer.exchange(attach_frame("r", 0, is_sender=False) + flow_frame(0, 5, count=None))
    link = peer.server.one(LinkAttached).link
    assert link.credit == 5
    assert deliver(peer) == 0
    peer.core.accept_link(link, max_message_size=10)
    assert deliver(peer)
    assert [answer.code for answer in peer.exchange(b"")] == [frames.ATTACH, frames.TRANSFER]


def test_a_drain_uses_up_the_credit() -> None:
    peer = receiving_peer(credit=5)
    link = peer.server.link("r")
    deliver(peer)
    assert not peer.core.drained(link)
    peer.exchange(flow_frame(0, 5, drain=True))
    assert peer.server.last(LinkFlow) == LinkFlow(link, 4, drain=True, echo=False)
    deliver(peer)
    assert peer.core.drained(link)
    answers = peer.exchange(b"")
    assert [answer.code for answer in answers] == [frames.TRANSFER, frames.FLOW]
    assert answers[-1].fields[4:7] == [0, 5, 0]
    assert answers[-1].fields[8] is True
    assert link.credit == 0
    assert deliver(peer) == 0
    peer.exchange(flow_frame(0, 1, count=5))
    assert deliver(peer)


def test_a_drain_of_nothing_is_answered_all_the_same() -> None:
    peer = receiving_peer(credit=1)
    link = peer.server.link("r")
    deliver(peer)
    peer.exchange(flow_frame(0, 1, drain=True))
    for _ in range(2):
        assert peer.core.drained(link)
        (flow,) = peer.exchange(b"")
        assert flow.code == frames.FLOW
        assert flow.fields == [0, 5000, 1, 2**31 - 1, 0, 1, 0, 0, True, None, None]


def test_an_echo_is_answered_with_the_state_of_the_link() -> None:
    peer = receiving_peer(credit=5)
    link = peer.server.link("r")
    deliver(peer)
    peer.exchange(flow_frame(0, 5, echo=True))
    assert peer.server.last(LinkFlow) == LinkFlow(link, 4, drain=False, echo=True)
    assert peer.core.send_flow(link)
    assert peer.core.send_flow(link)
    (flow,) = peer.exchange(b"")
    assert flow.fields == [0, 5000, 1, 2**31 - 1, 0, 1, 4, 0, False, None, None]


def test_echoes_that_need_no_decision_are_answered_at_once() -> None:
    peer = receiving_peer()
    peer.exchange(attach_frame("s", 1, is_sender=True))
    peer.exchange(transfer_frame(1, 0, b"x", b"t", Uint(0), True))
    before = len(peer.server.all(LinkFlow))
    (flow,) = peer.exchange(flow_frame(1, 0, echo=True))
    assert flow.fields == [1, 5000, 0, 2**31 - 1, 1, 1, 99, None, False, None, None]
    (flow,) = peer.exchange(flow_frame(None, 0, echo=True))
    assert flow.fields == [1, 5000, 0, 2**31 - 1]
    assert peer.exchange(flow_frame(1, 0)) == []
    assert len(peer.server.all(LinkFlow)) == before


def test_the_state_of_a_link_waits_until_it_has_a_handle() -> None:
    peer = FramePeer(None)
    peer.exchange(attach_frame("r", 0, is_sender=False) + flow_frame(0, 5))
    link = peer.server.one(LinkAttached).link
    peer.core.accept_link(link, max_message_size=1)
    assert peer.core.send_flow(link)
    assert [answer.code for answer in peer.exchange(b"")] == [frames.ATTACH, frames.FLOW]
    assert peer.core.send_flow(link)
    peer.core.detach_link(link)
    assert [answer.code for answer in peer.exchange(b"")] == [frames.DETACH]


def test_an_echo_is_answered_beside_what_a_detached_link_still_settles() -> None:
    peer = receiving_peer(credit=5)
    peer.exchange(attach_frame("s", 1, is_sender=True))
    peer.core.detach_link(peer.server.link("s"))
    peer.core.receive(transfer_frame(1, 0, b"late", b"t", Uint(0)))
    assert peer.core.send_flow(peer.server.link("r"))
    answers = [answer.code for answer in peer.exchange(b"")]
    assert answers == [frames.DETACH, frames.DISPOSITION, frames.FLOW]


def test_an_answer_that_is_still_due_does_not_outlive_a_violation() -> None:
    peer = receiving_peer(credit=5)
    peer.exchange(attach_frame("s", 1, is_sender=True))
    assert peer.core.send_flow(peer.server.link("r"))
    answers = peer.exchange(transfer_frame(1, 0, b"x", b"t", Uint(0)) + transfer_frame(1, 9, b"x", b"t", Uint(0)))
    assert [answer.code for answer in answers] == [frames.CLOSE]


ERROR_STATE = Described(
    Ulong(0x25),
    [Described(Ulong(0x1D), [Symbol("com.microsoft:dead-letter"), "text", {"DeadLetterReason": "r", Symbol("n"): 1}])],
)
STATES: list[tuple[Any, Outcome | None]] = [
    (Described(Ulong(0x24), []), ACCEPTED),
    (Described(Ulong(0x26), []), RELEASED),
    (Described(Ulong(0x25), []), Rejected()),
    (Described(Ulong(0x25), [None]), Rejected()),
    (
        ERROR_STATE,
        Rejected(AmqpError("com.microsoft:dead-letter", "text", {"DeadLetterReason": "r", "n": 1})),
    ),
    (Described(Ulong(0x25), [Described(Ulong(0x1D), [Symbol("x:y")])]), Rejected(AmqpError("x:y"))),
    (Described(Ulong(0x27), []), Modified()),
    (
        Described(Ulong(0x27), [True, True, {Symbol("a"): Uint(1)}]),
        Modified(delivery_failed=True, undeliverable_here=True, message_annotations={"a": 1}),
    ),
    (
        Described(Ulong(0x34), [b"\x00txn", Described(Ulong(0x24), [])]),
        TransactionalState(b"\x00txn", ACCEPTED),
    ),
    (
        Described(Ulong(0x34), [b"txn", ERROR_STATE]),
        TransactionalState(
            b"txn", Rejected(AmqpError("com.microsoft:dead-letter", "text", {"DeadLetterReason": "r", "n": 1}))
        ),
    ),
    (Described(Ulong(0x34), [b"txn"]), TransactionalState(b"txn")),
    (None, None),
]


@pytest.mark.parametrize(("state", "outcome"), STATES, ids=repr)
@pytest.mark.parametrize("settled", [True, False])
def test_the_clients_outcome_is_reported(state: Any, outcome: Outcome | None, settled: bool) -> None:
    peer = receiving_peer()
    number = deliver(peer)
    peer.exchange(b"")
    answers = peer.exchange(frame(0, frames.DISPOSITION, True, Uint(0), Uint(0), settled, state))
    assert answers == []
    if outcome is None and not settled:
        assert peer.server.all(OutcomeReceived) == []
        return
    assert peer.server.one(OutcomeReceived) == OutcomeReceived(peer.server.link("r"), number, outcome, settled)
    assert peer.core.settle(number, ACCEPTED) is not settled
    assert len(peer.exchange(b"")) == (0 if settled else 1)


def test_the_type_of_what_an_outcome_holds_is_kept() -> None:
    peer = receiving_peer()
    deliver(peer)
    peer.exchange(b"")
    peer.exchange(frame(0, frames.DISPOSITION, True, Uint(0), None, False, STATES[7][0]))
    outcome = peer.server.one(OutcomeReceived).outcome
    assert isinstance(outcome, Modified)
    assert outcome.message_annotations is not None
    ((key, value),) = outcome.message_annotations.items()
    assert (type(key), type(value)) == (Symbol, Uint)


def test_received_is_no_outcome() -> None:
    peer = receiving_peer()
    number = deliver(peer)
    peer.exchange(b"")
    received = Described(Ulong(0x23), [Uint(0), Ulong(0)])
    peer.exchange(frame(0, frames.DISPOSITION, True, Uint(0), None, False, received))
    assert peer.server.all(OutcomeReceived) == []
    assert peer.core.settle(number, ACCEPTED)


def test_a_range_is_reported_for_each_delivery() -> None:
    peer = receiving_peer()
    numbers = [deliver(peer, tag=b"%d" % index) for index in range(5)]
    peer.exchange(b"")
    assert peer.core.settle(numbers[2], RELEASED)
    peer.exchange(b"")
    peer.exchange(frame(0, frames.DISPOSITION, True, Uint(1), Uint(3), False, Described(Ulong(0x24), [])))
    assert {event.delivery for event in peer.server.all(OutcomeReceived)} == {numbers[1], numbers[3]}
    peer.exchange(frame(0, frames.DISPOSITION, True, Uint(0), Uint(2**31 - 1), True, Described(Ulong(0x26), [])))
    settled = [event.delivery for event in peer.server.all(OutcomeReceived) if event.settled]
    assert sorted(settled) == [numbers[index] for index in (0, 1, 3, 4)]
    peer.exchange(frame(0, frames.DISPOSITION, True, Uint(0), Uint(9), True))
    assert len(peer.server.all(OutcomeReceived)) == 6


@pytest.mark.parametrize(
    "state",
    [b"\x00\x53\x24\x45", b"\x00\x53\x24\xc0\x01\x00", b"\x00\x53\x24\xd0\x00\x00\x00\x04\x00\x00\x00\x00"],
    ids=lambda state: state.hex(),
)
@pytest.mark.parametrize("numbers", [b"\x43\x40", b"\x43\x43", b"\x52\x00\x52\x00", b"\x70\0\0\0\0\x70\0\0\0\0"])
@pytest.mark.parametrize("tail", [b"", b"\x40", b"\x42"])
def test_dispositions_may_be_written_in_many_ways(state: bytes, numbers: bytes, tail: bytes) -> None:
    peer = receiving_peer()
    deliver(peer)
    peer.exchange(b"")
    items = b"\x41" + numbers + b"\x41" + state + tail
    performative = b"\x00\x53\x15\xc0%c%c" % (len(items) + 1, 5 + len(tail)) + items
    peer.exchange((8 + len(performative)).to_bytes(4, "big") + b"\x02\x00\x00\x00" + performative)
    event = peer.server.one(OutcomeReceived)
    assert (event.outcome, event.settled) == (ACCEPTED, True)


def test_the_server_may_settle_first() -> None:
    peer = receiving_peer()
    number = deliver(peer)
    peer.exchange(b"")
    assert peer.core.settle(number, Rejected(AmqpError("com.microsoft:message-lock-lost", "late")))
    (disposition,) = peer.exchange(b"")
    role, first, _, settled, state = disposition.fields
    assert (role, first, settled, state.descriptor) == (False, 0, True, 0x25)
    peer.exchange(frame(0, frames.DISPOSITION, True, Uint(0), None, True, Described(Ulong(0x24), [])))
    assert peer.server.all(OutcomeReceived) == []


def test_a_shut_window_holds_messages_back_and_shows_no_credit() -> None:
    peer = receiving_peer(credit=0, opening=AMQP_HEADER + open_frame() + begin_frame(window=2))
    peer.exchange(attach_frame("r2", 1, is_sender=False) + attach_frame("r3", 2, is_sender=False))
    peer.exchange(flow_frame(1, 7, window=2))
    peer.exchange(flow_frame(0, 1000, window=2))
    link, other = peer.server.link("r"), peer.server.link("r2")
    payload = b"x" * 60000
    sent = 0
    while deliver(peer, payload, tag=b"%d" % sent):
        sent += 1
    assert UNSENT_BYTES_MAX < (sent - 2) * len(payload) < UNSENT_BYTES_MAX + 2 * len(payload)
    assert (link.credit, other.credit) == (0, 0)
    assert len(peer.exchange(b"")) == 2
    assert peer.exchange(flow_frame(0, 1000, window=2, next_id=2)) != []
    assert peer.server.last(LinkFlow) == LinkFlow(link, 0, drain=False, echo=False)
    got, before = 4, len(peer.server.events)
    while link.credit == 0:
        got += len(peer.exchange(flow_frame(None, 0, window=2, next_id=got)))
    assert (sent - got) * len(payload) < UNSENT_BYTES_MAX // 2
    assert link.credit == 1000 - sent
    assert other.credit == 7
    assert {id(event.link) for event in peer.server.events[before:] if isinstance(event, LinkFlow)} == {
        id(link),
        id(other),
    }
    assert deliver(peer)


def test_sessions_that_are_shut_have_a_bound_together() -> None:
    peer = FramePeer(opening=AMQP_HEADER + open_frame())
    held = []
    for channel in range(8):
        peer.exchange(begin_frame(channel, window=0) + attach_frame(f"r{channel}", 0, is_sender=False, channel=channel))
        fields = [Uint(0), Uint(0), Uint(0), Uint(2048), Uint(0), Uint(0), Uint(1000)]
        peer.exchange(frame(channel, frames.FLOW, *fields))
        link, sent = peer.server.link(f"r{channel}"), 0
        while peer.core.deliver(link, b"t", [b"x" * 60000], settled=False):
            sent += 60000
        held.append(sent)
        assert link.credit == 0
    assert held == sorted(held, reverse=True)
    assert held[0] > 3 * held[3] > 2 * held[7]
    assert sum(held) < 3 * UNSENT_BYTES_MAX


def test_a_session_that_ends_while_shut_is_forgotten() -> None:
    peer = receiving_peer(credit=0, opening=AMQP_HEADER + open_frame() + begin_frame(window=1))
    peer.exchange(flow_frame(0, 1000, window=1))
    while deliver(peer, b"x" * 60000):
        pass
    assert peer.exchange(frame(0, frames.END))[-1].code == frames.END
    assert peer.exchange(begin_frame()) != []
    assert not peer.core.is_finished


def test_the_answer_to_a_drain_waits_for_the_messages_before_it() -> None:
    peer = receiving_peer(credit=0, opening=AMQP_HEADER + open_frame() + begin_frame(window=1))
    peer.exchange(flow_frame(0, 2, window=1, drain=True))
    for index in range(2):
        assert deliver(peer, tag=b"%d" % index)
    assert peer.core.drained(peer.server.link("r"))
    assert [answer.code for answer in peer.exchange(b"")] == [frames.TRANSFER]
    answers = peer.exchange(flow_frame(None, 0, window=1, next_id=1))
    assert [answer.code for answer in answers] == [frames.TRANSFER, frames.FLOW]
    assert answers[-1].fields[4:7] == [0, 2, 0]


PRODUCTS = [
    ({"product": "azsdk-python-eventhubs", "version": "5.15.1"}, True),
    ({"product": "azsdk-python-servicebus", "version": "7.14.3 Python/3.11"}, True),
    ({"product": "azsdk-python-servicebus", "version": "6"}, True),
    ({"product": "azsdk-python-servicebus", "version": "seven.x"}, True),
    ({"product": "azsdk-python-servicebus", "version": " "}, True),
    ({"product": "azsdk-python-servicebus"}, True),
    ({"product": "azsdk-python-servicebus", "version": "7.15.0"}, False),
    ({"product": "azsdk-python-servicebus", "version": "8.0.0b1"}, False),
    ({"product": "MSJSClient", "version": "1"}, False),
    ({"product": 7}, False),
    ({}, False),
]


@pytest.mark.parametrize(("properties", "is_padded"), PRODUCTS, ids=repr)
def test_performatives_are_full_for_clients_that_index_them(properties: dict[str, Any], is_padded: bool) -> None:
    peer = receiving_peer(opening=AMQP_HEADER + open_frame(**properties) + begin_frame())
    peer.exchange(attach_frame("s", 1, is_sender=True))
    answers = list(peer.first)
    number = deliver(peer, b"payload")
    deliver(peer, b"y" * 200_000, tag=b"x" * 32)
    answers += peer.exchange(transfer_frame(1, 0, b"x", b"t", Uint(0)))
    peer.exchange(frame(0, frames.DISPOSITION, True, Uint(0), Uint(0), False, ERROR_STATE))
    peer.core.settle(number, Rejected(AmqpError("x:y", "z" * 300)))
    peer.core.grant_credit(peer.server.link("s"), 5)
    answers += peer.exchange(flow_frame(0, 2, count=2, drain=True))
    peer.core.drained(peer.server.link("r"))
    answers += peer.exchange(b"") + peer.exchange(frame(0, frames.DETACH, Uint(0), True))
    answers += peer.exchange(frame(0, frames.END)) + peer.exchange(frame(0, frames.CLOSE))
    seen = {answer.code for answer in answers}
    assert seen >= FIELD_COUNTS.keys() - {frames.ATTACH}
    short = {answer.code for answer in answers if len(answer.fields) != FIELD_COUNTS[answer.code]}
    assert short == (set() if is_padded else {frames.TRANSFER, frames.DISPOSITION, frames.FLOW})
    assert (
        b"".join(answer.payload for answer in answers if answer.code == frames.TRANSFER) == b"payload" + b"y" * 200_000
    )


def test_padding_keeps_to_the_clients_frame_size() -> None:
    opening = frame(
        0,
        frames.OPEN,
        "c",
        None,
        Uint(4096),
        Ushort(10),
        None,
        None,
        None,
        None,
        None,
        {Symbol("product"): "azsdk-python-x"},
    )
    peer = receiving_peer(opening=AMQP_HEADER + opening + begin_frame())
    deliver(peer, b"x" * 20000, tag=b"t" * 32)
    data = peer.server.take()
    sizes: list[int] = []
    while sum(sizes) < len(data):
        sizes.append(int.from_bytes(data[sum(sizes) : sum(sizes) + 4], "big"))
    assert max(sizes) <= 4096
    assert max(sizes) > 4000


def test_frames_of_several_sessions_find_their_own() -> None:
    peer = receiving_peer(credit=1)
    peer.exchange(
        begin_frame(channel=6) + attach_frame("other", 0, is_sender=False, channel=6, source=Described(SOURCE, []))
    )
    for name in ("r", "other"):
        assert peer.core.send_flow(peer.server.link(name))
    found = [(answer.channel, answer.fields[4], answer.fields[6]) for answer in peer.exchange(b"")]
    assert found == [(0, 0, 1), (1, 0, 0)]


def test_outcomes_and_messages_keep_the_order_of_their_frames() -> None:
    peer = receiving_peer()
    peer.exchange(attach_frame("s", 1, is_sender=True))
    deliver(peer)
    peer.exchange(b"")
    before = len(peer.server.events)
    peer.exchange(
        transfer_frame(1, 0, b"1", b"a", Uint(0))
        + frame(0, frames.DISPOSITION, True, Uint(0), None, False, Described(Ulong(0x24), []))
        + transfer_frame(1, 1, b"2", b"b", Uint(0))
        + flow_frame(0, 9)
        + transfer_frame(1, 2, b"3", b"c", Uint(0))
    )
    names = [type(event).__name__ for event in peer.server.events[before:]]
    assert names == ["MessageReceived", "OutcomeReceived", "MessageReceived", "LinkFlow", "MessageReceived"]


def test_frame_fields_are_compared_as_they_came() -> None:
    assert Frame(0, 1, [None], b"") != Frame(0, 1, [], b"")
