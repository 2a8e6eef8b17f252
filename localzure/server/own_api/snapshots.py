"""The calls about snapshots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localzure.server.own_api.routes import InvalidCallError, OwnApiError, Route
from localzure.services.interface import SECOND
from localzure_storage.store import NoSnapshotError, is_name

if TYPE_CHECKING:
    from localzure.server.own_api.routes import OwnCall
    from localzure.server.state import State
    from localzure_storage.store import SnapshotInfo


class SnapshotCalls:
    """The calls, for the state of one server."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("GET", "snapshots", self._list),
            Route("PUT", "snapshots/{name}", self._save),
            Route("DELETE", "snapshots/{name}", self._delete),
            Route("POST", "snapshots/{name}/restore", self._restore),
        ]

    def _list(self, _call: OwnCall) -> dict[str, object]:
        return {"snapshots": [_described(info) for info in self._state.snapshots()]}

    async def _save(self, call: OwnCall) -> dict[str, object]:
        name = _name(call)
        await self._state.save(name)
        return next((_described(info) for info in self._state.snapshots() if info.name == name), {"name": name})

    async def _delete(self, call: OwnCall) -> None:
        try:
            await self._state.delete(_name(call))
        except NoSnapshotError as error:
            raise OwnApiError(404, "SnapshotNotFound", f"{error}.".capitalize()) from error

    async def _restore(self, call: OwnCall) -> dict[str, object]:
        name = _name(call)
        try:
            await self._state.restore(name)
        except NoSnapshotError as error:
            raise OwnApiError(404, "SnapshotNotFound", f"{error}.".capitalize()) from error
        return {"restored": name}


def _name(call: OwnCall) -> str:
    name = call.names["name"]
    if not is_name(name):
        raise InvalidCallError("The name of a snapshot has up to 100 letters, digits, dots, dashes and underscores.")
    return name


def _described(info: SnapshotInfo) -> dict[str, object]:
    created = datetime.fromtimestamp(info.created / SECOND, UTC)
    return {
        "name": info.name,
        "created": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "bytes": info.size,
    }
