"""What the operating system is asked of a disk: to write through, and how much room it has."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_to_disk(descriptor: int) -> None:
    """Bring a file's content and size to the disk itself. Raises OSError."""
    if sys.platform == "darwin":
        import fcntl

        # fsync stops at the drive's own cache there.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif sys.platform == "win32":
        os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)


def sync_names(directory: Path) -> None:
    """Bring a directory's entries to the disk, where the system can. Raises OSError."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def allocate(descriptor: int, size: int) -> None:
    """Make a file of up to `size` bytes that long, all of it really on the disk. Raises OSError when it has no room."""
    if sys.platform == "win32" or sys.platform == "darwin":
        missing = size - os.fstat(descriptor).st_size
        if missing > 0:
            os.pwrite(descriptor, bytes(missing), size - missing)
    else:
        os.posix_fallocate(descriptor, 0, size)


def has_room(directory: Path, count: int) -> bool:
    """Tell whether `count` more bytes fit into the directory's file system, its quotas included."""
    probe = directory / "room.probe"
    try:
        descriptor = os.open(probe, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return False
    try:
        allocate(descriptor, count)
    except OSError:
        return False
    finally:
        os.close(descriptor)
        probe.unlink()
    return True
