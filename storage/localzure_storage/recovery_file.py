"""The file beside the data that says how to open it: format, kind of durability, boot, and the last checkpoint.

It has two slots, written in turn and read by the greater sequence number among those whose checksum is right, so that
a write that a power loss tears leaves the one before it. Both are allocated when the store is made: a full disk can
still take a checkpoint, and without one no page that a delete frees could be used again.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from localzure_storage.data_file import META_BYTES
from localzure_storage.disk import open_file, read_at, sync_to_disk, write_at
from localzure_storage.store import StoreUnusableError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
"""The version of everything that this package writes. A store of a greater one is refused."""

_MAGIC = b"LclzrStr"
_SLOT_BYTES = 4096
_HEAD = Struct("<8sI")
_BODY = Struct(f"<8sIQ36sQ{META_BYTES}s{META_BYTES}s")
_CHECKSUM = Struct("<I")


@dataclass(slots=True, frozen=True)
class Recovery:
    """What one slot says."""

    sequence: int
    boot: str
    """The boot during which the data file may hold more than the disk; empty when commits are on disk at once."""
    data_bytes: int
    """The data file's size at the checkpoint; it never shrinks."""
    metas: tuple[bytes, bytes]
    """The beginnings of both meta pages at the checkpoint."""


class RecoveryFile:
    """An open recovery file."""

    __slots__ = ("_descriptor", "_sequence")

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open the file, or make one without content. Raises OSError."""
        self._descriptor = open_file(path, create=create, exclusive=create)
        self._sequence = 0
        if create:
            write_at(self._descriptor, bytes(2 * _SLOT_BYTES), 0)
            os.fsync(self._descriptor)

    def read(self) -> Recovery:
        """Return what was written last. Raises StoreUnusableError for a damaged, foreign or newer file."""
        slots = [read_at(self._descriptor, _SLOT_BYTES, at) for at in (0, _SLOT_BYTES)]
        for slot in slots:
            if len(slot) >= _HEAD.size:
                magic, version = _HEAD.unpack_from(slot)
                if magic == _MAGIC and version > FORMAT:
                    raise StoreUnusableError(f"a newer version of this program wrote it (format {version})")
        found = [recovery for slot in slots if (recovery := _parse(slot)) is not None]
        if not found:
            raise StoreUnusableError("its recovery file is damaged or foreign")
        newest = max(found, key=lambda recovery: recovery.sequence)
        self._sequence = newest.sequence
        return newest

    def write(self, boot: str, data_bytes: int, metas: tuple[bytes, bytes]) -> None:
        """Bring a new checkpoint to disk, over the older slot. Raises OSError."""
        sequence = self._sequence + 1
        body = _BODY.pack(_MAGIC, FORMAT, sequence, boot.encode("ascii"), data_bytes, *metas)
        slot = (body + _CHECKSUM.pack(zlib.crc32(body))).ljust(_SLOT_BYTES, b"\0")
        write_at(self._descriptor, slot, sequence % 2 * _SLOT_BYTES)
        sync_to_disk(self._descriptor)
        self._sequence = sequence

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _parse(slot: bytes) -> Recovery | None:
    if len(slot) < _BODY.size + _CHECKSUM.size:
        return None
    body = slot[: _BODY.size]
    magic, version, sequence, boot, data_bytes, first, second = _BODY.unpack(body)
    if magic != _MAGIC or version != FORMAT or _CHECKSUM.unpack_from(slot, _BODY.size)[0] != zlib.crc32(body):
        return None
    return Recovery(sequence, boot.rstrip(b"\0").decode("ascii"), data_bytes, (first, second))
