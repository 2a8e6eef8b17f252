"""Reads AMQP 1.0 encodings (OASIS AMQP 1.0, part 1): `decode`, `skip` and `list_item`, strict and bounded.

`encode` is in `encoder`, and is handed on from here together with the types, so that one import serves.

Rules, each for a reason:

- A constructor's size must fit its content exactly. A value never reads beyond its compound.
- Nesting ends at `DEPTH_MAX` and elements that take no bytes at `WIDTHLESS_ELEMENTS_MAX`, so that what a few bytes can
  make us allocate stays in proportion to them: a list of empty lists, one byte each, is the worst case.
- One exception, `AmqpDecodeError`, for whatever is wrong with the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class with a function's name
from typing import Any
from uuid import UUID

from localzure_protocols.amqp.encoder import encode, encode_pairs, map_of
from localzure_protocols.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal32,
    Decimal64,
    Decimal128,
    Described,
    Float32,
    Int,
    MapPairs,
    Short,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
)

__all__ = [
    "DEPTH_MAX",
    "AmqpDecodeError",
    "Array",
    "Byte",
    "Char",
    "Decimal32",
    "Decimal64",
    "Decimal128",
    "Described",
    "Float32",
    "Int",
    "MapPairs",
    "Short",
    "Symbol",
    "Timestamp",
    "Ubyte",
    "Uint",
    "Ulong",
    "Ushort",
    "decode",
    "decode_all",
    "encode",
    "encode_pairs",
    "list_item",
    "map_of",
    "skip",
]

DEPTH_MAX = 64
"""Compounds and descriptors within one another; the limit of Microsoft's .NET and Python libraries."""

WIDTHLESS_ELEMENTS_MAX = 64
"""Elements of an array whose constructor has no bytes per element (null, true, empty list ...)."""

Reader = Callable[[bytes, int, int], tuple[Any, int]]
"""(buffer, offset behind the constructor, depth) -> (value, next offset)."""


class AmqpDecodeError(ValueError):
    """The bytes are not the AMQP encoding that they should be."""


def decode(buffer: bytes, offset: int = 0) -> tuple[Any, int]:
    """Decode the value at `offset`; returns it and the offset behind it. Raises AmqpDecodeError."""
    try:
        return _READERS[buffer[offset]](buffer, offset + 1, 0)
    except (IndexError, StructError, UnicodeDecodeError) as error:
        raise AmqpDecodeError(f"malformed AMQP value at offset {offset}: {error}") from None


def decode_all(buffer: bytes) -> Any:
    """Decode a buffer that holds exactly one value. Raises AmqpDecodeError."""
    value, after = decode(buffer)
    if after != len(buffer):
        raise AmqpDecodeError(f"{len(buffer) - after} bytes behind the value")
    return value


def skip(buffer: bytes, offset: int, depth: int = 0) -> int:
    """The offset behind the value at `offset`, found without reading into compounds. Raises AmqpDecodeError."""
    try:
        width = _WIDTHS[buffer[offset]]
        if width >= 0:
            after = offset + 1 + width
        elif width == _SIZE8:
            after = offset + 2 + buffer[offset + 1]
        elif width == _SIZE32:
            after = offset + 5 + int.from_bytes(buffer[offset + 1 : offset + 5], "big")
        elif width == _DESCRIBED and depth < DEPTH_MAX:
            return skip(buffer, skip(buffer, offset + 1, depth + 1), depth + 1)
        else:
            raise AmqpDecodeError(
                f"constructor 0x{buffer[offset]:02x} at offset {offset} is unknown or nested too deep"
            )
    except IndexError:
        raise AmqpDecodeError(f"AMQP value at offset {offset} is cut off") from None
    if after > len(buffer):
        raise AmqpDecodeError(f"AMQP value at offset {offset} is cut off")
    return after


def list_item(buffer: bytes, offset: int, index: int) -> Any:
    """Decode only item `index` of the list at `offset`; None where the list is shorter. Raises AmqpDecodeError."""
    try:
        code = buffer[offset]
        if code == 0x45:
            return None
        if code == 0xC0:
            count, at, end = buffer[offset + 2], offset + 3, offset + 2 + buffer[offset + 1]
        elif code == 0xD0:
            size, count = _U32_PAIR.unpack_from(buffer, offset + 1)
            at, end = offset + 9, offset + 5 + size
        else:
            raise AmqpDecodeError(f"constructor 0x{code:02x} where a list belongs")
    except (IndexError, StructError):
        raise AmqpDecodeError("list is cut off") from None
    if index >= count:
        return None
    for _ in range(index):
        at = skip(buffer, at)
    value, after = decode(buffer, at)
    if after > end:
        raise AmqpDecodeError("list item reaches beyond its list")
    return value


# -- primitives -------------------------------------------------------------------------------------------------------

_U16, _U32, _U64 = Struct(">H"), Struct(">I"), Struct(">Q")
_I8, _I16, _I32, _I64 = Struct(">b"), Struct(">h"), Struct(">i"), Struct(">q")
_F32, _F64 = Struct(">f"), Struct(">d")
_U32_PAIR = Struct(">II")


def _constant(value: Any) -> Reader:
    return lambda _buffer, at, _depth: (value, at)


def _fixed(form: Struct, python_type: Callable[[Any], Any] | None) -> Reader:
    unpack, width = form.unpack_from, form.size
    if python_type is None:
        return lambda buffer, at, _depth: (unpack(buffer, at)[0], at + width)
    return lambda buffer, at, _depth: (python_type(unpack(buffer, at)[0]), at + width)


def _raw(width: int, python_type: Callable[[bytes], Any]) -> Reader:
    def read(buffer: bytes, at: int, _depth: int) -> tuple[Any, int]:
        raw = buffer[at : at + width]
        if len(raw) != width:
            raise AmqpDecodeError("value is cut off")
        return python_type(raw), at + width

    return read


def _variable(encoding: str | None, *, wide: bool, python_type: Callable[[str], Any] | None = None) -> Reader:
    def read(buffer: bytes, at: int, _depth: int) -> tuple[Any, int]:
        if wide:
            start = at + 4
            end = start + _U32.unpack_from(buffer, at)[0]
        else:
            start = at + 1
            end = start + buffer[at]
        if end > len(buffer):
            raise AmqpDecodeError("value is cut off")
        if encoding is None:
            return buffer[start:end], end
        text = buffer[start:end].decode(encoding)
        return (text if python_type is None else python_type(text)), end

    return read


def _read_boolean(buffer: bytes, at: int, _depth: int) -> tuple[bool, int]:
    octet = buffer[at]
    if octet > 1:
        raise AmqpDecodeError(f"boolean 0x{octet:02x}")
    return octet == 1, at + 1


def _read_char(buffer: bytes, at: int, _depth: int) -> tuple[Char, int]:
    point = _U32.unpack_from(buffer, at)[0]
    if point > 0x10FFFF or 0xD800 <= point < 0xE000:
        raise AmqpDecodeError(f"char 0x{point:x}")
    return Char(chr(point)), at + 4


def _read_small(python_type: Callable[[int], Any]) -> Reader:
    return lambda buffer, at, _depth: (python_type(buffer[at]), at + 1)


def _read_small_long(buffer: bytes, at: int, _depth: int) -> tuple[int, int]:
    octet = buffer[at]
    return (octet if octet < 128 else octet - 256), at + 1


# -- compounds --------------------------------------------------------------------------------------------------------


def _bounds(buffer: bytes, at: int, *, wide: bool) -> tuple[int, int, int]:
    """Read a compound's size and count: (count, offset of its content, offset behind it)."""
    if wide:
        size, count = _U32_PAIR.unpack_from(buffer, at)
        start, end = at + 8, at + 4 + size
    else:
        size, count = buffer[at], buffer[at + 1]
        start, end = at + 2, at + 1 + size
    if end < start or end > len(buffer):
        raise AmqpDecodeError("compound is cut off")
    return count, start, end


def _read_items(buffer: bytes, at: int, end: int, count: int, depth: int) -> list[Any]:
    if depth >= DEPTH_MAX:
        raise AmqpDecodeError("compounds nested too deep")
    if count > end - at:
        raise AmqpDecodeError(f"compound of {end - at} bytes cannot hold {count} items")
    depth += 1
    readers = _READERS
    items: list[Any] = []
    append = items.append
    for _ in range(count):
        value, at = readers[buffer[at]](buffer, at + 1, depth)
        append(value)
    if at != end:
        raise AmqpDecodeError("compound and its size differ")
    return items


def _read_list(*, wide: bool) -> Reader:
    def read(buffer: bytes, at: int, depth: int) -> tuple[list[Any], int]:
        count, start, end = _bounds(buffer, at, wide=wide)
        return _read_items(buffer, start, end, count, depth), end

    return read


def _read_map(*, wide: bool) -> Reader:
    def read(buffer: bytes, at: int, depth: int) -> tuple[dict[Any, Any] | MapPairs, int]:
        count, start, end = _bounds(buffer, at, wide=wide)
        if count % 2:
            raise AmqpDecodeError("map with a key and no value")
        items = _read_items(buffer, start, end, count, depth)
        keys, values = items[::2], items[1::2]
        try:
            mapping = dict(zip(keys, values, strict=True))
        except TypeError:
            return MapPairs(zip(keys, values, strict=True)), end
        if len(mapping) != len(keys):
            return MapPairs(zip(keys, values, strict=True)), end
        return mapping, end

    return read


def _read_array(*, wide: bool) -> Reader:
    def read(buffer: bytes, at: int, depth: int) -> tuple[Array, int]:
        count, start, end = _bounds(buffer, at, wide=wide)
        if depth >= DEPTH_MAX:
            raise AmqpDecodeError("compounds nested too deep")
        if not count and start == end:
            # Microsoft's Python client leaves the constructor out of an empty array.
            return Array([], type(None)), end
        code, at = buffer[start], start + 1
        descriptor = None
        if code == 0x00:
            descriptor, at = _READERS[buffer[at]](buffer, at + 1, depth + 1)
            code, at = buffer[at], at + 1
        element = _ELEMENT_TYPES.get(code)
        if element is None:
            raise AmqpDecodeError(f"constructor 0x{code:02x} cannot head an array")
        if count > (end - at if _WIDTHS[code] else WIDTHLESS_ELEMENTS_MAX):
            raise AmqpDecodeError(f"array of {end - at} bytes cannot hold {count} elements")
        reader, values = _READERS[code], []
        for _ in range(count):
            value, at = reader(buffer, at, depth + 1)
            values.append(value)
        if at != end:
            raise AmqpDecodeError("array and its size differ")
        return Array(values, element, descriptor), end

    return read


def _read_described(buffer: bytes, at: int, depth: int) -> tuple[Described, int]:
    if depth >= DEPTH_MAX:
        raise AmqpDecodeError("descriptors nested too deep")
    descriptor, at = _READERS[buffer[at]](buffer, at + 1, depth + 1)
    value, at = _READERS[buffer[at]](buffer, at + 1, depth + 1)
    return Described(descriptor, value), at


def _read_unknown(buffer: bytes, at: int, _depth: int) -> tuple[Any, int]:
    raise AmqpDecodeError(f"unknown constructor 0x{buffer[at - 1]:02x} at offset {at - 1}")


# -- the table of constructors (part 1, section 1.6) ------------------------------------------------------------------

_SIZE8, _SIZE32, _DESCRIBED, _UNKNOWN = -1, -2, -3, -4

_CONSTRUCTORS: dict[int, tuple[int, type | None, Reader]] = {
    # code: (bytes behind the constructor, the Python type as an array's element, reader)
    0x00: (_DESCRIBED, None, _read_described),
    0x40: (0, type(None), _constant(None)),
    0x41: (0, bool, _constant(True)),
    0x42: (0, bool, _constant(False)),
    0x43: (0, Uint, _constant(Uint(0))),
    0x44: (0, Ulong, _constant(Ulong(0))),
    0x45: (0, list, lambda _buffer, at, _depth: ([], at)),
    0x50: (1, Ubyte, _read_small(Ubyte)),
    0x51: (1, Byte, _fixed(_I8, Byte)),
    0x52: (1, Uint, _read_small(Uint)),
    0x53: (1, Ulong, _read_small(Ulong)),
    0x54: (1, Int, _fixed(_I8, Int)),
    0x55: (1, int, _read_small_long),
    0x56: (1, bool, _read_boolean),
    0x60: (2, Ushort, _fixed(_U16, Ushort)),
    0x61: (2, Short, _fixed(_I16, Short)),
    0x70: (4, Uint, _fixed(_U32, Uint)),
    0x71: (4, Int, _fixed(_I32, Int)),
    0x72: (4, Float32, _fixed(_F32, Float32)),
    0x73: (4, Char, _read_char),
    0x74: (4, Decimal32, _raw(4, Decimal32)),
    0x80: (8, Ulong, _fixed(_U64, Ulong)),
    0x81: (8, int, _fixed(_I64, None)),
    0x82: (8, float, _fixed(_F64, None)),
    0x83: (8, Timestamp, _fixed(_I64, Timestamp)),
    0x84: (8, Decimal64, _raw(8, Decimal64)),
    0x94: (16, Decimal128, _raw(16, Decimal128)),
    0x98: (16, UUID, _raw(16, lambda raw: UUID(bytes=raw))),
    0xA0: (_SIZE8, bytes, _variable(None, wide=False)),
    0xA1: (_SIZE8, str, _variable("utf-8", wide=False)),
    0xA3: (_SIZE8, Symbol, _variable("ascii", wide=False, python_type=Symbol)),
    0xB0: (_SIZE32, bytes, _variable(None, wide=True)),
    0xB1: (_SIZE32, str, _variable("utf-8", wide=True)),
    0xB3: (_SIZE32, Symbol, _variable("ascii", wide=True, python_type=Symbol)),
    0xC0: (_SIZE8, list, _read_list(wide=False)),
    0xC1: (_SIZE8, dict, _read_map(wide=False)),
    0xD0: (_SIZE32, list, _read_list(wide=True)),
    0xD1: (_SIZE32, dict, _read_map(wide=True)),
    0xE0: (_SIZE8, Array, _read_array(wide=False)),
    0xF0: (_SIZE32, Array, _read_array(wide=True)),
}

_WIDTHS = [_CONSTRUCTORS[code][0] if code in _CONSTRUCTORS else _UNKNOWN for code in range(256)]
_ELEMENT_TYPES = {code: element for code, (_, element, _) in _CONSTRUCTORS.items() if element is not None}
_READERS: list[Reader] = [_CONSTRUCTORS[code][2] if code in _CONSTRUCTORS else _read_unknown for code in range(256)]
