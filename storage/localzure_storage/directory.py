"""The store's place on disk: one process at a time, made whole or not at all, and judged before it is opened.

    DATA/store.lock      locked while a process has the store; names it
    DATA/store/          data.mdb and lock.mdb are LMDB's, recovery is `recovery_file`'s, reserve is `reserve`'s
    DATA/store.new/      a store in the making; left over only by a crash
    DATA/store.next/     and its like: see `lmdb_snapshots`

A new store is made beside its place and renamed into it, so a store that exists is complete and has a checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from typing import TYPE_CHECKING

from localzure_storage.checkpoint import put_back, read_metas
from localzure_storage.data_file import require_whole
from localzure_storage.disk import open_file, read_at, sync_names, sync_to_disk, write_at
from localzure_storage.recovery_file import RecoveryFile
from localzure_storage.store import StoreUnusableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TREE_NAMES = (b"data", b"branches", b"pieces")
"""LMDB's trees in the data file."""

ENGINE = 0
"""LMDB's major version: the 0.9 engine, whose file format `data_file` knows."""

MAP_BYTES_MIN = 2**28
"""The smallest map: where halving stops when the system refuses."""

LOCK_NAME = "store.lock"
FOLDER_NAME = "store"
DATA_NAME = "data.mdb"
LOCK_TABLE_NAME = "lock.mdb"
RECOVERY_NAME = "recovery"
RESERVE_NAME = "reserve"
NEXT_NAME = "store.next"
NEXT_PART_NAME = "store.next.part"
PREVIOUS_NAME = "store.previous"

_OWNER_BYTES = 128
"""What the lock file says: the process and, as containers number theirs alike, the host."""


def lock(directory: Path) -> int:
    """Take the directory for this process, making it if need be; returns the descriptor that holds the lock.

    Raises StoreUnusableError, which names the process that has it, or OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = open_file(directory / LOCK_NAME, create=True)
    try:
        _lock_file(descriptor)
    except BlockingIOError as error:
        owner = read_at(descriptor, _OWNER_BYTES, 0).decode("utf-8", "replace").split()
        os.close(descriptor)
        whose = f"process {owner[0]} on {owner[1]}" if len(owner) == 2 and owner[0].isdigit() else "another process"
        raise StoreUnusableError(
            f"the data directory {directory} is in use by {whose}: stop that one, or choose another directory"
        ) from error
    except OSError:
        os.close(descriptor)
        raise
    with contextlib.suppress(OSError):  # on a full disk the lock holds without its owner's name
        line = f"{os.getpid()} {platform.node() or 'localhost'}".encode()
        write_at(descriptor, line[: _OWNER_BYTES - 1].ljust(_OWNER_BYTES - 1) + b"\n", 0)
    return descriptor


def _lock_file(descriptor: int) -> None:
    """Lock a file without waiting. Raises BlockingIOError when somebody else has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 1024, os.SEEK_SET)  # behind the text, which the lock would make unreadable
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def prepare(directory: Path, boot: str | None, make: Callable[[Path], None]) -> Path:
    """Return the folder of a whole store in the locked `directory`, ready for LMDB to open.

    Makes a new store, with `make` for LMDB's files, where there is none. Puts back the last checkpoint if the machine
    has been started since (`boot` is another one). Raises StoreUnusableError, or OSError.
    """
    folder = directory / FOLDER_NAME
    _finish_exchange(directory, folder)
    if not folder.exists() or not any(folder.iterdir()):
        _make_store(directory, folder, make)
    try:
        _judge(folder, boot)
    except StoreUnusableError as error:
        raise StoreUnusableError(
            f"the store in {folder} cannot be opened, {error}: put back a copy of it, or move it away to start empty"
        ) from error
    return folder


def _finish_exchange(directory: Path, folder: Path) -> None:
    """Go on where a crash has cut off an exchange of the store, and delete what it left."""
    for name in (NEXT_NAME, PREVIOUS_NAME):
        if not folder.exists() and (directory / name).exists():
            (directory / name).rename(folder)
            sync_names(directory)
    tidy(directory)


def tidy(directory: Path) -> None:
    """Delete what lies beside a store that has its name; never raises."""
    for name in (NEXT_PART_NAME, NEXT_NAME, PREVIOUS_NAME):
        shutil.rmtree(directory / name, ignore_errors=True)


def _make_store(directory: Path, folder: Path, make: Callable[[Path], None]) -> None:
    new = directory / f"{FOLDER_NAME}.new"
    if new.exists():
        shutil.rmtree(new)
    new.mkdir()
    make(new)
    data = open_file(new / DATA_NAME)
    recovery = RecoveryFile(new / RECOVERY_NAME, create=True)
    try:
        sync_to_disk(data)
        recovery.write("", os.fstat(data).st_size, read_metas(data))
    finally:
        recovery.close()
        os.close(data)
    sync_names(new)
    new.rename(folder)
    sync_names(directory)


def _judge(folder: Path, boot: str | None) -> None:
    """Raise StoreUnusableError, with a text that begins with a reason, unless LMDB can open what is in the folder."""
    data_path, recovery_path = folder / DATA_NAME, folder / RECOVERY_NAME
    if not recovery_path.is_file():
        raise StoreUnusableError("it was not made by this program")
    if not data_path.is_file():
        raise StoreUnusableError("its data file is missing")
    recovery_file = RecoveryFile(recovery_path)
    data = open_file(data_path)
    try:
        recovery = recovery_file.read()
        size = os.fstat(data).st_size
        if size < recovery.data_bytes:
            raise StoreUnusableError(f"its data file is cut short: {size} bytes where {recovery.data_bytes} belong")
        if recovery.boot and recovery.boot != boot:
            put_back(data, recovery.metas)
        require_whole(data)
    finally:
        os.close(data)
        recovery_file.close()
