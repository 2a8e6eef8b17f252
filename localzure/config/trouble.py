"""How fault rules, limits on rates and circuit breakers are read from a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from localzure.config.settings import SERVICES
from localzure.config.values import RefusedError, expected

if TYPE_CHECKING:
    from pathlib import Path

    from localzure.faults.rules import FaultRule
    from localzure.throttling.breaker import BreakerRules
    from localzure.throttling.limits import RateLimit

T = TypeVar("T")


def _convert(raw: object, kind: type[T], what: str, at: str = "") -> T:
    """Read a value as msgspec has it. Raises RefusedError, which says that `what` was expected."""
    import msgspec  # late: most starts have no faults

    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise RefusedError(f"expected {what}: {error}", at=at) from None


def fault_rules(raw: object, _base: Path) -> tuple[FaultRule, ...]:
    """A list of fault rules, each a mapping."""
    from localzure.faults.rules import FaultRule  # late, as below

    return tuple(_convert(raw, list[FaultRule], "a list of fault rules"))


def retry_tests(raw: object, _base: Path) -> tuple[FaultRule, ...]:
    """The words of retry tests: a mapping from service to its words, or the words for all services."""
    from localzure.faults.test_mode import RetryTest

    if not isinstance(raw, Mapping):
        raise expected("a mapping from service to the words of its retry test", raw)
    by_service = raw if set(raw) <= set(SERVICES) else dict.fromkeys(SERVICES, raw)
    tests = {
        service: _convert(words, RetryTest, "the words of a retry test", at=str(service))
        for service, words in by_service.items()
    }
    return tuple(rule for service, test in tests.items() if (rule := test.rule(service)) is not None)


def rate_limits(raw: object, _base: Path) -> tuple[RateLimit, ...]:
    """Limits on rates: a list of mappings, or `azure` for Azure's own numbers."""
    from localzure.throttling.limits import AZURE, RateLimit

    return AZURE if raw == "azure" else tuple(_convert(raw, list[RateLimit], "'azure' or a list of limits"))


def breaker_rules(raw: object, _base: Path) -> BreakerRules:
    """When circuit breakers open and close: true for the defaults, or a mapping."""
    from localzure.throttling.breaker import BreakerRules

    if isinstance(raw, bool):
        return BreakerRules(enabled=raw)
    return _convert(raw, BreakerRules, "true, false or the rules of circuit breakers")
