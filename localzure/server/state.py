"""The server's state as a whole: snapshots of it, and going back to one while the server runs.

Going back exchanges the store below the services. What they hold in memory is of the old content, so all of them are
built anew, as a restart would; requests in flight are broken off, and AMQP connections are closed with an error after
which clients connect again. When anything fails, the old content and services on it are put back.

Changes of the whole state are done one at a time.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localzure.services.interface import SECOND
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.server.services import Builder, Services
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import Clock
    from localzure_storage.store import Job, SnapshotInfo, Store

CHECKPOINT_SECONDS = 1.0
"""How often a checkpoint is taken: what a power loss can cost at most."""

PERIODIC_PREFIX = "auto-"
"""What the names of snapshots that are made by themselves begin with."""

_log = logging.getLogger(__name__)


class State:
    """Takes snapshots of one server's state, and goes back to them."""

    def __init__(
        self, store: Store, transactions: TickTransactions, builder: Builder, services: Services, clock: Clock
    ) -> None:
        """Made once per server."""
        self._store = store
        self._transactions = transactions
        self._builder = builder
        self._services = services
        self._clock = clock
        self.cut_requests: Callable[[], None] = _nothing
        """Breaks off the HTTP requests in flight, but not those of LocalZure's own API."""
        self.changing = asyncio.Lock()
        """Held while the state as a whole is changed, or copied."""
        self._checkpointed_at: float | None = None
        self.checkpointing = asyncio.Lock()
        """Held while a checkpoint is made."""

    @property
    def checkpoint_age(self) -> float | None:
        """Seconds since everything that was committed until then was on disk; None where there is no checkpoint."""
        return None if self._checkpointed_at is None else self._clock.monotonic() - self._checkpointed_at

    def snapshots(self) -> list[SnapshotInfo]:
        """The snapshots, by name. Raises StorageError."""
        return self._store.snapshots.infos()

    async def save(self, name: str) -> None:
        """Make a snapshot, in place of one that has the name. Raises StorageError."""
        async with self.changing:
            await self._do(self._store.snapshots.save(name, self._clock.wall()))

    async def restore(self, name: str) -> None:
        """Go back to a snapshot. Raises StorageError; then all is as it was."""
        snapshots = self._store.snapshots
        async with self.changing:
            await self._do(snapshots.fetch(name))
            async with self.checkpointing:
                self._exchange()
            await self._do(snapshots.settle())
        _log.info("the state is that of the snapshot %s", name)

    async def compact(self, name: str) -> bool:
        """Exchange the store for a compact copy of itself; False when somebody wrote meanwhile. Raises StorageError.

        `name` is that of a snapshot that is there for the moment.
        """
        snapshots = self._store.snapshots
        async with self.changing:
            self._transactions.commit()
            commits = self._transactions.commits
            await self._do(snapshots.save(name, self._clock.wall()))
            try:
                await self._do(snapshots.fetch(name))
                async with self.checkpointing:
                    self._transactions.commit()
                    is_same = self._transactions.commits == commits
                    if is_same:
                        self._exchange()
            finally:
                snapshots.delete(name)
            await self._do(snapshots.settle())
        return is_same

    async def delete(self, name: str) -> None:
        """Delete a snapshot. Raises StorageError."""
        async with self.changing:
            self._store.snapshots.delete(name)

    async def keep_checkpoints(self) -> None:
        """Take a checkpoint each second in which something was committed, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            async with self.checkpointing:
                checkpoint = self._store.checkpoint
                if checkpoint is None:
                    continue
                try:
                    began = self._clock.monotonic()
                    if checkpoint.begin():
                        await loop.run_in_executor(None, checkpoint.flush)
                        checkpoint.finish()
                    self._checkpointed_at = began
                except StorageError as error:
                    _log.error("no checkpoint could be taken, the next one is tried in a second: %s", error)

    async def keep_snapshots(self, seconds: float, count: int) -> None:
        """Make a snapshot every so many seconds, and keep the last `count` of those, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            now = datetime.fromtimestamp(self._clock.wall() / SECOND, UTC)
            try:
                await self.save(f"{PERIODIC_PREFIX}{now:%Y%m%dT%H%M%S%f}Z")
                own = [info.name for info in self.snapshots() if info.name.startswith(PERIODIC_PREFIX)]
                for name in own[:-count]:
                    await self.delete(name)
            except StorageError as error:
                _log.error("no snapshot could be made, the next one is tried in its time: %s", error)

    def _exchange(self) -> None:
        """Put what was fetched in the store's place, between two events of the loop."""
        self._transactions.commit()
        if self._services.amqp is not None:
            self._builder.close_servicebus("A snapshot is restored.")
        self.cut_requests()
        self._transactions.commit()
        snapshots = self._store.snapshots
        snapshots.exchange()
        try:
            self._builder.rebuild()
        except Exception:
            self._transactions.commit()
            snapshots.exchange()
            self._builder.rebuild()
            raise

    async def _do(self, job: Job) -> None:
        """Do a job of the store; others have their turn between its steps."""
        loop = asyncio.get_running_loop()
        self._transactions.commit()
        for step in job:
            if step is None:
                await asyncio.sleep(0)
            else:
                await loop.run_in_executor(None, step)
            self._transactions.commit()


def _nothing() -> None:
    """What is broken off where nobody is connected."""
