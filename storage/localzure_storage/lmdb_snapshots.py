"""Snapshots of the disk store: files beside it, and the exchange of the store's folder for one made from such a file.

    DATA/snapshots/NAME.snapshot   a snapshot (see `snapshot_file`)
    DATA/store.next.part/          a store that is being made from one; left over only by a crash
    DATA/store.next/               the same, whole: what the next exchange puts in place
    DATA/store.previous/           what an exchange has replaced

`directory.prepare` tidies up after a crash at any of the steps: a store that has its name stays, whatever lies beside
it; between the two renames of an exchange there is none, and then it is `store.next` that is put there.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

import lmdb

from localzure_storage import directory as places
from localzure_storage.checkpoint import read_metas
from localzure_storage.disk import open_file, sync_names
from localzure_storage.lmdb_errors import storage_error
from localzure_storage.lmdb_keys import Trees
from localzure_storage.lmdb_transactions import Engine, LmdbReader
from localzure_storage.recovery_file import RecoveryFile
from localzure_storage.snapshot_file import (
    delete_hidden,
    delete_snapshot,
    extract_data,
    list_snapshots,
    require_snapshot,
    write_snapshot,
)
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localzure_storage.store import Job, SnapshotInfo

FOLDER_NAME = "snapshots"


class LmdbSnapshots:
    """The snapshots of one store (see `localzure_storage.store.Snapshots`)."""

    def __init__(
        self, directory: Path, copy: Callable[[int], None], close: Callable[[], None], reopen: Callable[[], None]
    ) -> None:
        """`copy` writes a compact copy to a descriptor, in any thread; `close` and `reopen` are for an exchange."""
        self._directory = directory
        self._folder = directory / FOLDER_NAME
        self._copy = copy
        self._close = close
        self._reopen = reopen
        self.copying = Lock()
        """Held while a thread copies: LMDB must not be closed meanwhile."""

    def tidy(self) -> None:
        """Delete what a crash has left; the store's lock must be held."""
        delete_hidden(self._folder)

    def infos(self) -> list[SnapshotInfo]:
        """See `Snapshots.infos`."""
        return list_snapshots(self._folder)

    def save(self, name: str, created: int) -> Job:
        """See `Snapshots.save`."""
        yield partial(self._translated, self._save, name, created)

    def delete(self, name: str) -> None:
        """See `Snapshots.delete`."""
        self._translated(delete_snapshot, self._folder, name)

    @contextmanager
    def open(self, name: str) -> Iterator[LmdbReader]:
        """See `Snapshots.open`."""
        try:
            path = require_snapshot(self._folder, name)
            environment = _open_read_only(path)
        except (OSError, lmdb.Error) as error:
            raise storage_error(error) from error
        try:
            with LmdbReader(_engine(environment)) as reader:
                yield reader
        finally:
            environment.close()

    def fetch(self, name: str) -> Job:
        """See `Snapshots.fetch`."""
        yield partial(self._translated, self._fetch, name)

    def exchange(self) -> None:
        """See `Snapshots.exchange`."""
        directory = self._directory
        store, previous = directory / places.FOLDER_NAME, directory / places.PREVIOUS_NAME
        coming = directory / places.NEXT_NAME
        if not coming.is_dir():
            # An exchange is taken back: what was replaced comes again.
            if not previous.is_dir():
                raise StorageError("no snapshot was fetched")
            previous.rename(coming)
        try:
            self._close()
            _swap(directory, store, previous, coming)
            self._reopen()
        except (OSError, lmdb.Error, StorageError) as error:
            with suppress(OSError):
                if previous.is_dir():
                    if store.is_dir():
                        store.rename(coming)
                    previous.rename(store)
            self._reopen()
            raise error if isinstance(error, StorageError) else storage_error(error) from error

    def settle(self) -> Job:
        """See `Snapshots.settle`."""
        yield partial(places.tidy, self._directory)

    def _save(self, name: str, created: int) -> None:
        with self.copying:
            write_snapshot(self._folder, name, created, self._copy)

    def _fetch(self, name: str) -> None:
        places.tidy(self._directory)
        part = self._directory / places.NEXT_PART_NAME
        part.mkdir()
        try:
            extract_data(self._folder, name, part / places.DATA_NAME)
            _finish(part)
            part.rename(self._directory / places.NEXT_NAME)
            sync_names(self._directory)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def _translated(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except (OSError, lmdb.Error) as error:
            raise storage_error(error) from error


def _finish(folder: Path) -> None:
    """Make a folder that has a data file a whole store."""
    data = open_file(folder / places.DATA_NAME)
    recovery = RecoveryFile(folder / places.RECOVERY_NAME, create=True)
    try:
        recovery.write("", os.fstat(data).st_size, read_metas(data))
    finally:
        recovery.close()
        os.close(data)
    sync_names(folder)


def _swap(directory: Path, store: Path, previous: Path, coming: Path) -> None:
    store.rename(previous)
    coming.rename(store)
    sync_names(directory)


def _open_read_only(path: Path) -> lmdb.Environment:
    """Open a snapshot as it lies there; what is behind its data is behind its last page."""
    return lmdb.open(
        str(path),
        map_size=max(path.stat().st_size, places.MAP_BYTES_MIN),
        subdir=False,
        readonly=True,
        create=False,
        lock=False,
        max_dbs=len(places.TREE_NAMES),
        lib_version=places.ENGINE,
    )


def _engine(environment: lmdb.Environment) -> Engine:
    data, branches, pieces = (environment.open_db(name, create=False) for name in places.TREE_NAMES)
    return Engine(environment, Trees(data, branches, pieces), count(), _refuse)


def _refuse(error: lmdb.Error, _bytes: int) -> StorageError:
    return storage_error(error)
