"""The AMQP 1.0 types that Python has no twin for, and which Python type stands for which AMQP type.

    AMQP          Python             AMQP          Python            AMQP          Python
    null          None               int           Int               timestamp     Timestamp (ms, int)
    boolean       bool               long          int               uuid          uuid.UUID
    ubyte         Ubyte              float         Float32           binary        bytes
    ushort        Ushort             double        float             string        str
    uint          Uint               decimal32     Decimal32 (raw)   symbol        Symbol
    ulong         Ulong              decimal64     Decimal64 (raw)   list          list
    byte          Byte               decimal128    Decimal128 (raw)  map           dict, or MapPairs
    short         Short              char          Char              array         Array
                                                                     described     Described

Types are kept exactly, because clients are strict about them: a `uint` where a `long` belongs is an error in .NET and
Java. All but `Described` are subclasses of what they resemble, so a reader that does not care need not know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Ubyte(int):
    """An 8-bit unsigned integer."""

    __slots__ = ()


class Ushort(int):
    """A 16-bit unsigned integer."""

    __slots__ = ()


class Uint(int):
    """A 32-bit unsigned integer."""

    __slots__ = ()


class Ulong(int):
    """A 64-bit unsigned integer; the type of numeric descriptors."""

    __slots__ = ()


class Byte(int):
    """An 8-bit signed integer."""

    __slots__ = ()


class Short(int):
    """A 16-bit signed integer."""

    __slots__ = ()


class Int(int):
    """A 32-bit signed integer; a plain `int` is a 64-bit `long`."""

    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970-01-01T00:00Z, negative before."""

    __slots__ = ()


class Float32(float):
    """A 32-bit float; a plain `float` is a `double`."""

    __slots__ = ()


class Symbol(str):
    """An ASCII name. Equal to the `str` with the same letters, also as a key."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class Decimal32(bytes):
    """The four bytes of an IEEE 754-2008 decimal32, uninterpreted."""

    __slots__ = ()


class Decimal64(bytes):
    """The eight bytes of an IEEE 754-2008 decimal64, uninterpreted."""

    __slots__ = ()


class Decimal128(bytes):
    """The sixteen bytes of an IEEE 754-2008 decimal128, uninterpreted."""

    __slots__ = ()


@dataclass(slots=True, unsafe_hash=True)
class Described:
    """A value with a descriptor: `Ulong` or `Symbol` by the standard, though any value can stand there."""

    descriptor: Any
    value: Any


class Array(list[Any]):
    """A list whose elements all have the Python type `element`, and all the same `descriptor` if there is one.

    A described array holds the bare values. `Array([1, 2], int)` is an array of long.
    """

    __slots__ = ("descriptor", "element")

    def __init__(self, values: Iterable[Any], element: type, descriptor: Any = None) -> None:
        super().__init__(values)
        self.element = element
        self.descriptor = descriptor

    def __repr__(self) -> str:
        described = "" if self.descriptor is None else f", descriptor={self.descriptor!r}"
        return f"Array({list(self)!r}, {self.element.__name__}{described})"


class MapPairs(list[tuple[Any, Any]]):
    """A map that a dict cannot hold: some keys cannot be hashed, or are only equal in Python (1, Uint(1), True)."""

    __slots__ = ()
