"""Descriptions of rules, between XML and `rules.model`.

Filters and actions tell their kind in the attribute `type`. A value of a parameter or a property tells its type in the
same way, by a name of XML Schema with whatever prefix; JavaScript sends all numbers as doubles.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.errors import bad_request
from localzure.services.servicebus.durations import format_duration, parse_duration
from localzure.services.servicebus.engine.view import TICKS_PER_MICROSECOND, TIMESPAN
from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
    ZonelessTime,
)
from localzure.services.storage_rest.xml_writer import escape_text
from localzure_protocols.amqp.types import Described, Int, Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.servicebus.admin.atom import Element
    from localzure.services.servicebus.rules.model import Filter

RULE = "RuleDescription"
"""The name of the element."""

SCHEMA = "http://www.w3.org/2001/XMLSchema"
COMPATIBILITY_LEVEL = "20"
"""The version of the SQL language, the only one that there is."""

_CORRELATION = {
    "CorrelationId": "correlation_id",
    "MessageId": "message_id",
    "To": "to",
    "ReplyTo": "reply_to",
    "Label": "label",
    "SessionId": "session_id",
    "ReplyToSessionId": "reply_to_session_id",
    "ContentType": "content_type",
}
"""Elements of a correlation filter, in the order of Azure's data contract, and the fields that they are."""

_INT32_BITS, _INT64_BITS = 31, 63
"""Of a number without its sign."""


def read_rule(element: Element, name: str, created_at: int) -> Rule:
    """Read the description of a rule called `name`. Raises AdminError."""
    given = element.child("Filter")
    wanted: Filter = TrueFilter() if given is None or given.is_nil else _read_filter(given)
    action = element.child("Action")
    return Rule(name, wanted, None if action is None or action.is_nil else _read_action(action), created_at)


def write_rule(rule: Rule) -> str:
    """Write the description of a rule."""
    if rule.action is None:
        action = '<Action i:type="EmptyRuleAction"/>'
    else:
        action = f'<Action i:type="SqlRuleAction">{_write_sql(rule.action.expression, rule.action.parameters)}</Action>'
    elements = (
        _write_filter(rule.filter),
        action,
        atom.element("CreatedAt", atom.instant(rule.created_at)),
        atom.element("Name", rule.name),
    )
    return atom.description(RULE, elements)


def _read_filter(element: Element) -> Filter:
    """Raises AdminError."""
    match _type_of(element):
        case "TrueFilter":
            return TrueFilter()
        case "FalseFilter":
            return FalseFilter()
        case "SqlFilter":
            return SqlFilter(_text(element, "SqlExpression") or "", _read_values(element.child("Parameters")))
        case "CorrelationFilter":
            # An empty element is one that a client had no value for.
            fields = {field: _text(element, name) or None for name, field in _CORRELATION.items()}
            return CorrelationFilter(**fields, properties=_read_values(element.child("Properties")))
        case kind:
            raise bad_request(f"A filter of the type '{kind:.100}' is not known.")


def _read_action(element: Element) -> SqlAction | None:
    """Raises AdminError."""
    match _type_of(element):
        case "EmptyRuleAction":
            return None
        case "SqlRuleAction":
            return SqlAction(_text(element, "SqlExpression") or "", _read_values(element.child("Parameters")))
        case kind:
            raise bad_request(f"An action of the type '{kind:.100}' is not known.")


def _write_filter(given: Filter) -> str:
    match given:
        case TrueFilter():
            return f'<Filter i:type="TrueFilter">{_write_sql("1=1", {})}</Filter>'
        case FalseFilter():
            return f'<Filter i:type="FalseFilter">{_write_sql("1=0", {})}</Filter>'
        case SqlFilter(expression, parameters):
            return f'<Filter i:type="SqlFilter">{_write_sql(expression, parameters)}</Filter>'
        case CorrelationFilter():
            texts = {name: getattr(given, field) for name, field in _CORRELATION.items()}
            fields = "".join(atom.element(name, text) for name, text in texts.items() if text is not None)
            return (
                f'<Filter i:type="CorrelationFilter">{fields}{_write_values("Properties", given.properties)}</Filter>'
            )


def _write_sql(expression: str, parameters: Mapping[str, Any]) -> str:
    return (
        f"{atom.element('SqlExpression', expression)}<CompatibilityLevel>{COMPATIBILITY_LEVEL}</CompatibilityLevel>"
        f"{_write_values('Parameters', parameters)}"
    )


def _type_of(element: Element) -> str:
    return element.attributes.get("type", "").rpartition(":")[2]


def _text(element: Element, name: str) -> str | None:
    child = element.child(name)
    return None if child is None or child.is_nil else child.text


# -- values -----------------------------------------------------------------------------------------------------------


def _read_values(element: Element | None) -> dict[str, Any]:
    """Read a `Parameters` or `Properties`. Raises AdminError."""
    values: dict[str, Any] = {}
    for pair in () if element is None or element.is_nil else element.children:
        key, value = pair.child("Key"), pair.child("Value")
        if pair.name != "KeyValueOfstringanyType" or key is None or value is None:
            raise bad_request("A list of keys and values is expected, each a KeyValueOfstringanyType.")
        values[key.text] = None if value.is_nil else _read_value(value)
    return values


def _read_value(element: Element) -> Any:
    """Raises AdminError."""
    kind = _type_of(element)
    reader = _READERS.get(kind)
    if reader is None:
        raise bad_request(f"A value of the type '{kind:.100}' cannot be used: one of {', '.join(_READERS)} can.")
    try:
        return reader(element.text)
    except (ValueError, OverflowError):
        raise bad_request(f"'{element.text:.100}' is no {kind}.") from None


def _read_int(text: str) -> int:
    if not _fits(int(text), _INT32_BITS):
        raise ValueError(text)
    return Int(text)


def _read_long(text: str) -> int:
    if not _fits(int(text), _INT64_BITS):
        raise ValueError(text)
    return int(text)


def _fits(number: int, bits: int) -> bool:
    return -(1 << bits) <= number < 1 << bits


def _read_boolean(text: str) -> bool:
    if (word := text.strip().lower()) not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[word]


def _read_time(text: str) -> Timestamp:
    """One without a zone is taken for universal time, and given back without one."""
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is None:
        return ZonelessTime((found.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND)
    return Timestamp((found - _EPOCH) // _MILLISECOND)


def _read_duration(text: str) -> Described:
    text = text.strip()
    ticks = parse_duration(text.removeprefix("-")) * TICKS_PER_MICROSECOND
    return Described(TIMESPAN, -ticks if text.startswith("-") else ticks)


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "int": _read_int,
    "long": _read_long,
    "boolean": _read_boolean,
    "double": float,
    "dateTime": _read_time,
    "duration": _read_duration,
}


def _write_values(name: str, values: Mapping[str, Any]) -> str:
    text = "".join(
        f"<KeyValueOfstringanyType>{atom.element('Key', key)}{_write_value(value)}</KeyValueOfstringanyType>"
        for key, value in values.items()
    )
    return f"<{name}>{text}</{name}>" if text else f"<{name}/>"


def _write_value(value: Any) -> str:
    if value is None:
        return '<Value i:nil="true"/>'
    kind, text = _typed(value)
    return f'<Value xmlns:d6p1="{SCHEMA}" i:type="d6p1:{kind}">{escape_text(text)}</Value>'


def _typed(value: Any) -> tuple[str, str]:
    """The type of a value and its text. What messaging clients set and XML has no type for is told as a string."""
    if isinstance(value, bool):
        return "boolean", atom.boolean(value)
    if isinstance(value, Timestamp):
        return "dateTime", _time(value)
    if isinstance(value, int):
        return "int" if type(value) is not int and _fits(value, _INT32_BITS) else "long", str(int(value))
    if isinstance(value, float):
        return "double", repr(float(value))
    if isinstance(value, Described) and value.descriptor == TIMESPAN:
        sign, microseconds = "-" if value.value < 0 else "", abs(value.value) // TICKS_PER_MICROSECOND
        return "duration", sign + format_duration(microseconds)
    return "string", str(value)


def _time(value: Timestamp) -> str:
    moment = _EPOCH + timedelta(milliseconds=value)
    text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds" if value % 1000 else "seconds")
    return text if isinstance(value, ZonelessTime) else f"{text}Z"
