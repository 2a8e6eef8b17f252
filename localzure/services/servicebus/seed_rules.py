"""Rules of subscriptions in a seed file.

    "Rules": [{"Name": …, "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": …}, "Action": {…}}}]

    rules:
      red: {correlation: {label: red, properties: {size: 3}}}
      urgent: {sql: priority > @least, parameters: {'@least': 3}, action: SET handled = false}
      plain: priority > 3
      all: true

Whether an expression is one shows when the rule is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.properties import RULE_NAME_ALLOWED, is_rule_name
from localzure.services.servicebus.rules.model import CorrelationFilter, FalseFilter, SqlAction, SqlFilter, TrueFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.servicebus.rules.model import Filter
    from localzure.services.servicebus.seed_tree import Place, SeedError

_CORRELATION = {
    "ContentType": "content_type",
    "CorrelationId": "correlation_id",
    "Label": "label",
    "MessageId": "message_id",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "To": "to",
}

_INT64_BITS = 63


@dataclass(frozen=True, slots=True)
class RuleSeed:
    """A rule that a subscription is to have."""

    name: str
    filter: Filter
    action: SqlAction | None = None
    origin: str = ""
    """File and place in it."""


def microsofts_rules(subscription: Place) -> Iterator[RuleSeed]:
    """The rules of a subscription in Microsoft's form. Raises SeedError."""
    for rule in subscription.elements_of("Rules"):
        rule.expect({"Name", "Properties"})
        properties = rule.required("Properties")
        properties.expect({"FilterType", "CorrelationFilter", "SqlFilter", "Action"})
        action = properties.member("Action")
        yield RuleSeed(
            _name(rule.required("Name")),
            _microsofts_filter(properties),
            None if action is None else _sql_action(action),
            properties.shown,
        )


def own_rules(rules: Place) -> Iterator[RuleSeed]:
    """The rules of a subscription in our own form, by name. Raises SeedError."""
    for name, rule in rules.members():
        action = None
        if isinstance(rule.value, dict):
            rule.expect({"sql", "parameters", "correlation", "action", "action_parameters"})
            text = rule.member("action")
            if text is not None:
                action = SqlAction(_text(text), _values(rule.member("action_parameters")))
        yield RuleSeed(_name(rule.named(name)), _own_filter(rule), action, rule.shown)


def _name(place: Place) -> str:
    if not isinstance(place.value, str) or not is_rule_name(place.value):
        raise place.wrong(RULE_NAME_ALLOWED)
    return place.value


def _microsofts_filter(properties: Place) -> Filter:
    kind = properties.required("FilterType")
    if kind.value == "Correlation":
        return _correlation(properties.required("CorrelationFilter"))
    if kind.value == "Sql":
        given = properties.required("SqlFilter")
        given.expect({"SqlExpression", "Parameters", "CompatibilityLevel", "RequiresPreprocessing"})
        return SqlFilter(_text(given.required("SqlExpression")), _values(given.member("Parameters")))
    raise kind.wrong("one of Correlation, Sql")


def _sql_action(action: Place) -> SqlAction | None:
    action.expect({"SqlExpression", "Parameters", "CompatibilityLevel", "RequiresPreprocessing"})
    expression = action.member("SqlExpression")
    # An empty action is how Microsoft's tools write none.
    if expression is None or expression.value == "":
        return None
    return SqlAction(_text(expression), _values(action.member("Parameters")))


def _own_filter(rule: Place) -> Filter:
    if rule.value is True or rule.value is False:
        return TrueFilter() if rule.value else FalseFilter()
    if isinstance(rule.value, str):
        return SqlFilter(rule.value)
    if not isinstance(rule.value, dict):
        raise _no_rule(rule)
    sql, correlation = rule.member("sql"), rule.member("correlation")
    if sql is not None and correlation is not None:
        raise _no_rule(rule)
    if sql is not None:
        return SqlFilter(_text(sql), _values(rule.member("parameters")))
    return TrueFilter() if correlation is None else _correlation(correlation)


def _no_rule(rule: Place) -> SeedError:
    return rule.wrong("an SQL expression, true, false, or an object with 'sql' or 'correlation', maybe 'action'")


def _correlation(given: Place) -> CorrelationFilter:
    given.expect({*_CORRELATION, "Properties", "RequiresPreprocessing"})
    fields = {field: _text(member) for name, field in _CORRELATION.items() if (member := given.member(name))}
    return CorrelationFilter(**fields, properties=_values(given.member("Properties")))


def _text(place: Place) -> str:
    if not isinstance(place.value, str):
        raise place.wrong("a text")
    return place.value


def _values(place: Place | None) -> dict[str, Any]:
    """Values by their names, which are somebody's own: parameters, or properties of messages."""
    if place is None:
        return {}
    for _, member in place.members():
        value: object = member.value
        is_whole = isinstance(value, int) and -(1 << _INT64_BITS) <= value < 1 << _INT64_BITS
        if not is_whole and not isinstance(value, str | float):
            raise member.wrong("a text, a number of 64 bits, true or false")
    return dict(place.mapping())
