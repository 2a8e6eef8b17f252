"""The operations of a plugin as a table: name, method, path, handler.

A handler takes a `PluginCall`, whose body is complete, and gives what is answered: something that JSON has (200), None
(204), or a reply of its own. It may write to the store: the reply leaves once that is committed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from localzure.plugins.errors import PluginError, json_reply
from localzure.services.interface import HttpReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localzure.services.interface import HttpRequest

BODY_BYTES_MAX = 4 * 1024 * 1024
"""Longest body of an operation that says nothing else."""


@dataclass(slots=True)
class PluginCall:
    """One call of an operation."""

    request: HttpRequest
    names: dict[str, str] = field(default_factory=dict)
    """What stands where the operation's path has a `{name}`, decoded."""
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters, decoded; the last of several with one name."""
        return dict(parse_qsl(self.request.raw_query, keep_blank_values=True))

    def json(self) -> Any:
        """Return the body, which is JSON. Raises PluginError."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise PluginError(400, "InvalidBody", f"The body is no JSON: {error}.") from error


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    name: str
    """For metrics, logs and fault rules."""
    method: str
    """GET also answers HEAD."""
    path: str
    """Below the service: segments, of which `{name}` takes any one, and `{name*}` at the end one or more."""
    handle: Callable[[PluginCall], HttpReply | dict[str, Any] | list[Any] | str | None]
    body_bytes_max: int = BODY_BYTES_MAX


def match_path(pattern: str, path: str) -> dict[str, str] | None:
    """Return what `path`, as sent, has where `pattern` has `{name}`; None for another path.

    `{name}` takes any one segment, `{name*}` at the end one or more.
    """
    wanted, given = pattern.split("/"), path.split("/")
    if wanted[-1].endswith("*}"):
        given = [*given[: len(wanted) - 1], "/".join(given[len(wanted) - 1 :])]
    if len(wanted) != len(given):
        return None
    names: dict[str, str] = {}
    for expected, segment in zip(wanted, given, strict=True):
        if expected.startswith("{") and segment:
            names[expected.strip("{*}")] = unquote(segment)
        elif expected != segment:
            return None
    return names


def find_operation(operations: Iterable[Operation], method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """Return the operation that a request asks for, and its names. Raises PluginError, 404 or 405."""
    methods: list[str] = []
    for operation in operations:
        names = match_path(operation.path, path)
        if names is not None:
            if operation.method == method or (operation.method == "GET" and method == "HEAD"):
                return operation, names
            methods.append(operation.method)
    if methods:
        allowed = ", ".join(methods)
        raise PluginError(405, "MethodNotAllowed", f"/{path} takes {allowed}, not {method}.", [("allow", allowed)])
    raise PluginError(404, "NotFound", f"No operation is at /{path}.")


class OperationBody:
    """Takes the body of a call (a `BodySink`)."""

    def __init__(self, operation: Operation, call: PluginCall) -> None:
        """`call` has no body yet."""
        self._operation = operation
        self._call = call
        self._pieces: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> None:
        """See `BodySink.write`."""
        self._bytes += len(data)
        if self._bytes > self._operation.body_bytes_max:
            limit = self._operation.body_bytes_max
            raise PluginError(413, "BodyTooLarge", f"The body is longer than {limit} bytes.")
        self._pieces.append(bytes(data))

    def finish(self) -> HttpReply:
        """See `BodySink.finish`."""
        self._call.body = b"".join(self._pieces)
        result = self._operation.handle(self._call)
        if result is None:
            return HttpReply(204)
        return result if isinstance(result, HttpReply) else json_reply(result)

    def abandon(self) -> None:
        """See `BodySink.abandon`."""
        self._pieces.clear()
