"""The health answers: which requests are for them, and what they say.

`/health` and `/health/ready` answer 200 once every listener serves and until the server stops, else 503;
`/health/live` answers 200 as long as the process can answer at all. The status and message are those of
Microsoft's Service Bus emulator, whose `/health` on port 5300 test kits wait for.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from localzure import __version__
from localzure.services.interface import SECOND, HttpReply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localzure.services.interface import Clock, HttpRequest

Probe = Literal["health", "live", "ready"]

_PATHS: dict[str, Probe] = {"/health": "health", "/health/live": "live", "/health/ready": "ready"}

_SIGNED = ("authorization", "x-ms-date", "x-ms-version")
"""Headers that clients of Azure send and probes do not: at least one is in every request of a storage SDK."""

_STORAGE_LABELS = frozenset({"blob", "queue", "table", "dfs", "file", "web"})
"""What follows the account in a host name such as `acct.blob.localhost`."""

_TEXTS = {
    "healthy": "Service is healthy.",
    "unhealthy": "Service not available. Please try after some time.",
}


def probe(request: HttpRequest) -> Probe | None:
    """Which health answer `request` asks for; None when it is for a service.

    A storage account, container, blob or queue may be called `health` too. Whatever a client of Azure asks of those
    has a query, a signature, a version header, or an account in its host name; a probe has none of them.
    """
    wanted = _PATHS.get(request.raw_path)
    if wanted is None or request.method not in ("GET", "HEAD") or request.raw_query:
        return None
    if any(header in request.headers for header in _SIGNED):
        return None
    labels = request.host.split(":", 1)[0].lower().split(".")
    return None if len(labels) > 2 and labels[1] in _STORAGE_LABELS else wanted


class Health:
    """Whether the server serves, and the answers that say so."""

    __slots__ = ("_clock", "_serving", "_started", "tell")

    def __init__(self, services: Sequence[str], clock: Clock) -> None:
        """`services` are the names of those that run. Uptime counts from here."""
        self._clock = clock
        self._started = clock.monotonic()
        self._serving = False
        self.tell: Callable[[], Mapping[str, tuple[str, str]]] = lambda: dict.fromkeys(services, ("running", ""))
        """By its name, how each service is, and what there is to say about that."""

    def serve(self) -> None:
        """Every listener serves from now on."""
        self._serving = True

    def stop(self) -> None:
        """The server accepts nothing new any more."""
        self._serving = False

    def describe(self) -> dict[str, object]:
        """Whether the server serves, since when, and what."""
        return self._body("healthy" if self._serving else "unhealthy")

    def reply(self, wanted: Probe) -> HttpReply:
        """The answer to a probe."""
        status = "healthy" if self._serving or wanted == "live" else "unhealthy"
        headers = [("content-type", "application/json"), ("cache-control", "no-store")]
        return HttpReply(200 if status == "healthy" else 503, headers, json.dumps(self._body(status)).encode())

    def _body(self, status: str) -> dict[str, object]:
        now = datetime.fromtimestamp(self._clock.wall() / SECOND, UTC)
        told = self.tell()
        remarks = {name: remark for name, (_, remark) in told.items() if remark}
        return {
            "status": status,
            "message": _TEXTS[status],
            "version": __version__,
            "services": {name: state if self._serving else "unavailable" for name, (state, _) in told.items()},
            **({"remarks": remarks} if remarks else {}),
            "uptime": round(self._clock.monotonic() - self._started, 3),
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
