"""Which plugins there are: the entry points of the group `localzure.services` in the installed packages.

Reading the entry points of all packages costs some milliseconds, importing `importlib.metadata` as many again; so the
packages' own lists are looked at first, and most installations have none that names the group.
"""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localzure.config.settings import LISTENERS, SERVICES, PluginOptions
from localzure.plugins.interface import LocalZureService, ServiceMetadata
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

    from localzure.config.settings import Settings

GROUP = "localzure.services"

RESERVED = frozenset({*SERVICES, *(name for name, _ in LISTENERS), "web", "entra", "health", "localzure"})
"""Names that mean something already, in paths of the gateway or among the endpoints."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that is to run."""

    metadata: ServiceMetadata
    options: PluginOptions
    kind: type[LocalZureService] | None = None
    """None where it cannot be used."""
    trouble: str = ""
    """Why not."""

    @property
    def port(self) -> int | None:
        """The port of its own; None is none."""
        if not self.options.has_port:
            return None
        return self.metadata.port if self.options.port is None else self.options.port


def find_plugins(settings: Settings) -> list[FoundPlugin]:
    """Return the plugins that the settings let run, by name; what is switched off by name is not even imported.

    One that cannot be imported is there with its trouble. Raises StartupError for a name that is not installed.
    """
    wanted, options = settings.plugins, settings.plugin_options
    if wanted == ():
        return []
    installed: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(), key=lambda each: each.name):
        first = installed.setdefault(entry.name, entry)
        if first.value != entry.value:
            _log.warning("two plugins are called %s: %s runs, %s does not", entry.name, first.value, entry.value)
    for name in (*(wanted or ()), *options):
        if name not in installed:
            known = f"installed are {', '.join(installed)}" if installed else "none is"
            raise StartupError(f"no plugin {name!r} is installed; {known}")
    found = []
    for name, entry in installed.items():
        given = options.get(name, PluginOptions())
        is_on = given.is_enabled if given.is_enabled is not None else (wanted is None or name in wanted)
        if not is_on or (wanted is not None and name not in wanted):
            continue
        plugin = _load(entry, given)
        if plugin.metadata.enabled or given.is_enabled or wanted is not None:
            found.append(plugin)
    return found


def entry_points() -> list[EntryPoint]:
    """Return the entry points of the group."""
    if not any(GROUP in text for text in _lists()):
        return []
    from importlib.metadata import entry_points as read  # late: only who has plugins needs it

    return list(read(group=GROUP))


def _lists() -> Iterator[str]:
    """What the installed packages say of their entry points."""
    for folder in dict.fromkeys(sys.path):
        place = Path(folder or ".")
        for pattern in ("*.dist-info", "*.egg-info"):
            for path in place.glob(f"{pattern}/entry_points.txt"):
                yield path.read_text("utf-8", errors="replace")


def _load(entry: EntryPoint, options: PluginOptions) -> FoundPlugin:
    """Import a plugin, and ask what it says of itself."""
    name = entry.name
    try:
        kind = entry.load()
        trouble = _trouble(entry, kind)
        metadata = None if trouble else kind.get_metadata()
        if metadata is not None and metadata.name != name:
            trouble = f"it calls itself {metadata.name!r}, its entry point {name!r}"
    except Exception as error:  # noqa: BLE001 - whatever somebody else's code brings about; the others serve
        _log.exception("the plugin %s cannot be used", name)
        kind, metadata, trouble = None, None, f"{type(error).__name__}: {error}"
    if metadata is None or trouble:
        return FoundPlugin(ServiceMetadata(name, "?"), options, trouble=trouble)
    return FoundPlugin(metadata, options, kind)


def _trouble(entry: EntryPoint, kind: object) -> str:
    """Why what an entry point names is no plugin; empty where it is one."""
    if not (isinstance(kind, type) and issubclass(kind, LocalZureService)):
        return f"{entry.value} is no class derived from LocalZureService"
    if entry.name in RESERVED or not _NAME.fullmatch(entry.name):
        return f"{entry.name!r} cannot be a plugin's name"
    return ""
