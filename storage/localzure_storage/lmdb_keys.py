"""How LMDB keeps keys over its limit of 511 bytes, in order: a tree of segments.

A level is a tree in the file and a prefix. A key of up to `segment` bytes stands in its level as it is. A longer one
is cut there: its first `segment` bytes and a closing 0x00 make a junction, one byte longer than any plain key, whose
value names the branch (a level below) that holds the rest of every key with this head. A junction sorts right after
the plain key that equals its head and before every other key, which is where all keys behind it belong, so a scan
that walks into branches meets all keys in order.

The top level is the data tree itself, without a prefix: short keys, which are nearly all, cost nothing. All branches
share a second tree, where each key begins with its branch's number. A branch without keys goes with its junction.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

import lmdb

from localzure_storage.keys import prefix_stop
from localzure_storage.lmdb_errors import storage_error
from localzure_storage.lmdb_values import POINTER_BYTES, is_pointer, load_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT_KEY_BYTES_MAX = 510
"""The longest key that stands in the data tree as it is: one less than the 0.9 engine's limit, MDB_MAXKEYSIZE."""

_JUNCTION_BYTES = SHORT_KEY_BYTES_MAX + 1
_NUMBER = Struct(">Q")
_END = b"\x00"


@dataclass(slots=True, frozen=True)
class _Level:
    """Where the keys with one head stand."""

    tree: lmdb._Database
    prefix: bytes
    """Begins every key of the level in its tree."""
    segment: int
    """Bytes of the longest plain key, prefix left out."""

    def junction(self, key: bytes) -> bytes:
        """Return the key in the tree of the junction that `key`, too long for this level, stands behind."""
        return self.prefix + key[: self.segment] + _END


class Trees:
    """The trees of a store's file."""

    __slots__ = ("branches", "pieces", "top")

    def __init__(self, data: lmdb._Database, branches: lmdb._Database, pieces: lmdb._Database) -> None:
        self.branches = branches
        self.pieces = pieces
        self.top = _Level(data, b"", SHORT_KEY_BYTES_MAX)


def _branch(trees: Trees, number: bytes) -> _Level:
    return _Level(trees.branches, number, SHORT_KEY_BYTES_MAX - len(number))


def get(txn: lmdb.Transaction[bytes], trees: Trees, key: bytes) -> bytes | None:
    """Return the record under the long `key`, or None."""
    path = _path(txn, trees, key, None)
    return None if path is None else txn.get(path.place, db=path.level.tree)


def replace(
    txn: lmdb.Transaction[bytes], trees: Trees, key: bytes, record: bytes, numbers: Iterator[int]
) -> bytes | None:
    """Store a record under the long `key`, with the branches that it needs; returns what was there."""
    path = _path(txn, trees, key, numbers)
    assert path is not None, "missing branches are made"
    return txn.replace(path.place, record, db=path.level.tree)


def pop(txn: lmdb.Transaction[bytes], trees: Trees, key: bytes) -> bytes | None:
    """Remove the long `key`, with the branches that are empty then; returns what was there."""
    path = _path(txn, trees, key, None)
    record = None if path is None else txn.pop(path.place, db=path.level.tree)
    if path is None or record is None:
        return None
    level = path.level
    for above, junction in reversed(path.junctions):
        with txn.cursor(level.tree) as cursor:
            if cursor.set_range(level.prefix) and cursor.key().startswith(level.prefix):
                break
        txn.delete(junction, db=above.tree)
        level = above
    return record


@dataclass(slots=True)
class _Path:
    """Where a long key stands: the junctions that lead there, outermost first, its level, and its key in the tree."""

    junctions: list[tuple[_Level, bytes]]
    level: _Level
    place: bytes


def _path(txn: lmdb.Transaction[bytes], trees: Trees, key: bytes, numbers: Iterator[int] | None) -> _Path | None:
    """Follow the long `key` down. A branch that is missing is made, or without `numbers` ends the way with None."""
    level = trees.top
    junctions: list[tuple[_Level, bytes]] = []
    while len(key) > level.segment:
        junction = level.junction(key)
        junctions.append((level, junction))
        number = txn.get(junction, db=level.tree)
        if number is None:
            if numbers is None:
                return None
            number = _NUMBER.pack(next(numbers))
            txn.put(junction, number, db=level.tree)
        key = key[level.segment :]
        level = _branch(trees, number)
    return _Path(junctions, level, level.prefix + key)


def last_number(txn: lmdb.Transaction[bytes], trees: Trees) -> int:
    """Return the greatest branch number in use, or 0."""
    with txn.cursor(trees.branches) as cursor:
        return _NUMBER.unpack_from(cursor.key())[0] if cursor.last() else 0


def scan(
    txn: lmdb.Transaction[bytes],
    trees: Trees,
    start: bytes,
    stop: bytes | None,
    reverse: bool,
    level: _Level | None = None,
    head: bytes = b"",
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) for start <= key < stop, long keys and values included, in key order or in reverse.

    For the branches that it meets it calls itself, with their level and the `head` that their keys continue; `start`
    and `stop` are then without it, and `stop` may be open.
    """
    if level is None:
        level = trees.top
    cut = len(level.prefix)
    if cut or stop is None or len(start) > SHORT_KEY_BYTES_MAX or len(stop) > SHORT_KEY_BYTES_MAX:
        lower, upper = _bounds(level, start, stop)
    else:
        lower, upper = start, stop
    try:
        with txn.cursor(level.tree) as cursor:
            for key, value in _backward(cursor, upper) if reverse else _forward(cursor, lower):
                if key < lower if reverse else key >= upper:
                    return
                if len(key) == _JUNCTION_BYTES:
                    rest = key[cut:-1]
                    below = start[level.segment :] if start.startswith(rest) else b""
                    above = stop[level.segment :] if stop is not None and stop.startswith(rest) else None
                    yield from scan(txn, trees, below, above, reverse, _branch(trees, value), head + rest)
                elif len(value) == POINTER_BYTES and is_pointer(value):
                    yield head + key[cut:], load_pieces(txn, trees.pieces, value)
                else:
                    yield head + key[cut:], value
    except lmdb.Error as error:
        raise storage_error(error) from error


def _bounds(level: _Level, start: bytes, stop: bytes | None) -> tuple[bytes, bytes]:
    """Return the bounds in the level's tree: a long start begins at its junction, a long stop ends after its own."""
    lower = level.prefix + start if len(start) <= level.segment else level.junction(start)
    if stop is None:
        return lower, prefix_stop(level.prefix)
    return lower, level.prefix + stop if len(stop) <= level.segment else level.junction(stop) + _END


def _forward(cursor: lmdb.Cursor[bytes], lower: bytes) -> Iterator[tuple[bytes, bytes]]:
    return cursor.iternext() if cursor.set_range(lower) else iter(())


def _backward(cursor: lmdb.Cursor[bytes], upper: bytes) -> Iterator[tuple[bytes, bytes]]:
    found = cursor.prev() if cursor.set_range(upper) else cursor.last()
    return cursor.iterprev() if found else iter(())
