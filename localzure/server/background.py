"""What the server does beside serving: sweeps, and a look at which accounts there are.

A sweep frees a bounded number of records at a time, and leaves the loop to the clients in between.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from localzure.config.file import ConfigurationError
from localzure.config.load import read_accounts
from localzure.server import logs
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from localzure.config.settings import Settings, StorageAccount
    from localzure.server.transactions import TickTransactions
    from localzure_storage.store import Writer

SWEEP_SECONDS = 0.01
"""The pause between two steps of a sweep that has more to do."""

SWEEP_IDLE_SECONDS = 1.0
"""The pause after a sweep that found nothing more."""

ACCOUNTS_SECONDS = 1.0
"""How often the file that names the storage accounts is looked at."""

_log = logging.getLogger(__name__)


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


async def keep_accounts(path: Path, settings: Settings, take: Callable[[tuple[StorageAccount, ...]], None]) -> None:
    """Have the storage accounts of a configuration file taken over whenever it changes, until cancelled.

    A file that cannot be read, or is wrong, changes nothing, and is told.
    """
    seen = _stamp(path)
    known = settings.accounts
    while True:
        await asyncio.sleep(ACCOUNTS_SECONDS)
        stamp = _stamp(path)
        if stamp == seen or stamp is None:
            continue
        seen = stamp
        try:
            found = read_accounts(path)
        except ConfigurationError as error:
            _log.error("the storage accounts stay as they are: %s", error)
            continue
        if found != known:
            known = found
            logs.configure(settings.log, replace(settings, accounts=found).secrets())
            take(found)
            _log.info("the storage accounts are now %s", ", ".join(account.name for account in found))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
