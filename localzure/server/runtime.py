"""The composition root: builds the store, the services and the listeners, wires them, and runs them to the end.

Start-up goes from what fails most often and leaves nothing behind (ports) to what writes (the store, seeds), so that
a start that fails half-way has changed nothing. Stopping goes the other way round: accept nothing new, let what is in
flight finish, commit, close the store.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from localzure.config.settings import Listener
from localzure.faults.injector import Injector
from localzure.observing.metrics import Metrics
from localzure.observing.observer import Observer
from localzure.server import limits as process_limits
from localzure.server import logs
from localzure.server.amqp import AmqpDriver
from localzure.server.background import keep_sweeping, warm_up
from localzure.server.carrying import Carrying
from localzure.server.clock import SystemClock, VirtualClock
from localzure.server.connection import Connections
from localzure.server.discovery import find_plugins
from localzure.server.entropy import SystemEntropy
from localzure.server.gates import Gates
from localzure.server.health import Health
from localzure.server.http import HttpContext, HttpDriver
from localzure.server.http_faults import HttpFaults
from localzure.server.lifecycle import Lifecycle
from localzure.server.listener import bind, endpoint, serve
from localzure.server.meters import connections_source, servicebus_source, services_source, store_source
from localzure.server.operated import BuiltIn, Plugin
from localzure.server.own_api.about import About
from localzure.server.own_api.clock import ClockCalls
from localzure.server.own_api.content import ContentCalls
from localzure.server.own_api.faults import FaultCalls
from localzure.server.own_api.guard import Guard
from localzure.server.own_api.metrics import MetricsCalls
from localzure.server.own_api.reset import ResetCalls
from localzure.server.own_api.roles import RoleCalls
from localzure.server.own_api.service import OwnApi
from localzure.server.own_api.services import ServiceCalls
from localzure.server.own_api.snapshots import SnapshotCalls
from localzure.server.proxy import Proxy
from localzure.server.ready import ReadyFile, connection_strings
from localzure.server.reloading import Reloading
from localzure.server.router import Router
from localzure.server.services import Builder, Services, read_seeds
from localzure.server.startup import StartupError
from localzure.server.state import State
from localzure.server.time_travel import TimeTravel
from localzure.server.tls import tls_driver
from localzure.server.transactions import TickTransactions
from localzure.server.trust import Trust
from localzure.server.websocket import wants_websocket, websocket_driver
from localzure.throttling.breaker import BreakerRules
from localzure.throttling.limits import Limits
from localzure_protocols.events import Foreign
from localzure_protocols.http1 import Http1Connection
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.sniff import Wire
from localzure_storage.open import open_store
from localzure_storage.store import Durability, StoreUnusableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from localzure.config.settings import Settings
    from localzure.observing.open_telemetry import OpenTelemetryTracer
    from localzure.server.discovery import FoundPlugin
    from localzure.server.driver import Channel, Driver
    from localzure.server.operated import Operated
    from localzure.services.interface import Entropy
    from localzure.services.servicebus.seed import EntitySeed
    from localzure_protocols.events import Request
    from localzure_storage.store import Store

    Announce = Callable[[Mapping[str, str], Mapping[str, str]], None]

DRAIN_SECONDS_MAX = 30.0
"""How long a stopping server waits for what is in flight."""

CLOSE_SECONDS_MAX = 1.0
"""How long a stopping server waits for clients to answer its closing, when nothing else is in flight."""

_POLL_SECONDS = 0.02

_log = logging.getLogger(__name__)


def run(settings: Settings, announce: Announce, reread: Callable[[], Settings]) -> int:
    """Serve until a signal says to stop; returns the process's exit code.

    `announce` is called once every listener serves, with the endpoints and the connection strings by name. `reread`
    reads the settings again from all their sources, and raises ConfigurationError where they are wrong. Raises
    StartupError when the server cannot start, with nothing left behind.
    """
    logs.configure(settings.log, settings.secrets())
    shortage = process_limits.raise_descriptor_limit()
    for line in (*settings.warnings, *([shortage] if shortage else [])):
        _log.warning(line)
    clock, entropy = VirtualClock(), SystemEntropy()
    seeds, trust = read_seeds(settings), Trust(settings, SystemClock(), entropy)
    plugins = find_plugins(settings)
    with ExitStack() as stack:
        sockets = []
        for listener in (*settings.listeners(), *plugin_listeners(plugins, settings)):
            sock = bind(listener, settings.host)
            stack.callback(sock.close)
            sockets.append((listener, sock))
        ready = ReadyFile(settings.ready_file)
        stack.callback(ready.remove)
        _run_loop(Server(settings, clock, entropy, sockets, ready, seeds, trust, reread, plugins).run(announce))
    return 0


def _run_loop(main: Coroutine[None, None, None]) -> None:
    """Run on uvloop where there is one, on plain asyncio where there is none."""
    if sys.platform != "win32":
        try:
            import uvloop
        except ImportError:
            _log.info("uvloop is not installed: running on asyncio's own loop")
        else:
            uvloop.run(main)
            return
    asyncio.run(main)


class Server:
    """One running server."""

    def __init__(
        self,
        settings: Settings,
        clock: VirtualClock,
        entropy: Entropy,
        sockets: list[tuple[Listener, socket.socket]],
        ready: ReadyFile,
        seeds: tuple[EntitySeed, ...],
        trust: Trust,
        reread: Callable[[], Settings],
        plugins: Sequence[FoundPlugin] = (),
    ) -> None:
        """`sockets` are bound and listening; connections wait in their backlog until everything serves."""
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._sockets = sockets
        self._ready = ready
        self._seeds = seeds
        self._trust = trust
        self._reread = reread
        self._plugins = plugins
        self._health = Health(settings.services, self._clock)
        self._travel: TimeTravel | None = None
        self._stopping = asyncio.Event()
        self._about = About(trust, self._health, self._stop)
        self._metrics = Metrics()
        self._tracer = _tracer(settings)
        self._observer = Observer(
            self._metrics,
            clock,
            logs_access=settings.access_log,
            logs_audit=settings.audit_log,
            tracer=self._tracer,
        )
        self._injector = Injector(clock.monotonic, settings.faults)
        self._limits = Limits(settings.rate_limits, clock.monotonic)

    async def run(self, announce: Announce) -> None:
        """Start, serve until told to stop, and stop. Raises StartupError."""
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            store = self._open_store()
            stack.callback(store.close)
            transactions = TickTransactions(store, self._clock, loop.call_soon)
            stack.callback(transactions.commit)
            builder = Builder(self._settings, transactions, self._clock, self._entropy, loop, self._seeds)
            services = builder.build()
            stack.callback(services.close)
            lifecycle = self._lifecycle(builder, services, transactions)
            stack.callback(lifecycle.close)
            lifecycle.start_all()
            if self._tracer is not None:
                stack.callback(self._tracer.close)
            state = State(store, transactions, builder, services, self._clock)
            carrying = Carrying(state, store, transactions, builder, services, self._entropy)
            own_api = self._own_api(state, carrying, builder, services, transactions, lifecycle)
            connections = self._connect(services, own_api, state, transactions, loop, lifecycle)
            stack.callback(connections.abort)
            self._metrics.sources += [
                services_source(lifecycle),
                store_source(store, transactions, state),
                connections_source(connections),
            ]
            if "servicebus" in self._settings.services:
                self._metrics.sources.append(servicebus_source(builder.namespaces))
            try:
                async with asyncio.TaskGroup() as tasks:
                    own_api.spawn = tasks.create_task
                    background = self._start_background(tasks, state, store, transactions, services)
                    await self._serve(connections, announce)
                    own_api.cancel()
                    for task in background:
                        task.cancel()
            except* StartupError as failures:
                raise failures.exceptions[0] from None
        _log.info("stopped")

    def _open_store(self) -> Store:
        try:
            return open_store(self._settings.data_dir, Durability(self._settings.durability))
        except StoreUnusableError as error:
            raise StartupError(str(error)) from error

    def _lifecycle(self, builder: Builder, services: Services, transactions: TickTransactions) -> Lifecycle:
        """Every service, with its state; none is started. Raises StartupError."""
        operated: list[Operated] = [BuiltIn(name, builder) for name in self._settings.services]
        parts = builder, services, transactions, self._clock, self._entropy
        operated += [Plugin(found, *parts) for found in self._plugins]
        lifecycle = Lifecycle(operated, self._clock)
        builder.also_rebuilt.append(lifecycle.rebuild)
        self._health.tell = lifecycle.health
        return lifecycle

    def _own_api(
        self,
        state: State,
        carrying: Carrying,
        builder: Builder,
        services: Services,
        transactions: TickTransactions,
        lifecycle: Lifecycle,
    ) -> OwnApi:
        """LocalZure's own API, with what the services add to it."""
        names = [self._settings.host, socket.gethostname(), *self._settings.admin_hosts]
        guard = Guard(names, self._settings.admin_token)
        alarms, sweeps = services.alarms.values(), services.sweeps.values()
        travel = self._travel = TimeTravel(self._clock, alarms, sweeps, transactions, lambda: services.is_importing)
        clock = ClockCalls(travel)
        reset = ResetCalls(services, transactions, builder.namespaces, state.changing)
        faults, metrics = FaultCalls(self._injector), MetricsCalls(self._metrics)
        content, managing = ContentCalls(carrying, services), ServiceCalls(lifecycle, state.changing)
        roles = RoleCalls(services.roles, is_enforced=self._settings.auth == "rbac")
        calls = (
            self._about,
            clock,
            faults,
            metrics,
            reset,
            SnapshotCalls(state),
            content,
            managing,
            roles,
        )
        return OwnApi(self._health, guard, [route for each in calls for route in each.routes()], services.routes)

    def _connect(
        self,
        services: Services,
        own_api: OwnApi,
        state: State,
        transactions: TickTransactions,
        loop: asyncio.AbstractEventLoop,
        lifecycle: Lifecycle,
    ) -> Connections:
        """Wire the protocols to the services."""
        injector, limits, monotonic = self._injector, self._limits, self._clock.monotonic
        faults = HttpFaults(injector, self._clock, loop.call_later)
        gates = Gates(faults, limits, self._settings.breakers or BreakerRules(), monotonic, self._metrics)
        plugins = {plugin.metadata.name for plugin in self._plugins}
        router = Router(
            services.http, own_api, gates, self._settings.hosts, services.accounts.use, lifecycle.resting, plugins
        )
        http = HttpContext(router, transactions, self._clock, self._entropy, loop.call_soon, self._observer)
        lifecycle.requests = http
        factories: dict[Wire, Callable[[Channel], Driver]] = {
            Wire.HTTP1: lambda channel: HttpDriver(channel, Http1Connection(foreign(channel)), http, upgrade),
            Wire.HTTP2: lambda channel: HttpDriver(channel, Http2Connection(), http),
        }
        if services.amqp is not None:
            container_id = f"{self._entropy.uuid().hex}_G0"
            factories[Wire.AMQP] = lambda channel: AmqpDriver(
                channel, services.serving_amqp(), container_id, loop.call_later, injector, limits
            )

        own_ports = {sock.getsockname()[1] for _, sock in self._sockets}
        is_open = self._settings.proxy_clients == "any"
        proxy = Proxy(monotonic, own_ports, is_offline=self._settings.offline, is_open=is_open)

        def foreign(channel: Channel) -> Callable[[bytes], bool] | None:
            """What tells requests for other hosts, where the server is a proxy: on the gateway."""
            return proxy.is_foreign if channel.listener.service is None else None

        def upgrade(channel: Channel, request: Request | Foreign) -> Driver | None:
            """The driver that an HTTP/1.1 request asks for by its method or `Upgrade` header, if it is one of ours."""
            if isinstance(request, Foreign):
                return proxy.forward(channel)
            if request.method == b"CONNECT":
                return proxy.connect(channel, request, factories) if foreign(channel) else None
            if Wire.AMQP in factories and wants_websocket(request):
                return websocket_driver(channel, request, factories[Wire.AMQP])
            core = None if channel.is_secure else Http2Connection.upgrade(request)
            return None if core is None else HttpDriver(channel, core, http)

        inside_tls = dict(factories)
        clock, trust = self._clock, self._trust
        factories[Wire.TLS] = lambda channel: tls_driver(channel, trust.context(), inside_tls, clock.monotonic())
        connections = Connections(loop, self._clock, transactions, factories)
        transactions.on_settled = connections.flush
        state.cut_requests = lambda: http.cut(own_api)
        if self._travel is not None:
            self._travel.on_clients_time = connections.tick
        return connections

    def _start_background(
        self, tasks: asyncio.TaskGroup, state: State, store: Store, transactions: TickTransactions, services: Services
    ) -> list[asyncio.Task[None]]:
        """Start what runs beside the clients."""
        sweeping = keep_sweeping(transactions, services.sweeps.values(), lambda: services.is_importing)
        running = [tasks.create_task(sweeping), tasks.create_task(warm_up(services.warm_ups))]
        reloading = Reloading(self._settings, self._reread, self._takers(services))
        running.append(tasks.create_task(reloading.keep(self._settings.config_file)))
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloading.want)
        if store.checkpoint is not None:
            running.append(tasks.create_task(state.keep_checkpoints()))
        if self._settings.snapshot_seconds:
            every, count = self._settings.snapshot_seconds, self._settings.snapshot_count
            running.append(tasks.create_task(state.keep_snapshots(every, count)))
        return running

    def _takers(self, services: Services) -> dict[str, Callable[[Settings], None]]:
        """What takes each setting over that can change while the server runs."""
        return {
            "accounts": lambda found: services.take_accounts(found.accounts),
            "role_assignments": lambda found: services.roles.configure(found.role_assignments),
            "faults": lambda found: self._injector.configure(found.faults),
            "rate_limits": lambda found: self._limits.configure(found.rate_limits),
            "access_log": lambda found: self._observer.configure(found.access_log, found.audit_log),
            "audit_log": lambda found: self._observer.configure(found.access_log, found.audit_log),
        }

    async def _serve(self, connections: Connections, announce: Announce) -> None:
        """Accept connections from here to the signal that stops the server, then let them finish."""
        for number in (signal.SIGINT, signal.SIGTERM):
            connections.loop.add_signal_handler(number, self._on_signal, number)
        servers = [await serve(sock, listener, connections) for listener, sock in self._sockets]
        endpoints = {listener.name: endpoint(listener, sock) for listener, sock in self._sockets}
        strings = connection_strings(endpoints, self._settings)
        # What start-up made stays. Looking at it again takes the garbage collector 20 ms, with every client waiting.
        gc.freeze()
        self._health.serve()
        self._about.serve(endpoints, strings)
        self._ready.write(endpoints, strings)
        announce(endpoints, strings)
        await self._make_authority()
        await self._stopping.wait()
        self._health.stop()
        self._ready.remove()
        for server in servers:
            server.close()
        connections.shutdown()
        await _drain(connections)

    async def _make_authority(self) -> None:
        """Have the local authority on disk for whoever wants to trust it, beside serving."""
        if self._settings.data_dir is not None and self._settings.tls_certificate is None:
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._trust.authority)
            except StartupError as error:
                _log.error("TLS cannot be served: %s", error)

    def _on_signal(self, number: int) -> None:
        """The first signal stops in order, a second one at once."""
        if self._stopping.is_set():
            self._ready.remove()
            os._exit(128 + number)
        self._stop()

    def _stop(self) -> None:
        """Stop in order."""
        _log.info("stopping: finishing what is in flight; signal again to stop at once")
        self._stopping.set()


def plugin_listeners(plugins: Iterable[FoundPlugin], settings: Settings) -> list[Listener]:
    """The listeners of plugins that have a port of their own."""
    are_ephemeral, found = "ports.all" in settings.origins, []
    for plugin in plugins:
        name, port = plugin.metadata.name, plugin.port
        if port is not None and plugin.kind is not None:
            chosen = 0 if are_ephemeral and plugin.options.port is None else port
            found.append(Listener(name, name, chosen, f"plugins.options.{name}.port"))
    return found


def _tracer(settings: Settings) -> OpenTelemetryTracer | None:
    """Where traces go, if they go anywhere. Raises StartupError where the library is missing."""
    if settings.otel_endpoint is None:
        return None
    try:
        from localzure.observing.open_telemetry import OpenTelemetryTracer  # late: brings a large library
    except ImportError:
        raise StartupError("--otel-endpoint needs OpenTelemetry: pip install 'localzure[otel]'") from None
    return OpenTelemetryTracer(settings.otel_endpoint)


async def _drain(connections: Connections) -> None:
    """Wait for what is in flight, and a moment for clients to answer the closing."""
    started = connections.clock.monotonic()
    while connections.open:
        waited = connections.clock.monotonic() - started
        if waited > DRAIN_SECONDS_MAX:
            _log.warning("%d connections are dropped: they did not finish in time", len(connections.open))
            return
        if waited > CLOSE_SECONDS_MAX and not any(connection.is_busy for connection in connections.open):
            return
        await asyncio.sleep(_POLL_SECONDS)
