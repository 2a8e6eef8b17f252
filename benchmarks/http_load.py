"""An HTTP load: small blobs put and read over kept-alive connections, as fast as the server lets it or at a fixed rate.

    python -m benchmarks.http_load put --port 10000 --requests 20000 --connections 16
    python -m benchmarks.http_load get --port 10000 --requests 20000 --connections 16

Requests are built and signed before the clock starts; each connection has one under way at a time. A reply that is
what was expected, byte for byte where it matters, is recognised without being parsed; anything else goes through h11,
which says what it is. Latency runs from the request, or at a fixed rate from the moment at which it was due.
"""

from __future__ import annotations

import argparse
import json
import socket
import time
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Literal, get_args

import h11

from benchmarks.bodies import body
from benchmarks.latency import Histogram
from benchmarks.measurement import Digest, LoadError, Measurement, timed
from benchmarks.readiness import Pace, drive
from benchmarks.shared_key import Account

Mix = Literal["put", "get", "mixed"]
"""`mixed` puts and reads in turn."""

READ_BYTES_MAX = 1 << 14
CONNECT_SECONDS_MAX = 10.0

_NAMES = uuid.UUID("2f7c7a3e-6f0f-4f4e-9d7e-0b5a1d1c7e11")


class UnexpectedReplyError(LoadError):
    """The server answered something else than it should."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much of what."""

    count: int
    mix: Mix
    body_bytes: int = 1024
    connections: int = 16
    blobs: int = 10_000
    """How many blobs there are; requests go round them."""
    container: str = "benchmark"
    rate: float | None = None
    """Requests a second, over all connections; None is as fast as it goes."""


class Exchange:
    """A request, and the reply it must get."""

    __slots__ = ("_content", "_length_line", "_status", "_status_line", "number", "wire")

    def __init__(self, wire: bytes, number: int, status: int, content: bytes) -> None:
        self.wire = wire
        self.number = number
        self._status = status
        self._content = content
        self._status_line = b"HTTP/1.1 %d " % status
        self._length_line = b"\r\ncontent-length: %d\r\n" % len(content)

    def is_answered_by(self, reply: bytes) -> bool:
        """Whether `reply` is plainly the whole expected reply. False decides nothing."""
        content = self._content
        if not (reply.startswith(self._status_line) and reply.endswith(content)):
            return False
        head = reply[: len(reply) - len(content)].lower()
        return head.endswith(b"\r\n\r\n") and self._length_line in head

    def check(self, reply: bytes) -> bool:
        """Parse `reply`; False where it is not all there. Raises UnexpectedReplyError where it is another one."""
        try:
            parsed = _parse(self.wire.partition(b" ")[0], reply)
        except h11.RemoteProtocolError as error:
            raise UnexpectedReplyError(f"no HTTP: {error}: {reply[:2000]!r}") from error
        if parsed is not None and not (parsed[0] == self._status and self.is_right(parsed[1])):
            raise UnexpectedReplyError(f"not {self._status} with {len(self._content)} bytes: {reply[:2000]!r}")
        return parsed is not None

    def is_right(self, content: bytes) -> bool:
        """Whether the reply's content is what it must be."""
        return content == self._content

    def following(self, reply: bytes) -> Exchange | None:
        """Return the exchange that goes on with what the reply says, as part of the same operation."""
        del reply
        return None


def _parse(method: bytes, reply: bytes) -> tuple[int, bytes] | None:
    """Return the status and content of a reply, None where it is not all there. Raises h11.RemoteProtocolError."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(reply)
    status, content = 0, b""
    while (event := parser.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            content += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return status, content
    return None


class Plan:
    """The exchanges, handed out in turn to whichever connection is free."""

    def __init__(self, exchanges: list[Exchange], count: int) -> None:
        self._exchanges = exchanges
        self._count = count
        self._next = 0

    @property
    def is_empty(self) -> bool:
        """All have been handed out."""
        return self._next >= self._count

    def take(self) -> Exchange:
        """Return the next one."""
        exchange = self._exchanges[self._next % len(self._exchanges)]
        self._next += 1
        return exchange


class HttpConnection:
    """One connection, with one request at a time."""

    def __init__(self, sock: socket.socket, plan: Plan, pace: Pace) -> None:
        sock.setblocking(False)
        self.fileno = sock.fileno()
        self.is_done = False
        self.durations: list[int] = []
        self.checksum = 0
        self._socket = sock
        self._plan = plan
        self._pace = pace
        self._exchange: Exchange | None = None
        self._started_at = 0
        self._out = b""
        self._reply = b""

    def write(self) -> bool:
        """Begin the next exchange where none is under way; False where the socket takes no more."""
        if self._exchange is None:
            if self._plan.is_empty:
                self.is_done = True
                return True
            if self._pace.available() <= 0:
                return True
            self._exchange = self._plan.take()
            (self._started_at,) = self._pace.take(1)
            self._out = self._exchange.wire
        try:
            while self._out:
                self._out = self._out[self._socket.send(self._out) :]
        except BlockingIOError:
            return False
        return True

    def on_readable(self) -> None:
        """Read once, and take what has come."""
        data = self._socket.recv(READ_BYTES_MAX)
        exchange = self._exchange
        if exchange is None or not data:
            raise UnexpectedReplyError("the server closed the connection" if not data else f"unasked: {data[:2000]!r}")
        reply = self._reply + data
        if not (exchange.is_answered_by(reply) or exchange.check(reply)):
            self._reply = reply
        elif (following := exchange.following(reply)) is not None:
            self._exchange, self._out, self._reply = following, following.wire, b""
        else:
            self.durations.append(time.perf_counter_ns() - self._started_at)
            self.checksum += exchange.number
            self._exchange, self._reply = None, b""


def expected(load: Load) -> Digest:
    """What a right run of `load` gives."""
    for_each = 2 if load.mix == "mixed" else 1
    blobs = min(load.blobs, load.count)
    checksum = sum(index // for_each % blobs for index in range(load.count))
    return Digest(load.count, load.count * load.body_bytes, checksum)


def run(account: Account, load: Load) -> Measurement:
    """Run a load. The container is made where it is missing; `get` reads what a `put` of as many blobs has left."""
    _create_container(account, load.container)
    blobs = min(load.blobs, load.count)
    exchanges = [exchange for number in range(blobs) for exchange in _exchanges(account, load, number)]
    return drive_exchanges(account, load, exchanges)


def drive_exchanges(account: Account, load: Load, exchanges: list[Exchange]) -> Measurement:
    """Run `load.count` operations, which begin with these exchanges in turn."""
    plan, pace = Plan(exchanges, load.count), Pace(load.rate)
    with ExitStack() as stack:
        connections = [
            HttpConnection(stack.enter_context(closing(_connect(account))), plan, pace) for _ in range(load.connections)
        ]
        with timed() as timing:
            drive(connections, pace)
    timing.latency = Histogram(duration for connection in connections for duration in connection.durations)
    done = sum(len(connection.durations) for connection in connections)
    checksum = sum(connection.checksum for connection in connections)
    return Measurement(Digest(done, done * load.body_bytes, checksum), timing)


def _connect(account: Account) -> socket.socket:
    sock = socket.create_connection((account.host, account.port), timeout=CONNECT_SECONDS_MAX)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _exchanges(account: Account, load: Load, number: int) -> list[Exchange]:
    """Return what a load does with one blob."""
    path, content = f"/{load.container}/blob-{number:08}", body(load.body_bytes, number)
    put = get = None
    if load.mix != "get":
        put = _put(account, path, content, number)
    if load.mix != "put":
        identity = {"x-ms-client-request-id": str(uuid.uuid5(_NAMES, f"get {number}"))}
        get = Exchange(account.request("GET", path, identity), number, 200, content)
    return [exchange for exchange in (put, get) if exchange is not None]


def _put(account: Account, path: str, content: bytes, number: int) -> Exchange:
    headers = {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-client-request-id": str(uuid.uuid5(_NAMES, f"put {number}")),
        "content-type": "application/octet-stream",
    }
    return Exchange(account.request("PUT", path, headers, content), number, 201, b"")


def _create_container(account: Account, container: str) -> None:
    """Make the container, or find it made."""
    make(account, account.request("PUT", f"/{container}?restype=container", {}))


def make(account: Account, wire: bytes) -> None:
    """Make what the load works on by one request, or find it made."""
    with closing(_connect(account)) as sock:
        sock.sendall(wire)
        reply = sock.recv(READ_BYTES_MAX)
    if not reply.startswith((b"HTTP/1.1 201 ", b"HTTP/1.1 204 ", b"HTTP/1.1 409 ")):
        raise UnexpectedReplyError(f"it could not be made: {reply[:2000]!r}")


def main(arguments: list[str] | None = None) -> None:
    """Run one load from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.http_load", description=__doc__.partition("\n")[0])
    parser.add_argument("mix", choices=get_args(Mix))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=10000)
    parser.add_argument("--requests", dest="count", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=1024, help="bytes of a blob")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--blobs", type=int, default=10_000)
    parser.add_argument("--rate", type=float, help="requests a second; as fast as it goes without")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    load = Load(given.count, given.mix, given.size, given.connections, given.blobs, rate=given.rate)
    measurement = run(Account(given.host, given.port), load)
    print(json.dumps(measurement.as_dict()) if given.json else measurement)


if __name__ == "__main__":
    main()
