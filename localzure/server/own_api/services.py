"""The calls that list services, and start, stop and restart one while the others run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localzure.plugins.states import ServiceState
from localzure.server.lifecycle import UnknownServiceError
from localzure.server.own_api.routes import OwnApiError, Route
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from localzure.server.lifecycle import Lifecycle
    from localzure.server.own_api.routes import OwnCall
    from localzure.services.interface import Instant


class ServiceCalls:
    """The calls, for one server."""

    def __init__(self, lifecycle: Lifecycle, changing: asyncio.Lock) -> None:
        """`changing` is held while the state as a whole is changed: services come and go one at a time."""
        self._lifecycle = lifecycle
        self._changing = changing

    def routes(self) -> list[Route]:
        """The calls."""
        lifecycle = self._lifecycle
        return [
            Route("GET", "services", self._list),
            Route("GET", "services/{name}", self._show),
            Route("POST", "services/{name}/start", lambda call: self._change(call, lifecycle.start)),
            Route("POST", "services/{name}/stop", lambda call: self._change(call, lifecycle.stop)),
            Route("POST", "services/{name}/restart", lambda call: self._change(call, lifecycle.restart)),
        ]

    def _list(self, _call: OwnCall) -> dict[str, object]:
        return {"services": [self._told(each.metadata.name) for each in self._lifecycle.services]}

    def _show(self, call: OwnCall) -> dict[str, object]:
        name = self._name(call)
        changes = [
            {"state": change.after.value, "at": _text(change.at), "reason": change.reason}
            for change in self._lifecycle.changes
            if change.service == name
        ]
        return self._told(name) | {"changes": changes}

    async def _change(self, call: OwnCall, change: Callable[[str], Awaitable[list[str]]]) -> dict[str, object]:
        name = self._name(call)
        async with self._changing:
            changed = await change(name)
        machine = self._lifecycle.machine(name)
        if machine.state is ServiceState.FAILED:
            raise OwnApiError(500, "ServiceFailed", f"The service {name} has failed: {machine.reason}")
        return self._told(name) | {"changed": changed}

    def _name(self, call: OwnCall) -> str:
        name = call.names["name"]
        try:
            self._lifecycle.machine(name)
        except UnknownServiceError as error:
            raise OwnApiError(404, "ServiceNotFound", str(error)) from None
        return name

    def _told(self, name: str) -> dict[str, Any]:
        (service,) = (each for each in self._lifecycle.services if each.metadata.name == name)
        machine, (health, remark) = self._lifecycle.machine(name), self._lifecycle.health()[name]
        return {
            "name": name,
            "version": service.metadata.version,
            "description": service.metadata.description,
            "kind": "built-in" if service.is_built_in else "plugin",
            "dependencies": list(service.metadata.dependencies),
            "state": machine.state.value,
            "since": _text(machine.since),
            "is_healthy": health == ServiceState.RUNNING.value,
            "remark": remark,
        }


def _text(instant: Instant) -> str:
    moment = datetime.fromtimestamp(instant / SECOND, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
