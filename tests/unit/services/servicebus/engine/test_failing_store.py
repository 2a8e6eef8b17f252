"""Turns whose commit fails: nobody is told that anything was done, and memory is as it was."""

from __future__ import annotations

from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_world import World


class FailingWorld(World):
    """A world whose commits fail when told."""

    def __init__(self) -> None:
        self.disk = FailingStore(MemoryStore())
        super().__init__(self.disk)
        self.told: list[object] = []
