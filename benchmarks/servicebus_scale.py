"""What size costs Service Bus: messages that wait, connections, entities, and links that come and go.

    python -m benchmarks.servicebus_scale [--waiting N] [--messages N] [--rounds N] [--connections N]
                                          [--entities N] [--cycles N] [--only NAME,…]

Each part starts LocalZure on disk, and prints what it cost in time and in memory of the server's own (RssAnon). None of
the costs may grow with what is merely there: a queue with a million messages is to be as fast as an empty one.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks import amqp_load
from benchmarks.amqp_client import AmqpClient, Entity
from benchmarks.amqp_links import Load
from benchmarks.process import anonymous_bytes
from localzure.testing import LocalZure

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Measurement

QUEUE = "scale"
LARGE = {QUEUE: {"MaxSizeInMegabytes": 81920}}
"""The queue, with room for a million messages."""

_DESCRIPTION = (
    b'<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><QueueDescription '
    b'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/></content></entry>'
)

BATCH = 100
MEGABYTE = 1e6


def waiting(given: argparse.Namespace) -> None:
    """Throughput of a queue in which messages wait, against that of an empty one, in turns."""
    with ExitStack() as stack:
        empty, full = (stack.enter_context(LocalZure(in_memory=False, queues=LARGE)) for _ in range(2))
        before = anonymous_bytes(full.pid)
        seconds = _send(full, given.waiting, batch=BATCH).timing.seconds
        grown = anonymous_bytes(full.pid) - before
        print(f"sent {given.waiting:,} messages in {seconds:.1f} s; memory {before / MEGABYTE:.1f} MB", end=" ")
        print(f"and {grown / MEGABYTE:.1f} MB more, {grown / given.waiting:.1f} bytes a message")
        _compare(empty, full, given)
        full.stop()
        started = time.perf_counter()
        full.start()
        entity = _entity(full)
        ready = time.perf_counter() - started
        amqp_load.receive(entity, Load(1))
        first = time.perf_counter() - started
        print(f"started again in {ready * 1000:.0f} ms, first message after {first * 1000:.0f} ms,", end=" ")
        print(f"memory {anonymous_bytes(full.pid) / MEGABYTE:.1f} MB")


def _compare(empty: LocalZure, full: LocalZure, given: argparse.Namespace) -> None:
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(given.rounds):
        for name, server in (("empty", empty), ("full", full)):
            rates.setdefault(("send", name), []).append(_send(server, given.messages).rate)
            received = amqp_load.receive(_entity(server), Load(given.messages))
            rates.setdefault(("receive", name), []).append(received.rate)
    for what in ("send", "receive"):
        on_empty, on_full = median(rates[what, "empty"]), median(rates[what, "full"])
        print(f"{what:8} {on_empty:9,.0f}/s empty {on_full:9,.0f}/s full, {on_full / on_empty:.0%}")


def connections(given: argparse.Namespace) -> None:
    """Open connections with a link each, keep all of them, send over each, and close them."""
    with LocalZure(in_memory=False, queues=[QUEUE]) as server:
        _send(server, BATCH)
        before = anonymous_bytes(server.pid)
        with ExitStack() as stack:
            started = time.perf_counter()
            clients = [stack.enter_context(AmqpClient(_entity(server))) for _ in range(given.connections)]
            for client in clients:
                client.attach(is_sender=True)
            seconds = time.perf_counter() - started
            grown = anonymous_bytes(server.pid) - before
        print(f"{given.connections:,} connections with a token and a link each in {seconds:.1f} s,", end=" ")
        print(f"{grown / given.connections / 1000:.0f} kB each")
        measurement = _send(server, given.connections * BATCH, connections=given.connections)
        print(f"messages sent over {given.connections:,} connections: {measurement.rate:,.0f}/s")
        print(f"memory before {before / MEGABYTE:.1f} MB, after {anonymous_bytes(server.pid) / MEGABYTE:.1f} MB")


def entities(given: argparse.Namespace) -> None:
    """Make queues over HTTP, list them, and start again."""
    with LocalZure(in_memory=False, env={"LOCALZURE_AUTH": "any"}) as server:
        before = anonymous_bytes(server.pid)
        started = time.perf_counter()
        connection = _admin(server)
        for number in range(given.entities):
            _ask(connection, "PUT", f"/many/{number:06}", _DESCRIPTION)
        seconds = time.perf_counter() - started
        print(
            f"{given.entities:,} queues made in {seconds:.1f} s, {seconds / given.entities * 1000:.2f} ms each;",
            end=" ",
        )
        print(f"memory {before / MEGABYTE:.1f} MB, then {anonymous_bytes(server.pid) / MEGABYTE:.1f} MB")
        connection.close()
        server.stop()
        started = time.perf_counter()
        server.start()
        print(f"started again in {(time.perf_counter() - started) * 1000:.0f} ms", end=", ")
        print(f"memory {anonymous_bytes(server.pid) / MEGABYTE:.1f} MB")
        started = time.perf_counter()
        connection, found, slowest = _admin(server), 0, 0.0
        while True:
            asked = time.perf_counter()
            page = _ask(connection, "GET", f"/$Resources/queues?$skip={found}&$top=100").count(b"<QueueDescription")
            slowest = max(slowest, time.perf_counter() - asked)
            found += page
            if page < 100:
                break
        connection.close()
        seconds = time.perf_counter() - started
        print(f"listed {found:,} queues in {seconds:.1f} s, the slowest page {slowest * 1000:.1f} ms")


def cycles(given: argparse.Namespace) -> None:
    """Attach and detach a link again and again on one connection, and connect again and again."""
    with LocalZure(in_memory=False, queues=[QUEUE]) as server:
        for name, cycle in (("links", _link_cycles), ("connections", _connection_cycles)):
            cycle(server, given.cycles // 4)
            before = anonymous_bytes(server.pid)
            started = time.perf_counter()
            cycle(server, given.cycles)
            seconds = time.perf_counter() - started
            grown = anonymous_bytes(server.pid) - before
            print(
                f"{given.cycles:,} {name} opened and closed in {seconds:.1f} s; memory {before / MEGABYTE:.1f} MB,",
                end=" ",
            )
            print(f"{grown / given.cycles:.0f} bytes more for each")


def _link_cycles(server: LocalZure, count: int) -> None:
    with AmqpClient(_entity(server)) as client:
        client.attach(is_sender=True)
        client.cycle(count)


def _connection_cycles(server: LocalZure, count: int) -> None:
    for _ in range(count):
        with AmqpClient(_entity(server)) as client:
            client.attach(is_sender=True)


def _send(server: LocalZure, count: int, *, batch: int = 1, connections: int = 1) -> Measurement:
    window = 1000 if connections == 1 else BATCH
    return amqp_load.send(_entity(server), Load(count, batch=batch, connections=connections, window=window))


def _entity(server: LocalZure) -> Entity:
    parts = urlsplit(server.endpoints["amqp"])
    assert parts.hostname is not None
    assert parts.port is not None
    return Entity(parts.hostname, parts.port, QUEUE)


def _admin(server: LocalZure) -> HTTPConnection:
    return HTTPConnection(urlsplit(server.endpoints["servicebus"]).netloc, timeout=60)


def _ask(connection: HTTPConnection, method: str, path: str, body: bytes = b"") -> bytes:
    """Ask the administration API; returns the body of its reply."""
    connection.request(method, path, body, {"Content-Type": "application/atom+xml"})
    reply = connection.getresponse()
    content = reply.read()
    if reply.status >= 300:
        raise RuntimeError(f"{method} {path}: {reply.status} {content[:500]!r}")
    return content


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    part.__name__: part for part in (waiting, connections, entities, cycles)
}
"""What is measured, by name."""


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.servicebus_scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--waiting", type=int, default=1_000_000, help="messages that wait")
    parser.add_argument("--messages", type=int, default=100_000, help="messages of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PARTS), help=f"of {', '.join(PARTS)}")
    given = parser.parse_args(arguments)
    for name in given.only:
        PARTS[name](given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
