"""Settings that are read again while the server runs: on SIGHUP, and when the configuration file changes.

What can change without a restart takes effect from the next request on. What cannot is named in the log, and stays.
A configuration that is wrong changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import fields
from typing import TYPE_CHECKING

from localzure.config.file import ConfigurationError
from localzure.server import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localzure.config.settings import Settings

LOOK_SECONDS = 1.0
"""How often the configuration file is looked at."""

_TOLD = frozenset({"origins", "warnings", "config_file"})
"""Fields that say where settings are from, and are none themselves."""

_log = logging.getLogger(__name__)


class Reloading:
    """Takes over what has changed."""

    def __init__(
        self, settings: Settings, reread: Callable[[], Settings], takers: Mapping[str, Callable[[Settings], None]]
    ) -> None:
        """`reread` reads every source again. `takers` take a field over, by its name in `Settings`."""
        self._settings = settings
        self._reread = reread
        self._takers = {"log": lambda _settings: None, **takers}
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Read again soon, as a signal asks."""
        self._wanted.set()

    async def keep(self, path: Path | None) -> None:
        """Read again whenever it is wanted, or the file at `path` has changed, until cancelled."""
        seen = _stamp(path)
        patience = None if path is None else LOOK_SECONDS
        while True:
            try:
                await asyncio.wait_for(self._wanted.wait(), patience)
            except TimeoutError:
                stamp = _stamp(path)
                if stamp == seen or stamp is None:
                    continue
                seen = stamp
            else:
                self._wanted.clear()
                seen = _stamp(path)
            self.reload()

    def reload(self) -> None:
        """Read again, and take over what can be."""
        try:
            found = self._reread()
        except ConfigurationError as error:
            _log.error("the settings stay as they are: %s", error)
            return
        names = [field.name for field in fields(found) if field.name not in _TOLD]
        changed = [name for name in names if getattr(found, name) != getattr(self._settings, name)]
        taken = [name for name in changed if name in self._takers]
        kept = [name for name in changed if name not in self._takers]
        if taken:
            logs.configure(found.log, found.secrets())
            for name in taken:
                self._takers[name](found)
            _log.info("settings taken over: %s", ", ".join(taken))
        if kept:
            _log.warning("settings that need a restart to take effect: %s", ", ".join(kept))
        if not changed:
            _log.info("no setting has changed")
        self._settings = found


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)
