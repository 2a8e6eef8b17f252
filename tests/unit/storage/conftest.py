"""Both backends, as the contract suite opens them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure_storage.open import open_store
from localzure_storage.store import Durability, Store


@pytest.fixture(params=["memory", "lmdb", "lmdb-full"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    durability = Durability.FULL if request.param == "lmdb-full" else Durability.PROCESS
    with contextlib.closing(open_store(None if request.param == "memory" else tmp_path, durability)) as opened:
        yield opened
