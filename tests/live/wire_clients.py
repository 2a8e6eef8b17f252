"""One short conversation in each protocol, over any socket: enough to see that the server understood."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import h2.connection
import h2.events
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Event, Request

SECONDS_MAX = 10.0
"""How long a server may take for any answer."""

SASL_HEADER = b"AMQP\x03\x01\x00\x00"

Talk = Callable[[socket.socket], None]


def connect(url: str) -> socket.socket:
    """A plain connection to the port of `url`, whatever its scheme."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=SECONDS_MAX)


def secured(plain: socket.socket, ca_file: object, *alpn: str) -> ssl.SSLSocket:
    """TLS on a connection, with the certificate verified."""
    context = ssl.create_default_context(cafile=str(ca_file))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(plain, server_hostname="localhost")


def read_until(client: socket.socket, mark: bytes) -> bytes:
    """Everything up to and including `mark`, and what came with it."""
    received = b""
    while mark not in received:
        data = client.recv(65536)
        assert data, f"the server closed after {received!r}"
        received += data
    return received


def read_to_end(client: socket.socket) -> bytes:
    """Everything until the server closes; a reset is a close too."""
    received = b""
    try:
        while data := client.recv(65536):
            received += data
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        pass
    return received


def amqp(client: socket.socket) -> None:
    """The SASL header is answered with the same, and with the mechanisms."""
    client.sendall(SASL_HEADER)
    received = read_until(client, b"MSSBCBS")
    assert received.startswith(SASL_HEADER)


def http1(client: socket.socket) -> None:
    """Two requests on one connection."""
    for _ in range(2):
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head, _, body = read_until(client, b'Z"}').partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert json.loads(body)["status"] == "healthy"


def http2(client: socket.socket) -> None:
    """Two requests at once, by prior knowledge or after ALPN: the bytes are the same."""
    core = h2.connection.H2Connection()
    core.initiate_connection()
    bodies = {1: b"", 3: b""}
    for stream in bodies:
        headers = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/health")]
        core.send_headers(stream, headers, end_stream=True)
    client.sendall(core.data_to_send())
    ended = 0
    while ended < len(bodies):
        data = client.recv(65536)
        assert data, "the server closed"
        for event in core.receive_data(data):
            assert not isinstance(event, h2.events.ConnectionTerminated | h2.events.StreamReset)
            if isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
            ended += isinstance(event, h2.events.StreamEnded)
        client.sendall(core.data_to_send())
    assert {json.loads(body)["status"] for body in bodies.values()} == {"healthy"}


class WebSocket:
    """A WebSocket client that has upgraded, or failed to."""

    def __init__(
        self, client: socket.socket, path: str = "/$servicebus/websocket", protocol: str = "AMQPWSB10"
    ) -> None:
        self.client = client
        self.core = WSConnection(ConnectionType.CLIENT)
        client.sendall(self.core.send(Request(host="localhost", target=path, subprotocols=[protocol])))
        (self.answer,) = self.receive()

    def receive(self) -> list[Event]:
        """The next events; fails where the server closes without a word."""
        while True:
            data = self.client.recv(65536)
            self.core.receive_data(data or None)
            events = list(self.core.events())
            if events or not data:
                return events

    def payload(self, mark: bytes) -> bytes:
        """What binary messages carry, up to `mark`."""
        received = b""
        while mark not in received:
            events = self.receive()
            assert events, f"the server closed after {received!r}"
            received += b"".join(bytes(event.data) for event in events if isinstance(event, BytesMessage))
        return received


def websocket(client: socket.socket) -> None:
    """AMQP inside: the SASL header is answered as without WebSocket, split over two messages."""
    inside = WebSocket(client)
    assert isinstance(inside.answer, AcceptConnection)
    assert inside.answer.subprotocol == "AMQPWSB10"
    for piece in (SASL_HEADER[:3], SASL_HEADER[3:]):
        client.sendall(inside.core.send(BytesMessage(data=piece)))
    assert inside.payload(b"MSSBCBS").startswith(SASL_HEADER)


TALKS: dict[str, Talk] = {"amqp": amqp, "http1": http1, "http2": http2, "websocket": websocket}
