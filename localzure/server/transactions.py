"""One commit per event-loop tick, and nothing outside the store before it.

The first write in a tick opens the store's write transaction; each request's writes run in a nested transaction of
it; the tick is closed by one commit, and only then do the tick's replies and effects happen. While it is open, reads
go through it, and what depends on them waits with it. A tick that grows large or long is committed early, between
two events. When the commit fails, everybody who took part is told so, and the next tick starts clean.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from localzure.observing.durations import Durations
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from localzure.services.interface import Clock
    from localzure_storage.store import Reader, Store, Writer, WriteTransaction

TICK_BYTES_MAX = 4 * 1024 * 1024
"""Dirty bytes after which a tick is committed at once: bounds memory and the length of a commit."""

TICK_SECONDS_MAX = 0.005
"""Age after which a tick is committed at once: bounds what a reply waits for others."""

COMMIT_BOUNDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
"""The upper bounds of the times of commits, in seconds."""

_log = logging.getLogger(__name__)

Effect = tuple["Callable[[], None]", "Callable[[StorageError], None] | None"]


class TickTransactions:
    """The store for the services of one event loop (see `localzure.services.interface.Transactions`)."""

    def __init__(self, store: Store, clock: Clock, call_soon: Callable[[Callable[[], None]], object]) -> None:
        """`call_soon` is the loop's: it ends the tick."""
        self._store = store
        self._monotonic = clock.monotonic
        self._call_soon = call_soon
        self.on_settled: Callable[[], None] = _nothing
        """Runs after every commit's effects, to write what they queued."""
        self._transaction: WriteTransaction | None = None
        self._opened_at = 0.0
        self.commits = 0
        """How many commits there were."""
        self.committed_bytes = 0
        """Of the pages that they wrote."""
        self.commit_seconds = Durations(COMMIT_BOUNDS)
        self._effects: list[Effect] = []

    @property
    def is_open(self) -> bool:
        """Something was written that is not committed yet."""
        return self._transaction is not None

    def reader(self) -> AbstractContextManager[Reader]:
        """See `Transactions.reader`."""
        transaction = self._transaction
        return self._store.read() if transaction is None else nullcontext(transaction)

    def writer(self) -> AbstractContextManager[Writer]:
        """See `Transactions.writer`."""
        if self._transaction is None:
            self._transaction = self._store.begin()
            self._opened_at = self._monotonic()
            self._call_soon(self.commit)
        return self._transaction.nested()

    def after_commit(self, done: Callable[[], None], failed: Callable[[StorageError], None] | None = None) -> None:
        """See `Transactions.after_commit`."""
        if self._transaction is None:
            done()
        else:
            self._effects.append((done, failed))

    def commit_if_large(self) -> None:
        """Commit now if the tick has reached its bounds. Called between two events, never inside one."""
        transaction = self._transaction
        if transaction is not None and (
            transaction.dirty_bytes >= TICK_BYTES_MAX or self._monotonic() - self._opened_at >= TICK_SECONDS_MAX
        ):
            self.commit()

    def commit(self) -> None:
        """End the tick: commit, then perform or fail its effects. Nothing to do where no tick is open."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        error: StorageError | None = None
        self.commits += 1
        self.committed_bytes += transaction.dirty_bytes
        began = self._monotonic()
        try:
            transaction.commit()
        except StorageError as failure:
            error = failure
            _log.error("commit failed, the requests of this tick are refused: %s", failure)
        self.commit_seconds.add(self._monotonic() - began)
        self._perform(error)
        self.on_settled()

    def _perform(self, error: StorageError | None) -> None:
        """Run the effects in order. What an effect writes opens the next tick, whose effects wait for its commit."""
        effects, self._effects = self._effects, []
        for done, failed in effects:
            try:
                if error is None:
                    done()
                elif failed is not None:
                    failed(error)
            except Exception:  # noqa: BLE001 - one connection's trouble must not keep the others from their replies
                _log.exception("an effect of a committed tick failed")


def _nothing() -> None:
    """What follows a commit that nobody listens to."""
