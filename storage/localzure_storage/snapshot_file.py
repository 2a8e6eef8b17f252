"""A snapshot of the disk store as one file: LMDB's own compact copy, and behind it what tells that it is whole.

    data                 what `mdb_env_copy` writes with compaction, a data file that LMDB can open
    about, in JSON       {"format", "name", "created", "data_bytes", "crc32"}
    the length of that, 4 bytes little-endian, and `_MAGIC`

It is written beside its place, brought to disk and renamed, so one that has its name is complete. Whoever takes it back
computes the sum again: a file that somebody has cut, or a disk has damaged, is refused before anything is exchanged.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from struct import Struct
from struct import error as error_of_struct
from typing import TYPE_CHECKING

from localzure_storage.data_file import require_whole
from localzure_storage.disk import open_file, read_at, sync_names, sync_to_disk, write_at
from localzure_storage.store import HIDDEN, NoSnapshotError, SnapshotInfo, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORMAT = 1
"""The version of what is written here. A snapshot of a greater one is refused."""

SUFFIX = ".snapshot"

_MAGIC = b"LclzrSnp"
_TAIL = Struct("<I8s")
_ABOUT_BYTES_MAX = 4096
_CHUNK_BYTES = 1024 * 1024


def write_snapshot(folder: Path, name: str, created: int, copy: Callable[[int], None]) -> None:
    """Make the snapshot `name`, in place of one that has the name; `copy` writes the data to a descriptor.

    Raises OSError, and what `copy` raises; then everything is as it was.
    """
    folder.mkdir(exist_ok=True)
    part = folder / f"{name}{SUFFIX}.part"
    part.unlink(missing_ok=True)
    try:
        descriptor = open_file(part, create=True, exclusive=True)
        try:
            copy(descriptor)
            size = os.fstat(descriptor).st_size
            about = {
                "format": FORMAT,
                "name": name,
                "created": created,
                "data_bytes": size,
                "crc32": _sum(_chunks(descriptor, size)),
            }
            text = json.dumps(about).encode()
            write_at(descriptor, text + _TAIL.pack(len(text), _MAGIC), size)
            sync_to_disk(descriptor)
        finally:
            os.close(descriptor)
        part.replace(folder / f"{name}{SUFFIX}")
        sync_names(folder)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def list_snapshots(folder: Path) -> list[SnapshotInfo]:
    """Return the snapshots that are whole as far as their ends tell, by name."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        if path.name.startswith(HIDDEN):
            continue
        with suppress(OSError, StorageError):
            descriptor = open_file(path)
            try:
                about = _about(descriptor, path)
                found.append(SnapshotInfo(str(about["name"]), int(about["created"]), os.fstat(descriptor).st_size))
            finally:
                os.close(descriptor)
    return found


def require_snapshot(folder: Path, name: str) -> Path:
    """Return the path of the snapshot `name`. Raises NoSnapshotError, StorageError where it is not whole, OSError."""
    path = folder / f"{name}{SUFFIX}"
    try:
        descriptor = open_file(path)
    except FileNotFoundError:
        raise NoSnapshotError(name) from None
    try:
        _about(descriptor, path)
    finally:
        os.close(descriptor)
    return path


def delete_hidden(folder: Path) -> None:
    """Delete what a crash has left of snapshots that were being made, or were for a moment's use. Never raises."""
    for pattern in (f"*{SUFFIX}.part", f"{HIDDEN}*{SUFFIX}"):
        for path in folder.glob(pattern) if folder.is_dir() else ():
            with suppress(OSError):
                path.unlink()


def delete_snapshot(folder: Path, name: str) -> None:
    """Delete the snapshot `name`. Raises NoSnapshotError, OSError."""
    try:
        (folder / f"{name}{SUFFIX}").unlink()
    except FileNotFoundError:
        raise NoSnapshotError(name) from None
    sync_names(folder)


def extract_data(folder: Path, name: str, target: Path) -> None:
    """Write the data of the snapshot `name` to the new file `target`, once it has proved to be whole.

    Raises NoSnapshotError, StorageError where it is not whole, and OSError.
    """
    path = folder / f"{name}{SUFFIX}"
    try:
        source = open_file(path)
    except FileNotFoundError:
        raise NoSnapshotError(name) from None
    try:
        about = _about(source, path)
        data = open_file(target, create=True, exclusive=True)
        try:
            at = found = 0
            for chunk in _chunks(source, about["data_bytes"]):
                write_at(data, chunk, at)
                at += len(chunk)
                found = zlib.crc32(chunk, found)
            if at != about["data_bytes"] or found != about["crc32"]:
                raise StorageError(f"the snapshot {name} is damaged: its sum is wrong")
            require_whole(data)
            sync_to_disk(data)
        finally:
            os.close(data)
    finally:
        os.close(source)


def _about(descriptor: int, path: Path) -> dict[str, int]:
    """Return what a snapshot says of itself. Raises StorageError where it is none, or not whole."""
    size = os.fstat(descriptor).st_size
    try:
        length, magic = _TAIL.unpack(read_at(descriptor, _TAIL.size, max(size - _TAIL.size, 0)))
        text = read_at(descriptor, min(length, _ABOUT_BYTES_MAX), size - _TAIL.size - length)
        about: dict[str, int] = json.loads(text)
        is_whole = magic == _MAGIC and about["data_bytes"] == size - _TAIL.size - length
        if is_whole and about["format"] <= FORMAT:
            return about
    except (ValueError, KeyError, TypeError, OSError, error_of_struct):
        is_whole = False
    reason = "a newer version of this program made it" if is_whole else "it is damaged, or was cut short"
    raise StorageError(f"the snapshot {path.name.removesuffix(SUFFIX)} cannot be used: {reason}")


def _chunks(descriptor: int, size: int) -> Iterator[bytes]:
    for at in range(0, size, _CHUNK_BYTES):
        yield read_at(descriptor, min(_CHUNK_BYTES, size - at), at)


def _sum(chunks: Iterator[bytes]) -> int:
    found = 0
    for chunk in chunks:
        found = zlib.crc32(chunk, found)
    return found
