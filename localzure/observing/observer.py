"""What happens at the end of each request: it is counted, and logged and traced where that was asked for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

from localzure.observing import trace_context
from localzure.observing.metrics import ERROR_STATUS_MIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.observing.metrics import Metrics
    from localzure.services.interface import Clock, HttpRequest, Instant

access_log = logging.getLogger("localzure.access")
audit_log = logging.getLogger("localzure.audit")

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, and are not audited."""


class Ended(NamedTuple):
    """A request that has been answered."""

    request: HttpRequest
    status: int
    """0 where the client went away before it had its reply."""
    at: Instant
    """When it ended, on the machine's clock."""
    seconds: float
    """From its head to the end of its reply."""
    sent_bytes: int
    """Of the reply's body."""


class Tracer(Protocol):
    """Where traces go."""

    def ended(self, ended: Ended) -> None:
        """Hand over the span of a request."""
        ...


class Observer:
    """Sees every request of a server."""

    def __init__(
        self,
        metrics: Metrics,
        clock: Clock,
        *,
        logs_access: bool = False,
        logs_audit: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        """Metrics are always counted; the rest is off unless it is asked for."""
        self.metrics = metrics
        self._clock = clock
        self.monotonic: Callable[[], float] = clock.monotonic
        self._tracer = tracer
        self.configure(logs_access, logs_audit)

    def configure(self, logs_access: bool, logs_audit: bool) -> None:
        """Say which logs are written from now on."""
        self._logs_access = logs_access
        self._logs_audit = logs_audit
        self._has_more = logs_access or logs_audit or self._tracer is not None

    def began(self) -> float:
        """A request's head has come; returns the monotonic second."""
        self.metrics.active += 1
        return self.monotonic()

    def ended(self, request: HttpRequest, status: int, began: float, sent_bytes: int) -> None:
        """A request has been answered, or its client has gone (status 0)."""
        seconds = self.monotonic() - began
        self.metrics.active -= 1
        self.metrics.ended(request.service, request.operation, status, seconds)
        if self._has_more:
            self._tell(Ended(request, status, self._clock.wall(), seconds, sent_bytes))

    def _tell(self, ended: Ended) -> None:
        if self._logs_access:
            access_log.info("%s", access_line(ended))
        if self._logs_audit and ended.request.method not in READING:
            audit_log.info("%s", audit_line(ended))
        if self._tracer is not None:
            self._tracer.ended(ended)


def access_line(ended: Ended) -> str:
    """One request, as the access log has it; the log redacts what is secret in it."""
    request = ended.request
    target = f"{request.raw_path}?{request.raw_query}" if request.raw_query else request.raw_path
    trace = trace_context.read(request.headers.get(trace_context.TRACEPARENT))
    parts = [
        request.peer,
        f'"{request.method} {target}"',
        str(ended.status or "-"),
        f"{ended.sent_bytes}B",
        f"{ended.seconds * 1000:.3f}ms",
        request.service or "-",
        request.operation or "-",
        request.request_id,
        f'"{request.headers.get("user-agent", "-")}"',
    ]
    return " ".join([*parts, *([f"trace={trace.trace_id}"] if trace else [])])


def audit_line(ended: Ended) -> str:
    """Who did what, to what, and how it ended."""
    request = ended.request
    outcome = "done" if ended.status and ended.status < ERROR_STATUS_MIN else "refused"
    return (
        f"{request.caller or 'somebody'} from {request.peer}: {request.operation or request.method} {request.raw_path} "
        f"{outcome} ({ended.status}, {request.request_id})"
    )
