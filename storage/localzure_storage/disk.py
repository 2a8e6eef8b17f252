"""What the operating system is asked of files: to read and write at a place, to write through, and to have room."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def open_file(path: Path, *, create: bool = False, exclusive: bool = False) -> int:
    """Open a file to read and write; returns its descriptor. Raises OSError."""
    flags = os.O_RDWR | (os.O_CREAT if create else 0) | (os.O_EXCL if exclusive else 0)
    if sys.platform == "win32":
        flags |= os.O_BINARY
    return os.open(path, flags, 0o644)


def read_at(descriptor: int, count: int, offset: int) -> bytes:
    """Return up to `count` bytes from `offset`: fewer only at the file's end. Raises OSError."""
    if sys.platform == "win32":
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, count)
    return os.pread(descriptor, count, offset)


def write_at(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of `content` at `offset`. Raises OSError, also when the system takes only a part of it."""
    if sys.platform == "win32":
        os.lseek(descriptor, offset, os.SEEK_SET)
        written = os.write(descriptor, content)
    else:
        written = os.pwrite(descriptor, content, offset)
    if written != len(content):
        raise OSError("a write was cut short")


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
        present = os.fstat(descriptor).st_size
        if present < size:
            write_at(descriptor, bytes(size - present), present)
    else:
        os.posix_fallocate(descriptor, 0, size)


def has_room(directory: Path, count: int) -> bool:
    """Tell whether `count` more bytes fit into the directory's file system, its quotas included."""
    probe = directory / "room.probe"
    try:
        descriptor = open_file(probe, create=True)
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
