"""Counts and times of requests and connections, and how Prometheus reads them.

Counting is a few dictionary updates a request; the text is made when somebody asks for it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from localzure.observing.durations import Durations
from localzure.observing.families import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from localzure.observing.families import Family

ERROR_STATUS_MIN = 400

FAILED_STATUS_MIN = 500
"""From here on an error is the service's fault, not the client's."""

SERIES_MAX = 10_000
"""Combinations of labels that are kept apart; beyond them, what is new is counted as `other`."""


class Metrics:
    """What a server counts."""

    def __init__(self) -> None:
        """Nothing has been counted. Others add to `sources` what they know."""
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """By service, operation and status."""
        self.durations: dict[tuple[str, str], Durations] = {}
        """By service and operation."""
        self.active = 0
        """Requests whose reply is not complete."""
        self.limited: Counter[str] = Counter()
        """Requests that were over a limit, by service."""
        self.breaker_turns: Counter[tuple[str, str, str]] = Counter()
        """Changes of circuit breakers: service, state before, state after."""
        self.breaker_states: dict[str, str] = {}
        """The state of each breaker, by service."""
        self.sources: list[Callable[[], Iterable[Family | Histogram]]] = []
        """What gives further metrics when they are read, on the event loop."""

    def ended(self, service: str, operation: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        key = (service, operation)
        durations = self.durations.get(key)
        if durations is None:
            if len(self.durations) >= SERIES_MAX:
                key = (service, "other")
            durations = self.durations.setdefault(key, Durations())
        self.requests[(*key, status)] += 1
        durations.add(seconds)

    def gather(self) -> list[Family | Histogram]:
        """What the sources tell now. For the event loop."""
        return [family for source in self.sources for family in source()]

    def text(self, more: Sequence[Family | Histogram] = ()) -> bytes:
        """Everything, with what was gathered, in Prometheus' text format.

        The first call imports its library: not for the event loop.
        """
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.platform_collector import PlatformCollector
        from prometheus_client.process_collector import ProcessCollector

        registry = CollectorRegistry()
        registry.register(_Collector(self, more))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        return generate_latest(registry)


class _Collector:
    """Gives the library what was counted (a `prometheus_client` collector)."""

    def __init__(self, metrics: Metrics, more: Sequence[Family | Histogram]) -> None:
        self._metrics = metrics
        self._more = more

    def describe(self) -> list[Metric]:
        """Nothing is known before it is read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics of the gateway, and what was gathered."""
        yield from _requests(self._metrics)
        yield from _gates(self._metrics)
        for family in self._more:
            yield _written(family)


def _written(family: Family | Histogram) -> Metric:
    """A metric as Prometheus' library has it."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if isinstance(family, Histogram):
        return HistogramMetricFamily(family.name, family.help, buckets=family.buckets, sum_value=family.total)
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    written = kind(family.name, family.help, labels=family.labels)
    for labels, value in family.values:
        written.add_metric(labels, value)
    return written


def _requests(metrics: Metrics) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    requests = CounterMetricFamily(
        "gateway_requests", "Requests that were answered.", labels=["service", "operation", "status"]
    )
    errors = CounterMetricFamily(
        "gateway_errors", "Requests that were answered with an error.", labels=["service", "operation", "status"]
    )
    for (service, operation, status), count in list(metrics.requests.items()):
        requests.add_metric([service, operation, str(status)], count)
        if status >= ERROR_STATUS_MIN:
            errors.add_metric([service, operation, str(status)], count)
    yield requests
    yield errors
    durations = HistogramMetricFamily(
        "gateway_request_duration_seconds",
        "From a request's head to the end of its reply.",
        labels=["service", "operation"],
    )
    for (service, operation), taken in list(metrics.durations.items()):
        durations.add_metric([service, operation], taken.buckets(), taken.total)
    yield durations
    yield GaugeMetricFamily("gateway_active_requests", "Requests whose reply is not complete.", metrics.active)


def _gates(metrics: Metrics) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    limited = CounterMetricFamily(
        "gateway_rate_limit_exceeded", "Requests that were over a limit on rates.", labels=["service"]
    )
    for service, count in list(metrics.limited.items()):
        limited.add_metric([service], count)
    yield limited
    state = GaugeMetricFamily(
        "gateway_circuit_breaker_state", "1 for the state that a service's breaker is in.", labels=["service", "state"]
    )
    for service, current in list(metrics.breaker_states.items()):
        for name in ("closed", "open", "half-open"):
            state.add_metric([service, name], float(name == current))
    yield state
    turns = CounterMetricFamily(
        "gateway_circuit_breaker_transitions", "Changes of a service's breaker.", labels=["service", "before", "after"]
    )
    for labels, count in list(metrics.breaker_turns.items()):
        turns.add_metric(list(labels), count)
    yield turns
