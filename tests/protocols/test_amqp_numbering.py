"""Deliveries that come out of turn, as Python's SDK sends them from several threads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Uint
from localzure_protocols.amqp.events import ACCEPTED, MessageReceived
from localzure_protocols.amqp.frames import AMQP_HEADER
from localzure_protocols.amqp.numbering import Numbering
from tests.protocols.amqp_peers import FramePeer, attach_frame, begin_frame, frame, open_frame, transfer_frame


def python_peer(version: str = "7.15.0") -> FramePeer:
    opening = open_frame(product="azsdk-python-servicebus", version=version)
    peer = FramePeer(opening=AMQP_HEADER + opening + begin_frame())
    peer.exchange(attach_frame("one", 0, is_sender=True) + attach_frame("two", 1, is_sender=True))
    return peer


def settle_all(peer: FramePeer) -> list[tuple[int, int]]:
    """Accept all messages; returns the ranges of numbers that the client is told."""
    for event in peer.server.all(MessageReceived):
        peer.core.settle(event.delivery, ACCEPTED)
    told = [answer.fields for answer in peer.exchange(b"") if answer.code == frames.DISPOSITION]
    assert all(fields[0] is True and fields[3] is True for fields in told)
    return [(fields[1], fields[1] if fields[2] is None else fields[2]) for fields in told]


@pytest.mark.parametrize("version", ["7.14.3", "7.15.0"])
@pytest.mark.parametrize(
    "numbers", [[0, 1, 2], [0, 2, 1, 3], [0, 1, 1, 2], [3, 1, 2], [0, 0xFFFFFFFF, 1], [5, 4, 300, 299, 301]]
)
def test_the_client_is_told_by_its_own_numbers(numbers: list[int], version: str) -> None:
    peer = python_peer(version)
    peer.exchange(b"".join(transfer_frame(0, number, b"%d" % at, b"t") for at, number in enumerate(numbers)))
    messages = [event.payload for event in peer.server.all(MessageReceived)]
    assert messages == [b"%d" % at for at in range(len(numbers))]
    told = [number for first, last in settle_all(peer) for number in range(first, last + 1)]
    assert sorted(told) == sorted(numbers)


def test_pieces_of_deliveries_on_two_links_may_alternate() -> None:
    peer = python_peer()
    peer.exchange(
        transfer_frame(0, 0, b"a", b"t")
        + transfer_frame(1, 2, b"b", b"t", None, None, True)
        + transfer_frame(0, 1, b"c", b"t", None, None, True)
        + transfer_frame(1, 2, b"B")
        + transfer_frame(0, None, b"C")
        + transfer_frame(0, 3, b"d", b"t")
    )
    assert [event.payload for event in peer.server.all(MessageReceived)] == [b"a", b"bB", b"cC", b"d"]
    assert sorted(settle_all(peer)) == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_a_link_may_go_in_the_middle_of_a_delivery() -> None:
    peer = python_peer()
    peer.exchange(transfer_frame(0, 0, b"a", b"t", None, None, True) + frame(0, frames.DETACH, Uint(0), True))
    peer.exchange(attach_frame("three", 0, is_sender=True))
    peer.exchange(transfer_frame(0, 2, b"b", b"t") + transfer_frame(1, 1, b"c", b"t"))
    assert [event.payload for event in peer.server.all(MessageReceived)] == [b"b", b"c"]
    assert sorted(settle_all(peer)) == [(1, 1), (2, 2)]


def test_other_clients_are_held_to_the_order() -> None:
    peer = FramePeer()
    peer.exchange(attach_frame("one", 0, is_sender=True))
    answers = peer.exchange(transfer_frame(0, 0, b"a", b"t") + transfer_frame(0, 2, b"b", b"t"))
    assert answers[-1].code == frames.CLOSE
    assert answers[-1].fields[0].value[0] == "amqp:session:invalid-field"


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.booleans())))
def test_numbers_follow_one_another_whatever_the_client_gives(deliveries: list[tuple[int, bool]]) -> None:
    numbering = Numbering()
    numbers: list[int] = []
    for number, is_plain in deliveries:
        if is_plain and numbering.follows(number):
            numbers.append(number)
        else:
            arrived = numbering.arrived(0, number, more=False)
            assert arrived is not None
            numbers.append(arrived)
    first = numbers[0] if numbers else 0
    assert numbers == [(first + at) % 2**32 for at in range(len(numbers))]
    assert [numbering.given(number, settled=True) for number in numbers] == [number for number, _ in deliveries]
