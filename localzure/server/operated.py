"""The services as the lifecycle operates them: the built-in ones, and plugins. Both have the face of `Operated`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from localzure import __version__
from localzure.plugins.interface import LocalZureService, PluginContext, ServiceHealth, ServiceMetadata
from localzure.server.services import commit
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from localzure.server.discovery import FoundPlugin
    from localzure.server.services import Builder, Services
    from localzure.server.timers import LoopAlarm
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import Clock, Entropy
    from localzure_storage.store import Writer

_ROUTES = {"blob": ("blob", "web")}
"""The names under which requests reach a service, where it has several."""

_DESCRIPTIONS = {
    "blob": "Blob storage",
    "queue": "Queue storage",
    "table": "Table storage",
    "servicebus": "Service Bus",
}

_log = logging.getLogger(__name__)


class Operated(Protocol):
    """One service."""

    metadata: ServiceMetadata
    routes: tuple[str, ...]
    """The names under which requests reach it."""
    is_built_in: bool

    def start(self) -> None:
        """Begin to serve. May raise anything."""
        ...

    def stop(self) -> None:
        """Serve no more, and let go of everything. May raise anything."""
        ...

    def health(self) -> ServiceHealth:
        """How it is, while it runs. May raise anything."""
        ...


class BuiltIn:
    """A service that LocalZure has itself (an `Operated`)."""

    is_built_in = True

    def __init__(self, name: str, builder: Builder) -> None:
        """`builder` makes it, and takes it away."""
        self._builder = builder
        self.metadata = ServiceMetadata(name, __version__, _DESCRIPTIONS[name])
        self.routes: tuple[str, ...] = _ROUTES.get(name, (name,))

    def start(self) -> None:
        """See `Operated.start`: as a restart of the server would, on what the store holds."""
        self._builder.start(self.metadata.name)

    def stop(self) -> None:
        """See `Operated.stop`."""
        self._builder.stop(self.metadata.name)

    def health(self) -> ServiceHealth:
        """See `Operated.health`."""
        return ServiceHealth()


class Plugin:
    """A service of somebody else's (an `Operated`)."""

    is_built_in = False

    def __init__(
        self,
        found: FoundPlugin,
        builder: Builder,
        services: Services,
        transactions: TickTransactions,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Nothing of the plugin is called yet."""
        self.metadata = found.metadata
        self.routes: tuple[str, ...] = (found.metadata.name,)
        self._found = found
        self._builder = builder
        self._services = services
        self._transactions = transactions
        self._clock = clock
        self._entropy = entropy
        self._part = f"plugin/{found.metadata.name}"
        self._alarm: LoopAlarm | None = None
        self._service: LocalZureService | None = None
        self._context: PluginContext | None = None

    def start(self) -> None:
        """See `Operated.start`: with a new object of the plugin's class."""
        name, kind = self.metadata.name, self._found.kind
        if kind is None:
            raise StartupError(self._found.trouble)
        made, alarm = self._builder.context(self._part)
        self._alarm, self._context = (
            alarm,
            PluginContext(
                self._transactions, self._clock, self._entropy, alarm, made.space, self._found.options.settings
            ),
        )
        try:
            service = kind()
            service.start(self._context)
            commit(self._transactions)
        except BaseException:
            alarm.silence()
            raise
        self._service = service
        alarm.ring = self._expire
        self._services.http[name] = service
        self._services.empties[name] = self._empty

    def stop(self) -> None:
        """See `Operated.stop`."""
        name = self.metadata.name
        self._services.http.pop(name, None)
        self._services.empties.pop(name, None)
        service, self._service = self._service, None
        if self._alarm is not None:
            self._alarm.silence()
        if service is not None:
            service.stop()
            commit(self._transactions)

    def health(self) -> ServiceHealth:
        """See `Operated.health`."""
        return ServiceHealth() if self._service is None else self._service.health()

    def _expire(self) -> None:
        service = self._service
        if service is not None:
            try:
                service.expire()
            except Exception:  # noqa: BLE001 - somebody else's code must not end a move of the clock for all
                _log.exception("what has come due in the plugin %s failed", self.metadata.name)

    def _empty(self, writer: Writer, account: str | None, budget: int) -> bool:
        """Give the plugin an empty part of the store (see `Services.empties`)."""
        del account, budget
        self._builder.renew(writer, self._part)
        self._transactions.after_commit(self._emptied)
        return False

    def _emptied(self) -> None:
        service, context = self._service, self._context
        if service is None or context is None:
            return
        context.space = self._builder.space(self._part)
        try:
            service.reset()
        except Exception:  # noqa: BLE001 - somebody else's code; the content is gone, as it should be
            _log.exception("the plugin %s failed when it was reset", self.metadata.name)
