"""The bodies of messages and blobs: always the same bytes, and the item's number at the end.

So whoever reads one back can compare every byte, and the sum of the numbers tells whether all were there once.
"""

from __future__ import annotations

from struct import Struct

NUMBER = Struct(">Q")
NUMBER_BYTES = NUMBER.size


def body_filler(size: int) -> bytes:
    """Return what a body of `size` bytes has in front of its number."""
    if size < NUMBER_BYTES:
        raise ValueError(f"a body has at least {NUMBER_BYTES} bytes, for its number")
    return (bytes(range(256)) * (size // 256 + 1))[: size - NUMBER_BYTES]


def body(size: int, number: int) -> bytes:
    """Return the body of `size` bytes that has this number."""
    return body_filler(size) + NUMBER.pack(number)
