"""The values of a query: what they are to each other, and what they become as another type.

Text from CSV becomes what the other side of an operator is: the type that ranks higher, as in T-SQL. NULL is None; what
a JSON record does not have is `MISSING`, and NULL to everything but `IS MISSING`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone

import msgspec

Value = object
"""None, MISSING, a bool, int, float, str or datetime; from JSON also a list or dict."""


class Missing:
    """The type of `MISSING`."""

    __slots__ = ()


MISSING = Missing()
"""The value of a field that a record does not have."""

INT_MAX = 2**63 - 1
"""Greatest INT; the least is one more below zero."""

_TIMESTAMP = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?)?", re.ASCII
)
_NUMBER_CHARS_MAX = 400
"""Longest text that is read as a number: beyond it no FLOAT is told from another."""

_encode_json = msgspec.json.Encoder().encode


class RowError(Exception):
    """A row that cannot be looked at: it is left out and told, the query goes on."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(description)
        self.name = name
        self.description = description


def unconvertible() -> RowError:
    """The error of a value that cannot be what an expression needs."""
    return RowError("InvalidTypeConversion", "Invalid type conversion.")


def to_number(value: Value) -> int | float:
    """Return a value as a number. Raises RowError."""
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, bool) else value
    if isinstance(value, str) and len(value) <= _NUMBER_CHARS_MAX and "_" not in value:
        try:
            return within(int(value))
        except ValueError:
            pass
        try:
            number = float(value)
        except ValueError:
            raise unconvertible() from None
        if math.isfinite(number):
            return number
    raise unconvertible()


def to_int(value: Value) -> int:
    """Return a value as INT, what is behind the point cut off. Raises RowError."""
    number = to_number(value)
    if isinstance(number, float) and not math.isfinite(number):
        raise unconvertible()
    return within(int(number))


def within(number: int) -> int:
    """Return a number that is an INT. Raises RowError for one beyond 64 bits."""
    if not -INT_MAX - 1 <= number <= INT_MAX:
        raise RowError("ArithmeticOverflow", "A number is beyond 64 bits.")
    return number


def to_float(value: Value) -> float:
    """Return a value as FLOAT. Raises RowError."""
    try:
        return float(to_number(value))
    except OverflowError:
        raise unconvertible() from None


def to_boolean(value: Value) -> bool:
    """Return a value as BOOLEAN. Raises RowError."""
    if isinstance(value, (bool, int, float)):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in {"true", "false", "1", "0"}:
        return value.strip().lower() in {"true", "1"}
    raise unconvertible()


def to_timestamp(value: Value) -> datetime:
    """Return a value as TIMESTAMP: ISO 8601, as short as a year. Raises RowError."""
    if isinstance(value, datetime):
        return value
    match = _TIMESTAMP.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise unconvertible()
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micros = int((fraction or "0").ljust(6, "0")[:6])
    offset = UTC
    if zone not in {None, "Z"}:
        ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        offset = _offset(-ahead if zone[0] == "-" else ahead)
    try:
        return datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            micros,
            offset,
        )
    except ValueError:
        raise unconvertible() from None


def _offset(ahead: timedelta) -> timezone:
    try:
        return timezone(ahead)
    except ValueError:
        raise unconvertible() from None


def to_text(value: Value) -> str:
    """Return a value as it is written: into CSV, and as STRING."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return timestamp_text(value)
    if isinstance(value, (int, float)):
        return repr(value)
    return _encode_json(value).decode()


def timestamp_text(value: datetime) -> str:
    """Return a TIMESTAMP in ISO 8601; fractions only where there are some."""
    text = value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def compare(left: Value, right: Value) -> int:
    """Return less than, equal to or more than 0, as `left` is to `right`; neither is NULL. Raises RowError."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, datetime) or isinstance(right, datetime):
        before, after = to_timestamp(left), to_timestamp(right)
        return (before > after) - (before < after)
    kinds = {type(left), type(right)}
    if bool in kinds and kinds <= {bool, str}:
        return to_boolean(left) - to_boolean(right)
    one, other = to_number(left), to_number(right)
    return (one > other) - (one < other)
