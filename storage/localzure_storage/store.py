"""The interface of the store: an ordered map from bytes to bytes with transactions.

Both backends (`lmdb`, `memory`) implement it and pass one contract suite. The rules that callers rely on:

- Keys are up to `KEY_BYTES_MAX` bytes, not empty, ordered as bytes compare; values are up to `VALUE_BYTES_MAX`
  bytes and come back as owned `bytes`, never as views into the store.
- There is one write transaction at a time. While it is open, its owner reads through it; a `read()` opened
  beside it sees the last commit.
- `nested()` is atomic by itself: an exception that leaves the block undoes what the block wrote and nothing else.
  While it is open the transaction around it is not used. A StorageError within it dooms it, also when caught.
- A read transaction is short: it lives no longer than the event that opened it.
- A scan is consumed or dropped before anything is written to the store.
- A store, its transactions and its scans belong to one thread; only `Checkpoint.flush` may run in another.
- A key or value beyond its limits, or an empty key, is a ValueError and changes nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

KEY_BYTES_MAX = 8192
"""Longest key. Table keys and blob names reach about 3 KiB once escaped; the contract suite tests 4 KiB."""

VALUE_BYTES_MAX = 128 * 1024 * 1024
"""Longest value: a Service Bus message of 100 MB is one. Larger content belongs into extents."""


class Durability(StrEnum):
    """What a commit withstands."""

    NONE = "none"
    """Nothing: the content is in memory."""
    PROCESS = "process"
    """The process being killed. After a power loss the store is as it was at its last checkpoint."""
    FULL = "full"
    """A power loss: the content is on disk before `commit` returns."""


class StorageError(Exception):
    """The store could not do what was asked; nothing of the transaction is kept."""


class StoreFullError(StorageError):
    """The disk, the quota or the map has no room left. Deletes may still succeed."""


class StoreUnusableError(StorageError):
    """The store cannot be opened: in use, truncated, foreign, or of a newer format. The text says what to do."""


class NoSnapshotError(StorageError):
    """There is no snapshot of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no snapshot {name}")


class SnapshotInfo(NamedTuple):
    """What is known of a snapshot."""

    name: str
    created: int
    """As its maker said."""
    size: int
    """Bytes that it takes, or about that many."""


Job: TypeAlias = "Iterator[Callable[[], None] | None]"
"""Work that is long, in steps. It yields None where others may have their turn, or something to be run in a thread
before it goes on; what that raises ends it. No write transaction is open when it goes on."""


class Reader(Protocol):
    """A consistent view of the store."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value stored under `key`, or None."""
        ...

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop in key order, or from the end with `reverse`."""
        ...


class Writer(Reader, Protocol):
    """A view that can be changed; sees its own changes."""

    def put(self, key: bytes, value: bytes) -> None:
        """Store `value` under `key`, replacing what was there."""
        ...

    def delete(self, key: bytes) -> bool:
        """Remove `key`; False when it was not there."""
        ...

    def nested(self) -> AbstractContextManager[Writer]:
        """Open a transaction inside this one: kept when the block ends, undone alone when it raises."""
        ...


class WriteTransaction(Writer, Protocol):
    """The one top-level write transaction. Ends with exactly one `commit` or `abort`."""

    @property
    def dirty_bytes(self) -> int:
        """Bytes of keys and values written so far, as a measure of when to commit."""
        ...

    def commit(self) -> None:
        """Make everything visible (and durable, as the store's setting says). Raises StorageError: all undone."""
        ...

    def abort(self) -> None:
        """Undo everything; does nothing when the transaction has ended."""
        ...


class Checkpoint(Protocol):
    """Bounds what a power loss costs a `process` store: the owner makes a checkpoint every second.

    One checkpoint is `begin`; when that is True `flush`, best in a thread, and then `finish` back in the store's own.
    """

    def begin(self) -> bool:
        """Start a checkpoint of the last commit; False when there is nothing new to make safe. Takes microseconds."""
        ...

    def flush(self) -> None:
        """Bring it to disk. Blocks for milliseconds to seconds; other threads may use the store. Never raises."""
        ...

    def finish(self) -> None:
        """End the checkpoint. Raises StorageError when the disk refused: the checkpoint before it still holds."""
        ...


class Snapshots(Protocol):
    """The named snapshots of a store, whose names are as `is_name` and `HIDDEN` say.

    One job at a time. To go back: `fetch` brings the snapshot beside the store, and fails where it is not whole;
    `exchange` puts it in the store's place, in milliseconds, and nobody may hold anything of the store then;
    `exchange` again takes that back; `settle` lets go of what was exchanged.
    """

    def infos(self) -> list[SnapshotInfo]:
        """The snapshots, by name."""
        ...

    def save(self, name: str, created: int) -> Job:
        """Make a snapshot of a commit during the job, in place of one that has the name. Raises StorageError."""
        ...

    def delete(self, name: str) -> None:
        """Delete a snapshot. Raises NoSnapshotError, StorageError."""
        ...

    def open(self, name: str) -> AbstractContextManager[Reader]:
        """Open a view of a snapshot, for one thread, any. Raises NoSnapshotError, StorageError."""
        ...

    def fetch(self, name: str) -> Job:
        """Bring a snapshot beside the store. Raises NoSnapshotError, StorageError; then nothing was done."""
        ...

    def exchange(self) -> None:
        """Let the store hold what was fetched, or what it held before. Raises StorageError; then nothing was done."""
        ...

    def settle(self) -> Job:
        """Let go of what the store does not hold. Never raises."""
        ...


HIDDEN = "."
"""What the names of snapshots begin with that `infos` does not give: they are for a moment's use."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


def is_name(name: str) -> bool:
    """Whether a snapshot may be called so."""
    return _NAME.fullmatch(name) is not None


class Store(Protocol):
    """An open store."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What the owner must drive once a second; None for a store that needs none. An exchange brings another."""
        ...

    @property
    def size(self) -> int | None:
        """Bytes that it takes on disk; None for one in memory."""
        ...

    @property
    def snapshots(self) -> Snapshots:
        """Its named snapshots."""
        ...

    def read(self) -> AbstractContextManager[Reader]:
        """Open a view of the last commit."""
        ...

    def begin(self) -> WriteTransaction:
        """Open the write transaction. One at a time."""
        ...

    def close(self) -> None:
        """Flush to disk and close. Open transactions must have ended. Raises StorageError; it is closed even then."""
        ...
