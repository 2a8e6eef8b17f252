"""AMQP lists and maps taken apart and put together again without decoding what is in them.

A message must leave with the very bytes it came with wherever nobody changed it, and types must not drift, so a section
that changes is rebuilt from the encoded items that stay and newly encoded ones.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class with a function's name

from localzure_protocols.amqp.codec import AmqpDecodeError, skip

_U32_PAIR = Struct(">II")


def items_of(buffer: bytes, at: int) -> list[bytes]:
    """The encoded items of the list, or keys and values of the map, at `at`; none for null.

    Raises AmqpDecodeError for another type, or where size and items differ.
    """
    count, start, end = _bounds(buffer, at)
    items = []
    for _ in range(count):
        after = skip(buffer, start)
        items.append(buffer[start:after])
        start = after
        if start > end:
            break
    if start != end:
        raise AmqpDecodeError("compound and its size differ")
    return items


def _bounds(buffer: bytes, at: int) -> tuple[int, int, int]:
    """The number of items in a compound, where they begin and where they end. Raises AmqpDecodeError."""
    try:
        code = buffer[at]
        if code in {0xC0, 0xC1}:
            return buffer[at + 2], at + 3, at + 2 + buffer[at + 1]
        if code in {0xD0, 0xD1}:
            size, count = _U32_PAIR.unpack_from(buffer, at + 1)
            return count, at + 9, at + 5 + size
    except (IndexError, StructError):
        raise AmqpDecodeError("compound is cut off") from None
    if code in {0x45, 0x40}:
        return 0, at + 1, at + 1
    raise AmqpDecodeError(f"constructor 0x{code:02x} where a list or a map belongs")


def list_of(items: list[bytes]) -> bytes:
    """Make a list of encoded items."""
    content = b"".join(items)
    if len(content) < 255 and len(items) < 256:
        return b"\xc0%c%c%b" % (len(content) + 1, len(items), content)
    return b"\xd0" + _U32_PAIR.pack(len(content) + 4, len(items)) + content


def pairs_of(buffer: bytes, at: int) -> list[tuple[bytes, bytes]]:
    """The encoded keys and values of the map at `at`; none for null. Raises AmqpDecodeError."""
    items = items_of(buffer, at)
    if len(items) % 2:
        raise AmqpDecodeError("map with a key and no value")
    return list(zip(items[::2], items[1::2], strict=True))
