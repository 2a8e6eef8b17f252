"""Answers health probes and the calls of LocalZure's own API, and renders the errors of requests that reach nobody."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from localzure.gateway.address import STORAGE_SERVICES, parse_host
from localzure.plugins.errors import json_reply, refusal
from localzure.server.health import probe
from localzure.server.own_api.routes import OwnApiError, OwnCall, find
from localzure.services.interface import HttpReply, LaterReply, ServiceError
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from localzure.server.health import Health, Probe
    from localzure.server.own_api.guard import Guard
    from localzure.server.own_api.routes import Result, Route
    from localzure.services.interface import Address, BodySink, HttpRequest

PREFIX = "/_localzure/"
"""No account has a name that begins with an underscore, and no container."""

_log = logging.getLogger(__name__)


class OwnApi:
    """What is for no emulated service (an `HttpService`)."""

    def __init__(
        self, health: Health, guard: Guard, routes: Sequence[Route], more: Mapping[str, Sequence[Route]]
    ) -> None:
        """Made once per server; `more` are the calls that services add now, by their names.

        `spawn` is set before the first connection.
        """
        self._health = health
        self._guard = guard
        self._own_routes = routes
        self._more = more
        self.spawn: Callable[[Coroutine[None, None, None]], Task[None]] | None = None
        """Starts what a call has to wait for."""
        self._running: set[Task[None]] = set()

    def answers(self, request: HttpRequest) -> bool:
        """Whether a request is for this API, not for an account or container of the same name."""
        if not request.raw_path.startswith(PREFIX):
            return probe(request) is not None
        return parse_host(request.host).service not in STORAGE_SERVICES

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """See `HttpService.accept`."""
        del address
        wanted = probe(request)
        if wanted is not None:
            return _Probe(self._health, wanted)
        self._guard.check(request, is_public=any(route.is_public for route in self._routes_of(request)))
        route, names = find(self._routes(), request.method, request.raw_path.removeprefix(PREFIX))
        return (_Upload if route.is_upload else _Body)(self, route, OwnCall(request, names))

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`: the path of the call."""
        del address
        return request.raw_path.removeprefix(PREFIX)

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """See `HttpService.refuse`: JSON, `{"error": {"code", "message"}}`."""
        return refusal(request, error)

    def cancel(self) -> None:
        """The server stops: end what calls still wait for."""
        for task in self._running:
            task.cancel()

    def _routes(self) -> list[Route]:
        return [*self._own_routes, *chain.from_iterable(self._more.values())]

    def _routes_of(self, request: HttpRequest) -> list[Route]:
        path = request.raw_path.removeprefix(PREFIX)
        return [route for route in self._routes() if route.match(path) is not None]

    def answer(self, route: Route, call: OwnCall) -> HttpReply:
        """Do a call whose body is complete. Raises ServiceError, StorageError."""
        result = route.handle(call)
        if not isinstance(result, Awaitable):
            return _reply(result)
        later = LaterReply()
        call.is_going_on = True
        assert self.spawn is not None, "the server starts before its connections"
        task = self.spawn(self._answer_later(result, call, later))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return later

    async def _answer_later(self, result: Awaitable[Result], call: OwnCall, later: LaterReply) -> None:
        request = call.request
        try:
            reply = _reply(await result)
        except (ServiceError, StorageError) as error:
            reply = self.refuse(request, error)
        except Exception:  # noqa: BLE001 - the unforeseen becomes a 500 with a request id that is in the log
            _log.exception("%s %s failed (%s)", request.method, request.raw_path, request.request_id)
            reply = self.refuse(request, None)
        finally:
            call.discard()
        later.ready(reply)


class _Probe:
    """A health probe being answered; a body, if any, is ignored."""

    def __init__(self, health: Health, wanted: Probe) -> None:
        self._health = health
        self._wanted = wanted

    def write(self, data: bytes) -> None:
        del data

    def finish(self) -> HttpReply:
        return self._health.reply(self._wanted)

    def abandon(self) -> None:
        pass


class _Body:
    """The body of a call."""

    def __init__(self, api: OwnApi, route: Route, call: OwnCall) -> None:
        self._api = api
        self._route = route
        self._call = call

    def write(self, data: bytes) -> None:
        if len(self._call.body) + len(data) > self._route.body_bytes_max:
            raise OwnApiError(413, "BodyTooLarge", f"The body is longer than {self._route.body_bytes_max} bytes.")
        self._call.body += data

    def finish(self) -> HttpReply:
        return self._api.answer(self._route, self._call)

    def abandon(self) -> None:
        pass


class _Upload:
    """The body of a call that goes into a file."""

    def __init__(self, api: OwnApi, route: Route, call: OwnCall) -> None:
        self._api = api
        self._route = route
        self._call = call
        descriptor, name = tempfile.mkstemp(prefix="localzure-upload-")
        self._file = open(descriptor, "wb")  # noqa: PTH123, SIM115 - a descriptor, closed at the end of the body
        call.upload = Path(name)

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise OwnApiError(507, "NoRoom", f"The upload cannot be kept: {error}.") from error

    def finish(self) -> HttpReply:
        self._file.close()
        try:
            return self._api.answer(self._route, self._call)
        finally:
            if not self._call.is_going_on:
                self._call.discard()

    def abandon(self) -> None:
        self._file.close()
        if not self._call.is_going_on:
            self._call.discard()


def _reply(result: Result) -> HttpReply:
    if result is None:
        return HttpReply(204)
    return result if isinstance(result, HttpReply) else json_reply(result)
