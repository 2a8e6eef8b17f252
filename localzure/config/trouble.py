"""How fault rules, limits on rates and circuit breakers are read from a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from localzure.config.settings import SERVICES
from localzure.config.values import RefusedError, expected

if TYPE_CHECKING:
    from pathlib import Path

    from localzure.faults.rules import FaultRule
    from localzure.throttling.breaker import BreakerRules
    from localzure.throttling.limits import RateLimit


def fault_rules(raw: object, _base: Path) -> tuple[FaultRule, ...]:
    """A list of fault rules, each a mapping."""
    import msgspec  # late, as below: most starts have no faults

    from localzure.faults.rules import FaultRule

    try:
        return tuple(msgspec.convert(raw, list[FaultRule]))
    except msgspec.ValidationError as error:
        raise RefusedError(f"expected a list of fault rules: {error}") from None


def retry_tests(raw: object, _base: Path) -> tuple[FaultRule, ...]:
    """The words of retry tests: a mapping from service to its words, or the words for all services."""
    import msgspec

    from localzure.faults.test_mode import RetryTest

    if not isinstance(raw, Mapping):
        raise expected("a mapping from service to the words of its retry test", raw)
    by_service = raw if set(raw) <= set(SERVICES) else dict.fromkeys(SERVICES, raw)
    rules = []
    for service, words in by_service.items():
        try:
            rules.append(msgspec.convert(words, RetryTest).rule(service))
        except msgspec.ValidationError as error:
            raise RefusedError(f"expected the words of a retry test: {error}", at=str(service)) from None
    return tuple(rule for rule in rules if rule is not None)


def rate_limits(raw: object, _base: Path) -> tuple[RateLimit, ...]:
    """Limits on rates: a list of mappings, or `azure` for Azure's own numbers."""
    import msgspec

    from localzure.throttling.limits import AZURE, RateLimit

    if raw == "azure":
        return AZURE
    try:
        return tuple(msgspec.convert(raw, list[RateLimit]))
    except msgspec.ValidationError as error:
        raise RefusedError(f"expected 'azure' or a list of limits: {error}") from None


def breaker_rules(raw: object, _base: Path) -> BreakerRules:
    """When circuit breakers open and close: true for the defaults, or a mapping."""
    import msgspec

    from localzure.throttling.breaker import BreakerRules

    try:
        return BreakerRules(enabled=raw) if isinstance(raw, bool) else msgspec.convert(raw, BreakerRules)
    except msgspec.ValidationError as error:
        raise RefusedError(f"expected true, false or the rules of circuit breakers: {error}") from None
