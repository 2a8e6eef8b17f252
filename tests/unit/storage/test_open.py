"""Which store a setting stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from localzure_storage.boot import boot_id
from localzure_storage.lmdb import LmdbStore
from localzure_storage.memory import MemoryStore
from localzure_storage.open import open_store
from localzure_storage.store import Durability


def test_without_a_directory_or_durability_the_store_is_in_memory(tmp_path: Path) -> None:
    for store in (open_store(None), open_store(None, Durability.FULL), open_store(tmp_path, Durability.NONE)):
        assert isinstance(store, MemoryStore)
        assert store.checkpoint is None
        store.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("durability", [Durability.PROCESS, Durability.FULL])
def test_with_a_directory_it_is_on_disk(tmp_path: Path, durability: Durability) -> None:
    store = open_store(tmp_path, durability)
    assert isinstance(store, LmdbStore)
    assert store.durability is durability
    assert (store.checkpoint is None) is (durability is Durability.FULL)
    store.close()


def test_the_boot_has_an_id_that_stays() -> None:
    found = boot_id()
    assert found is not None
    assert 0 < len(found) <= 36
    assert boot_id() == found
