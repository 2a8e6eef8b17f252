"""What one run of a load generator found."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.latency import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterator


class LoadError(Exception):
    """A load could not be brought to its end: the server refused, broke off, stalled, or gave something else."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What was moved. Two right runs of one load have equal digests, whatever the server and however long they took."""

    operations: int
    body_bytes: int
    """Bytes of bodies, each of them compared where it is read."""
    checksum: int
    """Sum of the numbers that the bodies carry: one lost, doubled or exchanged shows."""

    def __str__(self) -> str:
        return f"{self.operations:,} · {self.body_bytes:,} B · Σ {self.checksum:,}"


@dataclass(slots=True)
class Timing:
    """How long the timed part took, and what it cost the generator."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latency: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One timed load."""

    digest: Digest
    timing: Timing

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.digest.operations / self.timing.seconds

    @property
    def generator_share(self) -> float:
        """Part of the time that the generator was computing. Near 1, it is the generator that was measured."""
        return self.timing.cpu_seconds / self.timing.seconds

    def as_dict(self) -> dict[str, Any]:
        """The figures, for JSON. Seconds throughout."""
        return {
            "operations": self.digest.operations,
            "body_bytes": self.digest.body_bytes,
            "checksum": self.digest.checksum,
            "seconds": self.timing.seconds,
            "rate": self.rate,
            "generator_share": self.generator_share,
            "latency": self.timing.latency.as_dict(),
        }

    def __str__(self) -> str:
        latency = " ".join(f"{name} {value * 1e3:.3f} ms" for name, value in self.timing.latency.as_dict().items())
        return f"{self.rate:,.0f}/s  {latency}  generator {self.generator_share:.0%}  [{self.digest}]"


@contextmanager
def timed() -> Iterator[Timing]:
    """Time a block, wall and own processor time, with the garbage collector out of the way."""
    timing = Timing()
    gc.collect()
    gc.freeze()
    gc.disable()
    cpu, started = time.process_time(), time.perf_counter()
    try:
        yield timing
    finally:
        timing.seconds = time.perf_counter() - started
        timing.cpu_seconds = time.process_time() - cpu
        gc.enable()
        gc.unfreeze()
