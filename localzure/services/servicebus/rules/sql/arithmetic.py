"""`+ - * / %` and the signs, as C# has them: types are promoted, integers wrap around, division cuts towards zero.

Unknown with anything is unknown. With text `+` puts together. What C# does not compile fails on the message.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from localzure.services.servicebus.rules.model import EvaluationFailed
from localzure.services.servicebus.rules.sql.decimals import CONTEXT
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
from localzure_protocols.amqp.types import Float32, Int, Timestamp, Ubyte, Uint, Ulong, Ushort

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ArithmeticOperator: TypeAlias = Literal["+", "-", "*", "/", "%"]


def calculate(operator: str, left: Any, right: Any) -> Any:
    """`left operator right`. Raises EvaluationFailed."""
    if left is None or right is None:
        return None
    left_kind, left_plain = plain(left)
    right_kind, right_plain = plain(right)
    if left_kind is Kind.NUMBER and right_kind is Kind.NUMBER:
        return _numbers(operator, left, left_plain, right, right_plain)
    if operator == "+" and Kind.TEXT in (left_kind, right_kind):
        return text_of(left) + text_of(right)
    result = _TIMES.get((left_kind, operator, right_kind))
    if result is None:
        raise EvaluationFailed(
            f"The operator '{operator}' cannot be applied to operands of type '{type_name(left)}' and "
            f"'{type_name(right)}'."
        )
    kind, sign = result
    ticks = left_plain + sign * right_plain
    return _time(ticks) if kind is Kind.TIME else timespan(_wrapped(ticks, 64))


def negate(value: Any) -> Any:
    """`-value`. Raises EvaluationFailed."""
    kind, number = plain(value)
    if value is None:
        return None
    if kind is Kind.SPAN:
        return timespan(-number)
    if kind is not Kind.NUMBER or isinstance(value, Ulong):
        raise EvaluationFailed(f"The operator '-' cannot be applied to an operand of type '{type_name(value)}'.")
    if isinstance(number, Decimal):
        return -number
    if isinstance(number, float):
        return type(value)(-number) if isinstance(value, float) else -number
    return calculate("-", Int(0), value)


def affirm(value: Any) -> Any:
    """`+value`: the value, which must be a number. Raises EvaluationFailed."""
    if value is not None and plain(value)[0] not in {Kind.NUMBER, Kind.SPAN}:
        raise EvaluationFailed(f"The operator '+' cannot be applied to an operand of type '{type_name(value)}'.")
    return value


def text_of(value: Any) -> str:
    """A value as .NET writes it in text, with its invariant culture. Raises EvaluationFailed."""
    kind, known = plain(value)
    if kind is Kind.TIME:
        return _clock_time(known)
    if kind is Kind.SPAN:
        return _span_text(known)
    write = _WRITE.get(kind)
    if write is None:
        raise EvaluationFailed(f"A value of type '{type_name(value)}' cannot be converted to 'System.String'.")
    return write(known)


# -- numbers ----------------------------------------------------------------------------------------------------------


def _numbers(operator: str, left: Any, left_plain: Any, right: Any, right_plain: Any) -> Any:
    if isinstance(left_plain, int) and isinstance(right_plain, int):
        return _integers(operator, left, right)
    if isinstance(left_plain, float) or isinstance(right_plain, float):
        result = _floats(operator, as_double(left_plain), as_double(right_plain))
        is_single = isinstance(left, int | Float32) and isinstance(right, int | Float32)
        return Float32(single(result)) if is_single else result
    return _decimals(operator, Decimal(left_plain), Decimal(right_plain))


def _integers(operator: str, left: int, right: int) -> int:
    if operator in {"/", "%"}:
        if right == 0:
            raise EvaluationFailed("Attempted to divide by zero.")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        result = quotient if operator == "/" else left - quotient * right
    else:
        result = _INTEGER[operator](left, right)
    return _typed(result, type(left), type(right))


_INTEGER: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda left, right: int(left) + int(right),
    "-": lambda left, right: int(left) - int(right),
    "*": lambda left, right: int(left) * int(right),
}


def _typed(result: int, left: type, right: type) -> int:
    """An integer in the type that C# promotes two types to ("Numeric promotions")."""
    types = {left, right}
    if Ulong in types:
        if types <= _UNSIGNED or result >= 0:
            return Ulong(_wrapped(result, 64) % 2**64)
        return _wrapped(result, 64)
    if int in types or (Uint in types and not types <= _UNSIGNED):
        return _wrapped(result, 64)
    return Uint(result % 2**32) if Uint in types else Int(_wrapped(result, 32))


_UNSIGNED = {Ubyte, Ushort, Uint, Ulong}


def _wrapped(number: int, bits: int) -> int:
    """What is left of a number in a signed integer."""
    return (number + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def _floats(operator: str, left: float, right: float) -> float:
    try:
        return _FLOAT[operator](left, right)
    except (ZeroDivisionError, ValueError):  # IEEE 754 has a value for it, Python's functions have none
        if operator == "%" or left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    except OverflowError:
        return math.inf


_FLOAT: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
}


def _decimals(operator: str, left: Decimal, right: Decimal) -> Decimal:
    if operator in {"/", "%"} and not right:
        raise EvaluationFailed("Attempted to divide by zero.")
    result = _DECIMAL[operator](left, right)
    if not result.is_finite():
        raise EvaluationFailed("Value was either too large or too small for a Decimal.")
    return result


_DECIMAL: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": CONTEXT.add,
    "-": CONTEXT.subtract,
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
    "%": CONTEXT.remainder,
}

# -- times and text ---------------------------------------------------------------------------------------------------

_TIMES: Mapping[tuple[Kind, str, Kind], tuple[Kind, int]] = {
    (Kind.TIME, "+", Kind.SPAN): (Kind.TIME, 1),
    (Kind.TIME, "-", Kind.SPAN): (Kind.TIME, -1),
    (Kind.TIME, "-", Kind.TIME): (Kind.SPAN, -1),
    (Kind.SPAN, "+", Kind.SPAN): (Kind.SPAN, 1),
    (Kind.SPAN, "-", Kind.SPAN): (Kind.SPAN, -1),
}
"""The operators of DateTime and TimeSpan → (kind of the result, what the right side is multiplied by)."""

_TICKS_PER_SECOND = 1000 * TICKS_PER_MILLISECOND
_LAST_TICKS = 3_155_378_975_999_999_999
"""9999-12-31T23:59:59.9999999."""


def _time(ticks: int) -> Timestamp:
    if not 0 <= ticks <= _LAST_TICKS:
        raise EvaluationFailed("The added or subtracted value results in an un-representable DateTime.")
    return Timestamp((ticks - UNIX_EPOCH_TICKS) // TICKS_PER_MILLISECOND)


def _clock_time(ticks: int) -> str:
    if not 0 <= ticks <= _LAST_TICKS:
        raise EvaluationFailed("The time is not one that a DateTime can hold.")
    moment = datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=ticks // _TICKS_PER_SECOND)
    return f"{moment:%m/%d/}{moment.year:04} {moment:%H:%M:%S}"


def _span_text(ticks: int) -> str:
    """`[-][d.]hh:mm:ss[.fffffff]`."""
    seconds, fraction = divmod(abs(ticks), _TICKS_PER_SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = f"{hours:02}:{minutes:02}:{seconds:02}"
    text = f"{days}.{text}" if days else text
    text = f"{text}.{fraction:07}" if fraction else text
    return f"-{text}" if ticks < 0 else text


def _number_text(number: int | float | Decimal) -> str:
    if isinstance(number, float):
        if number.is_integer() and abs(number) < _PLAIN_DOUBLES:
            return str(int(number))
        return _NAMED.get(str(number), repr(float(number)).upper())
    return format(number, "f") if isinstance(number, Decimal) else str(int(number))


_PLAIN_DOUBLES = 10**15
"""Doubles from here on are written with an exponent."""

_NAMED = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

_WRITE: Mapping[Kind, Callable[[Any], str]] = {
    Kind.NUMBER: _number_text,
    Kind.TEXT: str,
    Kind.BOOLEAN: str,
    Kind.GUID: str,
}
