"""Metrics as the parts of the server tell them: plain values, gathered on the event loop.

Writing them out is Prometheus' library's, which is large and works in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localzure.observing.durations import Durations


@dataclass(slots=True)
class Family:
    """A metric, with a value for each combination of its labels."""

    kind: Literal["counter", "gauge"]
    name: str
    """Without the `_total` of a counter."""
    help: str
    labels: tuple[str, ...] = ()
    values: list[tuple[tuple[str, ...], float]] = field(default_factory=list)


@dataclass(slots=True)
class Histogram:
    """Times, in buckets."""

    name: str
    help: str
    buckets: list[tuple[str, float]]
    total: float


def counter(name: str, text: str, value: float) -> Family:
    """A counter without labels."""
    return Family("counter", name, text, (), [((), value)])


def gauge(name: str, text: str, value: float) -> Family:
    """A gauge without labels."""
    return Family("gauge", name, text, (), [((), value)])


def by_label(
    kind: Literal["counter", "gauge"], name: str, text: str, label: str, values: Mapping[str, float]
) -> Family:
    """A metric with one label."""
    return Family(kind, name, text, (label,), [((key,), value) for key, value in values.items()])


def by_labels(
    kind: Literal["counter", "gauge"],
    name: str,
    text: str,
    labels: tuple[str, ...],
    values: Iterable[tuple[tuple[str, ...], float]],
) -> Family:
    """A metric with several labels."""
    return Family(kind, name, text, labels, list(values))


def histogram(name: str, text: str, durations: Durations) -> Histogram:
    """Times without labels, as they are now."""
    return Histogram(name, text, durations.buckets(), durations.total)
