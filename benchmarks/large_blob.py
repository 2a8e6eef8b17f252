"""A large blob up and down, as SDKs move it: blocks put side by side and committed, ranges read side by side.

A thread for each connection does nothing but send and receive, so that they overlap. An operation is a block; every
byte that comes back is compared.
"""

from __future__ import annotations

import base64
import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.bodies import body
from benchmarks.http_load import UnexpectedReplyError, make
from benchmarks.latency import Histogram
from benchmarks.measurement import Digest, Measurement, timed

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from benchmarks.shared_key import Account

BLOCK_BYTES = 8 << 20
CONNECTIONS = 8

_CONTAINER = "large"
_PATH = f"/{_CONTAINER}/blob"
_TIMEOUT_SECONDS = 60.0


def expected(blocks: int) -> Digest:
    """What a right run gives."""
    return Digest(blocks, blocks * BLOCK_BYTES, sum(range(blocks)))


def upload(account: Account, blocks: int) -> Measurement:
    """Put a blob of so many blocks. Raises LoadError."""
    make(account, account.request("PUT", f"/{_CONTAINER}?restype=container", {}))
    content = body(BLOCK_BYTES, 0)

    def put(sock: socket.socket, number: int) -> None:
        wire = account.request("PUT", f"{_PATH}?comp=block&blockid={_identity(number)}", {}, content)
        _ask(sock, wire, 201)

    def commit() -> None:
        ids = "".join(f"<Latest>{_identity(number)}</Latest>" for number in range(blocks))
        listed = f"<?xml version='1.0' encoding='utf-8'?><BlockList>{ids}</BlockList>".encode()
        with closing(_connect(account)) as sock:
            _ask(sock, account.request("PUT", f"{_PATH}?comp=blocklist", {}, listed), 201)

    return _run(account, blocks, put, commit)


def download(account: Account, blocks: int) -> Measurement:
    """Read the blob that an upload of as many blocks has left. Raises LoadError."""
    content = body(BLOCK_BYTES, 0)

    def get(sock: socket.socket, number: int) -> None:
        first = number * BLOCK_BYTES
        wire = account.request("GET", _PATH, {"x-ms-range": f"bytes={first}-{first + BLOCK_BYTES - 1}"})
        if _ask(sock, wire, 206) != content:
            raise UnexpectedReplyError(f"block {number} has another content than was put")

    return _run(account, blocks, get, lambda: None)


def _run(
    account: Account, blocks: int, exchange: Callable[[socket.socket, int], None], finish: Callable[[], None]
) -> Measurement:
    def share(first: int) -> tuple[list[int], int]:
        durations, checksum = [], 0
        with closing(_connect(account)) as sock:
            for number in range(first, blocks, CONNECTIONS):
                started = time.perf_counter_ns()
                exchange(sock, number)
                durations.append(time.perf_counter_ns() - started)
                checksum += number
        return durations, checksum

    with ThreadPoolExecutor(CONNECTIONS) as pool, timed() as timing:
        shares = list(pool.map(share, range(CONNECTIONS)))
        finish()
    durations = [duration for done, _ in shares for duration in done]
    timing.latency = Histogram(durations)
    digest = Digest(len(durations), len(durations) * BLOCK_BYTES, sum(checksum for _, checksum in shares))
    return Measurement(digest, timing)


def _identity(number: int) -> str:
    """A block's id: base64 that needs no escapes in a query."""
    return base64.b64encode(b"%06d" % number).decode()


def _connect(account: Account) -> socket.socket:
    connection = http.client.HTTPConnection(account.host, account.port, timeout=_TIMEOUT_SECONDS)
    connection.connect()
    return connection.sock


def _ask(sock: socket.socket, wire: bytes, status: int) -> bytes:
    """Send a request; returns the reply's content. Raises UnexpectedReplyError where it has another status."""
    sock.sendall(wire)
    reply = http.client.HTTPResponse(sock, method=wire[:3].decode().strip())
    reply.begin()
    content = reply.read()
    if reply.status != status:
        raise UnexpectedReplyError(f"not {status} but {reply.status}: {content[:2000]!r}")
    return content
