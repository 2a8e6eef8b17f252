"""A rule as it is stored: an AMQP list, because AMQP keeps the types of parameters and correlation properties.

    [name, created at, filter, action]      filter: [kind, fields...]      action: null or [expression, parameters]

A field that is added goes to the end of its list, and is never removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
    ZonelessTime,
)
from localzure_protocols.amqp.codec import Described, Symbol, Timestamp, decode_all, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.servicebus.rules.model import Filter

_KINDS = (TrueFilter, FalseFilter, SqlFilter, CorrelationFilter)
"""A filter's kind is its place here."""

_ZONELESS = Symbol("localzure:zoneless-time")

_CORRELATION_FIELDS = (
    "correlation_id",
    "message_id",
    "to",
    "reply_to",
    "label",
    "session_id",
    "reply_to_session_id",
    "content_type",
)


def encode_rule(rule: Rule) -> bytes:
    """Write a rule as it is stored. Raises TypeError and ValueError for values that AMQP cannot hold."""
    action = None if rule.action is None else [rule.action.expression, _packed(rule.action.parameters)]
    return encode([rule.name, rule.created_at, _filter_fields(rule.filter), action])


def decode_rule(value: bytes) -> Rule:
    """Read a stored rule."""
    name, created_at, fields, action = decode_all(value)
    return Rule(
        name, _filter(fields), None if action is None else SqlAction(action[0], _unpacked(action[1])), created_at
    )


def _filter_fields(stored: Filter) -> list[Any]:
    kind = _KINDS.index(type(stored))
    match stored:
        case SqlFilter(expression, parameters):
            return [kind, expression, _packed(parameters)]
        case CorrelationFilter():
            return [kind, *(getattr(stored, name) for name in _CORRELATION_FIELDS), _packed(stored.properties)]
        case _:
            return [kind]


def _filter(fields: list[Any]) -> Filter:
    kind, *values = fields
    if values:
        values[-1] = _unpacked(values[-1])
    return _KINDS[kind](*values)


def _packed(values: Mapping[str, Any]) -> dict[str, Any]:
    """AMQP knows no time without a zone."""
    return {
        name: Described(_ZONELESS, Timestamp(value)) if isinstance(value, ZonelessTime) else value
        for name, value in values.items()
    }


def _unpacked(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: ZonelessTime(value.value) if isinstance(value, Described) and value.descriptor == _ZONELESS else value
        for name, value in values.items()
    }
