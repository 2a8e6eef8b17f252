"""Starting, stopping and restarting each service while the others run.

Services are started in the order of what they depend on, and stopped the other way round: stopping one stops those
that need it first, starting one starts those that it needs. A service that stops is asked nothing new from then on
(503), and what it is asked already has time to finish. One that fails to start is `failed`, and so is who needs it;
the others serve. A built-in service that cannot be started ends the start of the server, as a port in use does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Protocol

from localzure.plugins.ordering import DependencyError, dependents, needed, start_order
from localzure.plugins.states import ServiceState, StateChange, StateMachine, Step
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from localzure.server.exchange import Exchange
    from localzure.server.operated import Operated
    from localzure.services.interface import Clock

DRAIN_SECONDS_MAX = 10.0
"""How long a service that stops waits for the requests that it has."""

CHANGES_MAX = 200
"""Changes of states that are remembered."""

_POLL_SECONDS = 0.01

_log = logging.getLogger(__name__)


class Requests(Protocol):
    """The HTTP requests in flight."""

    def exchanges_of(self, services: Collection[str]) -> list[Exchange]:
        """Those for `services`."""
        ...


class UnknownServiceError(Exception):
    """There is no service of the name."""


class Lifecycle:
    """The services of one server, each with its state."""

    def __init__(self, services: Iterable[Operated], clock: Clock) -> None:
        """Nothing is started yet. Raises StartupError for a dependency that is missing, or a circle of them."""
        known = {each.metadata.name: each for each in services}
        self._needs = {name: each.metadata.dependencies for name, each in known.items()}
        try:
            self._services = {name: known[name] for name in start_order(self._needs)}
        except DependencyError as error:
            raise StartupError(str(error)) from None
        self._clock = clock
        self.changes: deque[StateChange] = deque(maxlen=CHANGES_MAX)
        """The last changes of states, the latest last."""
        self.turns: Counter[tuple[str, str]] = Counter()
        """How often which service has come into which state."""
        self.listeners: list[Callable[[StateChange], None]] = []
        """Hear of every change, after it."""
        self.resting: dict[str, str] = {}
        """By the names under which requests reach it, the state of each service that is not to be asked."""
        self.requests: Requests | None = None
        """Set before the first connection."""
        self._states = {name: StateMachine(name, clock.wall, self._changed) for name in self._services}

    @property
    def services(self) -> Sequence[Operated]:
        """All of them, in the order of their start."""
        return list(self._services.values())

    def machine(self, name: str) -> StateMachine:
        """The state of the service `name`. Raises UnknownServiceError."""
        if name not in self._states:
            raise UnknownServiceError(f"There is no service {name!r}; there are {', '.join(self._services)}.")
        return self._states[name]

    def start_all(self) -> None:
        """Start every service in order. Raises StartupError for a built-in one that cannot be."""
        for name, service in self._services.items():
            self._start(name, service)
            if service.is_built_in and self._states[name].state is ServiceState.FAILED:
                raise StartupError(self._states[name].reason)

    async def start(self, name: str) -> list[str]:
        """Start a service, and before it those that it needs; returns those that were. One may have failed then."""
        self.machine(name)
        wanted = {name, *needed(self._needs, name)}
        return [each for each, service in self._services.items() if each in wanted and self._start(each, service)]

    async def stop(self, name: str) -> list[str]:
        """Stop a service, and before it those that need it; returns those that were, in this order."""
        self.machine(name)
        concerned = {name, *dependents(self._needs, name)}
        stopped = []
        for each in reversed(self._services):
            if each in concerned and self._runs(each):
                await self._stop(each)
                stopped.append(each)
        return stopped

    async def restart(self, name: str) -> list[str]:
        """Stop a service and those that need it, and start it and those that ran before; returns those started."""
        stopped = await self.stop(name)
        started = await self.start(name)
        for each in reversed(stopped):
            started += await self.start(each)
        return started

    def rebuild(self) -> None:
        """Start every plugin that runs anew: the store holds something else now."""
        running = [
            (name, service) for name, service in self._services.items() if not service.is_built_in and self._runs(name)
        ]
        for name, service in reversed(running):
            self._close(name, service)
        for name, service in running:
            self._start(name, service)

    def close(self) -> None:
        """The server stops, or does not come to serve: stop what runs."""
        for name, service in reversed(self._services.items()):
            if not service.is_built_in and self._runs(name):
                self._close(name, service)

    def health(self) -> dict[str, tuple[str, str]]:
        """By its name, how each service is, and what there is to say about that."""
        return {name: self._health(name) for name in self._services}

    def _health(self, name: str) -> tuple[str, str]:
        machine = self._states[name]
        if machine.state is not ServiceState.RUNNING:
            return machine.state.value, machine.reason
        try:
            told = self._services[name].health()
        except Exception as error:  # noqa: BLE001 - somebody else's code must not fail the server's health
            return "unhealthy", f"{type(error).__name__}: {error}"
        return ("running" if told.is_healthy else "unhealthy"), told.detail

    def _start(self, name: str, service: Operated) -> bool:
        """Start a service, if it does not run; whether it runs by that."""
        machine = self._states[name]
        if machine.state in (ServiceState.RUNNING, ServiceState.STOPPING):
            return False
        machine.step(Step.START)
        missing = [each for each in service.metadata.dependencies if self._states[each].state != "running"]
        if missing:
            machine.step(Step.FAIL, f"it needs {missing[0]}, which is {self._states[missing[0]].state}")
            return False
        try:
            service.start()
        except StartupError as error:
            machine.step(Step.FAIL, str(error))
        except Exception as error:  # noqa: BLE001 - somebody else's code; the others serve
            _log.exception("the service %s cannot be started", name)
            machine.step(Step.FAIL, f"{type(error).__name__}: {error}")
        else:
            machine.step(Step.STARTED)
        return self._runs(name)

    def _runs(self, name: str) -> bool:
        return self._states[name].state is ServiceState.RUNNING

    async def _stop(self, name: str) -> None:
        """Take no new requests, let those finish that are there, and stop."""
        service = self._services[name]
        self._states[name].step(Step.STOP)
        for exchange in self._in_flight(service):
            exchange.hurry()
        began = self._clock.monotonic()
        # Telling of each request's end would cost every request; a service stops rarely.
        while self._in_flight(service) and self._clock.monotonic() - began < DRAIN_SECONDS_MAX:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        self._end(name, service)
        for exchange in self._in_flight(service):
            exchange.break_off()

    def _close(self, name: str, service: Operated) -> None:
        """Stop without waiting."""
        self._states[name].step(Step.STOP)
        self._end(name, service)

    def _end(self, name: str, service: Operated) -> None:
        try:
            service.stop()
        except Exception as error:  # noqa: BLE001 - somebody else's code; the others go on
            _log.exception("the service %s did not stop as it should", name)
            self._states[name].step(Step.FAIL, f"{type(error).__name__}: {error}")
        else:
            self._states[name].step(Step.STOPPED)

    def _in_flight(self, service: Operated) -> list[Exchange]:
        return [] if self.requests is None else self.requests.exchanges_of(service.routes)

    def _changed(self, change: StateChange) -> None:
        self.changes.append(change)
        self.turns[change.service, change.after.value] += 1
        for route in self._services[change.service].routes:
            if change.after is ServiceState.RUNNING:
                self.resting.pop(route, None)
            else:
                self.resting[route] = change.after.value
        if change.reason:
            _log.error("the service %s has failed: %s", change.service, change.reason)
        else:
            _log.debug("the service %s is %s", change.service, change.after)
        for listener in self.listeners:
            listener(change)
