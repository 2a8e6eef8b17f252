"""How tuples become keys: an encoding whose byte order is the tuples' order, and the key spaces built on it.

Each part is a tag byte and a body that ends itself, so a key can be taken apart again and a tuple always sorts right
before the tuples that it begins:

| part | tag | body |
| --- | --- | --- |
| `bytes` | 0x01 | the bytes, each 0x00 written as 0x00 0xFF, closed by 0x00 |
| `str` | 0x02 | the same over its UTF-8 form, which sorts by code point |
| negative `int` | 0x14 | 8 bytes, two's complement, big-endian |
| other `int` | 0x15 | 8 bytes, big-endian |
| `False`, `True` | 0x26, 0x27 | nothing |
| `UUID` | 0x30 | its 16 bytes |

Numbers take a fixed eight bytes, so that a hot path can lay its keys out with one `struct.Struct`: the integer part of
a sequence number that is not negative is `>Bq` of (`INT_TAG`, number), and `int_key` is that for the commonest shape.
Parts of different types at the same place sort by tag.
"""

from __future__ import annotations

from struct import Struct
from typing import TypeAlias
from uuid import UUID

Part: TypeAlias = bytes | str | int | UUID
"""What a key is made of; a `bool` is a part of its own kind. An `int` must fit into 64 bits with its sign."""

BYTES_TAG = 0x01
TEXT_TAG = 0x02
NEGATIVE_INT_TAG = 0x14
INT_TAG = 0x15
FALSE_TAG = 0x26
TRUE_TAG = 0x27
UUID_TAG = 0x30

_INT = Struct(">Bq")
_pack_int = _INT.pack
_unpack_int = Struct(">q").unpack_from


def pack(*parts: Part) -> bytes:
    """Encode `parts` so that encoded keys sort as the tuples do.

    Raises TypeError for a part of another type, ValueError (or its UnicodeEncodeError) for an integer beyond 64 bits
    or text that holds a lone surrogate.
    """
    return _append(b"", parts)


def unpack(key: bytes) -> tuple[Part, ...]:
    """Decode what `pack` gave. Raises ValueError for bytes that it cannot have given."""
    return _parts(key, 0)


def int_key(prefix: bytes, number: int) -> bytes:
    """Return `prefix` followed by one packed integer: `Subspace(prefix).pack(number)` at a third of the cost.

    `number` must not be negative; raises struct.error for what does not fit into 63 bits.
    """
    return prefix + _pack_int(INT_TAG, number)


def int_of(key: bytes) -> int:
    """Return the last part of a key that ends with an integer: the reverse of `int_key`."""
    number: int = _unpack_int(key, len(key) - 8)[0]
    return number


def prefix_stop(prefix: bytes) -> bytes:
    """Return the first key after all keys that begin with `prefix`, which must hold a byte other than 0xFF."""
    kept = prefix.rstrip(b"\xff")
    if not kept:
        raise ValueError("no key comes after every key with this prefix")
    return kept[:-1] + bytes((kept[-1] + 1,))


class Subspace:
    """The keys that begin with one prefix.

    A listing is a scan over one of its ranges: `range` for everything below a tuple, `prefix_range` for names that
    begin with a text. To resume after a key scan from `key + b"\\x00"`; to jump over everything that begins with a
    name's prefix (a delimiter) scan from the end of its `prefix_range`.
    """

    __slots__ = ("prefix",)

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix

    def __repr__(self) -> str:
        return f"Subspace({self.prefix!r})"

    def pack(self, *parts: Part) -> bytes:
        """Return the key of `parts` in this space. Raises what the module's `pack` raises."""
        return _append(self.prefix, parts)

    def unpack(self, key: bytes) -> tuple[Part, ...]:
        """Return the parts of a key of this space. Raises ValueError for any other key."""
        prefix = self.prefix
        if not key.startswith(prefix):
            raise ValueError(f"{key!r} does not begin with {prefix!r}")
        return _parts(key, len(prefix))

    def subspace(self, *parts: Part) -> Subspace:
        """Return the space below the tuple `parts`."""
        return Subspace(_append(self.prefix, parts))

    def range(self, *parts: Part) -> tuple[bytes, bytes]:
        """Return (start, stop) of every key that extends the tuple `parts`, the tuple's own key left out."""
        key = _append(self.prefix, parts)
        return key + b"\x00", key + b"\xff"

    def prefix_range(self, *parts: Part) -> tuple[bytes, bytes]:
        """Return (start, stop) of every key whose next part begins with the last of `parts`, a `str` or `bytes`.

        The parts before it must match whole; an empty last part stands for every part of its type. The key of
        `parts` itself is inside.
        """
        if not parts or not isinstance(parts[-1], (str, bytes)):
            raise TypeError("the last part must be the beginning of a str or bytes")
        start = _append(self.prefix, parts)[:-1]
        return start, prefix_stop(start)


def _append(key: bytes, parts: tuple[Part, ...]) -> bytes:
    """Return `key` followed by the encoded parts. The commonest types come first: this runs for every access."""
    for part in parts:
        kind = type(part)
        if kind is str:
            text = part.encode()  # type: ignore[union-attr]  # `type() is` is faster than isinstance, not narrowed
            if b"\x00" in text:
                text = text.replace(b"\x00", b"\x00\xff")
            key += b"\x02%b\x00" % text
        elif kind is int:
            key += _int_bytes(part)  # type: ignore[arg-type]  # as above
        else:
            key += _other_bytes(part)
    return key


def _int_bytes(number: int) -> bytes:
    if -0x8000_0000_0000_0000 <= number <= 0x7FFF_FFFF_FFFF_FFFF:
        return _pack_int(INT_TAG if number >= 0 else NEGATIVE_INT_TAG, number)
    raise ValueError(f"{number} does not fit into 64 bits")


def _other_bytes(part: Part) -> bytes:
    """Encode the rarer types, and what derives from the common ones, as enumerations do."""
    if isinstance(part, bool):
        return b"\x27" if part else b"\x26"
    if isinstance(part, bytes):
        return b"\x01%b\x00" % part.replace(b"\x00", b"\x00\xff")
    if isinstance(part, UUID):
        return b"\x30" + part.bytes
    if isinstance(part, str):
        return b"\x02%b\x00" % part.encode().replace(b"\x00", b"\x00\xff")
    if isinstance(part, int):
        return _int_bytes(part)
    raise TypeError(f"a key cannot hold a {type(part).__name__}")


def _parts(key: bytes, at: int) -> tuple[Part, ...]:
    """Decode `key` from index `at` to its end."""
    parts: list[Part] = []
    end = len(key)
    while at < end:
        tag = key[at]
        at += 1
        if tag in (TEXT_TAG, BYTES_TAG):
            body, at = _body(key, at)
            parts.append(body.decode() if tag == TEXT_TAG else body)
        elif tag in (INT_TAG, NEGATIVE_INT_TAG):
            if at + 8 > end:
                raise ValueError("a key ends inside an integer")
            number: int = _unpack_int(key, at)[0]
            if (number < 0) is (tag == INT_TAG):
                raise ValueError("an integer in a key has the wrong tag")
            parts.append(number)
            at += 8
        elif tag in (TRUE_TAG, FALSE_TAG):
            parts.append(tag == TRUE_TAG)
        elif tag == UUID_TAG:
            if at + 16 > end:
                raise ValueError("a key ends inside a UUID")
            parts.append(UUID(bytes=key[at : at + 16]))
            at += 16
        else:
            raise ValueError(f"0x{tag:02x} is not the tag of a key's part")
    return tuple(parts)


def _body(key: bytes, at: int) -> tuple[bytes, int]:
    """Return the unescaped bytes that begin at `at`, and the index after the byte that closes them."""
    close = key.find(b"\x00", at)
    if close >= 0 and key[close + 1 : close + 2] != b"\xff":
        return key[at:close], close + 1
    while close >= 0 and key[close + 1 : close + 2] == b"\xff":
        close = key.find(b"\x00", close + 2)
    if close < 0:
        raise ValueError("a key ends inside a text")
    return key[at:close].replace(b"\x00\xff", b"\x00"), close + 1
