"""Requests that wait for messages on real connections: many of them, and clients that go away."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from localzure.testing import LocalZure

WAITING = 200


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(queues=["line", "other"], extra_args=["--auth", "off"]) as server:
        yield server


def ask(azure: LocalZure, queue: str, timeout: int, *, name: str = "servicebus", tls: bool = False) -> socket.socket:
    """A connection on which a request waits."""
    port = urlsplit(azure.endpoints[name]).port
    line = socket.create_connection(("127.0.0.1", port), timeout=20)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        line = context.wrap_socket(line, server_hostname="localhost")
    line.sendall(f"POST /{queue}/messages/head?timeout={timeout} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return line


def call(azure: LocalZure, method: str, path: str, body: bytes = b"") -> tuple[int, bytes, str]:
    request = Request(f"{azure.endpoints['servicebus'].rstrip('/')}{path}", method=method, data=body)
    with urlopen(request, timeout=20) as reply:
        return reply.status, reply.read(), reply.headers.get("BrokerProperties", "{}")


def waiting(azure: LocalZure) -> None:
    """Come back when the server has read all that was sent before: it answers one connection after the other."""
    assert call(azure, "DELETE", "/other/messages/head?timeout=0")[0] == 204


@pytest.mark.parametrize("tls", [False, True])
def test_whoever_has_gone_is_handed_nothing(azure: LocalZure, tls: bool) -> None:
    with ExitStack() as stack:
        lines = [stack.enter_context(ask(azure, "line", 30, tls=tls)) for _ in range(5)]
        waiting(azure)
    del lines
    waiting(azure)
    waiting(azure)
    call(azure, "POST", "/line/messages", b"for whoever is there")
    status, body, broker = call(azure, "POST", "/line/messages/head?timeout=0")
    assert (status, body) == (201, b"for whoever is there")
    told = json.loads(broker)
    assert told["DeliveryCount"] == 1
    assert call(azure, "DELETE", f"/line/messages/{told['SequenceNumber']}/{told['LockToken']}")[0] == 200


def test_many_wait_and_each_gets_one(azure: LocalZure) -> None:
    with ExitStack() as stack:
        lines = [
            stack.enter_context(ask(azure, "line", 30, name=name)) for name in ("servicebus", "amqp") * (WAITING // 2)
        ]
        waiting(azure)
        batch = [{"Body": str(number)} for number in range(WAITING)]
        port = urlsplit(azure.endpoints["servicebus"]).port
        request = Request(f"http://127.0.0.1:{port}/line/messages", json.dumps(batch).encode(), method="POST")
        request.add_header("content-type", "application/vnd.microsoft.servicebus.json")
        with urlopen(request) as reply:
            assert reply.status == 201
        answers = [line.recv(65536) for line in lines]
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 201"}
    bodies = {int(answer.rpartition(b"\r\n\r\n")[2]) for answer in answers}
    assert bodies == set(range(WAITING))


def test_the_server_stops_at_once_though_somebody_waits() -> None:
    with LocalZure(queues=["line"], extra_args=["--auth", "off"]) as server:
        line = ask(server, "line", 30)
        port = urlsplit(server.endpoints["servicebus"]).port
        with urlopen(f"http://127.0.0.1:{port}/health") as reply:
            assert reply.status == 200
    with line:
        assert line.recv(65536).startswith(b"HTTP/1.1 204")
