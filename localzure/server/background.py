"""What the server does beside serving: sweeps, and what would stall the first client who needs it.

A sweep frees a bounded number of records at a time, and leaves the loop to the clients in between.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from localzure.server.transactions import TickTransactions
    from localzure_storage.store import Writer

SWEEP_SECONDS = 0.01
"""The pause between two steps of a sweep that has more to do."""

SWEEP_IDLE_SECONDS = 1.0
"""The pause after a sweep that found nothing more."""

WARM_UP_SECONDS = 0.5
"""When what is prepared ahead begins: a server that only just serves has clients to answer."""

_log = logging.getLogger(__name__)


async def warm_up(steps: Collection[Callable[[], None]]) -> None:
    """Prepare, once the server serves, what each of `steps` begins."""
    await asyncio.sleep(WARM_UP_SECONDS)
    for step in steps:
        step()


async def keep_sweeping(
    transactions: TickTransactions,
    sweeps: Collection[Callable[[Writer], bool]],
    rests: Callable[[], bool] = lambda: False,
) -> None:
    """Run each of `sweeps`, which take one bounded step and tell whether there is more to do, until cancelled.

    While `rests` says so nothing is swept.
    """
    while True:
        more = False
        for sweep in () if rests() else tuple(sweeps):
            try:
                with transactions.writer() as writer:
                    more = sweep(writer) or more
            except StorageError as error:
                _log.error("a sweep failed and is tried again: %s", error)
        await asyncio.sleep(SWEEP_SECONDS if more else SWEEP_IDLE_SECONDS)
