"""Traces for OpenTelemetry: a span for each request, sent over OTLP in the background. Needs `localzure[otel]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from localzure import __version__
from localzure.observing import trace_context
from localzure.observing.metrics import FAILED_STATUS_MIN

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from localzure.observing.observer import Ended


class OpenTelemetryTracer:
    """Sends spans to a collector (an `observer.Tracer`)."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is that of OTLP over HTTP, such as `http://localhost:4318`."""
        resource = Resource.create({"service.name": "localzure", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("localzure", __version__)

    def ended(self, ended: Ended) -> None:
        """See `observer.Tracer.ended`."""
        request, now = ended.request, ended.at * 1000
        parent = trace_context.read(request.headers.get(trace_context.TRACEPARENT))
        span = self._tracer.start_span(
            request.operation or request.method,
            context=None if parent is None else _context(parent),
            kind=trace.SpanKind.SERVER,
            start_time=now - int(ended.seconds * 1e9),
            attributes={
                "http.request.method": request.method,
                "url.path": request.raw_path,
                "url.scheme": request.scheme,
                "server.address": request.host,
                "client.address": request.peer,
                "http.response.status_code": ended.status,
                "localzure.service": request.service,
                "az.service_request_id": request.request_id,
            },
        )
        if ended.status >= FAILED_STATUS_MIN:
            span.set_status(trace.Status(trace.StatusCode.ERROR))
        span.end(now)

    def close(self) -> None:
        """Send what waits. Blocks for a moment: not for the event loop."""
        self._provider.shutdown()


def _context(parent: trace_context.TraceContext) -> Context:
    """The client's span, as the library has it."""
    span = trace.SpanContext(
        int(parent.trace_id, 16),
        int(parent.parent_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED if parent.is_sampled else trace.TraceFlags.DEFAULT),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(span))
