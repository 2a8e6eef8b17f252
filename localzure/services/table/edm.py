"""The property types of the Table service: values as JSON carries them, as the store keeps them, and back.

A value is kept as the Python type that says what it is, and three types that no Python type of MessagePack stands
for are told apart by a tag:

| type | kept as | tag |
| --- | --- | --- |
| `Edm.String` | `str` | |
| `Edm.Boolean` | `bool` | |
| `Edm.Int32` | `int` | |
| `Edm.Double` | `float` | |
| `Edm.Binary` | `bytes` | |
| `Edm.Int64` | `int` | `INT64` |
| `Edm.DateTime` | `int`, ticks of 100 nanoseconds | `DATETIME` |
| `Edm.Guid` | `bytes`, the 16 of its text | `GUID` |

So what was written comes back exactly, and values of one type compare as the service compares them ("Understanding
the Table service data model", "Payload format for Table service operations").
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import hexlify
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from localzure.services.storage_rest.iso8601 import format_ticks, parse_ticks
from localzure.services.table.errors import TableError, out_of_range

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = "str | bool | int | float | bytes"

INT64 = 1
DATETIME = 2
GUID = 3

STRING_UNITS_MAX = 32 * 1024
"""UTF-16 code units in a string: 64 KiB."""

BINARY_BYTES_MAX = 64 * 1024

DATETIME_MIN = 504_911_232_000_000_000
"""Ticks of 1601-01-01, the first instant that a DateTime may hold."""

_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)

_SPECIAL_DOUBLES = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def utf16_units(text: str) -> int:
    """Return how many UTF-16 code units a text takes."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


# --- reading ------------------------------------------------------------------------------------------------------


def read_value(name: str, value: Any, type_name: str | None) -> tuple[Value, int | None]:
    """Return (value, tag) of the property `name`, whose JSON value is not null; `type_name` is its annotation, if any.

    Raises TableError.
    """
    if type_name is None:
        return _read_plain(value)
    reader = _READERS.get(type_name)
    if reader is None:
        raise TableError("InvalidInput")
    return reader(name, value)


def _read_plain(value: Any) -> tuple[Value, int | None]:
    """Read a value without a type: JSON tells strings, Booleans and numbers, and Int32 from what only fits a Double."""
    kind = type(value)
    if kind is str:
        return _read_string("", value)
    if kind is bool or kind is float:
        return value, None
    if kind is int:
        return (value if value in _INT32 else _double_of(value)), None
    raise TableError("InvalidInput")


def _double_of(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise TableError("InvalidInput") from None


def _read_string(_name: str, value: Any) -> tuple[Value, None]:
    if type(value) is not str:
        raise TableError("InvalidInput")
    if len(value) > STRING_UNITS_MAX or (len(value) > STRING_UNITS_MAX // 2 and utf16_units(value) > STRING_UNITS_MAX):
        raise TableError("PropertyValueTooLarge")
    return value, None


def _read_boolean(_name: str, value: Any) -> tuple[Value, None]:
    if type(value) is bool:
        return value, None
    text = value.lower() if type(value) is str else None
    if text not in {"true", "false"}:
        raise TableError("InvalidInput")
    return text == "true", None


def _read_integer(value: Any, within: range) -> int:
    if type(value) is str:
        digits = value.removeprefix("-")
        if not digits.isascii() or not digits.isdecimal() or len(digits) > 19:
            raise TableError("InvalidInput")
        value = int(value)
    if type(value) is not int or value not in within:
        raise TableError("InvalidInput")
    return value


def _read_int32(_name: str, value: Any) -> tuple[Value, None]:
    return _read_integer(value, _INT32), None


def _read_int64(_name: str, value: Any) -> tuple[Value, int]:
    return _read_integer(value, _INT64), INT64


def _read_double(_name: str, value: Any) -> tuple[Value, None]:
    kind = type(value)
    if kind is float:
        return value, None
    if kind is int:
        return _double_of(value), None
    if kind is not str:
        raise TableError("InvalidInput")
    if value in _SPECIAL_DOUBLES:
        return _SPECIAL_DOUBLES[value], None
    try:
        number = float(value)
    except ValueError:
        raise TableError("InvalidInput") from None
    if not isfinite(number) or "_" in value:
        raise TableError("InvalidInput")
    return number, None


def _read_datetime(name: str, value: Any) -> tuple[Value, int]:
    ticks = parse_ticks(value) if type(value) is str else None
    if ticks is None:
        raise TableError("InvalidInput")
    if ticks < DATETIME_MIN:
        text = format_ticks(ticks)
        raise out_of_range(name, f"{text[5:7]}/{text[8:10]}/{text[:4]} {text[11:19]}")
    return ticks, DATETIME


def _read_guid(_name: str, value: Any) -> tuple[Value, int]:
    guid = parse_guid(value) if type(value) is str else None
    if guid is None:
        raise TableError("InvalidInput")
    return guid, GUID


def _read_binary(_name: str, value: Any) -> tuple[Value, None]:
    if type(value) is not str:
        raise TableError("InvalidInput")
    try:
        data = b64decode(value, validate=True)
    except ValueError:
        raise TableError("InvalidInput") from None
    if len(data) > BINARY_BYTES_MAX:
        raise TableError("PropertyValueTooLarge")
    return data, None


_READERS: dict[str, Callable[[str, Any], tuple[Value, int | None]]] = {
    "Edm.Binary": _read_binary,
    "Edm.Boolean": _read_boolean,
    "Edm.DateTime": _read_datetime,
    "Edm.Double": _read_double,
    "Edm.Guid": _read_guid,
    "Edm.Int32": _read_int32,
    "Edm.Int64": _read_int64,
    "Edm.String": _read_string,
}
"""Annotation → what reads a JSON value of this type."""


def parse_guid(text: str) -> bytes | None:
    """Return the 16 bytes of a GUID's text, with its hyphens or without; None for any other text."""
    if len(text) not in {32, 36} or (len(text) == 36 and text.count("-") != 4):
        return None
    try:
        guid = UUID(hex=text)
    except ValueError:
        return None
    return guid.bytes if text.lower() in {str(guid), guid.hex} else None


# --- writing ------------------------------------------------------------------------------------------------------


def write_value(value: Value, tag: int | None) -> tuple[Any, str | None]:
    """Return (JSON value, type) of a kept value; the type is None where JSON tells it."""
    if tag is None:
        kind = type(value)
        if kind is bytes:
            return b64encode(value).decode("ascii"), "Edm.Binary"  # type: ignore[arg-type]  # told by its type
        if kind is float and not isfinite(value):  # type: ignore[arg-type]  # as above
            return _special_text(value), "Edm.Double"  # type: ignore[arg-type]  # as above
        return value, None
    if tag == INT64:
        return str(value), "Edm.Int64"
    if tag == DATETIME:
        return format_ticks(value), "Edm.DateTime"  # type: ignore[arg-type]  # told by its tag
    return _guid_text(value), "Edm.Guid"  # type: ignore[arg-type]  # as above


def _special_text(value: float) -> str:
    if isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _guid_text(guid: bytes) -> str:
    text = hexlify(guid).decode("ascii")
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# --- sizes --------------------------------------------------------------------------------------------------------


def value_size(value: Value, tag: int | None) -> int:
    """Return the bytes that a value counts for in the size of its entity (a string its UTF-16 form and a length)."""
    kind = type(value)
    if kind is str:
        return 2 * utf16_units(value) + 4  # type: ignore[arg-type]  # told by its type
    if kind is bool:
        return 1
    if kind is bytes:
        return 16 if tag == GUID else len(value) + 4  # type: ignore[arg-type]  # as above
    return 4 if kind is int and tag is None else 8
