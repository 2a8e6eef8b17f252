"""Writes AMQP 1.0 encodings (OASIS AMQP 1.0, part 1), each value in the shortest form of its own type.

Never of another type: a `Uint(0)` is `uint0` and stays a uint, a plain 0 is a `smalllong`.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class with a function's name
from typing import TYPE_CHECKING, Any
from uuid import UUID

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SYMBOL_CACHED_LENGTH_MAX = 64
"""Longer symbols are not kept encoded, so that what a client names cannot fill the memory."""


def encode(value: Any) -> bytes:
    """Encode one value, constructor included.

    Raises TypeError for a type that AMQP has no encoding for, ValueError for a value out of its type's range.
    """
    try:
        return _WRITERS[type(value)](value)
    except KeyError:
        return _writer_of(type(value))(value)
    except StructError as error:
        raise ValueError(f"{value!r:.100} does not fit {type(value).__name__}: {error}") from None


def encode_pairs(pairs: Iterable[tuple[Any, Any]]) -> tuple[int, bytes]:
    """Encode the inside of a map: (number of pairs, bytes), to be joined with others by `map_of`."""
    parts: list[bytes] = []
    for key, value in pairs:
        parts += (encode(key), encode(value))
    return len(parts) // 2, b"".join(parts)


def map_of(pairs_count: int, content: bytes) -> bytes:
    """Make a map of `pairs_count` pairs whose encoding is `content`."""
    return _compound(b"\xc1", b"\xd1", 2 * pairs_count, content)


def _writer_of(python_type: type) -> Callable[[Any], bytes]:
    """Find the writer of a subclass, for example of a StrEnum."""
    for base in python_type.__mro__[1:]:
        if base in _WRITERS:
            return _WRITERS[base]
    raise TypeError(f"{python_type.__name__} has no AMQP encoding")


_U8, _U16, _U32, _U64 = Struct(">B"), Struct(">H"), Struct(">I"), Struct(">Q")
_I8, _I16, _I32, _I64 = Struct(">b"), Struct(">h"), Struct(">i"), Struct(">q")
_F32, _F64 = Struct(">f"), Struct(">d")
_U32_PAIR = Struct(">II")
_CODE_U8, _CODE_U32, _CODE_U64 = Struct(">BB"), Struct(">BI"), Struct(">BQ")
_CODE_I8, _CODE_I32, _CODE_I64 = Struct(">Bb"), Struct(">Bi"), Struct(">Bq")


def _uint(value: int) -> bytes:
    if value == 0:
        return b"\x43"
    return _CODE_U8.pack(0x52, value) if 0 < value < 256 else _CODE_U32.pack(0x70, value)


def _ulong(value: int) -> bytes:
    if value == 0:
        return b"\x44"
    return _CODE_U8.pack(0x53, value) if 0 < value < 256 else _CODE_U64.pack(0x80, value)


def _int(value: int) -> bytes:
    return _CODE_I8.pack(0x54, value) if -128 <= value < 128 else _CODE_I32.pack(0x71, value)


def _long(value: int) -> bytes:
    return _CODE_I8.pack(0x55, value) if -128 <= value < 128 else _CODE_I64.pack(0x81, value)


def _char(value: str) -> bytes:
    if len(value) != 1:
        raise ValueError(f"a char has one character, not {len(value)}")
    return _U32.pack(ord(value))


def _raw(width: int) -> Callable[[bytes], bytes]:
    def write(value: bytes) -> bytes:
        if len(value) != width:
            raise ValueError(f"{len(value)} bytes where {width} belong")
        return bytes(value)

    return write


def _with_code(code: bytes, content: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: code + content(value)


def _binary(value: bytes) -> bytes:
    size = len(value)
    return (_CODE_U8.pack(0xA0, size) if size < 256 else _CODE_U32.pack(0xB0, size)) + bytes(value)


def _string(value: str) -> bytes:
    content = value.encode("utf-8")
    size = len(content)
    return (_CODE_U8.pack(0xA1, size) if size < 256 else _CODE_U32.pack(0xB1, size)) + content


def _symbol(value: str) -> bytes:
    return _short_symbol(value) if len(value) <= SYMBOL_CACHED_LENGTH_MAX else _any_symbol(value)


def _any_symbol(value: str) -> bytes:
    content = value.encode("ascii")
    size = len(content)
    return (_CODE_U8.pack(0xA3, size) if size < 256 else _CODE_U32.pack(0xB3, size)) + content


# The same few annotation keys are written for every message.
_short_symbol = lru_cache(maxsize=1024)(_any_symbol)


def _compound(code8: bytes, code32: bytes, count: int, content: bytes) -> bytes:
    size = len(content)
    if size < 255 and count < 256:
        return b"%b%c%c%b" % (code8, size + 1, count, content)
    return code32 + _U32_PAIR.pack(size + 4, count) + content


def _list(value: list[Any] | tuple[Any, ...]) -> bytes:
    if not value:
        return b"\x45"
    return _compound(b"\xc0", b"\xd0", len(value), b"".join(map(encode, value)))


def _map(value: dict[Any, Any]) -> bytes:
    return map_of(*encode_pairs(value.items()))


def _map_pairs(value: MapPairs) -> bytes:
    return map_of(*encode_pairs(value))


def _described(value: Described) -> bytes:
    return b"\x00" + encode(value.descriptor) + encode(value.value)


# -- arrays: one constructor for all, so always the widest of its type ------------------------------------------------


def _sized(content: bytes) -> bytes:
    return _U32.pack(len(content)) + content


def _list_element(value: list[Any]) -> bytes:
    content = b"".join(map(encode, value))
    return _U32_PAIR.pack(len(content) + 4, len(value)) + content


def _map_element(value: dict[Any, Any] | MapPairs) -> bytes:
    count, content = encode_pairs(value if isinstance(value, MapPairs) else value.items())
    return _U32_PAIR.pack(len(content) + 4, 2 * count) + content


def _array_content(value: Array) -> bytes:
    form = _ELEMENTS.get(value.element)
    if form is None:
        raise TypeError(f"{value.element.__name__} cannot be an array's element")
    code, write = form
    constructor = code if value.descriptor is None else b"\x00" + encode(value.descriptor) + code
    return constructor + b"".join(map(write, value))


def _array(value: Array) -> bytes:
    return _compound(b"\xe0", b"\xf0", len(value), _array_content(value))


def _array_element(value: Array) -> bytes:
    content = _array_content(value)
    return _U32_PAIR.pack(len(content) + 4, len(value)) + content


_ELEMENTS: dict[type, tuple[bytes, Callable[[Any], bytes]]] = {
    type(None): (b"\x40", lambda _value: b""),
    bool: (b"\x56", lambda value: b"\x01" if value else b"\x00"),
    Ubyte: (b"\x50", _U8.pack),
    Ushort: (b"\x60", _U16.pack),
    Uint: (b"\x70", _U32.pack),
    Ulong: (b"\x80", _U64.pack),
    Byte: (b"\x51", _I8.pack),
    Short: (b"\x61", _I16.pack),
    Int: (b"\x71", _I32.pack),
    int: (b"\x81", _I64.pack),
    Float32: (b"\x72", _F32.pack),
    float: (b"\x82", _F64.pack),
    Decimal32: (b"\x74", _raw(4)),
    Decimal64: (b"\x84", _raw(8)),
    Decimal128: (b"\x94", _raw(16)),
    Char: (b"\x73", _char),
    Timestamp: (b"\x83", _I64.pack),
    UUID: (b"\x98", lambda value: value.bytes),
    bytes: (b"\xb0", _sized),
    str: (b"\xb1", lambda value: _sized(value.encode("utf-8"))),
    Symbol: (b"\xb3", lambda value: _sized(value.encode("ascii"))),
    list: (b"\xd0", _list_element),
    dict: (b"\xd1", _map_element),
    Array: (b"\xf0", _array_element),
}

_WRITERS: dict[type, Callable[[Any], bytes]] = {
    **{python_type: _with_code(code, content) for python_type, (code, content) in _ELEMENTS.items()},
    # These have shorter forms outside of arrays.
    type(None): lambda _value: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    Uint: _uint,
    Ulong: _ulong,
    Int: _int,
    int: _long,
    bytes: _binary,
    bytearray: _binary,
    memoryview: _binary,
    str: _string,
    Symbol: _symbol,
    list: _list,
    tuple: _list,
    dict: _map,
    MapPairs: _map_pairs,
    Array: _array,
    Described: _described,
}
