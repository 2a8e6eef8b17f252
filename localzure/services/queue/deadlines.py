"""Waking the service when messages expire: one alarm, set to the first deadline in the store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from localzure.services.interface import SECOND, Instant
from localzure.services.queue.engine import expiry
from localzure.services.queue.model import NEVER
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from localzure.services.interface import Alarm, Clock, Transactions
    from localzure.services.queue.engine.state import Engine

RETRY = 1 * SECOND
"""When removing what has expired is tried again, after the store has refused it."""

_log = logging.getLogger(__name__)


class Deadlines:
    """Keeps the alarm at, or before, the instant at which the first message expires."""

    def __init__(self, engine: Engine, transactions: Transactions, clock: Clock, alarm: Alarm) -> None:
        """Call `arm` before the first request."""
        self._engine = engine
        self._transactions = transactions
        self._clock = clock
        self._alarm = alarm
        self._armed = NEVER

    def arm(self) -> None:
        """Set the alarm by what the store holds."""
        with self._transactions.reader() as reader:
            at = expiry.next_due(self._engine, reader)
        self._armed = NEVER if at is None else at
        self._alarm.set(at)

    def watch(self, expires: Instant) -> None:
        """A message that expires then was written in this tick."""
        if expires < self._armed:
            self._transactions.after_commit(lambda: self._advance(expires))

    def ring(self) -> None:
        """Remove what has expired, or the beginning of it, and set the alarm to what comes next."""
        self._armed = NEVER
        try:
            with self._transactions.writer() as writer:
                expiry.expire(self._engine, writer, self._clock.now())
        except StorageError as error:
            self._retry(error)
        else:
            self._transactions.after_commit(self.arm, self._retry)

    def _advance(self, expires: Instant) -> None:
        if expires < self._armed:
            self._armed = expires
            self._alarm.set(expires)

    def _retry(self, error: StorageError) -> None:
        _log.error("messages that have expired could not be removed, it is tried again: %s", error)
        self._armed = Instant(self._clock.now() + RETRY)
        self._alarm.set(self._armed)
