"""A process that opens idle connections and holds them: `python idle_clients.py KIND PORT COUNT CA_FILE`.

It writes a line once all are open, and ends when its standard input does. A process of its own has the file
descriptors that a test run has not.
"""

from __future__ import annotations

import resource
import socket
import ssl
import sys

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
AMQP_HEADER = b"AMQP\x03\x01\x00\x00"

FIRST = {"silent": b"", "http1": REQUEST, "tls": REQUEST, "http2": HTTP2_PREFACE, "amqp": AMQP_HEADER}
"""What each kind of client says before it falls silent."""

SECONDS_MAX = 30.0
"""How long a server may take for any answer."""

TOGETHER = 500
"""Connections that wait for their answers at once: fewer than a listener's backlog."""


def main(kind: str, port: int, count: int, ca_file: str) -> None:
    """Open `count` connections, and hold them until nobody reads on."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.create_default_context(cafile=ca_file)
    held: list[socket.socket] = []
    while len(held) < count:
        several = [_connect(port, context if kind == "tls" else None) for _ in range(min(TOGETHER, count - len(held)))]
        for client in several:
            client.sendall(FIRST[kind])
        for client in several:
            _read_answer(client, FIRST[kind])
        held += several
    # Connections are accepted in order: whoever is answered now was accepted after all of them.
    with _connect(port, None) as last:
        last.sendall(REQUEST)
        _read_answer(last, REQUEST)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    sys.stdin.read()


def _connect(port: int, context: ssl.SSLContext | None) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX)
    return client if context is None else context.wrap_socket(client, server_hostname="localhost")


def _read_answer(client: socket.socket, said: bytes) -> None:
    """Read what the server answers to the first bytes: to the end for a request, the first of it otherwise."""
    received = b""
    while said and (not received or (said == REQUEST and not received.endswith(b'Z"}'))):
        data = client.recv(65536)
        if not data:
            sys.exit(f"the server closed a connection after {received!r}")
        received += data


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
