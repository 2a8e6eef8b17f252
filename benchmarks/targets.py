"""The servers that are measured, and how each is started.

A target is a row of `TARGETS`: what it serves, and a function that starts it in a fresh process over a directory and
tells where it listens. A server that somebody would use instead of LocalZure is one more row; where it is no Service
Bus, its `Entity` has `needs_token=False` and an address in its own words.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from benchmarks.amqp_client import Entity
from benchmarks.process import ServerProcess
from benchmarks.shared_key import Account
from localzure.testing import LocalZure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

Service = Literal["amqp", "batches", "blob"]
"""What a target can do; `batches` is taking a Service Bus batch apart into its messages."""

QUEUE = "benchmark"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves."""

    pid: int
    seconds_to_ready: float
    entity: Entity | None = None
    """The queue to send to and receive from."""
    account: Account | None = None
    """The storage account."""


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of server."""

    name: str
    serves: frozenset[Service]
    start: Callable[[Path], AbstractContextManager[Running]]
    """Starts one over an empty directory, and stops it at the end of the block."""


@contextmanager
def _start_localzure(directory: Path) -> Iterator[Running]:
    """LocalZure on disk with its default durability. It is seen to be ready 5 ms late at most."""
    server = LocalZure(in_memory=False, data_dir=directory, queues=[QUEUE])
    started = time.perf_counter()
    with server as azure:
        seconds = time.perf_counter() - started
        amqp, blob = (_address(azure.endpoints[name]) for name in ("amqp", "blob"))
        yield Running(azure.pid, seconds, Entity(*amqp, QUEUE), Account(*blob))


@contextmanager
def _start_floor_amqp(directory: Path) -> Iterator[Running]:
    with ServerProcess(_module("floor_amqp", directory)) as server:
        yield Running(server.pid, server.seconds_to_ready, Entity(*_address(server.url), QUEUE, needs_token=False))


@contextmanager
def _start_floor_http(directory: Path) -> Iterator[Running]:
    with ServerProcess(_module("floor_http", directory)) as server:
        yield Running(server.pid, server.seconds_to_ready, account=Account(*_address(server.url)))


def _module(name: str, directory: Path) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{name}", str(directory)]


def _address(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


SUBJECT = "localzure"
"""The target that the others are compared with."""

TARGETS = {
    target.name: target
    for target in (
        Target(SUBJECT, frozenset({"amqp", "batches", "blob"}), _start_localzure),
        Target("floor-amqp", frozenset({"amqp"}), _start_floor_amqp),
        Target("floor-http", frozenset({"blob"}), _start_floor_http),
    )
}
"""By name. The floors are bare durable servers: nothing that does the work of a service in Python can be faster."""
