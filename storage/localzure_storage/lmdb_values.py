"""How LMDB keeps values over one page: as pieces of one page each, in a tree of their own.

LMDB puts a value that does not fit into a leaf on pages of its own, which must lie side by side. Once deletes have
fragmented the file, looking for such runs takes it down to some 30 MB/s; single pages are always found at once. So a
value over `PIECE_BYTES` is cut up, and its record holds a pointer: a marker, the number that begins the pieces' keys,
and the value's length. A value that happens to look like a pointer is stored in the same way, as one piece.

The piece numbers only grow, so pieces are appended: their tree has full leaves and no search on the way in.
"""

from __future__ import annotations

from itertools import islice
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lmdb

PIECE_BYTES = 4096 - 16
"""What fits on one page of 4 KiB beside its header."""

_MARKER = bytes.fromhex("7f96d14c02e3a85b10c7be6f3d94e821")
_POINTER = Struct(">16sQQ")
POINTER_BYTES = _POINTER.size

_INDEX_BITS = 20
"""Bits of a piece's key that count the pieces of one value: four gigabytes, far over the interface's limit."""

_KEY = Struct(">Q")


def is_pointer(value: bytes) -> bool:
    """Tell whether a record of `POINTER_BYTES` bytes stands for pieces. Callers check the length first: it is cheap."""
    return value.startswith(_MARKER)


def store_pieces(txn: lmdb.Transaction[bytes], pieces: lmdb._Database, number: int, value: bytes) -> bytes:
    """Store `value` as pieces under the never used `number`, and return the pointer to them."""
    first = number << _INDEX_BITS
    view = memoryview(value)
    key = _KEY.pack
    items = [
        (key(first + index), view[offset : offset + PIECE_BYTES])
        for index, offset in enumerate(range(0, len(value), PIECE_BYTES))
    ]
    with txn.cursor(pieces) as cursor:
        cursor.putmulti(items, append=True)
    return _POINTER.pack(_MARKER, number, len(value))


def load_pieces(txn: lmdb.Transaction[bytes], pieces: lmdb._Database, pointer: bytes) -> bytes:
    """Return the value that `pointer` stands for."""
    _, number, length = _POINTER.unpack(pointer)
    with txn.cursor(pieces) as cursor:
        cursor.set_key(_KEY.pack(number << _INDEX_BITS))
        return b"".join(islice(cursor.iternext(keys=False, values=True), _count(length)))


def free_pieces(txn: lmdb.Transaction[bytes], pieces: lmdb._Database, pointer: bytes) -> None:
    """Delete the pieces that `pointer` stands for."""
    _, number, length = _POINTER.unpack(pointer)
    with txn.cursor(pieces) as cursor:
        cursor.set_key(_KEY.pack(number << _INDEX_BITS))
        for _ in range(_count(length)):
            cursor.delete()


def last_number(txn: lmdb.Transaction[bytes], pieces: lmdb._Database) -> int:
    """Return the greatest number in use, or 0."""
    with txn.cursor(pieces) as cursor:
        if not cursor.last():
            return 0
        first: int = _KEY.unpack(cursor.key())[0]
        return first >> _INDEX_BITS


def _count(length: int) -> int:
    return -(-length // PIECE_BYTES)
