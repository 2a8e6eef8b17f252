"""The calls that carry content out and in, count it, check it and make it small."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from localzure.server.carrying import BusyError
from localzure.server.export_file import ExportError, Head
from localzure.server.importing import Mode
from localzure.server.own_api.routes import InvalidCallError, OwnApiError, Route
from localzure.services.interface import HttpReply
from localzure_storage.store import NoSnapshotError

if TYPE_CHECKING:
    from localzure.server.carrying import Carrying
    from localzure.server.own_api.routes import OwnCall
    from localzure.server.services import Services


_MODES: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}


class ContentCalls:
    """The calls, for one server."""

    def __init__(self, carrying: Carrying, services: Services) -> None:
        self._carrying = carrying
        self._services = services

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("GET", "export", self._export),
            Route("POST", "import", self._import, is_upload=True),
            Route("GET", "stats", self._stats),
            Route("GET", "verify", self._verify),
            Route("POST", "compact", self._compact),
        ]

    async def _export(self, call: OwnCall) -> HttpReply:
        query = call.query
        names = [name for name in query.get("services", "").split(",") if name] or list(self._services.porters)
        unknown = [name for name in names if name not in self._services.porters]
        if unknown:
            raise InvalidCallError(f"No service {unknown[0]!r} runs: choose of {', '.join(self._services.porters)}.")
        account = query.get("account") or None
        if account is not None and account not in self._services.accounts:
            raise OwnApiError(404, "AccountNotFound", f"There is no storage account {account!r}.")
        head = Head(tuple(names), account, query.get("since") or None)
        descriptor, name = tempfile.mkstemp(prefix="localzure-export-")
        os.close(descriptor)
        path = Path(name)
        body = _FileSource(path)
        try:
            counted = await self._carrying.export(path, head)
        except NoSnapshotError as error:
            body.close()
            raise OwnApiError(404, "SnapshotNotFound", f"{error}.".capitalize()) from error
        except BaseException:
            body.close()
            raise
        headers = [(f"x-localzure-{name}", str(count)) for name, count in counted.items()]
        return HttpReply(200, [("content-type", "application/gzip"), *headers], body)

    async def _import(self, call: OwnCall) -> dict[str, object]:
        mode = _MODES.get(call.query.get("mode", "merge"))
        if mode is None:
            raise InvalidCallError(f"The mode is one of {', '.join(_MODES)}.")
        assert call.upload is not None, "the route says so"
        try:
            return await self._carrying.take(call.upload, mode)
        except ExportError as error:
            raise InvalidCallError(f"{error}.".capitalize()) from error

    async def _stats(self, _call: OwnCall) -> dict[str, object]:
        return await self._carrying.stats()

    async def _verify(self, _call: OwnCall) -> dict[str, object]:
        return await self._carrying.verify()

    async def _compact(self, _call: OwnCall) -> dict[str, object]:
        try:
            return await self._carrying.compact()
        except BusyError:
            raise OwnApiError(409, "StoreBusy", "Clients write all the time: stop them first.") from None


class _FileSource:
    """A file as the body of a reply, deleted with it (see `localzure.services.interface.BodySource`)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")

    @property
    def length(self) -> int:
        """See `BodySource.length`."""
        return os.fstat(self._file.fileno()).st_size

    def read(self, limit: int) -> bytes:
        """See `BodySource.read`."""
        return self._file.read(limit)

    def close(self) -> None:
        """See `BodySource.close`."""
        self._file.close()
        self._path.unlink(missing_ok=True)
