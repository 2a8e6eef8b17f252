"""W3C trace context: the trace that a request belongs to (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

import re
from typing import NamedTuple

TRACEPARENT = "traceparent"

KEPT = ("x-correlation-id", "x-request-id", "baggage")
"""Headers by which clients find their requests again: replies have them as the requests had."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class TraceContext(NamedTuple):
    """What `traceparent` says."""

    trace_id: str
    """32 hexadecimal digits."""
    parent_id: str
    """16 hexadecimal digits: the client's span."""
    is_sampled: bool


def read(text: str | None) -> TraceContext | None:
    """Read `traceparent`; None where there is none, or it is malformed, which counts as none."""
    match = _TRACEPARENT.fullmatch(text.strip()) if text else None
    return None if match is None else TraceContext(match[1], match[2], bool(int(match[3], 16) & 1))
