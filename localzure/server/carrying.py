"""Exports, imports and checks of a running server's content.

Whatever reads all of it reads a snapshot that is made for it, in a thread, and sees one instant; clients go on
meanwhile. An import is parsed in a thread and taken in small steps (see `importing`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from localzure.server.export_file import Head, check_export, read_batches, write_export
from localzure.server.importing import Import
from localzure.server.services import commit
from localzure_storage.store import HIDDEN, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localzure.server.importing import Mode
    from localzure.server.services import Builder, Services
    from localzure.server.state import State
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import Entropy
    from localzure.services.porting import Porter
    from localzure_storage.store import Reader, Store

COMPACT_TRIES = 5
"""How often a compaction begins anew because somebody has written meanwhile."""

PROBLEMS_MAX = 100
"""Problems that a check tells at most."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class BusyError(Exception):
    """The store was written to all the time."""


class Carrying:
    """Carries one server's content out and in, and looks through it."""

    def __init__(
        self,
        state: State,
        store: Store,
        transactions: TickTransactions,
        builder: Builder,
        services: Services,
        entropy: Entropy,
    ) -> None:
        """Made once per server."""
        self._state = state
        self._store = store
        self._transactions = transactions
        self._builder = builder
        self._services = services
        self._entropy = entropy

    async def export(self, path: Path, head: Head) -> dict[str, int]:
        """Write an export to `path`; returns what was counted. Raises StorageError, KeyError for a service."""
        porters = {name: self._services.porters[name] for name in head.services}

        def write(reader: Reader) -> dict[str, int]:
            if head.since is None:
                return write_export(path, head, porters, reader, None)
            with self._store.snapshots.open(head.since) as before:
                return write_export(path, head, porters, reader, before)

        return await self._read(write)

    async def take(self, path: Path, mode: Mode) -> dict[str, Any]:
        """Take an export in. Raises ExportError, StorageError; then all is as it was."""
        loop = asyncio.get_running_loop()
        head = await loop.run_in_executor(None, check_export, path)
        async with self._state.changing:
            job = Import(head, mode, dict(self._services.porters))
            self._services.is_importing = True
            try:
                batches = read_batches(path)
                while (items := await loop.run_in_executor(None, next, batches, None)) is not None:
                    with self._transactions.writer() as writer:
                        job.take(writer, items)
                    commit(self._transactions)
                with self._transactions.writer() as writer:
                    job.finish(writer)
                commit(self._transactions)
            finally:
                job.release()
                self._services.is_importing = False
            self._builder.reload([name for name in self._services.porters if job.changes(name)])
        unknown = sorted(job.accounts - self._services.accounts.keys())
        return {**job.counted, "unknown_accounts": unknown}

    async def stats(self) -> dict[str, Any]:
        """Return how much of what there is."""
        porters = dict(self._services.porters)
        return {
            "services": await self._read(lambda reader: _counted(porters, reader)),
            "store_bytes": self._store.size,
            "snapshots": [info.name for info in self._state.snapshots()],
        }

    async def verify(self) -> dict[str, Any]:
        """Read everything that can be reached, and return what cannot be read."""
        porters = dict(self._services.porters)
        return await self._read(lambda reader: _verified(porters, reader))

    async def compact(self) -> dict[str, Any]:
        """Write the store anew without its free pages, and exchange it for that. Raises StorageError, BusyError."""
        before = self._store.size
        for _ in range(COMPACT_TRIES):
            if await self._state.compact(f"{HIDDEN}{self._entropy.uuid().hex}"):
                return {"before": before, "after": self._store.size}
        raise BusyError

    async def _read(self, work: Callable[[Reader], T]) -> T:
        """Do `work` in a thread on what the store holds now."""
        name = f"{HIDDEN}{self._entropy.uuid().hex}"
        await self._state.save(name)

        def run() -> T:
            with self._store.snapshots.open(name) as reader:
                return work(reader)

        try:
            return await asyncio.get_running_loop().run_in_executor(None, run)
        finally:
            try:
                self._store.snapshots.delete(name)
            except StorageError as error:
                _log.warning("a snapshot that was made for a moment stays until the next start: %s", error)


def _counted(porters: Mapping[str, Porter], reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for service, porter in porters.items():
        for resource in porter.resources(reader, None):
            own = found.setdefault(service, {}).setdefault(resource.account, Counter())
            own[resource.kind] += 1
            for row in porter.rows(reader, resource):
                if row.family != "self":
                    own[row.family] += 1
                own["bytes"] += len(row.value)
    return found


def _verified(porters: Mapping[str, Porter], reader: Reader) -> dict[str, Any]:
    checked, problems = 0, list[str]()
    for service, porter in porters.items():
        for resource in porter.resources(reader, None):
            try:
                checked += sum(1 for _ in porter.rows(reader, resource))
            except Exception as error:  # noqa: BLE001 - whatever it is that a damaged record brings about
                problems.append(f"{service} {resource.account} {resource.kind} {resource.name}: {error!r}")
    return {"records": checked, "problems": problems[:PROBLEMS_MAX], "problem_count": len(problems)}
