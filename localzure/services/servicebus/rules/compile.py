"""From a rule to what runs for every message."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from localzure.services.servicebus.rules.correlation import correlation_test
from localzure.services.servicebus.rules.model import CorrelationFilter, FalseFilter, RuleError, SqlFilter, TrueFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.rules.model import Filter, Rule
    from localzure.services.servicebus.rules.view import MessageView, Overrides

    Test: TypeAlias = Callable[[MessageView], bool]
    Change: TypeAlias = Callable[[MessageView], Overrides]


class CompiledRule:
    """A rule that is ready to run. It keeps nothing of the messages that it sees."""

    __slots__ = ("_change", "matches", "rule")

    def __init__(self, rule: Rule, test: Test, change: Change | None) -> None:
        self.rule = rule
        self.matches = test
        """Whether the filter takes a message. Raises FilterEvaluationError."""
        self._change = change

    @property
    def has_action(self) -> bool:
        """Whether `apply` may change anything: such a rule that matches makes a copy of its own."""
        return self._change is not None

    def apply(self, view: MessageView) -> Overrides | None:
        """What the action changes on a copy of the message; None without an action. Raises FilterEvaluationError."""
        return None if self._change is None else self._change(view)


def compile_rule(rule: Rule, entropy: Entropy) -> CompiledRule:
    """Make a rule ready to run; `entropy` is what `newid()` draws from. Raises RuleError for what Azure refuses."""
    if rule.action is not None:
        raise RuleError("SQL actions are not available.")
    return CompiledRule(rule, _test(rule.filter, entropy), None)


def _test(wanted: Filter, _entropy: Entropy) -> Test:
    match wanted:
        case TrueFilter():
            return lambda _view: True
        case FalseFilter():
            return lambda _view: False
        case CorrelationFilter():
            return correlation_test(wanted)
        case SqlFilter():
            raise RuleError("SQL filters are not available.")
