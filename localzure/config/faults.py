"""How fault rules are read from a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from localzure.config.settings import SERVICES
from localzure.config.values import RefusedError, expected

if TYPE_CHECKING:
    from pathlib import Path

    from localzure.faults.rules import FaultRule


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
