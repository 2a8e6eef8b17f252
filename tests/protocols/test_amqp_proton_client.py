"""A whole proton client against AmqpConnection: both directions, large messages, all outcomes, thousands of links."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pytest
from proton import Condition, Delivery, Message, symbol

from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    AmqpError,
    AmqpEvent,
    ConnectionClosed,
    LinkAttached,
    LinkDetached,
    MessageReceived,
    Modified,
    OutcomeReceived,
    Rejected,
)
from tests.protocols.amqp_peers import ProtonPeer, accept


def test_a_message_travels_to_the_server_and_is_accepted() -> None:
    peer = ProtonPeer()
    sender = peer.sender("s")
    peer.pump()
    assert sender.credit == 100
    assert sender.remote_max_message_size == 262144
    payload = bytes(Message(body="hello", id="1").encode())
    delivery = peer.send(sender, payload)
    peer.pump()
    event = peer.server.one(MessageReceived)
    assert (event.payload, event.tag) == (payload, b"tag")
    peer.core.settle(event.delivery, ACCEPTED)
    peer.pump()
    assert (delivery.remote_state, delivery.settled) == (Delivery.ACCEPTED, True)
    assert sender.credit == 99


def test_a_rejection_carries_its_error() -> None:
    peer = ProtonPeer()
    delivery = peer.send(peer.sender("s"), b"x")
    peer.pump()
    error = AmqpError("com.microsoft:server-busy", "wait", {"retry": 4})
    peer.core.settle(peer.server.one(MessageReceived).delivery, Rejected(error))
    peer.pump()
    assert delivery.remote_state == Delivery.REJECTED
    assert delivery.remote.condition.name == "com.microsoft:server-busy"
    assert delivery.remote.condition.info == {symbol("retry"): 4}


@pytest.mark.parametrize("size", [1, 65000, 65536, 1 << 20])
def test_messages_of_any_size_travel_both_ways(size: int) -> None:
    def react(core: AmqpConnection, event: AmqpEvent) -> None:
        accept(core, event, max_message_size=1 << 20)

    peer = ProtonPeer(react)
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    sender, receiver = peer.sender("s"), peer.receiver("r", credit=1)
    peer.send(sender, payload)
    peer.pump()
    event = peer.server.one(MessageReceived)
    assert event.payload == payload
    assert peer.core.deliver(peer.server.link("r"), b"tag", [payload[:10], payload[10:]], settled=False)
    peer.pump()
    assert peer.take_message(receiver)[1] == payload


def test_the_client_settles_what_it_received() -> None:
    peer = ProtonPeer()
    receiver = peer.receiver("r", credit=4)
    peer.pump()
    link = peer.server.link("r")
    numbers = [peer.core.deliver(link, bytes([255, index]), [b"x"], settled=False) for index in range(4)]
    peer.pump()
    deliveries = [peer.take_message(receiver)[0] for _ in range(4)]
    deliveries[0].update(Delivery.ACCEPTED)
    deliveries[1].local.condition = Condition("com.microsoft:dead-letter", "d", {symbol("DeadLetterReason"): "r"})
    deliveries[1].update(Delivery.REJECTED)
    deliveries[2].local.undeliverable = True
    deliveries[2].local.annotations = {symbol("p"): 1}
    deliveries[2].update(Delivery.MODIFIED)
    deliveries[3].update(Delivery.RELEASED)
    deliveries[3].settle()
    peer.pump()
    outcomes = {event.delivery: event.outcome for event in peer.server.all(OutcomeReceived)}
    assert outcomes == {
        numbers[0]: ACCEPTED,
        numbers[1]: Rejected(AmqpError("com.microsoft:dead-letter", "d", {"DeadLetterReason": "r"})),
        numbers[2]: Modified(delivery_failed=False, undeliverable_here=True, message_annotations={"p": 1}),
        numbers[3]: RELEASED,
    }
    assert [peer.core.settle(number, ACCEPTED) for number in numbers] == [True, True, True, False]
    peer.pump()
    assert [delivery.settled for delivery in deliveries[:3]] == [True] * 3


def test_messages_that_the_server_settles_are_gone_at_once() -> None:
    peer = ProtonPeer()
    receiver = peer.receiver("r", credit=1)
    peer.pump()
    number = peer.core.deliver(peer.server.link("r"), b"t", [b"x"], settled=True)
    assert number
    assert not peer.core.settle(number, ACCEPTED)
    peer.pump()
    assert receiver.current.settled


def test_drains_end_in_the_client() -> None:
    peer = ProtonPeer()
    receiver = peer.receiver("r", credit=3)
    peer.pump()
    link = peer.server.link("r")
    for _ in range(2):
        receiver.drain(0)
        peer.pump()
        assert link.drain
        assert peer.core.drained(link)
        peer.pump()
        assert (receiver.credit, receiver.draining()) == (0, False)
    receiver.flow(1)
    peer.pump()
    assert not link.drain
    assert peer.core.deliver(link, b"t", [b"x"], settled=True)


def test_a_refused_link_is_closed_in_the_client() -> None:
    def refuse(core: AmqpConnection, event: AmqpEvent) -> None:
        if isinstance(event, LinkAttached):
            core.refuse_link(event.link, AmqpError("amqp:not-found", "The messaging entity 'q' could not be found."))

    peer = ProtonPeer(refuse)
    receiver = peer.receiver("r")
    peer.pump()
    assert receiver.remote_source.type == 0
    assert receiver.remote_condition.name == "amqp:not-found"
    receiver.close()
    peer.pump()
    assert peer.server.all(LinkDetached) == []


def test_closing_is_mutual() -> None:
    peer = ProtonPeer()
    peer.sender("s")
    peer.pump()
    peer.connection.close()
    peer.pump()
    assert peer.server.one(ConnectionClosed) == ConnectionClosed()
    assert peer.core.is_finished
    assert peer.transport.closed


def link_cycle(peer: ProtonPeer, number: int, *, own_session: bool) -> None:
    """Attach two links, use them, and detach them, in a session of their own or not."""
    session = peer.connection.session() if own_session else peer.session
    if own_session:
        session.open()
    sender = peer.sender(f"s{number}", session=session)
    receiver = peer.receiver(f"r{number}", credit=2, session=session)
    peer.pump()
    peer.send(sender, b"x" * 100)
    peer.core.deliver(peer.server.link(f"r{number}"), b"t", [b"y" * 100], settled=False)
    peer.pump()
    sender.close()
    receiver.close()
    if own_session:
        session.close()
    peer.pump()
    sender.free()
    receiver.free()
    if own_session:
        session.free()
    peer.server.events.clear()
    peer.sent.clear()
    peer.received.clear()


def sizes(peer: ProtonPeer) -> dict[str, int]:
    links, engine = peer.core._links, peer.core._engine
    return {
        "by_handle": len(links.by_handle),
        "by_local": len(links.by_local),
        "by_number": len(links.by_number),
        "by_link": len(links._by_link),
        "by_name": len(links._by_name),
        "sessions": len(links.sessions),
        "sessions_by_local": len(links.sessions_by_local),
        "ending": sum(len(session.ending) for session in links.sessions.values()),
        "frames_due": links.frames_due,
        "engine": len(engine._links) + len(engine._links_by_pointer),
    }


@pytest.mark.parametrize("own_session", [False, True])
def test_a_thousand_links_come_and_go_without_a_trace(own_session: bool) -> None:
    peer = ProtonPeer()
    for number in range(20):
        link_cycle(peer, number, own_session=own_session)
    gc.collect()
    before, objects = sizes(peer), len(gc.get_objects())
    for number in range(1000):
        link_cycle(peer, number, own_session=own_session)
    gc.collect()
    assert sizes(peer) == before
    assert len(gc.get_objects()) - objects < 100
    assert before["frames_due"] == 0


def resident_kib() -> int:
    """The memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@needs_proc
@pytest.mark.parametrize("own_session", [False, True])
def test_links_that_came_and_went_leave_no_memory_behind(own_session: bool) -> None:
    peer = ProtonPeer()
    for number in range(300):
        link_cycle(peer, number, own_session=own_session)
    before = resident_kib()
    for number in range(1000):
        link_cycle(peer, number, own_session=own_session)
    # Links that are not freed cost some 2 KiB each.
    assert resident_kib() - before < 1500


@needs_proc
def test_connections_leave_no_memory_behind() -> None:
    def connection(link_count: int) -> Any:
        peer = ProtonPeer()
        for number in range(link_count):
            peer.receiver(f"r{number}", credit=5)
        peer.pump()
        for number in range(link_count):
            peer.core.deliver(peer.server.link(f"r{number}"), b"t", [b"x" * 20000], settled=False)
        peer.pump()
        return peer

    for _ in range(50):
        connection(5)
    before = resident_kib()
    for _ in range(100):
        connection(5)
    # Each holds some 200 KiB while it lives.
    assert resident_kib() - before < 4000
