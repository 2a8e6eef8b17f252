"""Listing blobs: a scan over the names, with jumps over what a delimiter folds together.

A page costs what it holds, not what the container holds: each prefix of a listing by hierarchy is found with one step
and left with one jump. What stands behind a name beside the blob (snapshots, versions, deleted blobs) is merged in from
its own scan, only where it is asked for; a name is never split between pages. Blobs that are passed over count as
steps, and a page with very many of them ends early, as Azure's pages may.
"""

from __future__ import annotations

import heapq
from operator import itemgetter
from typing import TYPE_CHECKING

from localzure.services.blob.engine import blobs, containers
from localzure.services.blob.model import BlobPage, ListedBlob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import BlobRecord, ListBlobs
    from localzure.services.interface import Instant
    from localzure_storage.store import Reader

STEPS_MAX = 10_000
"""Records that one page may look at: twice the longest page."""


def list_page(
    engine: Engine, reader: Reader, command: ListBlobs, moment: Moment, steps_max: int = STEPS_MAX
) -> BlobPage:
    """Return a page of a container's blobs, for which `steps_max` records are looked at."""
    container = containers.find(engine, reader, command.account, command.container)
    return _Listing(engine, reader, command, container.id, moment.now, steps_max).page()


class _Listing:
    """One page in the making."""

    def __init__(
        self, engine: Engine, reader: Reader, command: ListBlobs, container_id: int, now: Instant, steps_max: int
    ) -> None:
        self._steps_max = steps_max
        self._keys = engine.keys
        self._reader = reader
        self._command = command
        self._container_id = container_id
        self._now = now
        self._items: list[ListedBlob] = []
        self._steps = 0
        self._next_start: str | None = None
        self._last_name: str | None = None
        self._has_past = (
            command.with_snapshots or command.with_versions or command.with_deleted or command.with_outlived
        )
        self._outlived: ListedBlob | None = None
        """The last version so far of the name that is looked at, where versions as such are not asked for."""

    def page(self) -> BlobPage:
        """Scan until the page is full; every jump begins another scan."""
        command, keys = self._command, self._keys
        start, stop = keys.blobs.prefix_range(self._container_id, command.prefix)
        past_start, past_stop = keys.past.prefix_range(self._container_id, command.prefix)
        if command.start:
            start = max(start, keys.blob(self._container_id, command.start))
            past_start = max(past_start, keys.past.range(self._container_id, command.start)[0])
        if command.stop is not None:
            stop = min(stop, keys.blob(self._container_id, command.stop))
            past_stop = min(past_stop, keys.past.range(self._container_id, command.stop)[0])
        while True:
            folded = self._scan((start, stop), (past_start, past_stop))
            if folded is None:
                return BlobPage(self._items, self._next_start)
            start = keys.blobs.prefix_range(self._container_id, folded)[1]
            past_start = keys.past.prefix_range(self._container_id, folded)[1]

    def _scan(self, names: tuple[bytes, bytes], past: tuple[bytes, bytes]) -> str | None:
        """Take items; returns the prefix to jump over, None when the page is done."""
        command = self._command
        for name, value, is_base in self._named(names, past):
            if name != self._last_name:
                self._take_outlived()
                if len(self._items) >= command.limit or self._steps >= self._steps_max:
                    self._next_start = name
                    return None
            self._steps += 1
            self._last_name = name
            record = blobs.settle(blobs.decode(value), self._now)
            if record is None:
                continue
            if is_base and record.is_committed:
                self._outlived = None
            is_shown = self._shows_base(record) if is_base else self._shows_past(record)
            is_outlived = not is_shown and not is_base and self._is_version(record) and command.with_outlived
            if not is_shown and not is_outlived:
                continue
            folded = self._fold(name)
            if folded is not None:
                self._items.append(ListedBlob(folded, None))
                return folded
            record.inline = None  # a page of small blobs would hold the content of them all
            item = ListedBlob(name, record, is_base)
            if is_outlived:
                self._outlived = item
            else:
                self._items.append(item)
        self._take_outlived()
        return None

    def _take_outlived(self) -> None:
        """The name is done: nothing came behind its last version."""
        if self._outlived is not None:
            self._items.append(self._outlived)
            self._outlived = None

    def _is_version(self, record: BlobRecord) -> bool:
        return record.deleted is None and record.snapshot is None and record.version is not None

    def _named(self, names: tuple[bytes, bytes], past: tuple[bytes, bytes]) -> Iterator[tuple[str, bytes, bool]]:
        """Yield (name, value, whether it is a base blob) by name; a name's past comes first, oldest first."""
        keys = self._keys
        standing: Iterator[tuple[str, bytes, bool]] = iter(())
        if names[0] < names[1]:
            standing = ((keys.blob_name(key), value, True) for key, value in self._reader.scan(*names))
        if not self._has_past or past[0] >= past[1]:
            return standing
        gone = ((str(keys.past.unpack(key)[1]), value, False) for key, value in self._reader.scan(*past))
        return heapq.merge(gone, standing, key=itemgetter(0))

    def _shows_base(self, record: BlobRecord) -> bool:
        return record.is_committed or self._command.with_uncommitted

    def _shows_past(self, record: BlobRecord) -> bool:
        command = self._command
        if record.deleted is not None:
            is_over = record.restorable_until is not None and record.restorable_until <= self._now
            if is_over or not command.with_deleted:
                return False
        if record.snapshot is not None:
            return command.with_snapshots
        return record.deleted is not None if record.version is None else command.with_versions

    def _fold(self, name: str) -> str | None:
        """Return the prefix, up to and with the delimiter, under which a name is listed; None for itself."""
        command = self._command
        if not command.delimiter:
            return None
        at = name.find(command.delimiter, len(command.prefix))
        return None if at < 0 else name[: at + len(command.delimiter)]
