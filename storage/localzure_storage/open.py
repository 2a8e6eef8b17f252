"""Which store a setting stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure_storage.memory import MemoryStore
from localzure_storage.store import Durability, Store

if TYPE_CHECKING:
    from pathlib import Path


def open_store(directory: Path | None, durability: Durability = Durability.PROCESS) -> Store:
    """Open the store in `directory`, made if need be; in memory without a directory, or with `none`.

    Raises StoreUnusableError.
    """
    if directory is None or durability is Durability.NONE:
        return MemoryStore()
    from localzure_storage.lmdb import LmdbStore  # a store in memory does without the engine

    return LmdbStore(directory, durability)
