"""What is measured: each scenario as a row of a table, and how it runs against all targets.

The targets of a scenario run side by side, each fresh, and take turns round by round, so that a noisy machine is noisy
for all of them; the median round counts. After the rounds comes one at half of that rate, at fixed pace: its latencies
are the ones to look at, those of a server driven to its limit only tell how long the queue in front of it is.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median_low
from typing import TYPE_CHECKING, Any

from benchmarks import amqp_load, chained_loads, http_load, large_blob
from benchmarks.amqp_links import Load
from benchmarks.measurement import LoadError, Measurement
from benchmarks.process import PeakMemory, anonymous_bytes, cpu_seconds
from benchmarks.targets import QUEUE, Running, Service, Target
from localzure.testing import ServerFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from benchmarks.measurement import Digest

BATCH = 100
"""Messages in a batch: 1 KiB each, under the 256 KiB of the standard tier."""

HALF_LOAD_SECONDS = 3
"""How long the round at half load is, at most."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done."""

    messages: int
    requests: int
    blobs: int
    batches: int
    """Transactions of a hundred entities."""
    large_blob_bytes: int
    rounds: int


SCALES = {
    "toy": Scale(messages=200, requests=200, blobs=50, batches=10, large_blob_bytes=16 << 20, rounds=1),
    "quick": Scale(messages=20_000, requests=3_000, blobs=1_000, batches=50, large_blob_bytes=256 << 20, rounds=3),
    "small": Scale(messages=100_000, requests=20_000, blobs=10_000, batches=200, large_blob_bytes=256 << 20, rounds=3),
    "full": Scale(messages=1_000_000, requests=200_000, blobs=10_000, batches=2000, large_blob_bytes=1 << 30, rounds=5),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What a target did in a scenario."""

    scenario: str
    title: str
    target: str
    unit: str
    value: float | None = None
    """None where it failed."""
    more_is_better: bool = True
    digest: str = ""
    failure: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadScenario:
    """A load whose operations are counted."""

    name: str
    title: str
    service: Service
    run: Callable[[Running, Scale, int, float | None], Measurement]
    """One round of so many operations, at a rate or as fast as it goes, checked. Raises LoadError."""
    prepare: Callable[[Running, Scale], object] | None = None
    """Once per server, before the first round."""
    before: Callable[[Running, int], object] | None = None
    """Before each round of so many operations."""
    after: Callable[[Running, int], object] | None = None
    """After each round."""
    operations: Callable[[Scale], int] | None = None
    """Operations of a round, where they are not the scale's messages or requests."""
    has_half_load: bool = True
    """Whether it can go at a fixed rate."""

    def rows(self, targets: Iterable[Target], scale: Scale, directory: Path) -> list[Row]:
        """Measure the targets that serve what this needs."""
        with ExitStack() as stack:
            contests = [
                _Contest(self, target, scale, stack, directory / f"{self.name}-{target.name}")
                for target in targets
                if self.service in target.serves
            ]
            for _ in range(scale.rounds):
                for contest in contests:
                    contest.round()
            for contest in contests:
                contest.half_load()
            return [contest.row() for contest in contests]

    def count(self, scale: Scale) -> int:
        """Operations of a round."""
        if self.operations is not None:
            return self.operations(scale)
        return scale.messages if self.service in ("amqp", "batches") else scale.requests


class _Contest:
    """One target's part in a load scenario."""

    def __init__(self, scenario: LoadScenario, target: Target, scale: Scale, stack: ExitStack, path: Path) -> None:
        self._scenario = scenario
        self._target = target
        self._scale = scale
        self._measurements: list[Measurement] = []
        self._half: Measurement | None = None
        self._server_seconds = 0.0
        self._peak_bytes = 0
        self._failure = ""
        self._running: Running | None = None
        try:
            self._running = stack.enter_context(target.start(path))
            if scenario.prepare is not None:
                scenario.prepare(self._running, scale)
        except (LoadError, OSError, ServerFailedError) as error:
            self._failure = _first_line(error)

    def round(self) -> None:
        """As fast as it goes."""
        if (measurement := self._measure(self._scenario.count(self._scale), None)) is not None:
            self._measurements.append(measurement)

    def half_load(self) -> None:
        """At half of the median rate."""
        if self._measurements and self._scenario.has_half_load:
            rate = self._median().rate / 2
            count = min(self._scenario.count(self._scale), int(rate * HALF_LOAD_SECONDS))
            self._half = self._measure(max(BATCH, count - count % BATCH), rate)

    def _measure(self, count: int, rate: float | None) -> Measurement | None:
        scenario, running = self._scenario, self._running
        if self._failure or running is None:
            return None
        try:
            if scenario.before is not None:
                scenario.before(running, count)
            with PeakMemory(running.pid) as memory:
                began = cpu_seconds(running.pid)
                measurement = scenario.run(running, self._scale, count, rate)
                self._server_seconds += cpu_seconds(running.pid) - began if rate is None else 0.0
            if scenario.after is not None:
                scenario.after(running, count)
        except (LoadError, OSError) as error:
            self._failure = _first_line(error)
            return None
        self._peak_bytes = max(self._peak_bytes, memory.peak_bytes)
        return measurement

    def _median(self) -> Measurement:
        middle = median_low(measurement.rate for measurement in self._measurements)
        return next(measurement for measurement in self._measurements if measurement.rate == middle)

    def row(self) -> Row:
        scenario, name = self._scenario, self._target.name
        if self._failure:
            return Row(scenario.name, scenario.title, name, "/s", failure=self._failure)
        median = self._median()
        operations = sum(measurement.digest.operations for measurement in self._measurements)
        detail = {
            "median_round": median.as_dict(),
            "rates": [measurement.rate for measurement in self._measurements],
            "half_load": self._half.as_dict() if self._half is not None else None,
            "server_seconds_per_operation": self._server_seconds / operations,
            "peak_bytes": self._peak_bytes,
        }
        return Row(scenario.name, scenario.title, name, "/s", median.rate, digest=str(median.digest), detail=detail)


@dataclass(frozen=True, slots=True)
class StartScenario:
    """Something that is read from a server that has just started."""

    name: str
    title: str
    unit: str
    read: Callable[[Running], float]

    def rows(self, targets: Iterable[Target], scale: Scale, directory: Path) -> list[Row]:
        """Start every target as often as there are rounds; the median counts."""
        return [self._row(target, scale.rounds, directory) for target in targets]

    def _row(self, target: Target, rounds: int, directory: Path) -> Row:
        values = []
        try:
            for number in range(rounds):
                with target.start(directory / f"{self.name}-{target.name}-{number}") as running:
                    values.append(self.read(running))
        except (OSError, ServerFailedError) as error:
            return Row(self.name, self.title, target.name, self.unit, failure=_first_line(error))
        digest = f"{rounds} starts"
        value = median_low(values)
        return Row(self.name, self.title, target.name, self.unit, value, False, digest, detail={"values": values})


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:160]


def _checked(measurement: Measurement, expected: Digest) -> Measurement:
    if measurement.digest != expected:
        raise LoadError(f"wrong result: {measurement.digest} instead of {expected}")
    return measurement


def _messages(running: Running, load: Load, *, send: bool) -> Measurement:
    assert running.entity is not None
    run = amqp_load.send if send else amqp_load.receive
    return _checked(run(running.entity, load), amqp_load.expected(load))


def _fill(running: Running, count: int) -> None:
    _messages(running, Load(count), send=True)


def _drain(running: Running, count: int) -> None:
    _messages(running, Load(count, settle="delete"), send=False)


def _send(running: Running, _: Scale, count: int, rate: float | None) -> Measurement:
    return _messages(running, Load(count, rate=rate), send=True)


def _send_batches(running: Running, _: Scale, count: int, rate: float | None) -> Measurement:
    return _messages(running, Load(count, rate=rate, batch=BATCH), send=True)


def _receive(running: Running, _: Scale, count: int, rate: float | None) -> Measurement:
    return _messages(running, Load(count, rate=rate, settle="range"), send=False)


def _receive_each(running: Running, _: Scale, count: int, rate: float | None) -> Measurement:
    return _messages(running, Load(count, rate=rate, settle="each"), send=False)


def _receive_delete(running: Running, _: Scale, count: int, rate: float | None) -> Measurement:
    return _messages(running, Load(count, rate=rate, settle="delete"), send=False)


def _blobs(running: Running, scale: Scale, count: int, rate: float | None, mix: http_load.Mix) -> Measurement:
    assert running.account is not None
    load = http_load.Load(count, mix, blobs=scale.blobs, container=QUEUE, rate=rate)
    return _checked(http_load.run(running.account, load), http_load.expected(load))


def _put(running: Running, scale: Scale, count: int, rate: float | None) -> Measurement:
    return _blobs(running, scale, count, rate, "put")


def _get(running: Running, scale: Scale, count: int, rate: float | None) -> Measurement:
    return _blobs(running, scale, count, rate, "get")


def _put_and_get(running: Running, scale: Scale, count: int, rate: float | None) -> Measurement:
    return _blobs(running, scale, count, rate, "mixed")


def _put_all(running: Running, scale: Scale) -> None:
    _blobs(running, scale, scale.blobs, None, "put")


def _queue_cycle(running: Running, scale: Scale, count: int, rate: float | None) -> Measurement:
    assert running.queues is not None
    load = http_load.Load(count, "put", blobs=scale.blobs, rate=rate)
    return _checked(chained_loads.cycle_messages(running.queues, load), http_load.expected(load))


class _Numbers:
    """Keys that no round before has used, so that every insert inserts: the first of each round, by server."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def take(self, running: Running, count: int) -> int:
        first = self._next.get(running.pid, 0)
        self._next[running.pid] = first + count
        return first


_ENTITIES, _TRANSACTIONS = _Numbers(), _Numbers()


def _table_insert(running: Running, _: Scale, count: int, rate: float | None) -> Measurement:
    assert running.tables is not None
    load = http_load.Load(count, "put", blobs=count, rate=rate)
    first = _ENTITIES.take(running, count)
    return _checked(chained_loads.insert_entities(running.tables, load, first), http_load.expected(load))


def _insert_all(running: Running, scale: Scale) -> None:
    _table_insert(running, scale, scale.blobs, None)


def _table_read(running: Running, scale: Scale, count: int, rate: float | None) -> Measurement:
    assert running.tables is not None
    load = http_load.Load(count, "get", blobs=scale.blobs, rate=rate)
    return _checked(chained_loads.read_entities(running.tables, load), http_load.expected(load))


def _table_batch(running: Running, _: Scale, count: int, rate: float | None) -> Measurement:
    assert running.tables is not None
    load = http_load.Load(count, "put", blobs=count, rate=rate)
    first = _TRANSACTIONS.take(running, count)
    return _checked(chained_loads.insert_batches(running.tables, load, first), http_load.expected(load))


def _large_up(running: Running, _scale: Scale, count: int, _: float | None) -> Measurement:
    assert running.account is not None
    return _checked(large_blob.upload(running.account, count), large_blob.expected(count))


def _large_down(running: Running, _scale: Scale, count: int, _: float | None) -> Measurement:
    assert running.account is not None
    return _checked(large_blob.download(running.account, count), large_blob.expected(count))


def _large_prepare(running: Running, scale: Scale) -> None:
    _large_up(running, scale, _blocks(scale), None)


def _blocks(scale: Scale) -> int:
    return scale.large_blob_bytes // large_blob.BLOCK_BYTES


SCENARIOS: dict[str, LoadScenario | StartScenario] = {
    scenario.name: scenario
    for scenario in (
        LoadScenario("send", "AMQP send + settle, 1 KiB, one connection", "amqp", _send, after=_drain),
        LoadScenario("receive", "AMQP receive + complete (by range), 1 KiB", "amqp", _receive, before=_fill),
        LoadScenario("receive-each", "AMQP receive + complete (each), 1 KiB", "amqp", _receive_each, before=_fill),
        LoadScenario("receive-delete", "AMQP receive and delete, 1 KiB", "amqp", _receive_delete, before=_fill),
        LoadScenario(
            "send-batch", f"AMQP send in batches of {BATCH}, 1 KiB each", "batches", _send_batches, after=_drain
        ),
        LoadScenario("put", "HTTP PUT blob, 1 KiB, 16 connections", "blob", _put),
        LoadScenario("get", "HTTP GET blob, 1 KiB, 16 connections", "blob", _get, prepare=_put_all),
        LoadScenario(
            "mixed", "HTTP PUT and GET in turn, 1 KiB, 16 connections", "blob", _put_and_get, prepare=_put_all
        ),
        LoadScenario(
            "large-up",
            "Blob up in blocks of 8 MiB, 8 at a time",
            "blocks",
            _large_up,
            operations=_blocks,
            has_half_load=False,
        ),
        LoadScenario(
            "large-down",
            "Blob down in ranges of 8 MiB, 8 at a time",
            "blocks",
            _large_down,
            prepare=_large_prepare,
            operations=_blocks,
            has_half_load=False,
        ),
        LoadScenario("queue", "Queue message put + get + delete, 16 connections", "queue", _queue_cycle),
        LoadScenario("table-insert", "Table insert entity, 1 KiB, 16 connections", "table", _table_insert),
        LoadScenario(
            "table-read", "Table point read, 1 KiB, 16 connections", "table", _table_read, prepare=_insert_all
        ),
        LoadScenario(
            "table-batch",
            "Table transaction of 100 inserts, 1 KiB each",
            "table",
            _table_batch,
            operations=lambda scale: scale.batches,
        ),
        StartScenario("ready", "Time to ready, empty store", "ms", lambda running: running.seconds_to_ready * 1e3),
        StartScenario("idle", "Idle memory (RssAnon)", "MB", lambda running: anonymous_bytes(running.pid) / 1e6),
    )
}
