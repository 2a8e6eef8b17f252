"""WebSocket: every split gives the same stream, and what a client must not send is closed with the right code."""

from __future__ import annotations

import pytest
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, BytesMessage, Pong
from wsproto.events import Ping as SendPing
from wsproto.events import Request as Handshake

from localzure_protocols.events import Request
from localzure_protocols.http1 import Http1Connection
from localzure_protocols.websocket import (
    FRAME_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    WebSocketConnection,
    is_upgrade,
)
from tests.protocols.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_code,
    frame,
    opened,
    request,
    sent_frames,
)

STREAM = (
    frame(BINARY, b"AMQP\x03\x01\x00\x00")
    + frame(BINARY, b"one, ", fin=False)
    + frame(PING, b"are you there")
    + frame(CONTINUATION, b"", fin=False)
    + frame(CONTINUATION, b"two, ", mask=b"\0\0\0\0")
    + frame(PONG, b"unasked")
    + frame(BINARY)
    + frame(BINARY, b"and three" * 20)
    + frame(CLOSE, b"\x03\xe8bye")
    + frame(BINARY, b"never heard")
)
PAYLOAD = b"AMQP\x03\x01\x00\x00one, two, " + b"and three" * 20


def _outcome(parts: list[bytes]) -> tuple[bytes, list[tuple[int, bytes]], bool, str | None]:
    connection = opened()
    payload = b"".join(piece for part in parts for piece in connection.receive(part))
    return payload, sent_frames(b"".join(connection.data_to_send())), connection.is_finished, connection.failure


def test_every_split_gives_the_same_stream() -> None:
    whole = (PAYLOAD, [(PONG, b"are you there"), (CLOSE, b"\x03\xe8bye")], True, None)
    assert _outcome([STREAM]) == whole
    assert _outcome([bytes([byte]) for byte in STREAM]) == whole
    for cut in range(1, len(STREAM)):
        assert _outcome([STREAM[:cut], STREAM[cut:]]) == whole


def test_what_came_with_the_request_is_not_lost() -> None:
    for cut in range(len(STREAM) + 1):
        connection = opened(STREAM[:cut])
        assert b"".join(connection.receive(b"") + connection.receive(STREAM[cut:])) == PAYLOAD


def test_takes_over_from_http1_and_talks_to_a_client() -> None:
    client = WSConnection(ConnectionType.CLIENT)
    http1 = Http1Connection()
    head = client.send(
        Handshake(host="localhost", target="/$servicebus/websocket", subprotocols=["other", "AMQPWSB10"])
    )
    upgrade, _ = http1.receive(head + frame(BINARY, b"early"))
    assert isinstance(upgrade, Request)
    server = WebSocketConnection(upgrade, http1.unread, [b"AMQPWSB10", b"amqp"])
    assert server.is_accepted
    assert server.subprotocol == b"AMQPWSB10"
    client.receive_data(b"".join(server.data_to_send()))
    (accepted,) = client.events()
    assert isinstance(accepted, AcceptConnection)
    assert accepted.subprotocol == "AMQPWSB10"
    assert accepted.extensions == []
    assert server.receive(b"") == [b"early"]
    assert server.receive(client.send(BytesMessage(b"late"))) == [b"late"]
    server.receive(client.send(SendPing(b"echo")))
    server.send([b"a", b"b"])
    client.receive_data(b"".join(server.data_to_send()))
    assert list(client.events()) == [Pong(b"echo"), BytesMessage(bytearray(b"ab"))]


def test_the_answer_is_the_one_of_the_rfc() -> None:
    connection = WebSocketConnection(request((b"sec-websocket-protocol", b"chat, amqp")), b"", [b"amqp"])
    assert b"".join(connection.data_to_send()) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: amqp\r\n\r\n"
    )


@pytest.mark.parametrize(
    "offer", [(), ((b"sec-websocket-protocol", b"chat"),), ((b"sec-websocket-extensions", b"permessage-deflate"),)]
)
def test_nothing_is_chosen_that_was_not_offered_or_is_not_spoken(offer: tuple[tuple[bytes, bytes], ...]) -> None:
    connection = WebSocketConnection(request(*offer), b"", [b"AMQPWSB10"])
    assert connection.is_accepted
    assert connection.subprotocol is None
    (answer,) = connection.data_to_send()
    assert b"protocol:" not in answer.lower()
    assert b"extensions" not in answer.lower()


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (request(method=b"POST"), 400),
        (request(without=b"upgrade"), 400),
        (request(without=b"connection"), 400),
        (request((b"connection", b"close"), without=b"connection"), 400),
        (request(without=b"sec-websocket-key"), 400),
        (request((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")), 400),
        (request((b"sec-websocket-key", b"c2hvcnQ="), without=b"sec-websocket-key"), 400),
        (request((b"sec-websocket-key", b"no base64!"), without=b"sec-websocket-key"), 400),
        (request((b"sec-websocket-key", b"\xff"), without=b"sec-websocket-key"), 400),
        (request(without=b"sec-websocket-version"), 426),
        (request((b"sec-websocket-version", b"8"), without=b"sec-websocket-version"), 426),
    ],
)
def test_a_bad_handshake_is_refused_in_http(broken: Request, status: int) -> None:
    connection = WebSocketConnection(broken, frame(BINARY, b"x"))
    assert not connection.is_accepted
    assert connection.is_finished
    assert connection.failure
    (answer,) = connection.data_to_send()
    head, _, text = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-length: %d" % len(text) in head.lower()
    assert (b"sec-websocket-version: 13" in head.lower()) == (status == 426)
    assert connection.receive(frame(BINARY, b"x")) == []
    connection.send([b"x"])
    connection.close()
    assert connection.data_to_send() == []


def test_who_asks_for_an_upgrade() -> None:
    assert is_upgrade(request())
    assert is_upgrade(request((b"upgrade", b"h2c, WebSocket"), without=b"upgrade"))
    assert is_upgrade(request(method=b"POST"))
    assert not is_upgrade(request((b"upgrade", b"h2c"), without=b"upgrade"))
    assert not is_upgrade(request(without=b"upgrade"))


BROKEN = [
    ("text", frame(TEXT, b"hello"), 1003),
    ("fragmented text", frame(TEXT, b"hel", fin=False), 1003),
    ("unmasked", frame(BINARY, b"x", mask=b""), 1002),
    ("unmasked ping", frame(PING, mask=b""), 1002),
    ("reserved bit 1, deflate was not negotiated", frame(BINARY, b"x", rsv=4), 1002),
    ("reserved bit 2", frame(BINARY, b"x", rsv=2), 1002),
    ("reserved bit 3", frame(PING, rsv=1), 1002),
    ("reserved data opcode", frame(3), 1002),
    ("reserved control opcode", frame(11), 1002),
    ("continuation of nothing", frame(CONTINUATION, b"x"), 1002),
    ("message inside a message", frame(BINARY, b"", fin=False) + frame(BINARY, b"y"), 1002),
    ("fragmented ping", frame(PING, fin=False), 1002),
    ("long ping", frame(PING, b"x" * 126), 1002),
    ("long close", frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    ("close of one byte", frame(CLOSE, b"\x03"), 1002),
    ("close code below 1000", frame(CLOSE, b"\x03\xe7"), 1002),
    ("close code 1005", frame(CLOSE, b"\x03\xed"), 1002),
    ("close code 1006", frame(CLOSE, b"\x03\xee"), 1002),
    ("close code 1015", frame(CLOSE, b"\x03\xf7"), 1002),
    ("close code 2000", frame(CLOSE, b"\x07\xd0"), 1002),
    ("close code 5000", frame(CLOSE, b"\x13\x88"), 1002),
    ("close reason not UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007),
    ("frame too large", frame(BINARY, length=FRAME_BYTES_MAX + 1), 1009),
    ("continuation too large", frame(BINARY, fin=False) + frame(CONTINUATION, length=FRAME_BYTES_MAX + 1), 1009),
    ("length with its highest bit set", frame(BINARY, length=1 << 63), 1002),
    ("length in 2 bytes that fits in 1", b"\x82\xfe\x00\x7d" + b"\x00" * 129, 1002),
    ("length in 8 bytes that fits in 2", b"\x82\xff" + (65535).to_bytes(8, "big") + b"\x00" * 4, 1002),
]


@pytest.mark.parametrize(("wire", "code"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_a_client_must_not_send_is_closed(wire: bytes, code: int) -> None:
    for cut in range(min(len(wire), 40)):
        connection = opened()
        before = connection.receive(frame(BINARY, b"before"))
        after = connection.receive(wire[:cut]) + connection.receive(wire[cut:] + frame(BINARY, b"after"))
        assert (before, after) == ([b"before"], [])
        assert connection.is_finished
        assert connection.failure
        assert close_code(connection) == code


def test_the_largest_frame_is_taken_without_collecting_it() -> None:
    connection = opened()
    connection.receive(frame(BINARY, length=FRAME_BYTES_MAX, mask=b"\0\0\0\0"))
    piece = b"x" * 65536
    for _ in range(64):
        assert connection.receive(piece) == [piece]


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9going", b"\x0b\xb8", b"\x13\x87last private code"])
def test_a_close_is_answered_with_its_own_code(payload: bytes) -> None:
    connection = opened()
    assert connection.receive(frame(BINARY, b"last") + frame(CLOSE, payload)) == [b"last"]
    assert connection.is_finished
    assert connection.is_peer_ended
    assert connection.failure is None
    assert sent_frames(b"".join(connection.data_to_send())) == [(CLOSE, payload)]
    connection.send([b"too late"])
    connection.close()
    assert connection.data_to_send() == []


def test_closing_waits_for_the_clients_answer_and_drops_what_it_still_sends() -> None:
    connection = opened()
    connection.close(1001, "the server stops")
    assert (connection.is_closing, connection.is_finished, connection.is_peer_ended) == (True, False, False)
    assert connection.receive(frame(BINARY, b"dropped") + frame(PING, b"ignored")) == []
    connection.send([b"too late"])
    connection.close()
    assert sent_frames(b"".join(connection.data_to_send())) == [(CLOSE, b"\x03\xe9the server stops")]
    connection.receive(frame(CLOSE, b"\x03\xe9"))
    assert (connection.is_finished, connection.failure) == (True, None)


def test_a_client_that_breaks_the_protocol_while_closing_is_let_go() -> None:
    connection = opened()
    connection.close()
    connection.receive(frame(TEXT, b"x"))
    assert connection.is_finished
    assert close_code(connection) == 1000


def test_a_client_that_goes_away_is_noticed() -> None:
    connection = opened()
    assert connection.receive(frame(BINARY, b"hal", length=4)) == [b"hal"]
    assert connection.receive_eof() == []
    assert connection.is_finished
    assert connection.failure == "the client went away without closing"
    closed = opened()
    closed.receive(frame(CLOSE))
    closed.receive_eof()
    assert closed.failure is None


def test_messages_that_are_sent_are_bounded() -> None:
    connection = opened()
    data = bytes(range(256)) * (MESSAGE_BYTES_MAX // 128) + b"rest"
    connection.send([data[:7], data[7:], b""])
    connection.send([])
    frames = sent_frames(b"".join(connection.data_to_send()))
    assert [(opcode, len(payload)) for opcode, payload in frames] == [
        (BINARY, MESSAGE_BYTES_MAX),
        (BINARY, MESSAGE_BYTES_MAX),
        (BINARY, 4),
    ]
    assert b"".join(payload for _, payload in frames) == data
