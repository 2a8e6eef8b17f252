"""The calls of LocalZure's own API as a table: method, path, handler.

A handler takes an `OwnCall` and gives what is answered: something that JSON has (200), None (204), or a reply of its
own. One that must wait is a coroutine function; its reply leaves when it has ended. What it refuses is an
`OwnApiError`. A GET changes nothing: browsers and crawlers send them unasked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

import msgspec

from localzure.plugins.errors import PluginError
from localzure.plugins.operations import match_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from localzure.services.interface import HttpReply, HttpRequest

    Result = HttpReply | dict[str, object] | list[object] | None
    Handler = Callable[["OwnCall"], Result | Awaitable[Result]]

BODY_BYTES_MAX = 1024 * 1024
"""Longest body of a call; a list of fault rules has a few KiB."""

T = TypeVar("T")


class OwnApiError(PluginError):
    """What LocalZure's own API refuses: HTTP status, code and a sentence for people."""


class NoServiceError(OwnApiError):
    """Nobody answers here: the request names no service, or one that is switched off."""

    def __init__(self, message: str) -> None:
        super().__init__(404, "NotFound", message)


class InvalidCallError(OwnApiError):
    """A call whose query or body is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidRequest", message)


@dataclass(slots=True)
class OwnCall:
    """One call."""

    request: HttpRequest
    names: dict[str, str] = field(default_factory=dict)
    """What stands where the route's path has a `{name}`, decoded."""
    body: bytes = b""
    upload: Path | None = None
    """The file that has the body, where the route says so."""
    is_going_on: bool = False
    """Its handler is a coroutine that has not ended."""

    def discard(self) -> None:
        """Delete the file that has the body."""
        if self.upload is not None:
            self.upload.unlink(missing_ok=True)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters, decoded; the last of several with one name."""
        return dict(parse_qsl(self.request.raw_query, keep_blank_values=True))

    def read(self, kind: type[T]) -> T:
        """Return the body, a JSON object, as `kind`, a msgspec struct; no body is an empty object.

        Raises InvalidCallError; also for unknown fields, where the struct forbids them.
        """
        try:
            return msgspec.json.decode(self.body or b"{}", type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidCallError(f"The body of the call is wrong: {error}.") from error


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API."""

    method: str
    """GET also answers HEAD."""
    path: str
    """Below `/_localzure/`: segments, of which `{name}` takes any one, and `{name*}` at the end one or more."""
    handle: Handler
    is_public: bool = False
    """Answered without the admin token: what is no secret and is needed before anything else."""
    body_bytes_max: int = BODY_BYTES_MAX
    is_upload: bool = False
    """The body, of any length, goes into a file, which is deleted when the call has been answered."""

    def match(self, path: str) -> dict[str, str] | None:
        """Return what a path as sent has where the route's has names; None for another path."""
        return match_path(self.path, path)


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Return the route of a call below `/_localzure/` and its names. Raises OwnApiError, 404 or 405."""
    methods: list[str] = []
    for route in routes:
        names = route.match(path)
        if names is not None:
            if route.method == method or (route.method == "GET" and method == "HEAD"):
                return route, names
            methods.append(route.method)
    if methods:
        allowed = ", ".join(methods)
        text = f"/_localzure/{path} is called with {allowed}, not with {method}."
        raise OwnApiError(405, "MethodNotAllowed", text, [("allow", allowed)])
    raise OwnApiError(404, "NotFound", f"There is no /_localzure/{path} in LocalZure's own API.")
