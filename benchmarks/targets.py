"""The servers that are measured, and how each is started.

A target is a row of `TARGETS`: what it serves, and a function that starts it in a fresh process over a directory and
tells where it listens. Where one is no Service Bus, its `Entity` has `needs_token=False` and an address in its own
words.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from benchmarks import rivals
from benchmarks.amqp_client import Entity
from benchmarks.process import ServerProcess
from benchmarks.shared_key import Account
from localzure.testing import LocalZure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

Service = Literal["amqp", "batches", "blob", "blocks", "queue", "table"]
"""What a target can do; `batches` is taking a Service Bus batch apart, `blocks` putting a blob together."""

QUEUE = "benchmark"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves."""

    pid: int
    seconds_to_ready: float
    entity: Entity | None = None
    """The queue to send to and receive from."""
    account: Account | None = None
    """The storage account, at the Blob service."""
    queues: Account | None = None
    """The account at the Queue service."""
    tables: Account | None = None
    """The account at the Table service."""


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of server."""

    name: str
    serves: frozenset[Service]
    start: Callable[[Path], AbstractContextManager[Running]]
    """Starts one over an empty directory, and stops it at the end of the block."""
    missing: Callable[[], str] = str
    """Says why it cannot be started here and what to do about it; empty where it can."""


@contextmanager
def _start_localzure(directory: Path) -> Iterator[Running]:
    """LocalZure on disk with its default durability. It is seen to be ready 5 ms late at most."""
    server = LocalZure(in_memory=False, data_dir=directory, queues=[QUEUE])
    started = time.perf_counter()
    with server as azure:
        seconds = time.perf_counter() - started
        amqp, *storage = (_address(azure.endpoints[name]) for name in ("amqp", "blob", "queue", "table"))
        yield Running(azure.pid, seconds, Entity(*amqp, QUEUE), *(Account(*address) for address in storage))


@contextmanager
def _start_azurite(directory: Path) -> Iterator[Running]:
    with rivals.azurite(directory) as (pid, seconds, ports):
        yield Running(pid, seconds, None, *(Account("127.0.0.1", port) for port in ports))


@contextmanager
def _start_rabbitmq(directory: Path) -> Iterator[Running]:
    with rivals.rabbitmq(directory) as (pid, seconds, port):
        entity = Entity("127.0.0.1", port, f"/queue/{QUEUE}", needs_token=False, confirms_completion=False)
        yield Running(pid, seconds, entity)


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
        Target(SUBJECT, frozenset({"amqp", "batches", "blob", "blocks", "queue", "table"}), _start_localzure),
        Target("azurite", frozenset({"blob", "blocks", "queue", "table"}), _start_azurite, rivals.azurite_is_missing),
        Target("rabbitmq", frozenset({"amqp"}), _start_rabbitmq, rivals.rabbitmq_is_missing),
        Target("floor-amqp", frozenset({"amqp"}), _start_floor_amqp),
        Target("floor-http", frozenset({"blob"}), _start_floor_http),
    )
}
"""By name. The floors are bare durable servers: nothing that does the work of a service in Python can be faster."""
