"""A machine that loses power, as far as a store's files can tell.

Between two calls of fdatasync the system may bring any written page to the disk, in any order and in any of the
versions that it had, and may grow the file at any time. `Machine` watches a store's data file commit by commit and
makes images of what a disk could hold at a power loss: per page one of its versions since the last sync, at random.
"""

from __future__ import annotations

import random  # noqa: TID251  # seeded: the same in every run
from dataclasses import dataclass, field
from pathlib import Path

from localzure_storage.directory import DATA_NAME, FOLDER_NAME, LOCK_TABLE_NAME, RECOVERY_NAME

PAGE = 4096
SECTOR = 512


@dataclass
class Machine:
    """The disk under one store."""

    directory: Path
    rng: random.Random
    synced: bytes = b""
    """The data file as the last sync brought it to disk."""
    versions: dict[int, list[bytes]] = field(default_factory=dict)
    """What each page held at some time since."""
    seen: bytes = b""

    def watch(self) -> None:
        """Note what was written since the last look; to be called after every commit."""
        now = self._data()
        for at in range(0, max(len(now), len(self.seen)), PAGE):
            page = now[at : at + PAGE]
            if page != self.seen[at : at + PAGE]:
                self.versions.setdefault(at, []).append(page)
        self.seen = now

    def sync(self) -> None:
        """The data file has been brought to disk."""
        self.watch()
        self.synced, self.versions = self.seen, {}

    def image(self, place: Path, recovery: bytes) -> Path:
        """Write to `place` a data directory as it could be after a power loss now, with `recovery` as it is."""
        kept = self.rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        pages = {at: self.rng.choice(found) for at, found in self.versions.items() if self.rng.random() < kept}
        size = max([len(self.synced), *(at + len(page) for at, page in pages.items())])
        if self.rng.random() < 0.3:
            size = max(size, len(self.seen))
        data = bytearray(self.synced.ljust(size, b"\0"))
        for at, page in pages.items():
            data[at : at + len(page)] = page
        folder = place / FOLDER_NAME
        folder.mkdir(parents=True)
        (folder / DATA_NAME).write_bytes(data)
        (folder / RECOVERY_NAME).write_bytes(recovery)
        (folder / LOCK_TABLE_NAME).write_bytes(self.rng.randbytes(self.rng.choice([0, 100, 8192])))
        return place

    def recovery(self) -> bytes:
        """The recovery file as it is now."""
        return (self.directory / FOLDER_NAME / RECOVERY_NAME).read_bytes()

    def torn(self, before: bytes, after: bytes) -> bytes:
        """The recovery file when power was lost while it went from `before` to `after`: sectors of either."""
        return b"".join(self.rng.choice([before, after])[at : at + SECTOR] for at in range(0, len(before), SECTOR))

    def _data(self) -> bytes:
        return (self.directory / FOLDER_NAME / DATA_NAME).read_bytes()
