"""What the state machines of the storage services share: a store that fails, restarts, and an empty end."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Generic, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from localzure_storage.open import open_store
from localzure_storage.store import Durability, Store
from tests.failing_store import FailingStore
from tests.storage_world import StorageWorld

World = TypeVar("World", bound=StorageWorld[Any, Any])


class StorageMachine(RuleBasedStateMachine, Generic[World]):
    """The rules of a subclass ask the service and its own model, and hold the answers together."""

    durability = Durability.NONE

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.store = FailingStore(open_store(self.directory, self.durability))
        self.world = self.make_world(self.store)

    def make_world(self, store: Store) -> World:
        """Make the service on the store."""
        raise NotImplementedError

    def delete_everything(self) -> None:
        """Delete what there is, at the end."""
        raise NotImplementedError

    @rule()
    def sweep(self) -> None:
        self.world.sweep()

    @rule()
    def restart(self) -> None:
        self.world.start()

    @precondition(lambda self: self.durability is not Durability.NONE)
    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store.inner = open_store(self.directory, self.durability)
        self.world.start()

    @invariant()
    def nothing_is_left_open(self) -> None:
        assert not self.world.transactions.is_open

    def teardown(self) -> None:
        self.delete_everything()
        self.world.sweep()
        kept = self.world.stored_keys()
        self.store.close()
        shutil.rmtree(self.directory)
        assert len(kept) <= 1, "something is kept that nobody refers to"
