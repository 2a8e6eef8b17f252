"""Disk space that is kept back, so that a store on a full disk can still delete.

LMDB writes every change to other pages than those it replaces, so a delete needs room before it gives any. On a disk
that is full to the last page, no delete of a larger value would ever succeed. The reserve is a file that holds about as
much as the largest single delete needs; while it is given up, that room is there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localzure_storage.disk import allocate, open_file

if TYPE_CHECKING:
    from pathlib import Path

RESERVE_BYTES = 2**20
"""Deleting a value of 64 MiB touches about two hundred pages."""


class Reserve:
    """A file that takes up room until it is given up."""

    __slots__ = ("_descriptor",)

    def __init__(self, path: Path) -> None:
        """Open the file, or make it, and take what room there is. Raises OSError."""
        self._descriptor = open_file(path, create=True)
        self.take()

    def take(self) -> None:
        """Take up the room again, as much of it as there is."""
        size = RESERVE_BYTES
        while size > os.fstat(self._descriptor).st_size:
            try:
                allocate(self._descriptor, size)
            except OSError:
                os.ftruncate(self._descriptor, 0)
                size //= 2

    def give_up(self) -> None:
        """Leave the room to others. Raises OSError."""
        os.ftruncate(self._descriptor, 0)

    def close(self) -> None:
        """Close the file; the room stays taken."""
        os.close(self._descriptor)
