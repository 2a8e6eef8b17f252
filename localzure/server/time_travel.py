"""Moving the virtual time, so that everything that comes due on the way has happened when the move is over.

A move forth goes from deadline to deadline: at each, the services whose alarm is set to it do what is due, and that is
committed, before the next one's turn. So a message that is scheduled in one minute and lives for another one is
received, expires and is dead-lettered in the order, and with the times, that waiting would have given. A move back
undoes nothing: what has expired stays so, and what was to come takes its time again.

Between two deadlines other requests have their turn where a move takes long; they see the time that it has reached.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from localzure.services.interface import SECOND, Instant
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from localzure.server.clock import VirtualClock
    from localzure.server.timers import LoopAlarm
    from localzure.server.transactions import TickTransactions
    from localzure_storage.store import Writer

FIRST = Instant(0)
LAST = Instant(32_503_680_000 * SECOND - 1)
"""The virtual time is between 1970 and 2999: what the services add to it then still is a date."""

RINGS_MAX = 20_000
"""How many alarms ring in one move, each after what was due before; what is left is done beside, as always."""

SWEEPS_MAX = 200
"""How many steps of sweeping, which frees what time takes from blobs, one move waits for."""

TURN_SECONDS_MAX = 0.005
"""How long a move goes on before others have their turn."""

_log = logging.getLogger(__name__)


class TimeTravel:
    """Moves the clock of one server."""

    def __init__(
        self,
        clock: VirtualClock,
        alarms: Collection[LoopAlarm],
        sweeps: Collection[Callable[[Writer], bool]],
        transactions: TickTransactions,
        rests: Callable[[], bool] = lambda: False,
    ) -> None:
        """`alarms` are those of all services, `sweeps` what frees in steps what is over; both may change meanwhile.

        While `rests` says so nothing is swept.
        """
        self._rests = rests
        self.on_clients_time: Callable[[], None] = _nothing
        """Called when the time that clients are held against may have jumped."""
        self.clock = clock
        self._alarms = alarms
        self._sweeps = sweeps
        self._transactions = transactions
        self._moving = asyncio.Lock()
        self._ruled_clients = False
        self._turn_began = clock.monotonic()

    async def move(self, target: Callable[[Instant], Instant]) -> None:
        """Go to the instant that `target` gives for the present one, doing what is due on the way."""
        async with self._moving:
            clock, began = self.clock, self.clock.now()
            was_frozen = clock.is_frozen
            goal = target(began)
            clock.freeze()
            try:
                await self._go(goal)
                clock.place(goal)
            finally:
                if not was_frozen:
                    clock.resume()
                self.rearm()
            await self._sweep()

    def rearm(self) -> None:
        """The clock goes, or stands, otherwise than before: let the alarms know."""
        for alarm in self._alarms:
            alarm.rearm()
        if self.clock.rules_clients or self._ruled_clients:
            self.on_clients_time()
        self._ruled_clients = self.clock.rules_clients

    async def _go(self, goal: Instant) -> None:
        for _ in range(RINGS_MAX):
            alarms = tuple(self._alarms)
            due = [(alarm.at, number) for number, alarm in enumerate(alarms) if alarm.at is not None]
            if not due or min(due)[0] > goal:
                return
            at, number = min(due)
            self.clock.place(max(at, self.clock.now()))
            alarms[number].ring_if_due()
            self._transactions.commit()
            await self._give_way()
        _log.warning("the clock was moved past more than one call can do: the rest is done beside")

    async def _sweep(self) -> None:
        """Free what is over, as far as a call waits for it."""
        for sweep in tuple(self._sweeps):
            for _ in range(0 if self._rests() else SWEEPS_MAX):
                try:
                    with self._transactions.writer() as writer:
                        more = sweep(writer)
                except StorageError as error:
                    _log.error("a sweep failed and is tried again: %s", error)
                    break
                await self._give_way()
                if not more:
                    break
        self._transactions.commit()

    async def _give_way(self) -> None:
        if self.clock.monotonic() - self._turn_began >= TURN_SECONDS_MAX:
            self._transactions.commit()
            await asyncio.sleep(0)
            self._turn_began = self.clock.monotonic()


def _nothing() -> None:
    """What a jump means where nobody is connected."""
