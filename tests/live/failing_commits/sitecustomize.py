"""Makes a server's commits fail after SIGUSR1, and succeed again after SIGUSR2: put on PYTHONPATH by a test."""

from __future__ import annotations

import signal
from pathlib import Path

import localzure_storage.open as opening
from localzure_storage.store import Durability, Store
from tests.failing_store import FailingStore

_open_store = opening.open_store


def _open_failing(directory: Path | None, durability: Durability = Durability.PROCESS) -> Store:
    store = FailingStore(_open_store(directory, durability))
    signal.signal(signal.SIGUSR1, lambda *_: setattr(store, "failing", True))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(store, "failing", False))
    return store


opening.open_store = _open_failing
