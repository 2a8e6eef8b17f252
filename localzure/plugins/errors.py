"""Refusals in JSON, `{"error": {"code", "message"}}`: how plugins say no, and LocalZure's own API does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localzure.services.interface import HttpReply, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.interface import HttpRequest
    from localzure_storage.store import StorageError


class PluginError(ServiceError):
    """What a plugin refuses: HTTP status, code and a sentence for people."""

    def __init__(self, status: int, code: str, message: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = tuple(headers)


def refusal(request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
    """Render what went wrong with a request; None is an unknown failure."""
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, ServiceError):
        status, code = int(getattr(error, "status", 500)), str(getattr(error, "code", "InternalError"))
        message, headers = str(getattr(error, "message", error)), tuple(getattr(error, "headers", ()))
    elif error is not None:
        status, code, message = 503, "StoreFailed", f"The store could not do it: {error}"
    else:
        status, code = 500, "InternalError"
        message = f"The request failed; its id in the log is {request.request_id}."
    reply = json_reply({"error": {"code": code, "message": message}}, status)
    reply.headers.extend(headers)
    return reply


def json_reply(content: object, status: int = 200) -> HttpReply:
    """Return a reply whose body is `content` as JSON."""
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return HttpReply(status, headers, json.dumps(content).encode())
