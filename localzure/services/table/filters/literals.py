"""The literals of a filter ("Querying tables and entities", "Atom and JSON primitive types" of OData 3).

A number without a suffix is an Int32 where it fits one, and else an Int64 or a Double, as it looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.storage_rest.iso8601 import parse_ticks
from localzure.services.table.edm import parse_guid
from localzure.services.table.filters.conditions import Constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.table.filters.conditions import Type

NAMED_DOUBLES = {"NaN": float("nan"), "INF": float("inf")}
"""The doubles that are written as words; `-INF` is read as a number."""

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_DIGITS_MAX = 64
"""Longest integer that is looked at, with its sign."""


def read_string(text: str) -> Constant:
    """Read `'it''s'`."""
    return Constant("String", text[1:-1].replace("''", "'"))


def read_prefixed(text: str) -> tuple[Type, Constant | None]:
    """Read `datetime'…'`, `guid'…'`, `binary'…'` or `X'…'`: its type, and None where it is not of its form."""
    prefix, _, body = text.partition("'")
    type_name, read = _PREFIXED[prefix.lower()]
    value = read(body[:-1])
    return type_name, None if value is None else Constant(type_name, value)


def read_number(text: str) -> tuple[Type, Constant | None]:
    """Read `5`, `5L`, `1.5`, `1e3`, `5d`, `-INF`: its type, and None where it is beyond that."""
    if text == "-INF":
        return "Double", Constant("Double", float("-inf"))
    digits = text.rstrip("lL")
    if not digits.lstrip("+-").isdecimal():
        is_integer = digits is not text
        return ("Int64", None) if is_integer else ("Double", Constant("Double", float(text.rstrip("dDfFmM"))))
    number = int(digits) if len(digits) <= _DIGITS_MAX else _INT64.stop
    type_name: Type = "Int32" if digits is text and number in _INT32 else "Int64"
    return type_name, Constant(type_name, number) if number in _INT64 else None


def _read_hexadecimal(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if text.isalnum() or not text else None
    except ValueError:
        return None


_PREFIXED: dict[str, tuple[Type, Callable[[str], object]]] = {
    "binary": ("Binary", _read_hexadecimal),
    "datetime": ("DateTime", parse_ticks),
    "guid": ("Guid", parse_guid),
    "x": ("Binary", _read_hexadecimal),
}
"""Prefix → type, and what reads the text between the quotes."""
