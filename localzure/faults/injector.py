"""The rules that are armed, and the decision of what goes wrong now."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING

from localzure.faults.rules import MOMENTS, PROTOCOLS, FaultRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localzure.faults.rules import Effect, Protocol

RULES_MAX = 1000
"""How many rules may be armed."""


class TooManyRulesError(Exception):
    """No further rule is taken."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a client is doing."""

    service: str
    operation: str
    entity: str
    """`account/path` or the address of a link."""
    clients: tuple[str, ...]
    """What the client may be called by: its address, its own name for itself."""
    method: str = ""
    """Of HTTP."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong this time."""

    rule: FaultRule
    status: int

    @property
    def effect(self) -> Effect:
        """How it goes wrong."""
        return self.rule.effect


@dataclass(slots=True)
class ArmedRule:
    """A rule at work."""

    id: str
    rule: FaultRule
    since: float
    """Monotonic second at which it was armed."""
    chance: Random = field(repr=False)
    seen: int = 0
    """How often it fitted."""
    hits: int = 0
    """How often it struck."""
    _burst_since: float = 0.0
    _burst_hits: int = 0

    def strike(self, now: float) -> Fault | None:
        """It fits: does it strike?"""
        rule = self.rule
        if (rule.times is not None and self.hits >= rule.times) or self.is_over(now):
            return None
        self.seen += 1
        if self.seen % rule.every or (rule.rate < 1 and self.chance.random() >= rule.rate) or not self._in_burst(now):
            return None
        statuses = rule.statuses
        status = statuses[self.hits % len(statuses)] if rule.pattern == "sequential" else self.chance.choice(statuses)
        self.hits += 1
        return Fault(rule, status)

    def is_over(self, now: float) -> bool:
        """Its time is over."""
        return self.rule.seconds is not None and now >= self.since + self.rule.seconds

    def _in_burst(self, now: float) -> bool:
        size, interval = self.rule.burst_size, self.rule.burst_interval
        if size is None or interval is None:
            return True
        if self._burst_hits == 0 or now >= self._burst_since + interval:
            self._burst_since, self._burst_hits = now, 0
        self._burst_hits += 1
        return self._burst_hits <= size


class Injector:
    """Decides what goes wrong."""

    def __init__(self, monotonic: Callable[[], float], rules: Iterable[FaultRule] = ()) -> None:
        """`rules` are those of the configuration."""
        self._monotonic = monotonic
        self._armed: dict[str, ArmedRule] = {}
        self._made = 0
        self._configured: list[str] = []
        self.http: tuple[ArmedRule, ...] = ()
        """The rules that can strike HTTP: empty is the usual case, and costs nothing."""
        self.amqp: tuple[ArmedRule, ...] = ()
        self.configure(rules)

    def configure(self, rules: Iterable[FaultRule]) -> None:
        """Let these be the rules of the configuration; those that others armed stay. Raises TooManyRulesError."""
        for rule_id in self._configured:
            self.disarm(rule_id)
        self._configured = [self.arm(rule).id for rule in rules]

    @property
    def armed(self) -> list[ArmedRule]:
        """Every rule, in the order of their arming, which is the order in which they are asked."""
        return list(self._armed.values())

    def arm(self, rule: FaultRule) -> ArmedRule:
        """Put a rule to work. Raises TooManyRulesError."""
        if len(self._armed) >= RULES_MAX:
            raise TooManyRulesError(f"{RULES_MAX} rules are armed already: disarm some")
        self._made += 1
        chance = Random(rule.seed)  # noqa: S311 - chance that can be repeated, not a secret
        made = ArmedRule(str(self._made), rule, self._monotonic(), chance)
        self._armed[made.id] = made
        self._sort()
        return made

    def disarm(self, rule_id: str | None = None) -> bool:
        """Put one rule, or every rule, out of work; False where there is no such rule."""
        if rule_id is None:
            self._armed.clear()
        elif self._armed.pop(rule_id, None) is None:
            return False
        self._sort()
        return True

    def strike(self, protocol: Protocol, situation: Situation) -> Fault | None:
        """What goes wrong with what a client is doing, by the first rule that fits and strikes."""
        now = self._monotonic()
        for armed in self.http if protocol == "http" else self.amqp:
            if _fits(armed.rule, situation, protocol) and (fault := armed.strike(now)) is not None:
                return fault
        return None

    def _sort(self) -> None:
        def of(protocol: Protocol) -> tuple[ArmedRule, ...]:
            return tuple(armed for armed in self._armed.values() if protocol in PROTOCOLS[armed.rule.effect])

        self.http, self.amqp = of("http"), of("amqp")


def _fits(rule: FaultRule, situation: Situation, protocol: Protocol) -> bool:
    if rule.service is not None and rule.service != situation.service:
        return False
    if protocol == "amqp" and situation.operation not in MOMENTS[rule.effect]:
        return False
    return (
        _like(situation.operation, rule.operation)
        and _like(situation.method, rule.method)
        and _like(situation.entity, rule.entity)
        and (rule.client == "*" or any(_like(client, rule.client) for client in situation.clients))
    )


def _like(text: str, pattern: str) -> bool:
    return pattern == "*" or fnmatchcase(text.lower(), pattern.lower())
