"""Rules as `$management` has them: what SDKs send to add one, and what they read when they list them.

To add one, a client sends a map: exactly one of `sql-filter`, `correlation-filter`, `true-filter` and `false-filter`,
and maybe `sql-rule-action`. .NET, Java and JavaScript write a true filter as the SQL `1=1` and a false one as `1=0` or
`1>1`. Listed, a rule is a described list whose parts are described lists too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Rule,
    RuleError,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from localzure_protocols.amqp.types import Described, Int, Timestamp, Ulong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.servicebus.rules.model import Filter

RULE_DESCRIPTION = Ulong(0x13700000004)
EMPTY_RULE_ACTION = Ulong(0x13700000005)
SQL_RULE_ACTION = Ulong(0x13700000006)
SQL_FILTER = Ulong(0x1370000006)
TRUE_FILTER = Ulong(0x1370000007)
FALSE_FILTER = Ulong(0x1370000008)
CORRELATION_FILTER = Ulong(0x1370000009)
"""Descriptors. Mind their lengths: those of filters are shorter."""

COMPATIBILITY_LEVEL = Int(20)
"""The version of the SQL language; there has been no other since 2012."""

_CORRELATION_KEYS = {
    "correlation-id": "correlation_id",
    "message-id": "message_id",
    "to": "to",
    "reply-to": "reply_to",
    "label": "label",
    "session-id": "session_id",
    "reply-to-session-id": "reply_to_session_id",
    "content-type": "content_type",
}
"""Key on the wire → field of `CorrelationFilter`, in the order of the described list."""


def read_description(name: str, description: Mapping[Any, Any], created_at: int) -> Rule:
    """The rule that a client wants to add. Raises RuleError."""
    found = [read(_mapping(description, key)) for key, read in _FILTERS.items() if description.get(key) is not None]
    if len(found) != 1:
        raise RuleError("A rule description has exactly one filter.")
    action = description.get("sql-rule-action")
    if action is None:
        return Rule(name, found[0], None, created_at)
    fields = _mapping(description, "sql-rule-action")
    # Java sends an action that does nothing as one without an expression.
    expression = fields.get("expression")
    return Rule(name, found[0], None if expression is None else SqlAction(*_sql(fields)), created_at)


def write_description(rule: Rule) -> Described:
    """A rule as it is listed."""
    if rule.action is None:
        action = Described(EMPTY_RULE_ACTION, [])
    else:
        action = Described(SQL_RULE_ACTION, [rule.action.expression, COMPATIBILITY_LEVEL])
    created_at = Timestamp(rule.created_at // 1000)
    return Described(RULE_DESCRIPTION, [_written(rule.filter), action, rule.name, created_at])


def _written(kept: Filter) -> Described:
    match kept:
        case TrueFilter():
            return Described(TRUE_FILTER, [])
        case FalseFilter():
            return Described(FALSE_FILTER, [])
        case SqlFilter(expression):
            return Described(SQL_FILTER, [expression, COMPATIBILITY_LEVEL])
        case CorrelationFilter():
            fields = [getattr(kept, field) for field in _CORRELATION_KEYS.values()]
            return Described(CORRELATION_FILTER, [*fields, dict(kept.properties)])


def _read_correlation(fields: Mapping[Any, Any]) -> CorrelationFilter:
    wanted: dict[str, Any] = {}
    for key, field in _CORRELATION_KEYS.items():
        value = fields.get(key)
        if not isinstance(value, str | None):
            raise RuleError(f"The property '{key}' of a correlation filter is text.")
        wanted[field] = value
    properties = {str(name): value for name, value in _mapping(fields, "properties").items()}
    return CorrelationFilter(**wanted, properties=properties)


def _sql(fields: Mapping[Any, Any]) -> tuple[str, dict[str, Any]]:
    """The expression of a filter or an action, and its parameters."""
    expression = fields.get("expression")
    if not isinstance(expression, str):
        raise RuleError("The expression of a SQL filter or action is text.")
    return expression, {str(name): value for name, value in _mapping(fields, "parameters").items()}


def _mapping(fields: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    value = fields.get(key)
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise RuleError(f"'{key}' in a rule description is a map.")
    return value


_FILTERS: dict[str, Callable[[Mapping[Any, Any]], Filter]] = {
    "sql-filter": lambda fields: SqlFilter(*_sql(fields)),
    "correlation-filter": _read_correlation,
    "true-filter": lambda _fields: TrueFilter(),
    "false-filter": lambda _fields: FalseFilter(),
}
