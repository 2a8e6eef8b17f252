"""Attaching, refusing, stealing and detaching links, ending sessions: what is said on the wire, what is reported."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Array, Described, Int, Symbol, Ubyte, Uint, Ulong
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import (
    ACCEPTED,
    AmqpError,
    AmqpEvent,
    ConnectionClosed,
    LinkAttached,
    LinkDetached,
    MessageReceived,
    Terminus,
)
from localzure_protocols.amqp.frames import AMQP_HEADER
from tests.protocols.amqp_peers import (
    SOURCE,
    TARGET,
    FramePeer,
    accept,
    attach_frame,
    begin_frame,
    frame,
    open_frame,
    transfer_frame,
)

ERROR = Ulong(0x1D)
SESSION_FILTER = Symbol("com.microsoft:session-filter")


def ignore(_core: AmqpConnection, _event: AmqpEvent) -> None:
    """Leave links unanswered."""


def codes(answers: list[Any]) -> list[int]:
    return [answer.code for answer in answers]


def detach_frame(handle: int, *, closed: bool | None = True, error: Any = None, channel: int = 0) -> bytes:
    return frame(channel, frames.DETACH, Uint(handle), closed, error)


def test_a_receiver_is_answered_with_what_it_asked_for() -> None:
    described = Described(Ulong(0x137000000C), "session-1")
    source = Described(
        SOURCE,
        ["amqps://h/q", Uint(0), None, None, False, None, None, {SESSION_FILTER: described}, None, None, Symbol("cap")],
    )
    peer = FramePeer(ignore)
    assert (
        peer.exchange(
            attach_frame(
                "r",
                3,
                is_sender=False,
                source=source,
                target="local",
                snd=Ubyte(1),
                rcv=Ubyte(0),
                desired=Array([Symbol("a"), Symbol("b")], Symbol),
                properties={Symbol("com.microsoft:timeout"): Uint(5)},
            )
        )
        == []
    )
    link = peer.server.one(LinkAttached).link
    assert (link.name, link.is_receiver, link.session) == ("r", False, 1)
    assert link.source == Terminus("amqps://h/q", {SESSION_FILTER: described}, capabilities=["cap"])
    assert link.target == Terminus("local")
    assert (link.snd_settle_mode, link.rcv_settle_mode) == (1, 0)
    assert link.desired_capabilities == ["a", "b"]
    assert link.properties == {"com.microsoft:timeout": 5}
    assert not link.is_open
    properties = {"com.microsoft:locked-until-utc": 638355968000000000}
    assert peer.core.accept_link(link, max_message_size=262144, properties=properties)
    assert link.is_open
    assert not peer.core.accept_link(link, max_message_size=1)
    (answer,) = peer.exchange(b"")
    assert answer.code == frames.ATTACH
    assert answer.fields == [
        "r",
        0,
        False,
        1,
        0,
        source,
        Described(TARGET, ["local", None, None, None, None, None, None]),
        None,
        None,
        0,
        262144,
        None,
        None,
        properties,
    ]
    assert [type(answer.fields[index]) for index in (1, 3, 4, 9, 10)] == [Uint, Ubyte, Ubyte, Uint, Ulong]
    assert type(answer.fields[13]["com.microsoft:locked-until-utc"]) is int
    assert all(type(key) is Symbol for key in answer.fields[13])


def test_the_filter_of_the_answer_can_be_another() -> None:
    peer = FramePeer(ignore)
    source = Described(SOURCE, ["q", None, None, None, None, None, None, {SESSION_FILTER: None}])
    peer.exchange(attach_frame("r", 0, is_sender=False, source=source))
    link = peer.server.one(LinkAttached).link
    assert link.source.filter == {SESSION_FILTER: None}
    peer.core.accept_link(link, max_message_size=1, source_filter={SESSION_FILTER: "granted"})
    (answer,) = peer.exchange(b"")
    assert answer.fields[5].value[7] == {SESSION_FILTER: "granted"}
    assert link.source.filter == {SESSION_FILTER: None}


def test_a_sender_is_answered_without_delivery_count_and_may_have_null_termini() -> None:
    peer = FramePeer()
    attach, _ = peer.exchange(attach_frame("s", 0, is_sender=True, source=None, target=Described(TARGET, [None])))
    link = peer.server.one(LinkAttached).link
    assert link.is_receiver
    assert link.source == link.target == Terminus()
    assert (link.snd_settle_mode, link.rcv_settle_mode) == (2, 0)
    assert attach.fields[2] is True
    assert attach.fields[5] == Described(SOURCE, [None] * 11)
    assert attach.fields[6] == Described(TARGET, [None] * 7)
    assert attach.fields[9] is None


def test_a_coordinator_is_recognised_and_echoed() -> None:
    peer = FramePeer()
    coordinator = Described(Ulong(0x30), [Array([Symbol("amqp:local-transactions")], Symbol)])
    attach, _ = peer.exchange(attach_frame("txn", 0, is_sender=True, target=coordinator))
    assert attach.fields[6] == coordinator
    assert peer.server.one(LinkAttached).link.target == Terminus(
        is_coordinator=True, capabilities=["amqp:local-transactions"]
    )


@pytest.mark.parametrize("is_sender", [True, False])
def test_a_refused_link_gets_null_termini_and_a_closing_detach(is_sender: bool) -> None:
    peer = FramePeer(ignore)
    peer.exchange(attach_frame("r", 5, is_sender=is_sender))
    link = peer.server.one(LinkAttached).link
    assert peer.core.refuse_link(link, AmqpError("amqp:not-found", "no such queue"))
    assert not peer.core.refuse_link(link, AmqpError("amqp:not-found"))
    assert not peer.core.accept_link(link, max_message_size=1)
    attach, detach = peer.exchange(b"")
    assert attach.fields[5:7] == [None, None]
    assert len(attach.fields) == 14
    assert attach.fields[9] == (None if is_sender else 0)
    assert detach.code == frames.DETACH
    condition = Symbol("condition")
    assert detach.fields == [
        0,
        True,
        Described(ERROR, ["amqp:not-found", "no such queue", {condition: "amqp:not-found"}]),
    ]
    assert peer.exchange(detach_frame(5)) == []
    assert peer.server.all(LinkDetached) == []


def test_an_error_keeps_its_own_info() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("r", 0, is_sender=False))
    error = AmqpError("com.microsoft:timeout", "late", {"tracking-id": UUID(int=1), Symbol("n"): Int(3)})
    assert peer.core.detach_link(peer.server.link("r"), error)
    (detach,) = peer.exchange(b"")
    info = detach.fields[2].value[2]
    assert info == {"tracking-id": UUID(int=1), "n": 3}
    assert [type(key) for key in info] == [Symbol, Symbol]
    assert type(info["n"]) is Int


@pytest.mark.parametrize("closed", [True, False, None])
def test_a_detach_is_answered_with_a_closing_one(closed: bool | None) -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("r", 1, is_sender=False))
    link = peer.server.link("r")
    error = Described(ERROR, [Symbol("amqp:internal-error"), "why", {Symbol("k"): 1}])
    (detach,) = peer.exchange(detach_frame(1, closed=closed, error=error))
    assert detach.fields == [0, True, None]
    event = peer.server.one(LinkDetached)
    assert event == LinkDetached(link, AmqpError("amqp:internal-error", "why", {"k": 1}))
    assert not link.is_open
    assert not peer.core.detach_link(link)
    assert peer.core.deliver(link, b"t", [b"x"], settled=True) == 0
    assert not peer.core.grant_credit(link, 1)
    assert not peer.core.send_flow(link)
    assert not peer.core.drained(link)
    again = peer.exchange(attach_frame("r", 1, is_sender=False))
    assert codes(again) == [frames.ATTACH]
    assert peer.server.link("r") is not link


def test_a_link_that_the_client_gives_up_before_the_answer_is_ended_properly() -> None:
    peer = FramePeer(ignore)
    peer.exchange(attach_frame("r", 0, is_sender=False))
    answers = peer.exchange(detach_frame(0))
    assert codes(answers) == [frames.ATTACH, frames.DETACH]
    assert answers[0].fields[5:7] == [None, None]
    link = peer.server.one(LinkAttached).link
    assert peer.server.one(LinkDetached).link is link
    assert not peer.core.accept_link(link, max_message_size=1)
    assert not peer.core.refuse_link(link, AmqpError("x"))


def test_detaching_at_the_same_time_is_reported_to_nobody() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("r", 0, is_sender=False))
    peer.core.detach_link(peer.server.link("r"), AmqpError("amqp:link:detach-forced"))
    assert codes(peer.exchange(detach_frame(0))) == [frames.DETACH]
    assert peer.server.all(LinkDetached) == []


def test_attaching_a_name_again_steals_the_link() -> None:
    peer = FramePeer()
    peer.exchange(begin_frame(channel=1))
    peer.exchange(attach_frame("same", 0, is_sender=False))
    older = peer.server.link("same")
    answers = peer.exchange(attach_frame("same", 1, is_sender=False))
    assert sorted(codes(answers)) == [frames.ATTACH, frames.DETACH]
    (detach,) = [answer for answer in answers if answer.code == frames.DETACH]
    assert detach.fields[2].value[0] == "amqp:link:stolen"
    event = peer.server.one(LinkDetached)
    assert event.link is older
    assert event.error is not None
    assert event.error.condition == "amqp:link:stolen"
    assert peer.exchange(detach_frame(0)) == []
    newer = peer.server.link("same")
    assert newer.is_open
    answers = peer.exchange(attach_frame("same", 0, is_sender=False, channel=1))
    assert sorted(codes(answers)) == [frames.ATTACH, frames.DETACH]
    assert not newer.is_open


def test_the_same_name_in_the_other_direction_is_another_link() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("$cbs", 0, is_sender=False) + attach_frame("$cbs", 1, is_sender=True))
    assert peer.server.all(LinkDetached) == []
    assert all(event.link.is_open for event in peer.server.all(LinkAttached))


def test_a_name_that_begins_another_is_another_link() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("link-10", 0, is_sender=False) + attach_frame("link-1", 1, is_sender=False))
    assert peer.server.all(LinkDetached) == []


def test_ending_a_session_detaches_its_links_and_no_others() -> None:
    peer = FramePeer()
    peer.exchange(begin_frame(channel=1))
    peer.exchange(attach_frame("a", 0, is_sender=False) + attach_frame("b", 1, is_sender=True))
    peer.exchange(attach_frame("other", 0, is_sender=True, channel=1))
    error = Described(ERROR, [Symbol("amqp:session:errant-link")])
    (end,) = peer.exchange(frame(0, frames.END, error))
    assert (end.code, end.fields) == (frames.END, [None])
    assert [(event.link.name, event.error) for event in peer.server.all(LinkDetached)] == [
        ("a", AmqpError("amqp:session:errant-link")),
        ("b", AmqpError("amqp:session:errant-link")),
    ]
    assert not peer.server.link("a").is_open
    assert peer.server.link("other").is_open
    assert codes(peer.exchange(begin_frame() + attach_frame("a", 0, is_sender=False))) == [
        frames.BEGIN,
        frames.ATTACH,
        frames.FLOW,
    ]


def test_sessions_may_come_and_go_in_one_burst() -> None:
    peer = FramePeer(opening=AMQP_HEADER + open_frame())
    answers = peer.exchange(
        begin_frame(channel=3)
        + attach_frame("gone", 0, is_sender=True, channel=3)
        + frame(3, frames.END)
        + begin_frame(channel=3)
        + attach_frame("here", 0, is_sender=True, channel=3)
    )
    begun = [answer for answer in answers if answer.code == frames.BEGIN]
    assert [answer.fields[0] for answer in begun] == [3, 3]
    assert [answer.fields[0] for answer in answers if answer.code == frames.ATTACH] == ["here"]
    assert sum(answer.code == frames.END for answer in answers) == 1
    assert peer.server.link("here").is_open


def test_a_session_with_everything_in_flight_can_end() -> None:
    peer = FramePeer(ignore)
    peer.exchange(attach_frame("waiting", 0, is_sender=False) + attach_frame("open", 1, is_sender=True))
    opened = peer.server.link("open")
    peer.core.accept_link(opened, max_message_size=100)
    peer.core.detach_link(opened, AmqpError("amqp:link:detach-forced"))
    answers = peer.exchange(frame(0, frames.END))
    assert codes(answers)[-1] == frames.END
    assert [event.link.name for event in peer.server.all(LinkDetached)] == ["waiting"]
    assert codes(peer.exchange(begin_frame())) == [frames.BEGIN, frames.FLOW]


def test_frames_on_a_link_that_this_side_detached_are_ignored() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True) + attach_frame("r", 1, is_sender=False))
    for name in ("s", "r"):
        peer.core.detach_link(peer.server.link(name), AmqpError("amqp:link:detach-forced"))
    before = len(peer.server.events)
    answers = peer.exchange(
        transfer_frame(0, 0, b"lost", b"tag", Uint(0))
        + frame(0, frames.FLOW, Uint(0), Uint(9), Uint(0), Uint(9), Uint(1), Uint(0), Uint(50), None, True, True)
        + frame(0, frames.DISPOSITION, True, Uint(0), Uint(0), True)
    )
    assert codes(answers) == [frames.DETACH, frames.DETACH]
    assert peer.server.events[before:] == []
    # Settled unseen, once DETACH has said what became of it.
    (settled,) = peer.exchange(detach_frame(0) + detach_frame(1))
    assert (settled.code, settled.fields) == (frames.DISPOSITION, [True, 0, None, True])


def test_a_handle_of_ours_goes_to_the_next_link_before_the_client_has_detached() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("first", 0, is_sender=False))
    peer.core.detach_link(peer.server.link("first"))
    peer.exchange(b"")
    (attach,) = peer.exchange(attach_frame("second", 1, is_sender=False))
    assert attach.fields[1] == 0
    peer.exchange(detach_frame(0))
    peer.core.detach_link(peer.server.link("second"))
    (detach,) = peer.exchange(b"")
    assert detach.fields[0] == 0


def test_frames_on_a_link_whose_detach_is_out_are_ignored() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True))
    peer.core.detach_link(peer.server.link("s"))
    assert codes(peer.exchange(b"")) == [frames.DETACH]
    before = len(peer.server.events)
    assert codes(peer.exchange(transfer_frame(0, 0, b"late", b"tag", Uint(0)))) == [frames.DISPOSITION]
    assert peer.exchange(transfer_frame(0, 1, b"later", b"tag", Uint(0), True)) == []
    assert peer.server.events[before:] == []
    assert peer.exchange(detach_frame(0)) == []


def test_a_session_allows_hundreds_of_links() -> None:
    peer = FramePeer()
    for handle in range(300):
        peer.exchange(attach_frame(f"link-{handle}", handle, is_sender=handle % 2 == 0))
    assert sum(event.link.is_open for event in peer.server.all(LinkAttached)) == 300
    assert not peer.core.is_finished


VIOLATIONS = {
    "a channel above the limit": (begin_frame(channel=5000), "amqp:not-allowed"),
    "a session on a channel in use": (begin_frame(channel=0), "amqp:not-allowed"),
    "an answer to a session that we did not begin": (
        frame(1, frames.BEGIN, Uint(0), Uint(0), Uint(1), Uint(1)),
        "amqp:not-allowed",
    ),
    "a link without a session": (attach_frame("x", 0, is_sender=True, channel=9), "amqp:not-allowed"),
    "a handle above the limit": (attach_frame("x", 5000, is_sender=True), "amqp:connection:framing-error"),
    "a handle in use": (attach_frame("x", 0, is_sender=True), "amqp:session:handle-in-use"),
    "a detach of nothing": (detach_frame(7), "amqp:session:unattached-handle"),
    "a flow of nothing": (
        frame(0, frames.FLOW, Uint(0), Uint(1), Uint(0), Uint(1), Uint(7)),
        "amqp:session:unattached-handle",
    ),
    "a flow without a session": (frame(9, frames.FLOW, Uint(0), Uint(1), Uint(0), Uint(1)), "amqp:not-allowed"),
    "a transfer on nothing": (transfer_frame(7, 0, b"x", b"t", Uint(0)), "amqp:session:unattached-handle"),
    "a transfer on a link that we send on": (transfer_frame(1, 0, b"x", b"t", Uint(0)), "amqp:not-allowed"),
    "an abort on a link that we send on": (
        transfer_frame(1, 0, b"x", b"t", Uint(0), None, None, None, None, None, True),
        "amqp:not-allowed",
    ),
    "an end without a session": (frame(9, frames.END), "amqp:not-allowed"),
    "a disposition without a session": (frame(9, frames.DISPOSITION, True, Uint(0)), "amqp:not-allowed"),
    "an unknown performative": (frame(0, 0x19, "x"), "amqp:decode-error"),
    "no performative": (b"\x00\x00\x00\x09\x02\x00\x00\x00\x40", "amqp:decode-error"),
    "a performative that is no list": (b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x10\x40", "amqp:decode-error"),
    "a performative of one field too many": (frame(0, frames.END, None, None), "amqp:decode-error"),
    "a performative beyond its frame": (
        b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x17\xc0" + b"\x02\x01\x40",
        "amqp:decode-error",
    ),
    "a payload where none belongs": (frame(0, frames.END, payload=b"x"), "amqp:connection:framing-error"),
    "a missing field": (frame(0, frames.DETACH), "amqp:decode-error"),
    "a field of another type": (frame(0, frames.DETACH, "0"), "amqp:decode-error"),
    "a truth value where a number belongs": (frame(0, frames.DETACH, True), "amqp:decode-error"),
    "a number beyond its width": (frame(0, frames.DETACH, Ulong(2**40)), "amqp:decode-error"),
    "a negative number": (frame(0, frames.DETACH, -1), "amqp:decode-error"),
    "a source that is a string": (attach_frame("x", 2, is_sender=True, source=Array(["s"], str)), "amqp:decode-error"),
    "a target as source": (
        attach_frame("x", 2, is_sender=True, source=Described(TARGET, [])),
        "amqp:decode-error",
    ),
    "a filter that is no map": (
        attach_frame("x", 2, is_sender=False, source=Described(SOURCE, [*[None] * 7, "filter"])),
        "amqp:decode-error",
    ),
    "capabilities that are no symbols": (attach_frame("x", 2, is_sender=True, desired=1), "amqp:decode-error"),
    "an error without a condition": (detach_frame(0, error=Described(ERROR, [])), "amqp:decode-error"),
    "an error of another kind": (detach_frame(0, error=Described(Ulong(1), [Symbol("x")])), "amqp:decode-error"),
    "an error with a list as info": (
        detach_frame(0, error=Described(ERROR, [Symbol("x"), "y", []])),
        "amqp:decode-error",
    ),
    "an outcome of another kind": (
        frame(0, frames.DISPOSITION, True, Uint(0), None, True, Described(Ulong(0x99), [])),
        "amqp:decode-error",
    ),
    "an outcome that is no list": (
        frame(0, frames.DISPOSITION, True, Uint(0), None, True, Described(Ulong(0x24), "x")),
        "amqp:decode-error",
    ),
    "a transaction without an id": (
        frame(0, frames.DISPOSITION, True, Uint(0), None, True, Described(Ulong(0x34), [])),
        "amqp:decode-error",
    ),
    "a transaction inside a transaction": (
        frame(
            0,
            frames.DISPOSITION,
            True,
            Uint(0),
            None,
            True,
            Described(Ulong(0x34), [b"a", Described(Ulong(0x34), [b"b"])]),
        ),
        "amqp:decode-error",
    ),
    "a frame below eight bytes": (b"\x00\x00\x00\x07\x02\x00\x00\x00", "amqp:connection:framing-error"),
    "a frame above the limit": (b"\x00\x01\x00\x01\x02\x00\x00\x00", "amqp:connection:framing-error"),
    "a frame whose data begins in its header": (b"\x00\x00\x00\x08\x01\x00\x00\x00", "amqp:connection:framing-error"),
    "a frame whose data begins behind it": (b"\x00\x00\x00\x08\x03\x00\x00\x00", "amqp:connection:framing-error"),
    "a SASL frame": (b"\x00\x00\x00\x08\x02\x01\x00\x00", "amqp:connection:framing-error"),
    "deliveries out of order": (
        transfer_frame(0, 5, b"x", b"a", Uint(0)) + transfer_frame(0, 9, b"x", b"b", Uint(0)),
        "amqp:session:invalid-field",
    ),
    "an illegal range": (frame(0, frames.DISPOSITION, True, Uint(9), Uint(3), True), "amqp:not allowed"),
}


@pytest.mark.parametrize(("data", "condition"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_violation_closes_the_connection(data: bytes, condition: str) -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True) + attach_frame("r", 1, is_sender=False))
    links = [event.link for event in peer.server.all(LinkAttached)]
    answers = peer.exchange(data)
    assert codes(answers)[-1:] == [frames.CLOSE]
    assert codes(answers).count(frames.CLOSE) == 1
    assert frames.OPEN not in codes(answers)
    error = answers[-1].fields[0].value
    assert error[0] == condition
    assert error[1]
    assert error[2]
    closed = peer.server.events[-1]
    assert isinstance(closed, ConnectionClosed)
    assert closed.error is not None
    assert closed.error.condition == condition
    assert peer.core.is_finished
    assert not any(link.is_open for link in links)
    assert peer.exchange(attach_frame("late", 5, is_sender=True)) == []


def test_what_came_before_a_violation_still_counts() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True))
    peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0)) + frame(0, 0x77))
    assert [type(event) for event in peer.server.events[-2:]] == [MessageReceived, ConnectionClosed]


def test_heartbeats_and_extended_headers_are_harmless() -> None:
    peer = FramePeer()
    extended = begin_frame(channel=1)
    extended = (len(extended) + 4).to_bytes(4, "big") + b"\x03" + extended[5:8] + b"more" + extended[8:]
    answers = peer.exchange(b"\x00\x00\x00\x08\x02\x00\x00\x00" * 3 + extended)
    assert codes(answers) == [frames.BEGIN, frames.FLOW]


def test_a_close_is_answered_and_nothing_after_it_is_read() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True))
    error = Described(ERROR, [Symbol("amqp:connection:forced"), "bye"])
    answers = peer.exchange(frame(0, frames.CLOSE, error) + b"anything at all")
    assert [(answer.code, answer.fields) for answer in answers] == [(frames.CLOSE, [None])]
    assert peer.server.events[-1] == ConnectionClosed(AmqpError("amqp:connection:forced", "bye"))
    assert peer.core.is_finished


def test_closing_from_this_side_says_why_and_makes_every_command_harmless() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("s", 0, is_sender=True) + attach_frame("r", 1, is_sender=False))
    peer.exchange(transfer_frame(0, 0, b"x", b"t", Uint(0)))
    delivery = peer.server.one(MessageReceived).delivery
    sender, receiver = peer.server.link("s"), peer.server.link("r")
    peer.core.close(AmqpError("amqp:connection:forced", "going down"))
    peer.core.close(AmqpError("amqp:connection:forced", "twice"))
    (close,) = peer.exchange(b"")
    assert close.fields[0].value[:2] == ["amqp:connection:forced", "going down"]
    assert peer.core.is_finished
    core = peer.core
    assert core.receive(transfer_frame(0, 1, b"x", b"t", Uint(0))) == []
    assert not core.settle(delivery, ACCEPTED)
    assert not core.grant_credit(sender, 5)
    assert not core.detach_link(sender)
    assert not core.send_flow(receiver)
    assert not core.drained(receiver)
    assert core.deliver(receiver, b"t", [b"x"], settled=False) == 0
    assert core.data_to_send() == []
    assert core.tick(1.0) is None


def test_accepting_reacts_only_to_attaching() -> None:
    peer = FramePeer()
    accept(peer.core, ConnectionClosed())
    assert peer.exchange(b"") == []
