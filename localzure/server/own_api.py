"""LocalZure's own HTTP API, on every HTTP port beside the services."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localzure.server.health import probe
from localzure.services.interface import HttpReply, ServiceError

if TYPE_CHECKING:
    from localzure.server.health import Health, Probe
    from localzure.services.interface import Address, HttpRequest
    from localzure_storage.store import StorageError

JSON = [("content-type", "application/json")]


class NoServiceError(ServiceError):
    """Nobody answers here: the request names no service, or one that is switched off."""


class OwnApi:
    """Answers what is for no emulated service, and the errors of requests that reach none (an `HttpService`)."""

    def __init__(self, health: Health) -> None:
        """Made once per server."""
        self._health = health

    def answers(self, request: HttpRequest) -> bool:
        """Whether a request is for this API, not for an account or container of the same name."""
        return probe(request) is not None

    def accept(self, request: HttpRequest, address: Address) -> _Probe:
        """See `HttpService.accept`."""
        del address
        wanted = probe(request)
        if wanted is None:
            raise NoServiceError("No such path in LocalZure's own API.")
        return _Probe(self._health, wanted)

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """See `HttpService.refuse`: JSON, `{"error": {"code", "message"}}`."""
        if isinstance(error, ServiceError):
            return _error(404, "NotFound", str(error))
        return _error(500, "InternalError", f"The request failed; its id in the log is {request.request_id}.")


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


def _error(status: int, code: str, message: str) -> HttpReply:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return HttpReply(status, list(JSON), body)
