"""Values made to fit the property that SET gives them to: the type that it has, or the type of a system property."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from localzure.services.servicebus.rules.model import EvaluationFailed
from localzure.services.servicebus.rules.sql.arithmetic import text_of
from localzure.services.servicebus.rules.sql.decimals import write_decimal
from localzure.services.servicebus.rules.sql.values import (
    TICKS_PER_MILLISECOND,
    UNIX_EPOCH_TICKS,
    Kind,
    as_double,
    plain,
    single,
    timespan,
    type_name,
)
from localzure.services.servicebus.rules.view import SETTABLE
from localzure_protocols.amqp.types import (
    Byte,
    Decimal32,
    Decimal64,
    Decimal128,
    Float32,
    Int,
    Short,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_INTEGERS: Mapping[type, range] = {
    Byte: range(-(2**7), 2**7),
    Ubyte: range(2**8),
    Short: range(-(2**15), 2**15),
    Ushort: range(2**16),
    Int: range(-(2**31), 2**31),
    Uint: range(2**32),
    int: range(-(2**63), 2**63),
    Ulong: range(2**64),
}

_SPAN = re.compile(r"(-?)(?:(\d{1,8})\.)?(\d{1,2}):([0-5]?\d)(?::([0-5]?\d)(?:\.(\d{1,7}))?)?")
"""A duration as .NET writes it."""

_LONGEST_NUMBER = 400
"""Characters of text that is looked at for a number."""


def to_type_of(existing: Any, value: Any) -> Any:
    """A value in the type that a property has already; as it is where either is null. Raises EvaluationFailed."""
    if value is None or existing is None or type(existing) is type(value):
        return _storable(value)
    kind = plain(existing)[0]
    convert = _CONVERT.get(kind)
    try:
        if convert is not None:
            return convert(existing, value)
    except (ValueError, LookupError, ArithmeticError):
        pass
    raise _unfit(value, type_name(existing))


def to_system(name: str, value: Any) -> Any:
    """A value in the type of a system property. Raises EvaluationFailed for one that cannot be set."""
    if name not in SETTABLE:
        raise EvaluationFailed(f"The system property '{name}' cannot be changed.")
    if value is None:
        return None
    kind, known = plain(value)
    match name:
        case "TimeToLive":
            return _span(timespan(0), value)
        case "ScheduledEnqueueTimeUtc" if kind is Kind.TIME:
            return Timestamp((known - UNIX_EPOCH_TICKS) // TICKS_PER_MILLISECOND)
        case "ForcePersistence" if kind is Kind.BOOLEAN:
            return known
        case "ScheduledEnqueueTimeUtc" | "ForcePersistence":
            raise _unfit(value, "System.DateTime" if name.endswith("Utc") else "System.Boolean")
        case _:
            return text_of(value)


def _storable(value: Any) -> Any:
    """A value as AMQP can hold it: results of decimal arithmetic are not AMQP values yet."""
    return write_decimal(value) if isinstance(value, Decimal) else value


def _unfit(value: Any, wanted: str) -> EvaluationFailed:
    return EvaluationFailed(f"A value of type '{type_name(value)}' cannot be converted to '{wanted}'.")


def _number(existing: Any, value: Any) -> Any:
    """A number in the type of another. What is between two integers goes to the even one, as Convert does it."""
    kind, number = plain(value)
    if kind is Kind.TEXT and len(number) <= _LONGEST_NUMBER:
        number = Decimal(number.strip())
    elif kind is not Kind.NUMBER:
        raise ValueError
    wanted = type(existing)
    if wanted in _INTEGERS:
        allowed = _INTEGERS[wanted]
        # Compared by its ends: what is no plain int, a range looks for one by one.
        if not allowed.start - 1 < number < allowed.stop:
            raise OverflowError
        whole = round(number)
        if not allowed.start <= whole < allowed.stop:
            raise OverflowError
        return wanted(whole)
    if wanted is Float32:
        return Float32(single(number))
    if wanted in {Decimal32, Decimal64, Decimal128}:
        return write_decimal(Decimal(number))
    return as_double(number)


def _text(existing: Any, value: Any) -> Any:
    return text_of(value) if isinstance(existing, str) else _refuse(existing, value)


def _boolean(_existing: Any, value: Any) -> bool:
    kind, known = plain(value)
    if kind is Kind.NUMBER:
        return bool(known)
    if kind is Kind.TEXT:
        return {"true": True, "false": False}[known.strip().lower()]
    raise ValueError


def _guid(_existing: Any, value: Any) -> UUID:
    kind, known = plain(value)
    if kind is not Kind.TEXT:
        raise ValueError
    return UUID(known)


def _span(_existing: Any, value: Any) -> Any:
    kind, known = plain(value)
    if kind is Kind.SPAN:
        return timespan(known)
    found = _SPAN.fullmatch(known.strip()) if kind is Kind.TEXT else None
    if found is None:
        raise _unfit(value, "System.TimeSpan")
    sign, days, hours, minutes, seconds, fraction = found.groups()
    total = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds or 0)
    ticks = total * 1000 * TICKS_PER_MILLISECOND + int((fraction or "0").ljust(7, "0"))
    return timespan(-ticks if sign else ticks)


def _refuse(_existing: Any, _value: Any) -> Any:
    raise ValueError


_CONVERT: Mapping[Kind, Callable[[Any, Any], Any]] = {
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.BOOLEAN: _boolean,
    Kind.GUID: _guid,
    Kind.SPAN: _span,
}
