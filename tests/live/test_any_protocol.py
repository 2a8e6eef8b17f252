"""Every protocol on every port, with TLS and without; junk; clients that hold on to a connection; idle ones."""

from __future__ import annotations

import resource
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.process import anonymous_bytes
from localzure.testing import LocalZure
from localzure_protocols.http1 import HEAD_BYTES_MAX
from tests.live.wire_clients import (
    SASL_HEADER,
    SECONDS_MAX,
    TALKS,
    Talk,
    WebSocket,
    connect,
    http1,
    read_to_end,
    read_until,
    secured,
)

PORTS = ("blob", "amqp")
"""One whose services speak HTTP, and one whose services speak AMQP."""

ANSWER_BYTES_MAX = 2048
"""What is said at most to a client that speaks nothing known: an error's head and body, of HTTP or TLS."""

IDLE_CLIENTS = Path(__file__).with_name("idle_clients.py")


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    """Its data is on disk, so that what it holds in memory is not what it stores."""
    with LocalZure(in_memory=False, extra_args=["--auth", "off"]) as server:
        yield server
        assert "Traceback" not in server.logs


@pytest.fixture(params=PORTS)
def url(request: pytest.FixtureRequest, azure: LocalZure) -> str:
    return azure.endpoints[request.param]


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_plain(url: str, talk: Talk) -> None:
    with connect(url) as client:
        talk(client)


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_inside_tls(azure: LocalZure, url: str, talk: Talk) -> None:
    with secured(connect(url), azure.ca_file) as client:
        talk(client)


@pytest.mark.parametrize("name", ["gateway", "amqps", "servicebus"])
@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_on_the_other_ports(azure: LocalZure, name: str, talk: Talk) -> None:
    with connect(azure.endpoints[name]) as client:
        talk(client)
    with secured(connect(azure.endpoints[name]), azure.ca_file) as client:
        talk(client)


@pytest.mark.parametrize(
    ("offered", "chosen", "talk"),
    [
        (["h2", "http/1.1"], "h2", TALKS["http2"]),
        (["http/1.1"], "http/1.1", TALKS["http1"]),
        (["http/1.1"], "http/1.1", TALKS["websocket"]),
        (["amqp"], None, TALKS["amqp"]),
    ],
)
def test_alpn(azure: LocalZure, url: str, offered: list[str], chosen: str | None, talk: Talk) -> None:
    with secured(connect(url), azure.ca_file, *offered) as client:
        assert client.selected_alpn_protocol() == chosen
        talk(client)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_of_tls(azure: LocalZure, url: str, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=azure.ca_file)
    context.minimum_version = context.maximum_version = version
    with context.wrap_socket(connect(url), server_hostname="account.blob.localhost") as client:
        assert client.version() == version.name.replace("_", ".")
        http1(client)


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_a_byte_at_a_time(url: str, talk: Talk) -> None:
    with _Dribbling(connect(url)) as client:
        talk(client)


class _Dribbling(socket.socket):
    """A socket that sends each byte by itself."""

    def __init__(self, client: socket.socket) -> None:
        super().__init__(fileno=client.detach())
        self.settimeout(SECONDS_MAX)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]  # bytes are all that is sent
        for byte in data:
            super().sendall(bytes([byte]), flags)


JUNK = {
    "zeros": b"\x00\x00\x00\x00",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "lower case": b"get / HTTP/1.1\r\n\r\n",
    "nearly amqp": b"AMQQ\x00\x01\x00\x00",
    "endless method": b"A" * 64,
    "tls of another world": b"\x16\x07\x01\x00",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "amqp 0-9-1": b"AMQP\x00\x00\x09\x01",
    "tls that is none": b"\x16\x03\x01\x00\x05hello",
    "nearly http 2": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    "binary after a method": b"GET \x00\x01\x02\r\n\r\n",
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_junk_gets_the_connection_closed(url: str, junk: bytes) -> None:
    with connect(url) as client:
        client.sendall(junk)
        assert len(read_to_end(client)) < ANSWER_BYTES_MAX


@pytest.mark.parametrize("junk", [JUNK["zeros"], JUNK["ssh"], b"\x16\x03\x01\x02\x00"], ids=["zeros", "ssh", "tls"])
def test_junk_inside_tls_gets_the_connection_closed(azure: LocalZure, url: str, junk: bytes) -> None:
    with secured(connect(url), azure.ca_file) as client:
        client.sendall(junk)
        assert read_to_end(client) == b""


@pytest.mark.parametrize("begun", [b"", b"G", b"AMQ", b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01", b"GET / HT"])
def test_a_client_that_says_no_more_is_let_go(url: str, begun: bytes) -> None:
    with connect(url) as client:
        client.sendall(begun)
        client.shutdown(socket.SHUT_WR)
        assert len(read_to_end(client)) < ANSWER_BYTES_MAX


def test_a_head_without_an_end_is_refused_when_it_is_too_long(url: str) -> None:
    with connect(url) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        client.sendall(b"a" * (HEAD_BYTES_MAX + 1))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")
        read_to_end(client)


def grown_by(azure: LocalZure, first: bytes, more: bytes, count: int) -> int:
    """Memory that each of `count` clients costs which say that much, and then no more; all of them are let go."""
    held = []
    before = anonymous_bytes(azure.pid)
    for _ in range(count):
        client = connect(azure.endpoints["blob"])
        client.sendall(first)
        client.sendall(more)
        held.append(client)
    with connect(azure.endpoints["blob"]) as last:
        http1(last)
    grown = anonymous_bytes(azure.pid) - before
    for client in held:
        client.close()
    return grown // count


def test_heads_that_dribble_in_are_held_up_to_their_limit(azure: LocalZure) -> None:
    head = b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-Long: "
    assert grown_by(azure, head, b"a" * 50_000, 200) < 2 * HEAD_BYTES_MAX


def test_bodies_that_stall_are_not_held(azure: LocalZure) -> None:
    """Each has sent a megabyte of sixty-four."""
    head = b"PUT /devstoreaccount1/none/blob HTTP/1.1\r\nHost: localhost\r\nContent-Length: 67108864\r\n\r\n"
    assert grown_by(azure, head, b"a" * 1_000_000, 50) < 300_000


def test_websocket_frames_that_stall_are_not_held(azure: LocalZure) -> None:
    """A frame that says 64 MiB is handed on as it arrives: its first bytes are answered, and no room is made for it."""
    with connect(azure.endpoints["amqp"]) as client:
        inside = WebSocket(client)
        before = anonymous_bytes(azure.pid)
        client.sendall(b"\x82\xff" + (64 << 20).to_bytes(8, "big") + b"\0\0\0\0" + SASL_HEADER)
        assert inside.payload(b"MSSBCBS").startswith(SASL_HEADER)
        assert anonymous_bytes(azure.pid) - before < 1_000_000


IDLE = [("silent", 10_000, 6_000), ("http1", 10_000, 8_000), ("http2", 1_000, 20_000), ("tls", 1_000, 24_000)]
"""Kinds of idle connections, how many, and the most bytes that one may cost. Of those of TLS, OpenSSL has 17,000."""


@pytest.mark.parametrize(("kind", "count", "bytes_max"), IDLE, ids=[kind for kind, _, _ in IDLE])
def test_idle_connections_cost_little(kind: str, count: int, bytes_max: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 500:
        pytest.skip(f"a process may have {hard} files open, and {count} connections are needed (ulimit -Hn)")
    with LocalZure() as server:
        port = str(urlsplit(server.endpoints["blob"]).port)
        with _idle(kind, port, 100, server.ca_file):  # what the first ones cost is not what each of them costs
            before = anonymous_bytes(server.pid)
            with _idle(kind, port, count, server.ca_file):
                each = (anonymous_bytes(server.pid) - before) / count
        assert 500 < each < bytes_max
        with connect(server.endpoints["blob"]) as client:
            http1(client)


@contextmanager
def _idle(kind: str, port: str, count: int, ca_file: Path) -> Iterator[None]:
    """Holds idle connections open in a process of their own, for the length of a block."""
    command = [sys.executable, str(IDLE_CLIENTS), kind, port, str(count), str(ca_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        process.communicate()
