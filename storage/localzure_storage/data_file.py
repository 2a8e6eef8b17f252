"""What can be told of an LMDB data file without mapping it: is it whole, and of the engine's format.

LMDB maps whatever file it finds: an empty one silently becomes a new store, and in one that was cut short the first
access behind its end kills the process with SIGBUS. So the file is judged here before LMDB opens it.

The layout, from the 0.9 engine's mdb.c, on a 64-bit machine in its own byte order: a page begins with its number (8
bytes), padding (2), flags (2), and the bounds of its free space (2 + 2), or the count of pages in a run (4). Pages 0
and 1 are the meta pages: magic, version, address, map size, two tree records of 48 bytes (free list and main), last
page, transaction. The one with the newer transaction counts. The free list is a tree from transaction numbers to
lists of pages: their count, then their numbers.

The last page of the newer meta page may well lie behind the end of the file: a page that a transaction took and gave
back is never written. Only if such a page is not on the free list has the file been cut.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from struct import Struct, error
from typing import TYPE_CHECKING

from localzure_storage.disk import read_at
from localzure_storage.store import StoreUnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator

META_BYTES = 512
"""The beginning of a meta page, with all that LMDB ever writes of it."""

_MAGIC = 0xBEEFC0DE
_VERSION = 1
_HEADER_BYTES = 16
_PAGE_HEAD = Struct("=QHHHH")
_RUN_LENGTH = Struct("=I")
_TREE = "I2H5Q"
_META = Struct(f"=IIQQ{_TREE}{_TREE}QQ")
_BRANCH_PAGE, _META_PAGE = 0x01, 0x08
_SLOT = Struct("=H")
_NODE = Struct("=HHHH")
_BIG_NODE = 0x01
_WORD = Struct("=Q")
_NO_PAGE = 2**64 - 1


@dataclass(slots=True, frozen=True)
class Meta:
    """What a meta page says."""

    page_bytes: int
    free_root: int | None
    """The root page of the free list."""
    last_page: int
    transaction: int


def parse_meta(page: bytes) -> Meta:
    """Read the beginning of a meta page. Raises StoreUnusableError for anything else."""
    if len(page) < META_BYTES:
        raise StoreUnusableError("it ends inside its first pages")
    flags = _PAGE_HEAD.unpack_from(page)[2]
    fields = _META.unpack_from(page, _HEADER_BYTES)
    magic, version = fields[:2]
    page_bytes, free_root, last_page, transaction = fields[4], fields[11], fields[-2], fields[-1]
    if not flags & _META_PAGE or magic != _MAGIC:
        raise StoreUnusableError("it is not a store's file")
    if version != _VERSION or page_bytes < META_BYTES or page_bytes & (page_bytes - 1):
        raise StoreUnusableError("another engine wrote it")
    return Meta(page_bytes, None if free_root == _NO_PAGE else free_root, last_page, transaction)


def newest_meta(descriptor: int) -> Meta:
    """Return the meta page that counts. Raises StoreUnusableError."""
    first = parse_meta(read_at(descriptor, META_BYTES, 0))
    second = parse_meta(read_at(descriptor, META_BYTES, first.page_bytes))
    return second if second.transaction > first.transaction else first


def require_whole(descriptor: int) -> None:
    """Raise StoreUnusableError unless every page that the newest meta page needs lies within the file."""
    meta = newest_meta(descriptor)
    size = os.fstat(descriptor).st_size
    pages = size // meta.page_bytes
    if meta.last_page < pages:
        return
    missing = set(range(pages, meta.last_page + 1))
    try:
        for _, free in _free_records(descriptor, meta):
            missing.difference_update(free)
    except error as cause:
        raise StoreUnusableError("its list of free pages is damaged") from cause
    if missing:
        needed = (max(missing) + 1) * meta.page_bytes
        raise StoreUnusableError(f"it is cut short: {size} bytes where {needed} belong")


def count_free_pages(descriptor: int, enough: int) -> int:
    """Return how many pages the next transaction may write to without growing the file; stops counting at `enough`.

    The file must be whole and not written to meanwhile. What the last transaction freed is not counted: it serves the
    transaction after the next.
    """
    meta = newest_meta(descriptor)
    count = 0
    for transaction, free in _free_records(descriptor, meta):
        if count >= enough:
            break
        if transaction < meta.transaction:
            count += len(free)
    return min(count, enough)


@dataclass(slots=True, frozen=True)
class _Pages:
    """The pages of a file that are really there."""

    descriptor: int
    page_bytes: int
    count: int

    def read(self, number: int, length: int = 1) -> bytes:
        """Return `length` pages from `number` on."""
        if number + length > self.count:
            raise StoreUnusableError("it is cut short: its list of free pages is gone")
        return read_at(self.descriptor, self.page_bytes * length, number * self.page_bytes)

    def run(self, number: int) -> tuple[bytes, int]:
        """Return the run of pages that begins at `number`, and where its data begins."""
        length = _RUN_LENGTH.unpack_from(self.read(number), _HEADER_BYTES - _RUN_LENGTH.size)[0]
        return self.read(number, length), _HEADER_BYTES


def _free_records(descriptor: int, meta: Meta) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield (transaction, pages that it freed) from the free list. Raises struct.error where it makes no sense."""
    pages = _Pages(descriptor, meta.page_bytes, os.fstat(descriptor).st_size // meta.page_bytes)
    pending = [] if meta.free_root is None else [meta.free_root]
    seen = 0
    while pending:
        seen += 1
        if seen > pages.count:
            raise StoreUnusableError("its list of free pages runs in a circle")
        page = pages.read(pending.pop())
        flags, lower = _PAGE_HEAD.unpack_from(page)[2:4]
        for slot in range(_HEADER_BYTES, lower, _SLOT.size):
            at = _SLOT.unpack_from(page, slot)[0]
            low, high, node_flags, key_bytes = _NODE.unpack_from(page, at)
            if sys.byteorder == "big":
                low, high = high, low
            if flags & _BRANCH_PAGE:
                pending.append(low | high << 16 | node_flags << 32)
                continue
            transaction: int = _WORD.unpack_from(page, at + _NODE.size)[0]
            data = page, at + _NODE.size + key_bytes
            if node_flags & _BIG_NODE:
                data = pages.run(_WORD.unpack_from(*data)[0])
            yield transaction, _listed(*data)


def _listed(data: bytes, at: int) -> tuple[int, ...]:
    """Return the page numbers of one list."""
    count: int = _WORD.unpack_from(data, at)[0]
    return Struct(f"={min(count, len(data))}Q").unpack_from(data, at + _WORD.size)
