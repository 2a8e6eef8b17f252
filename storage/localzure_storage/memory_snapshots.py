"""Snapshots of the store in memory: maps that share the values, which never change, with the store's own.

A snapshot is copied in steps. Commits in between tell what the keys that they changed held before, as readers are told
(see `memory`); with that put back at the end, it is the store as it was when the copying began.
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from sortedcontainers import SortedDict

from localzure_storage.store import HIDDEN, NoSnapshotError, SnapshotInfo, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure_storage.memory import MemoryStore
    from localzure_storage.store import Job

STEP_KEYS = 4000
"""Keys that are copied at once: a few milliseconds of work."""

SNAPSHOTS_MAX = 64
"""How many there may be: they are in memory too."""


class MemorySnapshots:
    """The snapshots of one store (see `localzure_storage.store.Snapshots`)."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._kept: dict[str, tuple[SnapshotInfo, dict[bytes, bytes]]] = {}
        self._aside: SortedDict[bytes, bytes] | None = None

    def infos(self) -> list[SnapshotInfo]:
        """See `Snapshots.infos`."""
        return [self._kept[name][0] for name in sorted(self._kept) if not name.startswith(HIDDEN)]

    def save(self, name: str, created: int) -> Job:
        """See `Snapshots.save`."""
        if len(self._kept) >= SNAPSHOTS_MAX and name not in self._kept:
            raise StorageError(f"there are {SNAPSHOTS_MAX} snapshots in memory: delete one first")
        content: dict[bytes, bytes] = {}
        size = 0
        with self._store.watching() as before:
            source = self._store.content
            # What is added behind the last key while it is copied does not make the way longer.
            position, last = b"", source.peekitem(-1)[0] if source else b""
            while keys := list(islice(source.irange(position, last, (False, True)), STEP_KEYS)):
                for key in keys:
                    content[key] = value = source[key]
                    size += len(key) + len(value)
                position = keys[-1]
                yield None
            for changes in reversed(before):
                for key, value in changes.items():
                    if value is None:
                        content.pop(key, None)
                    else:
                        content[key] = value
        self._kept[name] = SnapshotInfo(name, created, size), content

    def delete(self, name: str) -> None:
        """See `Snapshots.delete`."""
        if self._kept.pop(name, None) is None:
            raise NoSnapshotError(name)

    @contextmanager
    def open(self, name: str) -> Iterator[_View]:
        """See `Snapshots.open`."""
        if name not in self._kept:
            raise NoSnapshotError(name)
        yield _View(self._kept[name][1])

    def fetch(self, name: str) -> Job:
        """See `Snapshots.fetch`."""
        if name not in self._kept:
            raise NoSnapshotError(name)
        content = self._kept[name][1]
        aside: SortedDict[bytes, bytes] = SortedDict()
        keys = iter(content)
        while some := list(islice(keys, STEP_KEYS)):
            for key in some:
                aside[key] = content[key]
            yield None
        self._aside = aside

    def exchange(self) -> None:
        """See `Snapshots.exchange`."""
        if self._aside is None:
            raise StorageError("no snapshot was fetched")
        self._aside, self._store.content = self._store.content, self._aside

    def settle(self) -> Job:
        """See `Snapshots.settle`."""
        self._aside = None
        return iter(())


class _View:
    """A snapshot to read from: its keys are put in order once."""

    def __init__(self, content: dict[bytes, bytes]) -> None:
        self._content = content
        self._keys = sorted(content)  # nearly in order already

    def get(self, key: bytes) -> bytes | None:
        """See `Reader.get`."""
        return self._content.get(key)

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """See `Reader.scan`."""
        first, last = bisect_left(self._keys, start), bisect_left(self._keys, stop)
        places = range(last - 1, first - 1, -1) if reverse else range(first, last)
        for place in islice(places, limit):
            key = self._keys[place]
            yield key, self._content[key]
