"""The functions and operators of queries: name → how many arguments they take, and what they make of their values.

None of them sees NULL: with a NULL among its arguments the value is NULL. Those that must see it are the compiler's.
"""

from __future__ import annotations

import calendar
import math
import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.blob.query.values import (
    RowError,
    Value,
    compare,
    to_boolean,
    to_float,
    to_int,
    to_number,
    to_text,
    to_timestamp,
    unconvertible,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEXT_CHARS_MAX = 1024 * 1024
"""Longest text that a function makes: as long as the longest record."""


class Function(NamedTuple):
    """A function, and the least and most arguments that it takes."""

    least: int
    most: int
    of: Callable[..., Value]


# --- numbers ------------------------------------------------------------------------------------------------------


def _whole(number: int | float) -> int | float:
    """Return a number that its type can hold. Raises RowError."""
    if isinstance(number, int):
        return within(number)
    if not math.isfinite(number):
        raise RowError("ArithmeticOverflow", "A number is out of range.")
    return number


def _add(left: Value, right: Value) -> Value:
    """A number added to a TIMESTAMP is days."""
    if isinstance(left, datetime) or isinstance(right, datetime):
        at, days = (left, right) if isinstance(left, datetime) else (right, left)
        return _shifted(to_timestamp(at), to_float(days) * 86_400)
    return _whole(to_number(left) + to_number(right))


def _subtract(left: Value, right: Value) -> Value:
    if isinstance(left, datetime):
        return _shifted(left, -to_float(right) * 86_400)
    return _whole(to_number(left) - to_number(right))


def _multiply(left: Value, right: Value) -> Value:
    return _whole(to_number(left) * to_number(right))


def _divide(left: Value, right: Value) -> Value:
    """Whole numbers give a whole one, cut off towards zero."""
    one, other = to_number(left), to_number(right)
    if not other:
        raise RowError("DivideByZero", "Division by zero.")
    if isinstance(one, int) and isinstance(other, int):
        quotient = abs(one) // abs(other)
        return _whole(quotient if (one < 0) == (other < 0) else -quotient)
    return _whole(one / other)


def _remainder(left: Value, right: Value) -> Value:
    """The remainder has the sign of what is divided."""
    one, other = to_number(left), to_number(right)
    if not other:
        raise RowError("DivideByZero", "Division by zero.")
    if isinstance(one, int) and isinstance(other, int):
        remainder = abs(one) % abs(other)
        return -remainder if one < 0 else remainder
    return math.fmod(one, other)


# --- texts --------------------------------------------------------------------------------------------------------


def _substring(value: Value, start: Value, length: Value = TEXT_CHARS_MAX) -> Value:
    """The first character is 0, as the language reference shows it."""
    first = max(to_int(start), 0)
    return to_text(value)[first : first + max(to_int(length), 0)]


def _trim(*arguments: Value) -> Value:
    """TRIM(text), or as `TRIM(LEADING 'x' FROM text)` is read: the side, the characters, the text."""
    if len(arguments) == 1:
        return to_text(arguments[0]).strip(" ")
    if len(arguments) == 2:
        raise unconvertible()
    side, characters, text = arguments[0], to_text(arguments[1]), to_text(arguments[2])
    if side == "LEADING":
        return text.lstrip(characters)
    return text.rstrip(characters) if side == "TRAILING" else text.strip(characters)


def _like(value: Value, pattern: Value, escape: Value = "") -> Value:
    """Match the runs between the `%` one after another, each as early as it is found: no pattern takes long."""
    text = to_text(value)
    runs = _like_runs(to_text(pattern), to_text(escape))
    if len(runs) == 1:
        return runs[0].fullmatch(text) is not None
    first = runs[0].match(text)
    if first is None:
        return False
    at = first.end()
    for run in runs[1:-1]:
        found = run.search(text, at)
        if found is None:
            return False
        at = found.end()
    rest = len(text) - _run_length(to_text(pattern), to_text(escape))
    return rest >= at and runs[-1].fullmatch(text, rest) is not None


@lru_cache(maxsize=256)
def _like_parts(pattern: str, escape: str) -> tuple[tuple[str, ...], ...]:
    """The characters of each run between the `%`; an empty text stands for any character."""
    runs: list[list[str]] = [[]]
    is_escaped = False
    for character in pattern:
        if is_escaped:
            runs[-1].append(character)
            is_escaped = False
        elif character == escape:
            is_escaped = True
        elif character == "%":
            runs.append([])
        else:
            runs[-1].append("" if character == "_" else character)
    return tuple(map(tuple, runs))


@lru_cache(maxsize=256)
def _like_runs(pattern: str, escape: str) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile("".join(re.escape(character) if character else "." for character in run), re.DOTALL)
        for run in _like_parts(pattern, escape)
    )


def _run_length(pattern: str, escape: str) -> int:
    return len(_like_parts(pattern, escape)[-1])


# --- times --------------------------------------------------------------------------------------------------------

_SECONDS = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
_MONTHS = {"year": 12, "month": 1}


def _shifted(at: datetime, seconds: float) -> datetime:
    try:
        return at + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise RowError("ArithmeticOverflow", "A time is out of range.") from None


def _part(value: Value) -> str:
    part = to_text(value).lower()
    if part not in _SECONDS and part not in _MONTHS:
        raise unconvertible()
    return part


def _date_add(part: Value, quantity: Value, at: Value) -> Value:
    name, count, moment = _part(part), to_int(quantity), to_timestamp(at)
    if name in _SECONDS:
        return _shifted(moment, count * _SECONDS[name])
    months = moment.year * 12 + moment.month - 1 + count * _MONTHS[name]
    year, month = months // 12, months % 12 + 1
    if not 1 <= year <= 9999:
        raise RowError("ArithmeticOverflow", "A time is out of range.")
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def _date_diff(part: Value, first: Value, second: Value) -> Value:
    """Whole parts from the first to the second."""
    name, before, after = _part(part), to_timestamp(first), to_timestamp(second)
    if name in _SECONDS:
        return int((after - before).total_seconds() / _SECONDS[name])
    if after < before:
        return -int(to_int(_date_diff(part, second, first)))
    months = (after.year - before.year) * 12 + after.month - before.month
    if (after.day, after.timetz().replace(tzinfo=None)) < (before.day, before.timetz().replace(tzinfo=None)):
        months -= 1
    return months // _MONTHS[name]


def _extract(part: Value, at: Value) -> Value:
    name, moment = to_text(part).lower(), to_timestamp(at)
    if name in {"timezone_hour", "timezone_minute"}:
        minutes = int((moment.utcoffset() or timedelta()).total_seconds() / 60)
        return int(minutes / 60) if name == "timezone_hour" else int(math.fmod(minutes, 60))
    return getattr(moment, _part(part))


_FORMAT = re.compile(r"y+|M+|d+|a|h+|H+|m+|s+|S+|X+|x+|'[^']*'")
_MONTH_NAMES = tuple(calendar.month_name)[1:]


def _to_string(at: Value, pattern: Value) -> Value:
    moment = to_timestamp(at)
    return _FORMAT.sub(lambda match: _formatted(moment, match[0]), to_text(pattern))


def _formatted(at: datetime, token: str) -> str:
    """Write one part of a time, as the table of formats has it."""
    width = len(token)
    letter = token[0]
    if letter == "'":
        return token[1:-1] or "'"
    if letter == "M" and width > 2:
        return _MONTH_NAMES[at.month - 1][: 3 if width == 3 else None]
    if letter == "S":
        return f"{at.microsecond:06}"[:width].ljust(width, "0")
    if letter == "a":
        return "AM" if at.hour < 12 else "PM"
    if letter in "Xx":
        return _zone(at, letter, width)
    if letter == "y":
        return f"{at.year % 100:02}" if width == 2 else f"{at.year:04}"
    number = {"M": at.month, "d": at.day, "h": (at.hour + 11) % 12 + 1, "H": at.hour, "m": at.minute, "s": at.second}
    return f"{number[letter]:0{width}}"


def _zone(at: datetime, letter: str, width: int) -> str:
    minutes = int((at.utcoffset() or timedelta()).total_seconds() // 60)
    if letter == "X" and not minutes:
        return "Z"
    sign, minutes = "-" if minutes < 0 else "+", abs(minutes)
    if width == 1:
        return f"{sign}{minutes // 60:02}"
    colon = ":" if width in {3, 5} else ""
    return f"{sign}{minutes // 60:02}{colon}{minutes % 60:02}"


# --- casts --------------------------------------------------------------------------------------------------------

CASTS: Mapping[str, Callable[[Value], Value]] = {
    "INT": to_int,
    "INTEGER": to_int,
    "FLOAT": to_float,
    "STRING": to_text,
    "TIMESTAMP": to_timestamp,
    "BOOLEAN": to_boolean,
    "BOOL": to_boolean,
}
"""Type → what a value becomes."""

FUNCTIONS: Mapping[str, Function] = {
    "=": Function(2, 2, lambda left, right: compare(left, right) == 0),
    "<>": Function(2, 2, lambda left, right: compare(left, right) != 0),
    "<": Function(2, 2, lambda left, right: compare(left, right) < 0),
    "<=": Function(2, 2, lambda left, right: compare(left, right) <= 0),
    ">": Function(2, 2, lambda left, right: compare(left, right) > 0),
    ">=": Function(2, 2, lambda left, right: compare(left, right) >= 0),
    "BETWEEN": Function(3, 3, lambda value, low, high: compare(value, low) >= 0 and compare(value, high) <= 0),
    "LIKE": Function(2, 3, _like),
    "+": Function(2, 2, _add),
    "-": Function(2, 2, _subtract),
    "*": Function(2, 2, _multiply),
    "/": Function(2, 2, _divide),
    "%": Function(2, 2, _remainder),
    "NEGATE": Function(1, 1, lambda value: _whole(-to_number(value))),
    "POSITIVE": Function(1, 1, to_number),
    "CHAR_LENGTH": Function(1, 1, lambda value: len(to_text(value))),
    "CHARACTER_LENGTH": Function(1, 1, lambda value: len(to_text(value))),
    "LOWER": Function(1, 1, lambda value: to_text(value).lower()),
    "UPPER": Function(1, 1, lambda value: to_text(value).upper()),
    "SUBSTRING": Function(2, 3, _substring),
    "TRIM": Function(1, 3, _trim),
    "DATE_ADD": Function(3, 3, _date_add),
    "DATE_DIFF": Function(3, 3, _date_diff),
    "EXTRACT": Function(2, 2, _extract),
    "TO_STRING": Function(2, 2, _to_string),
    "TO_TIMESTAMP": Function(1, 1, to_timestamp),
}
"""Name → function."""

PART_FIRST = frozenset({"DATE_ADD", "DATE_DIFF", "EXTRACT"})
"""Functions whose first argument is a part of a time, written as a text or as a bare word."""
