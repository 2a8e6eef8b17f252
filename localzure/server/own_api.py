"""LocalZure's own HTTP API, on every HTTP port beside the services: health, and everything below `/_localzure/`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localzure.server.health import probe
from localzure.services.interface import HttpReply, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.server.health import Health
    from localzure.server.trust import Trust
    from localzure.services.interface import Address, HttpRequest
    from localzure_storage.store import StorageError

PREFIX = "/_localzure/"
"""No account has a name that begins with an underscore."""


class OwnApiError(ServiceError):
    """What LocalZure's own API refuses: HTTP status, code and a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class NoServiceError(OwnApiError):
    """Nobody answers here: the request names no service, or one that is switched off."""

    def __init__(self, message: str) -> None:
        super().__init__(404, "NotFound", message)


class OwnApi:
    """Answers what is for no emulated service, and the errors of requests that reach none (an `HttpService`)."""

    def __init__(self, health: Health, trust: Trust) -> None:
        """Made once per server."""
        self._health = health
        self._trust = trust
        self._calls: dict[tuple[str, str], Callable[[], HttpReply]] = {
            ("GET", "ca.pem"): self._certificate,
            ("GET", "ca.p12"): self._truststore,
        }

    def answers(self, request: HttpRequest) -> bool:
        """Whether a request is for this API, not for an account or container of the same name."""
        return request.raw_path.startswith(PREFIX) or probe(request) is not None

    def accept(self, request: HttpRequest, address: Address) -> _Answer:
        """See `HttpService.accept`."""
        del address
        wanted = probe(request)
        if wanted is not None:
            return _Answer(lambda: self._health.reply(wanted))
        name = request.raw_path.removeprefix(PREFIX)
        call = self._calls.get((request.method, name))
        if call is not None:
            return _Answer(call)
        if any(known == name for _, known in self._calls):
            raise OwnApiError(405, "MethodNotAllowed", f"{PREFIX}{name} is not called with {request.method}.")
        raise OwnApiError(404, "NotFound", f"There is no {PREFIX}{name} in LocalZure's own API.")

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """See `HttpService.refuse`: JSON, `{"error": {"code", "message"}}`."""
        status, code = (error.status, error.code) if isinstance(error, OwnApiError) else (500, "InternalError")
        message = str(error) if status < 500 else f"The request failed; its id in the log is {request.request_id}."
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        return HttpReply(status, [("content-type", "application/json")], body)

    def _certificate(self) -> HttpReply:
        return HttpReply(200, [("content-type", "application/x-pem-file")], self._trust.authority().pem)

    def _truststore(self) -> HttpReply:
        return HttpReply(200, [("content-type", "application/x-pkcs12")], self._trust.authority().truststore())


class _Answer:
    """A call being answered; a body, if any, is ignored."""

    def __init__(self, call: Callable[[], HttpReply]) -> None:
        self._call = call

    def write(self, data: bytes) -> None:
        del data

    def finish(self) -> HttpReply:
        return self._call()

    def abandon(self) -> None:
        pass
