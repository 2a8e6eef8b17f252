"""A circuit breaker: after several failures in a row a service is left alone for a while, then tried again.

closed ──failures──► open ──time──► half-open ──successes──► closed
                      ▲                  │
                      └─────failure──────┘
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Callable

Count = Annotated[int, Meta(ge=1)]


class BreakerRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a breaker opens and closes. It is also the form in configuration files."""

    enabled: bool = False
    failures: Count = 5
    """Failures in a row that open it."""
    open_seconds: Annotated[float, Meta(gt=0)] = 60.0
    """How long it stays open."""
    trial_calls: Count = 3
    """Calls that a half-open one lets through at a time."""
    successes: Count = 2
    """Successes in a row that close a half-open one."""


class BreakerState(Enum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """The breaker in front of one service."""

    def __init__(
        self,
        rules: BreakerRules,
        monotonic: Callable[[], float],
        on_change: Callable[[BreakerState, BreakerState], None] = lambda _before, _after: None,
    ) -> None:
        """Closed at first. `on_change` is told the state before and after."""
        self._rules = rules
        self._monotonic = monotonic
        self._on_change = on_change
        self.state = BreakerState.CLOSED
        self._count = 0
        """Failures in a row where it is closed, successes in a row where it is half-open."""
        self._trials = 0
        self._opened_at = 0.0

    def admit(self) -> float:
        """A call is coming; returns 0 where it may pass, else the seconds after which it may try again.

        Whoever passes reports `succeeded`, `failed` or `left`.
        """
        if self.state is BreakerState.OPEN:
            left = self._opened_at + self._rules.open_seconds - self._monotonic()
            if left > 0:
                return left
            self._turn(BreakerState.HALF_OPEN)
        if self.state is BreakerState.HALF_OPEN:
            if self._trials >= self._rules.trial_calls:
                return self._rules.open_seconds
            self._trials += 1
        return 0.0

    def succeeded(self) -> None:
        """A call went well."""
        if self.state is BreakerState.HALF_OPEN:
            self._trials = max(0, self._trials - 1)
            self._count += 1
            if self._count >= self._rules.successes:
                self._turn(BreakerState.CLOSED)
        elif self.state is BreakerState.CLOSED:
            self._count = 0

    def failed(self) -> None:
        """A call failed by the service's fault."""
        if self.state is BreakerState.HALF_OPEN:
            self._open()
        elif self.state is BreakerState.CLOSED:
            self._count += 1
            if self._count >= self._rules.failures:
                self._open()

    def left(self) -> None:
        """A call ended without telling anything, as when its client went away."""
        if self.state is BreakerState.HALF_OPEN:
            self._trials = max(0, self._trials - 1)

    def _open(self) -> None:
        self._opened_at = self._monotonic()
        self._turn(BreakerState.OPEN)

    def _turn(self, state: BreakerState) -> None:
        before, self.state = self.state, state
        self._count = self._trials = 0
        self._on_change(before, state)
