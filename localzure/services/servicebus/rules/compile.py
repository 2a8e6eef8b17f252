"""From a rule to what runs for every message."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from localzure.services.servicebus.rules.correlation import correlation_test
from localzure.services.servicebus.rules.model import (
    EXPRESSION_CHARS_MAX,
    STATEMENTS_MAX,
    CorrelationFilter,
    EvaluationFailed,
    FalseFilter,
    FilterEvaluationError,
    RuleError,
    SqlFilter,
    TrueFilter,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.rules.model import Filter, Rule, SqlAction
    from localzure.services.servicebus.rules.view import MessageView, Overrides

    Test: TypeAlias = Callable[[MessageView], bool]
    Change: TypeAlias = Callable[[MessageView], Overrides]

FILTER_FAILED, ACTION_FAILED = "FilterException", "RuleActionException"
"""Dead-letter reasons: the exceptions of .NET that tell of it."""


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
    change = None if rule.action is None else _change(rule.action, entropy)
    return CompiledRule(rule, _test(rule.filter, entropy), change)


def _test(wanted: Filter, entropy: Entropy) -> Test:
    match wanted:
        case TrueFilter():
            return lambda _view: True
        case FalseFilter():
            return lambda _view: False
        case CorrelationFilter():
            return correlation_test(wanted)
        case SqlFilter():
            return _sql_test(wanted, entropy)


# The modules of SQL are imported where the first rule needs them: making their parser takes time that a start has not.


def _sql_test(wanted: SqlFilter, entropy: Entropy) -> Test:
    from localzure.services.servicebus.rules.sql.conditions import test_condition
    from localzure.services.servicebus.rules.sql.expressions import Scope
    from localzure.services.servicebus.rules.sql.grammar import read_condition

    condition = read_condition(_checked(wanted.expression, "filter"))
    holds = test_condition(condition, Scope(wanted.parameters, entropy))

    def test(view: MessageView) -> bool:
        try:
            return holds(view) is True
        except EvaluationFailed as error:
            raise FilterEvaluationError(FILTER_FAILED, str(error)) from None

    return test


def _change(action: SqlAction, entropy: Entropy) -> Change:
    from localzure.services.servicebus.rules.sql.expressions import Scope
    from localzure.services.servicebus.rules.sql.grammar import read_statements
    from localzure.services.servicebus.rules.sql.statements import change_by

    statements = read_statements(_checked(action.expression, "action"))
    if len(statements) > STATEMENTS_MAX:
        raise RuleError(f"The action has {len(statements)} statements, which exceeds the maximum of {STATEMENTS_MAX}.")
    change = change_by(statements, Scope(action.parameters, entropy))

    def apply(view: MessageView) -> Overrides:
        try:
            return change(view)
        except EvaluationFailed as error:
            raise FilterEvaluationError(ACTION_FAILED, str(error)) from None

    return apply


def _checked(expression: str, what: str) -> str:
    """A text of acceptable length. Raises RuleError."""
    if len(expression) > EXPRESSION_CHARS_MAX:
        raise RuleError(
            f"The length of the {what} expression is {len(expression)}, which exceeds the maximum of "
            f"{EXPRESSION_CHARS_MAX}."
        )
    return expression
