"""Messages as rules see them, and rules to try on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.rules.compile import compile_rule
from localzure.services.servicebus.rules.model import Rule, SqlAction, SqlFilter, TrueFilter
from tests.twins import SeededEntropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.servicebus.rules.model import Filter
    from localzure.services.servicebus.rules.view import Overrides


@dataclass
class Message:
    """A `localzure.services.servicebus.rules.view.MessageView` of values."""

    properties: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    def system(self, name: str) -> Any:
        return self.fields.get(name)


def is_taken(wanted: Filter, message: Message) -> bool:
    """Whether a filter takes a message."""
    return compile_rule(Rule("r", wanted, None, 0), SeededEntropy(1)).matches(message)


def matches(expression: str, message: Message, parameters: Mapping[str, Any] | None = None) -> bool:
    """Whether a SQL filter takes a message."""
    return is_taken(SqlFilter(expression, parameters or {}), message)


def changes(expression: str, message: Message, parameters: Mapping[str, Any] | None = None) -> Overrides:
    """What a SQL action changes on a message."""
    rule = Rule("r", TrueFilter(), SqlAction(expression, parameters or {}), 0)
    overrides = compile_rule(rule, SeededEntropy(1)).apply(message)
    assert overrides is not None
    return overrides
