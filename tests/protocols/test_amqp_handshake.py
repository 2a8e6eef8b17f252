"""How an AMQP connection begins: protocol headers, SASL with every mechanism, OPEN, BEGIN; and who is turned away."""

from __future__ import annotations

import pytest

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Array, Described, Symbol, Uint, Ulong, Ushort, encode
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import ConnectionClosed, ConnectionOpened, LinkAttached
from localzure_protocols.amqp.frames import AMQP_HEADER, SASL_HEADER, write_frame
from localzure_protocols.amqp.links import HANDLE_MAX
from tests.protocols.amqp_peers import FramePeer, Server, attach_frame, begin_frame, frame, open_frame, read_frames

MECHANISMS_FRAME = bytes.fromhex(
    "0000003302010000005340c02601e02304a3074d53534243425305504c41494e09414e4f4e594d4f55530845585445524e414c"
)
OUTCOME_OK = bytes.fromhex("0000001002010000005344c003015000")


def sasl_frame(code: int, *fields: object) -> bytes:
    performative = encode(Described(Ulong(code), list(fields)))
    return (8 + len(performative)).to_bytes(4, "big") + b"\x02\x01\x00\x00" + performative


def test_the_answer_to_open_and_begin_is_complete() -> None:
    server = Server()
    server.receive(AMQP_HEADER + open_frame("me", product="p") + begin_frame(channel=7))
    out = server.take()
    assert out.startswith(AMQP_HEADER)
    opened, begun, flow = read_frames(out)
    assert opened.code == frames.OPEN
    assert opened.fields == [
        "server",
        None,
        65536,
        4999,
        240000,
        None,
        None,
        None,
        None,
        {"product": "LocalZure"},
    ]
    assert [type(value) for value in opened.fields[2:5]] == [Uint, Ushort, Uint]
    assert begun.code == frames.BEGIN
    assert begun.fields == [7, 0, 5000, 2**31 - 1, HANDLE_MAX, None, None, None]
    assert (flow.code, flow.fields) == (frames.FLOW, [0, 5000, 0, 2**31 - 1])
    event = server.one(ConnectionOpened)
    assert event == ConnectionOpened("me", "host", {"product": "p"}, None, b"")


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("MSSBCBS", b""),
        ("PLAIN", b"\0RootManageSharedAccessKey\0SAS_KEY_VALUE"),
        ("ANONYMOUS", b"\0RootManageSharedAccessKey"),
        ("ANONYMOUS", None),
        ("EXTERNAL", b"subject"),
    ],
)
def test_every_offered_mechanism_lets_in_and_is_reported(mechanism: str, response: bytes | None) -> None:
    server = Server()
    server.receive(SASL_HEADER)
    assert server.take() == SASL_HEADER + MECHANISMS_FRAME
    server.receive(sasl_frame(0x41, Symbol(mechanism), response, "localhost"))
    assert server.take() == OUTCOME_OK
    server.receive(AMQP_HEADER + open_frame())
    assert server.take().startswith(AMQP_HEADER)
    event = server.one(ConnectionOpened)
    assert (event.sasl_mechanism, event.sasl_response) == (mechanism, response or b"")


def test_plain_without_a_response_is_asked_for_it() -> None:
    server = Server()
    server.receive(SASL_HEADER + sasl_frame(0x41, Symbol("PLAIN")))
    assert server.take() == SASL_HEADER + MECHANISMS_FRAME + sasl_frame(0x42, b"")
    server.receive(sasl_frame(0x43, b"\0name\0key") + AMQP_HEADER + open_frame())
    assert server.take().startswith(OUTCOME_OK + AMQP_HEADER)
    assert server.one(ConnectionOpened).sasl_response == b"\0name\0key"


def test_a_client_may_say_everything_at_once() -> None:
    server = Server()
    server.receive(
        SASL_HEADER
        + sasl_frame(0x41, Symbol("ANONYMOUS"), b"", "localhost")
        + AMQP_HEADER
        + open_frame()
        + begin_frame()
        + attach_frame("cbs", 0, is_sender=True, target="$cbs")
    )
    assert [type(event) for event in server.events] == [ConnectionOpened, LinkAttached]
    answered = [answer.code for answer in read_frames(server.take().removeprefix(SASL_HEADER))][2:]
    assert set(answered[:3]) == {frames.OPEN, frames.BEGIN, frames.ATTACH}


def test_a_mechanism_that_is_not_offered_is_refused() -> None:
    server = Server()
    server.receive(SASL_HEADER + sasl_frame(0x41, Symbol("SCRAM-SHA-256"), b""))
    assert server.take().endswith(bytes.fromhex("0000001002010000005344c003015001"))
    assert server.core.is_finished
    closed = server.one(ConnectionClosed)
    assert closed.error is not None
    assert closed.error.condition == "amqp:unauthorized-access"


BROKEN_SASL = {
    "an AMQP frame": frame(0, frames.OPEN, "x"),
    "a size below eight": b"\x00\x00\x00\x07\x02\x01\x00\x00",
    "a size above the limit": b"\x00\x10\x00\x00\x02\x01\x00\x00",
    "a data offset beyond the frame": b"\x00\x00\x00\x08\x03\x01\x00\x00",
    "nothing inside": b"\x00\x00\x00\x08\x02\x01\x00\x00",
    "no list": b"\x00\x00\x00\x0c\x02\x01\x00\x00\x00\x53\x41\x40",
    "an outcome": sasl_frame(0x44, None),
    "a response out of turn": sasl_frame(0x43, b""),
    "a mechanism that is a string": sasl_frame(0x41, "ANONYMOUS"),
    "a response that is a string": sasl_frame(0x41, Symbol("PLAIN"), "text"),
    "a challenge answered with a string": sasl_frame(0x41, Symbol("PLAIN")) + sasl_frame(0x43, "text"),
    "a second init": sasl_frame(0x41, Symbol("PLAIN")) * 2,
}


@pytest.mark.parametrize("data", BROKEN_SASL.values(), ids=BROKEN_SASL.keys())
def test_broken_sasl_ends_the_connection(data: bytes) -> None:
    server = Server()
    server.receive(SASL_HEADER + data)
    server.take()
    assert server.core.is_finished
    closed = server.one(ConnectionClosed)
    assert closed.error is not None
    assert closed.error.condition == "amqp:connection:framing-error"
    assert server.receive(AMQP_HEADER) == []


@pytest.mark.parametrize("header", [b"AMQP\x02\x01\x00\x00", b"AMQP\x00\x00\x09\x01", b"GET / HT"])
def test_another_protocol_is_told_what_is_spoken_here(header: bytes) -> None:
    server = Server()
    server.receive(header[:5])
    assert not server.core.is_finished
    server.receive(header[5:])
    assert server.take() == SASL_HEADER
    assert server.core.is_finished
    assert isinstance(server.events[-1], ConnectionClosed)


def test_sasl_is_followed_by_amqp_and_nothing_else() -> None:
    server = Server()
    server.receive(SASL_HEADER + sasl_frame(0x41, Symbol("ANONYMOUS")) + SASL_HEADER)
    assert server.take().endswith(OUTCOME_OK + AMQP_HEADER)
    assert server.core.is_finished


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (begin_frame(), "amqp:illegal-state"),
        (frame(0, frames.OPEN), "amqp:decode-error"),
        (frame(0, frames.OPEN, b"bytes"), "amqp:decode-error"),
        (open_frame() + open_frame(), "amqp:illegal-state"),
        (b"\x00\x00\x00\x08\x02\x01\x00\x00", "amqp:connection:framing-error"),
    ],
)
def test_what_is_no_opening_is_answered_with_open_and_close(data: bytes, condition: str) -> None:
    peer = FramePeer(opening=AMQP_HEADER + data)
    assert [answer.code for answer in peer.first] == [frames.OPEN, frames.CLOSE]
    error = peer.first[-1].fields[0].value
    assert error[0] == condition
    assert error[2]
    assert peer.core.is_finished


def test_symbolic_descriptors_are_understood() -> None:
    def named(channel: int, name: str, *fields: object) -> bytes:
        performative = encode(Described(Symbol(f"amqp:{name}:list"), list(fields)))
        return (8 + len(performative)).to_bytes(4, "big") + b"\x02\x00" + channel.to_bytes(2, "big") + performative

    peer = FramePeer(
        opening=AMQP_HEADER
        + named(0, "open", "me")
        + named(0, "begin", None, Uint(0), Uint(10), Uint(10))
        + named(0, "attach", "link", Uint(0), False, None, None, Described(Symbol("amqp:source:list"), ["s"]))
    )
    assert [answer.code for answer in peer.first] == [frames.OPEN, frames.BEGIN, frames.ATTACH, frames.FLOW]
    assert peer.first[2].fields[5].descriptor == "amqp:source:list"
    assert peer.server.one(LinkAttached).link.source.address == "s"


def test_the_clients_frame_size_is_kept_to() -> None:
    peer = FramePeer(
        opening=AMQP_HEADER
        + write_frame(0, frames.OPEN, ["client", None, Uint(512)])
        + begin_frame()
        + attach_frame("r", 0, is_sender=False)
        + frame(0, frames.FLOW, None, Uint(100), Uint(0), Uint(100), Uint(0), Uint(0), Uint(10))
    )
    assert peer.core.deliver(peer.server.link("r"), b"tag", [b"x" * 2000], settled=True)
    data = peer.server.take()
    sizes, at = [], 0
    while at < len(data):
        sizes.append(int.from_bytes(data[at : at + 4], "big"))
        at += sizes[-1]
    assert len(sizes) > 3
    assert max(sizes) <= 512
    assert b"".join(answer.payload for answer in read_frames(data)) == b"x" * 2000


def test_nothing_is_said_before_the_client_speaks() -> None:
    core = AmqpConnection("server")
    assert core.data_to_send() == []
    assert core.receive(b"") == []
    assert core.receive_eof() == [ConnectionClosed()]
    assert core.is_finished
    assert core.receive_eof() == []


def test_offered_capabilities_of_the_client_do_not_matter() -> None:
    opening = write_frame(0, frames.OPEN, ["c", None, None, None, None, None, None, Array([Symbol("a")], Symbol)])
    peer = FramePeer(opening=AMQP_HEADER + opening)
    assert [answer.code for answer in peer.first] == [frames.OPEN]
