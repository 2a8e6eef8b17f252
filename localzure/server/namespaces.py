"""The Service Bus namespaces of a server: one, or where the configuration says so one per host name that clients use.

The one that every server has is called by any name. With namespaces on first use, `{name}.servicebus.localhost` and
`{name}.servicebus.windows.net` are namespaces of their own, each with the seeds of the configuration: HTTP clients say
the name in the Host header, AMQP clients in their open frame (`custom_endpoint_address` and its like in the SDKs let
them connect to another address). Each is a service of its own with a part of the store of its own, so that
resetting one touches no other; which ones there are stands in the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.gateway.address import namespace_of
from localzure.server.own_api.servicebus import ServiceBusCalls
from localzure.services.servicebus.service import ServiceBusService
from localzure_protocols.amqp.events import AmqpError, ConnectionOpened
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localzure.server.generations import Generations
    from localzure.server.services import Services
    from localzure.server.timers import LoopAlarm
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import (
        Address,
        AmqpHost,
        AmqpPeer,
        BodySink,
        HttpReply,
        HttpRequest,
        ServiceContext,
        ServiceError,
    )
    from localzure.services.servicebus.desk import Desk
    from localzure.services.servicebus.engine.counts import Counts
    from localzure.services.servicebus.seed import EntitySeed
    from localzure.services.servicebus.settings import ServiceBusSettings
    from localzure_protocols.amqp.connection import AmqpConnection
    from localzure_protocols.amqp.events import AmqpEvent
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Reader

DEFAULT = ""
"""The name of the namespace that every server has."""

NAMESPACES_MAX = 1000
"""Namespaces that are made on first use: each takes some KiB of memory."""

SWEEP_RECORDS = 256
"""Records that one step of a namespace's sweep may free: a millisecond or two of work."""


@dataclass(slots=True)
class NamespaceParts:
    """What namespaces are made from."""

    context: Callable[[str], tuple[ServiceContext, LoopAlarm]]
    """By the name of its part of the store."""
    settings: Callable[[str], ServiceBusSettings]
    """By the name of the namespace."""
    seeds: Sequence[EntitySeed]
    transactions: TickTransactions
    generations: Generations
    commit: Callable[[], None]
    """Commits what was written, now. Raises StorageError."""


def part_of(name: str) -> str:
    """Return what a namespace's part of the store is called."""
    return f"servicebus/{name}" if name else "servicebus"


def registry(root: Subspace) -> Subspace:
    """Return where the names of the namespaces stand that were made on first use."""
    return root.subspace("namespaces")


def registered(reader: Reader, root: Subspace) -> list[str]:
    """Return the names of the namespaces that were made on first use."""
    space = registry(root)
    return [str(space.unpack(key)[0]) for key, _ in reader.scan(*space.range())]


class Namespaces:
    """All of them (an `AmqpService` and an `HttpService` where there may be several)."""

    def __init__(self, parts: NamespaceParts, services: Services, root: Subspace, *, on_first_use: bool) -> None:
        """Call `start` before the first client connects."""
        self._parts = parts
        self._services = services
        self._root = root
        self._on_first_use = on_first_use
        self._served: dict[str, ServiceBusService] = {}

    def start(self, *, is_seeded: bool = False) -> None:
        """Serve what the store holds; what has not been seeded is. Raises SeedError, StorageError."""
        self._served = {}
        with self._parts.transactions.reader() as reader:
            names = [DEFAULT, *registered(reader, self._root)]
        for name in names:
            self._serve(name, self._make(name, is_seeded=is_seeded))

    def close(self, reason: str) -> None:
        """Cut all connections, whose clients connect again."""
        for service in self._served.values():
            service.close(reason)

    def names(self) -> list[str]:
        """The names of those that there are; `DEFAULT` first."""
        return list(self._served)

    def renew(self, name: str) -> None:
        """Empty a namespace and seed it again; its clients are cut off, and connect again. Raises StorageError.

        When the store fails, all is as it was.
        """
        parts, old = self._parts, self._served[name]
        alarm = self._services.alarms[part_of(name)]
        parts.transactions.commit()
        try:
            with parts.transactions.writer() as writer:
                parts.generations.renew(writer, part_of(name))
            service = self._make(name, is_seeded=False)
        except StorageError:
            self._services.alarms[part_of(name)].cancel()
            self._services.alarms[part_of(name)] = alarm
            raise
        old.close("The namespace was reset.")
        alarm.silence()
        self._serve(name, service)

    def reload(self) -> None:
        """Go on with what was put into the store from outside. Raises StorageError."""
        for name in self._served:
            self._services.alarms[part_of(name)].silence()
        self.close("The namespace was exchanged.")
        self.start(is_seeded=True)

    # What the server calls, where there may be several.

    def connected(self, core: AmqpConnection, host: AmqpHost) -> AmqpPeer:
        """See `AmqpService.connected`."""
        return _NamespacePeer(self, core, host)

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """See `HttpService.accept`."""
        return self.of_host(request.host).admin.accept(request, address)

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """See `HttpService.refuse`."""
        return self._served[DEFAULT].admin.refuse(request, error)

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`."""
        return self._served[DEFAULT].admin.operation_name(request, address)

    def of_host(self, host: str) -> ServiceBusService:
        """Return the namespace of a host name, made if need be. Raises StorageError."""
        name = namespace_of(host) or DEFAULT
        found = self._served.get(name)
        if found is None:
            if len(self._served) >= NAMESPACES_MAX:
                raise StorageError(f"there are {NAMESPACES_MAX} namespaces already")
            parts = self._parts
            with parts.transactions.writer() as writer:
                writer.put(registry(self._root).pack(name), b"")
            found = self._make(name, is_seeded=False)
            self._serve(name, found)
        return found

    @property
    def counts(self) -> Counts:
        """What was done with messages in all of them."""
        return self._parts.settings(DEFAULT).counts

    @property
    def default(self) -> ServiceBusService:
        """The one that every server has."""
        return self._served[DEFAULT]

    def _desk_of(self, name: str) -> Desk | None:
        """What the own API does with a namespace by its name; an empty name is the default one's."""
        found = self._served.get(name or DEFAULT)
        return None if found is None else found.desk

    def _make(self, name: str, *, is_seeded: bool) -> ServiceBusService:
        context, alarm = self._parts.context(part_of(name))
        service = ServiceBusService(context, self._parts.settings(name))
        alarm.ring = service.expire
        if is_seeded:
            service.resume()
        else:
            service.start(self._parts.seeds)
        self._parts.commit()
        return service

    def _serve(self, name: str, service: ServiceBusService) -> None:
        """Let clients that connect from now on have this service."""
        services = self._services
        self._served[name] = service
        services.sweeps[part_of(name)] = lambda writer: service.sweep(writer, SWEEP_RECORDS)
        if name == DEFAULT:
            services.amqp = self if self._on_first_use else service
            services.http["servicebus"] = self if self._on_first_use else service.admin
            services.routes["servicebus"] = ServiceBusCalls(self._desk_of).routes()


class _NamespacePeer:
    """A connection whose namespace is told by its open frame; until then the default one watches its time."""

    def __init__(self, namespaces: Namespaces, core: AmqpConnection, host: AmqpHost) -> None:
        self._namespaces = namespaces
        self._core = core
        self._host = host
        self._peer = namespaces.default.connected(core, host)

    def handle(self, events: Sequence[AmqpEvent]) -> None:
        """See `AmqpPeer.handle`."""
        opened = next((event for event in events if isinstance(event, ConnectionOpened)), None)
        if opened is not None:
            try:
                service = self._namespaces.of_host(opened.hostname or "")
            except StorageError as error:
                self._core.close(AmqpError("amqp:internal-error", str(error)))
                self._host.flush()
                return
            if service is not self._namespaces.default:
                self._peer.disconnected()
                self._peer = service.connected(self._core, self._host)
        self._peer.handle(events)

    def writable(self) -> None:
        """See `AmqpPeer.writable`."""
        self._peer.writable()

    def tick(self, now: float) -> float | None:
        """See `AmqpPeer.tick`."""
        return self._peer.tick(now)

    def disconnected(self) -> None:
        """See `AmqpPeer.disconnected`."""
        self._peer.disconnected()

    def shutdown(self) -> None:
        """See `AmqpPeer.shutdown`."""
        self._peer.shutdown()
