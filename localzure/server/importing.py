"""Taking an export in: beside what is there, in steps, and then all at once.

While rows come in, nobody finds them: they are under new numbers, and what would find them is written at the end, in
one commit with the removal of what they replace. What has come in by then is noted as remains are, so that it is swept
if the import fails, or the process dies; sweeping rests while an import goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from localzure.server.export_file import ExportError, Head, Item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.porting import Incoming, Porter, Resource
    from localzure_storage.store import Writer

Mode = Literal["overwrite", "merge", "skip"]
"""`overwrite`: the services and account that the export is of hold what it holds, and nothing else. `merge`: what it
holds takes the place of what has the same name, the rest stays. `skip`: what has the same name stays."""


@dataclass(slots=True)
class Import:
    """One import under way."""

    head: Head
    mode: Mode
    porters: Mapping[str, Porter]
    counted: dict[str, int] = field(default_factory=lambda: {"imported": 0, "skipped": 0, "removed": 0})
    accounts: set[str] = field(default_factory=set)
    """Those of which something was imported."""
    _coming: list[tuple[str, Resource, Incoming]] = field(default_factory=list)
    _gone: list[tuple[str, Resource]] = field(default_factory=list)
    _is_skipping: bool = False

    def take(self, writer: Writer, items: list[Item]) -> None:
        """Take the next lines. Raises ExportError, StorageError."""
        try:
            for item in items:
                self._take(writer, item)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ExportError(f"the export cannot be taken: {error}") from error

    def finish(self, writer: Writer) -> None:
        """Let everybody find what has come, and nobody what it replaces. Raises StorageError."""
        if self.mode == "overwrite" and self.head.since is None:
            self._remove_others(writer)
        if self.mode != "skip":
            for service, resource in self._gone:
                self.counted["removed"] += self.porters[service].exists(writer, resource)
                self.porters[service].remove(writer, resource)
        for _, _, incoming in self._coming:
            incoming.finish(writer)

    def release(self) -> None:
        """Let go of what is held in memory, after `finish` or instead of it."""
        for _, _, incoming in self._coming:
            incoming.release()

    def changes(self, service: str) -> bool:
        """Whether anything of a service has changed."""
        return any(name == service for name, _, _ in self._coming) or (
            self.mode == "overwrite" and self.head.since is None and service in self.head.services
        )

    def _take(self, writer: Writer, item: Item) -> None:
        if item.service not in self.porters:
            raise ExportError(f"the service {item.service!r} does not run here")
        if item.row is not None:
            if not self._is_skipping:
                self._coming[-1][2].put(writer, item.row)
        elif item.is_gone:
            self.porters[item.service].exists(writer, item.resource)  # raises for a kind that there is not
            self._gone.append((item.service, item.resource))
        else:
            porter = self.porters[item.service]
            self._is_skipping = self.mode == "skip" and porter.exists(writer, item.resource)
            if self._is_skipping:
                self.counted["skipped"] += 1
                return
            self._coming.append((item.service, item.resource, porter.begin(writer, item.resource)))
            self.counted["imported"] += 1
            if item.resource.account:
                self.accounts.add(item.resource.account)

    def _remove_others(self, writer: Writer) -> None:
        coming = {(service, resource) for service, resource, _ in self._coming}
        for service in self.head.services:
            porter = self.porters.get(service)
            for resource in [] if porter is None else list(porter.resources(writer, self.head.account)):
                if (service, resource) not in coming and porter is not None:
                    porter.remove(writer, resource)
                    self.counted["removed"] += 1
