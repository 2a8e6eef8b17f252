"""Limits on the rate of requests, as token buckets. It is also the form of a limit in configuration files."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Per = Literal["server", "service", "account", "client"]

BUCKETS_MAX = 10_000
"""Accounts or clients that a limit keeps count of; the one that was silent for longest is forgotten first."""


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many requests a second."""

    requests_per_second: Annotated[float, Meta(gt=0)]
    burst: Annotated[float, Meta(ge=1)] | None = None
    """How many may come at once; by default those of a second."""
    per: Per = "account"
    """Whose requests are counted together. Each service of an account counts for itself."""
    service: Literal["blob", "queue", "table", "servicebus"] | None = None
    """The only service that is limited."""

    @property
    def size(self) -> float:
        """Tokens in a full bucket."""
        return max(1.0, self.requests_per_second if self.burst is None else self.burst)


AZURE = tuple(
    RateLimit(requests_per_second=20_000, burst=5_000, service=service) for service in ("blob", "queue", "table")
)
"""The preset `azure`: a standard storage account's target for requests of 1 KiB
(https://learn.microsoft.com/azure/storage/common/scalability-targets-standard-account)."""


class Bucket:
    """Fills at a rate, and is drawn from."""

    __slots__ = ("_at", "_level", "_limit")

    def __init__(self, limit: RateLimit, now: float) -> None:
        """Full at first."""
        self._limit = limit
        self._level = limit.size
        self._at = now

    def draw(self, now: float) -> float:
        """Take a token; returns 0, or the seconds until there is one again."""
        limit = self._limit
        self._level = min(limit.size, self._level + (now - self._at) * limit.requests_per_second)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / limit.requests_per_second
        self._level -= 1
        return 0.0


class Limits:
    """All limits of a server, and how much of each has been used."""

    def __init__(self, limits: Iterable[RateLimit], monotonic: Callable[[], float]) -> None:
        """`limits` are asked in their order; one that refuses has not been drawn from."""
        self._monotonic = monotonic
        self._buckets: OrderedDict[tuple[object, ...], Bucket] = OrderedDict()
        self.limits: tuple[RateLimit, ...] = ()
        self.configure(limits)

    def configure(self, limits: Iterable[RateLimit]) -> None:
        """Let these be the limits, from full buckets."""
        self.limits = tuple(limits)
        self._buckets.clear()

    def draw(self, service: str, account: str, client: str) -> float:
        """Count a request; returns 0 where it may pass, else the seconds after which it may."""
        now = self._monotonic()
        for number, limit in enumerate(self.limits):
            if limit.service is None or limit.service == service:
                wait = self._bucket(number, limit, service, account, client, now).draw(now)
                if wait:
                    return wait
        return 0.0

    def _bucket(self, number: int, limit: RateLimit, service: str, account: str, client: str, now: float) -> Bucket:
        whose: dict[Per, tuple[object, ...]] = {
            "server": (number,),
            "service": (number, service),
            "account": (number, service, account),
            "client": (number, client),
        }
        key = whose[limit.per]
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(limit, now)
            if len(self._buckets) > BUCKETS_MAX:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket
