"""Both backends, as the contract suite opens them."""

from __future__ import annotations

import contextlib

import pytest

from localzure_storage.open import open_store
from localzure_storage.store import Durability


@pytest.fixture(params=["memory", "lmdb", "lmdb-full"])
def store(request, tmp_path):
    """An empty store of each kind."""
    durability = Durability.FULL if request.param == "lmdb-full" else Durability.PROCESS
    with contextlib.closing(open_store(None if request.param == "memory" else tmp_path, durability)) as opened:
        yield opened
