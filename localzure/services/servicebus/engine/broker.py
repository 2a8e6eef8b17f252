"""What the engine works with: the entities, a way to write, and the deadlines that wake it.

The engine is plain synchronous code. It decides and writes; who waits for messages is told through `on_available`,
and asks again.
"""

from __future__ import annotations

from contextlib import contextmanager
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from localzure.services.interface import SECOND, Instant
from localzure.services.servicebus.engine.counts import Counts
from localzure.services.servicebus.engine.deadlines import Deadlines
from localzure.services.servicebus.engine.entities import Entities
from localzure.services.servicebus.engine.fan_out import fan_out
from localzure.services.servicebus.engine.transactions import Transactions
from localzure.services.servicebus.engine.turn import Turn
from localzure.services.servicebus.settings import TIERS
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from localzure.services.interface import ServiceContext
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.quotas import Quotas
    from localzure.services.servicebus.engine.sessions import Session, Wait
    from localzure.services.servicebus.engine.supply import Supply
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.settings import Tier
    from localzure_storage.store import Reader


RETRY_AFTER = SECOND
"""How long what is due waits after the store has failed, in microseconds."""


AT_ONCE = 0
"""An instant that has passed whatever the clock is set to."""


class Broker:
    """The state of one Service Bus namespace."""

    def __init__(self, context: ServiceContext, keys: ServiceBusKeys, tier: Tier = TIERS["standard"]) -> None:
        self.on_available: Callable[[Supply], None] = lambda _supply: None
        """Called when a queue, or a session that is held, may have something to hand out, after the commit of it."""
        self.on_changed: Callable[[EntityRecord], None] = lambda _record: None
        """Called when the properties of a queue have changed, always after the commit of it."""
        self.is_awaited: Callable[[Queue], bool] = lambda _queue: False
        """Tells whether somebody waits for messages of a queue."""
        self.on_deleted: Callable[[EntityRecord], None] = lambda _record: None
        """Called when a queue is gone, always after the commit of it."""
        self.keys = keys
        self.clock = context.clock
        self.entropy = context.entropy
        self.tier = tier
        self.entities = Entities(keys, tier.message_kilobytes[0])
        self.counts = Counts()
        """Exchanged before the first message, where several namespaces count together."""
        self.quotas: Quotas | None = None
        """Azure's limits on what there is; None for none."""
        self._transactions = context.transactions
        self._alarm = context.alarm
        self._armed: int | None = None
        self.started_at: int = self.clock.now()
        """The virtual time when the server started."""
        self._timed: list[tuple[int, int, Queue]] = []
        self.session_ends: Deadlines[Session] = Deadlines()
        """The sessions that are held, by the ends of their locks."""
        self.transactions = Transactions()
        """The transactions of clients that are open."""
        self.waits: Deadlines[Wait] = Deadlines()
        """Those who wait for a session, by how long they wait."""
        self.notices: Deadlines[Session] = Deadlines()
        """The sessions whose locks have expired, by when those who held them are told."""

    def now(self) -> int:
        """The virtual time."""
        return self.clock.now()

    def reader(self) -> AbstractContextManager[Reader]:
        """A view of the store. It includes what the tick has not committed: see `Queue.visible`."""
        return self._transactions.reader()

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Write to queues. What fails in the store fails for everybody in the turn, who are told through `Turn.then`.

        A StorageError inside the block ends there; one from opening the block is raised.
        """
        turn: Turn | None = None
        try:
            with self._transactions.writer() as writer:
                turn = Turn(writer, self.keys, self.now(), self.entities, self.entropy)
                yield turn
                fan_out(turn)
                turn.save()
        except BaseException as error:
            if turn is None or not isinstance(error, Exception):
                raise
            self._failed(turn, error)
            if not isinstance(error, StorageError):
                raise
            return
        self._transactions.after_commit(lambda: self._committed(turn), lambda error: self._failed(turn, error))

    def after_commit(self, done: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        """Call `done` once what was written so far is committed, at once when nothing is; else `failed`."""
        self._transactions.after_commit(done, failed)

    def arm(self, at: int) -> None:
        """Be woken at `at`, or earlier."""
        if self._armed is None or at < self._armed:
            self._armed = at
            self._alarm.set(Instant(at))

    def watch_lock(self, queue: Queue, deadline: int) -> None:
        """A lock of `queue` ends at `deadline`: be woken then, or for an earlier one of its locks."""
        if queue.watched is None or deadline < queue.watched:
            self._note_lock(queue, deadline)
            self.arm(deadline)

    def watch_locks(self, queue: Queue) -> None:
        """Be woken when the first of the locks of `queue` ends."""
        deadline = queue.locks.first_deadline()
        if deadline is not None:
            self.watch_lock(queue, deadline)

    def queues_with_ended_locks(self, now: int) -> Iterator[Queue]:
        """The queues whose first lock may have ended by `now`; each is to be watched again afterwards."""
        while self._timed and self._timed[0][0] <= now:
            queue = heappop(self._timed)[2]
            queue.watched = None
            yield queue

    def alarm_rang(self) -> None:
        """The alarm has gone off, nothing is armed any more."""
        self._armed = None

    def retry_later(self) -> None:
        """What was due could not be done: try again in a moment, not at once."""
        self.arm(self.now() + RETRY_AFTER)

    def has_due(self, now: int) -> bool:
        """Whether anything has come due by `now`."""
        first = self._first_in_memory()
        if first is not None and first <= now:
            return True
        with self.reader() as reader:
            return any(True for _ in reader.scan(*self.keys.due_until(now), limit=1))

    def arm_next(self) -> None:
        """Set the alarm to what comes next in the store and in memory."""
        first = self._first_in_memory()
        if first is not None:
            self.arm(first)
        with self.reader() as reader:
            for key, _ in reader.scan(*self.keys.due_range(), limit=1):
                self.arm(self.keys.due_parts(key)[0])

    def _first_in_memory(self) -> int | None:
        deadlines = (self.session_ends, self.notices, self.waits, self.transactions.deadlines)
        firsts = (self._timed[0][0] if self._timed else None, *(each.first() for each in deadlines))
        return min((first for first in firsts if first is not None), default=None)

    def _committed(self, turn: Turn) -> None:
        if turn.earliest is not None:
            self.arm(turn.earliest)
        self.counts.total += turn.counted
        turn.committed(self.on_available)

    def _failed(self, turn: Turn, error: Exception) -> None:
        turn.failed(error, self.on_available)
        for queue in turn.queues_with_restored_locks():
            deadline = queue.locks.first_deadline()
            if deadline is not None:
                self._note_lock(queue, deadline)
                # Some of these may have ended, and at once would be too soon to try again.
                self.retry_later()

    def _note_lock(self, queue: Queue, deadline: int) -> None:
        queue.watched = deadline
        heappush(self._timed, (deadline, queue.queue_id, queue))
