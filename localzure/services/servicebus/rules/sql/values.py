"""What the values of properties are to SQL: which kinds there are, what two of them have in common.

The documentation says that operators follow C#. So integers, floats and decimals compare with each other after
promotion, text with text by code points, times with times; values of different kinds do not compare, and what is asked
of them is unknown.
"""

from __future__ import annotations

import operator
from decimal import Decimal
from enum import Enum, auto
from struct import Struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

from localzure.services.servicebus.rules.sql.decimals import read_decimal
from localzure_protocols.amqp.types import (
    Byte,
    Char,
    Decimal32,
    Decimal64,
    Decimal128,
    Described,
    Float32,
    Int,
    Short,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.servicebus.rules.sql.tree import Operator

TIMESPAN, DATETIME_OFFSET, URI = "com.microsoft:timespan", "com.microsoft:datetime-offset", "com.microsoft:uri"
"""Descriptors of what .NET sends that AMQP has no type for; the first two hold ticks."""

TICKS_PER_MILLISECOND = 10_000

UNIX_EPOCH_TICKS = 621_355_968_000_000_000
"""1970-01-01 in .NET ticks, which count 100 ns from 0001-01-01."""


class Kind(Enum):
    """What values can be compared within."""

    NUMBER = auto()
    TEXT = auto()
    BOOLEAN = auto()
    GUID = auto()
    TIME = auto()
    SPAN = auto()
    BINARY = auto()
    OTHER = auto()
    """Lists and maps, which no operator takes."""


def plain(value: Any) -> tuple[Kind, Any]:
    """A value's kind, and the value as Python compares it within the kind: times and spans are ticks."""
    return _PLAIN.get(type(value), _other)(value)


def compare(comparison: Operator, left: Any, right: Any) -> bool | None:
    """Whether a comparison holds; None where it is unknown."""
    if left is None or right is None:
        return None
    left_kind, left_plain = plain(left)
    right_kind, right_plain = plain(right)
    if left_kind is not right_kind or left_kind is Kind.OTHER:
        return None
    if left_kind is Kind.NUMBER:
        left_plain, right_plain = _promoted(left, left_plain, right, right_plain)
    elif left_kind not in _ORDERED and comparison not in {"=", "<>"}:
        return None
    return COMPARE[comparison](left_plain, right_plain)


COMPARE: Mapping[Operator, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""Operator → the same on plain values of one kind."""

_ORDERED = frozenset({Kind.TEXT, Kind.TIME, Kind.SPAN})


def _promoted(left: Any, left_plain: Any, right: Any, right_plain: Any) -> tuple[Any, Any]:
    """Two numbers as C# compares them: with a float or double both are one, so a long loses its last digits."""
    if not isinstance(left_plain, float) and not isinstance(right_plain, float):
        return left_plain, right_plain
    if isinstance(left, int | Float32) and isinstance(right, int | Float32):
        return single(left_plain), single(right_plain)
    return as_double(left_plain), as_double(right_plain)


def single(number: float) -> float:
    """The 32-bit float that is nearest to a number."""
    try:
        return _SINGLE.unpack(_SINGLE.pack(number))[0]  # type: ignore[no-any-return]  # what the format has
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def as_double(number: float | Decimal) -> float:
    """The double that is nearest to a number."""
    return float(number)


def type_name(value: Any) -> str:
    """What .NET calls the type of a value, for messages."""
    if isinstance(value, Described):
        return _DESCRIBED_NAMES.get(str(value.descriptor), "System.Object")
    return _NAMES.get(type(value), "System.Object")


def timespan(ticks: int) -> Described:
    """A duration as .NET sends it."""
    return Described(Symbol(TIMESPAN), ticks)


_SINGLE = Struct(">f")


def _number(value: Any) -> tuple[Kind, Any]:
    return Kind.NUMBER, value


def _decimal(value: Decimal32 | Decimal64 | Decimal128) -> tuple[Kind, Any]:
    number = read_decimal(value)
    return Kind.NUMBER, number if number.is_finite() else float(number)


def _text(value: Any) -> tuple[Kind, Any]:
    return Kind.TEXT, value


def _described(value: Described) -> tuple[Kind, Any]:
    kind = _DESCRIBED_KINDS.get(str(value.descriptor))
    if kind is None or not isinstance(value.value, str if kind is Kind.TEXT else int):
        return Kind.OTHER, value
    return kind, value.value


def _other(value: Any) -> tuple[Kind, Any]:
    return Kind.OTHER, value


_DESCRIBED_KINDS = {TIMESPAN: Kind.SPAN, DATETIME_OFFSET: Kind.TIME, URI: Kind.TEXT}

_PLAIN: Mapping[type, Callable[[Any], tuple[Kind, Any]]] = {
    **dict.fromkeys((Byte, Ubyte, Short, Ushort, Int, Uint, int, Ulong, Float32, float, Decimal), _number),
    **dict.fromkeys((Decimal32, Decimal64, Decimal128), _decimal),
    **dict.fromkeys((str, Symbol, Char), _text),
    bool: lambda value: (Kind.BOOLEAN, value),
    UUID: lambda value: (Kind.GUID, value),
    Timestamp: lambda value: (Kind.TIME, value * TICKS_PER_MILLISECOND + UNIX_EPOCH_TICKS),
    bytes: lambda value: (Kind.BINARY, value),
    Described: _described,
}

_NAMES: Mapping[type, str] = {
    bool: "System.Boolean",
    Byte: "System.SByte",
    Ubyte: "System.Byte",
    Short: "System.Int16",
    Ushort: "System.UInt16",
    Int: "System.Int32",
    Uint: "System.UInt32",
    int: "System.Int64",
    Ulong: "System.UInt64",
    Float32: "System.Single",
    float: "System.Double",
    **dict.fromkeys((Decimal, Decimal32, Decimal64, Decimal128), "System.Decimal"),
    **dict.fromkeys((str, Symbol), "System.String"),
    Char: "System.Char",
    UUID: "System.Guid",
    Timestamp: "System.DateTime",
    bytes: "System.Byte[]",
}

_DESCRIBED_NAMES = {TIMESPAN: "System.TimeSpan", DATETIME_OFFSET: "System.DateTimeOffset", URI: "System.Uri"}
