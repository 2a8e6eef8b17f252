"""Faults in the words of a plain retry test: one block per service, as configuration files of such tests have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from localzure.faults.rules import Count, FaultRule, Seconds, Share, Status

if TYPE_CHECKING:
    from localzure.config.settings import Service

ERROR_CODES = [429, 500, 502, 503, 504]
"""The statuses that the SDKs' retry policies try again."""


class RetryTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a retry test asks of one service."""

    enabled: bool = False
    failure_rate: Share = 0.3
    error_codes: list[Status] = msgspec.field(default_factory=lambda: list(ERROR_CODES))
    retry_after: Seconds | None = None
    """Seconds that the client is told to wait."""
    retry_after_format: Literal["seconds", "http_date", "milliseconds"] = "seconds"
    pattern: Literal["random", "sequential", "burst"] = "random"
    """`random` chooses among the codes, `sequential` goes round them, `burst` fails several requests in a row."""
    burst_size: Count = 5
    burst_interval: Seconds = 60.0
    """Seconds from one burst's begin to the next one's."""
    duration: Seconds | None = None
    """Seconds after which the test is over; None is never."""
    seed: int = 0

    def rule(self, service: Service) -> FaultRule | None:
        """The rule that these words mean; None where they are not enabled."""
        if not self.enabled:
            return None
        is_burst = self.pattern == "burst"
        return FaultRule(
            effect="status",
            service=service,
            status=self.error_codes,
            retry_after=self.retry_after,
            retry_after_format=self.retry_after_format,
            rate=1.0 if is_burst else self.failure_rate,
            burst_size=self.burst_size if is_burst else None,
            burst_interval=self.burst_interval if is_burst else None,
            seconds=self.duration,
            pattern="sequential" if self.pattern == "sequential" else "random",
            seed=self.seed,
        )
