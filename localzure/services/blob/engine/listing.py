"""Listing blobs: a scan over the names, with jumps over what a delimiter folds together.

A page costs what it holds, not what the container holds: each prefix of a listing by hierarchy is found with one step
and left with one jump. Blobs that only carry waiting blocks are passed over, and a page that had to pass over very
many of them ends early, as Azure's pages may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import containers
from localzure.services.blob.model import BlobPage, BlobRecord

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import ListBlobs
    from localzure_storage.store import Reader

STEPS_MAX = 10_000
"""Records that one page may look at: twice the longest page."""

_decode = msgspec.msgpack.Decoder(BlobRecord).decode


def list_page(engine: Engine, reader: Reader, command: ListBlobs, _moment: Moment) -> BlobPage:
    """Return a page of a container's blobs."""
    container = containers.find(engine, reader, command.account, command.container)
    return _Listing(engine, reader, command, container.id).page()


class _Listing:
    """One page in the making."""

    def __init__(self, engine: Engine, reader: Reader, command: ListBlobs, container_id: int) -> None:
        self._keys = engine.keys
        self._reader = reader
        self._command = command
        self._container_id = container_id
        self._items: list[tuple[str, BlobRecord | None]] = []
        self._steps = 0
        self._next_start: str | None = None
        start, stop = engine.keys.blobs.prefix_range(container_id, command.prefix)
        self._start = max(start, engine.keys.blob(container_id, command.start)) if command.start else start
        self._stop = stop if command.stop is None else min(stop, engine.keys.blob(container_id, command.stop))

    def page(self) -> BlobPage:
        """Scan until the page is full; every jump begins another scan."""
        start: bytes | None = self._start
        while start is not None and start < self._stop:
            start = self._scan(start)
        return BlobPage(self._items, self._next_start)

    def _scan(self, start: bytes) -> bytes | None:
        """Take items from `start` on; returns where to go on after a jump, None when the page is done."""
        command = self._command
        for key, value in self._reader.scan(start, self._stop):
            name = self._keys.blob_name(key)
            if len(self._items) == command.limit or self._steps == STEPS_MAX:
                self._next_start = name
                return None
            self._steps += 1
            record = _decode(value)
            if not record.is_committed and not command.with_uncommitted:
                continue
            folded = self._fold(name)
            if folded is None:
                record.inline = None  # a page of small blobs would hold the content of them all
                self._items.append((name, record))
            else:
                self._items.append((folded, None))
                return self._keys.blobs.prefix_range(self._container_id, folded)[1]
        return None

    def _fold(self, name: str) -> str | None:
        """Return the prefix, up to and with the delimiter, under which a name is listed; None for itself."""
        command = self._command
        if not command.delimiter:
            return None
        at = name.find(command.delimiter, len(command.prefix))
        return None if at < 0 else name[: at + len(command.delimiter)]
