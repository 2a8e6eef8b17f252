"""What is counted, as a Prometheus parser reads it; and the lines of the access and audit logs."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from localzure.auth.principal import Principal, PrincipalKind
from localzure.observing.durations import SECONDS_BOUNDS
from localzure.observing.metrics import SERIES_MAX, Metrics
from localzure.observing.observer import Ended, access_line, audit_line
from localzure.observing.trace_context import read
from localzure.services.interface import HttpRequest, Instant


def _samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_service_operation_and_status() -> None:
    metrics = Metrics()
    for status, seconds in ((201, 0.0004), (201, 0.003), (409, 20.0)):
        metrics.ended("blob", "Container_Create", status, seconds)
    metrics.active = 2
    samples = _samples(metrics)
    labels = {("service", "blob"), ("operation", "Container_Create")}
    assert samples["gateway_requests_total", frozenset({*labels, ("status", "201")})] == 2
    assert samples["gateway_errors_total", frozenset({*labels, ("status", "409")})] == 1
    assert ("gateway_errors_total", frozenset({*labels, ("status", "201")})) not in samples
    assert samples["gateway_active_requests", frozenset()] == 2
    name = "gateway_request_duration_seconds"
    assert samples[f"{name}_bucket", frozenset({*labels, ("le", "0.0005")})] == 1
    assert samples[f"{name}_bucket", frozenset({*labels, ("le", "0.005")})] == 2
    assert samples[f"{name}_bucket", frozenset({*labels, ("le", str(SECONDS_BOUNDS[-1]))})] == 2
    assert samples[f"{name}_count", frozenset(labels)] == 3
    assert round(samples[f"{name}_sum", frozenset(labels)], 4) == 20.0034


def test_gates_are_counted() -> None:
    metrics = Metrics()
    metrics.limited["queue"] += 3
    metrics.breaker_states["blob"] = "half-open"
    metrics.breaker_turns["blob", "open", "half-open"] += 1
    samples = _samples(metrics)
    assert samples["gateway_rate_limit_exceeded_total", frozenset({("service", "queue")})] == 3
    assert samples["gateway_circuit_breaker_state", frozenset({("service", "blob"), ("state", "half-open")})] == 1
    assert samples["gateway_circuit_breaker_state", frozenset({("service", "blob"), ("state", "open")})] == 0
    turn = frozenset({("service", "blob"), ("before", "open"), ("after", "half-open")})
    assert samples["gateway_circuit_breaker_transitions_total", turn] == 1


def test_series_are_bounded() -> None:
    metrics = Metrics()
    for number in range(SERIES_MAX + 5):
        metrics.ended("localzure", f"path-{number}", 404, 0.0)
    assert len(metrics.durations) == SERIES_MAX + 1
    assert metrics.requests["localzure", "other", 404] == 5


REQUEST = HttpRequest(
    method="PUT",
    raw_path="/acct/box/blob",
    raw_query="comp=block",
    headers={"user-agent": "azsdk", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    scheme="http",
    host="localhost",
    peer="127.0.0.1",
    request_id="id-1",
    service="blob",
    operation="BlockBlob_StageBlock",
)


def test_a_line_of_the_access_log() -> None:
    assert access_line(Ended(REQUEST, 201, Instant(0), 0.0015, 12)) == (
        '127.0.0.1 "PUT /acct/box/blob?comp=block" 201 12B 1.500ms blob BlockBlob_StageBlock id-1 "azsdk" '
        "trace=4bf92f3577b34da6a3ce929d0e0e4736"
    )


def test_a_line_of_the_audit_log() -> None:
    REQUEST.caller = Principal(PrincipalKind.OWNER, "acct")
    assert audit_line(Ended(REQUEST, 403, Instant(0), 0.001, 0)) == (
        "owner of acct from 127.0.0.1: BlockBlob_StageBlock /acct/box/blob refused (403, id-1)"
    )


def test_a_trace_is_read_or_there_is_none() -> None:
    context = read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert context is not None
    assert (context.trace_id[:4], context.parent_id[:4], context.is_sampled) == ("4bf9", "00f0", True)
    for wrong in (None, "", "00-0", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{'1' * 32}-00f067aa0ba902b7-01"):
        assert read(wrong) is None
