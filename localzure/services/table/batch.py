"""Entity group transactions: the batch that carries one, and the reply that says what became of it.

"Performing entity group transactions": a batch holds one change set, up to a hundred changes to one partition that
are made all or not at all; or one query. The reply is 202 either way, and holds a reply for each change, or a single
one for the change that failed, whose message begins with the number of that change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localzure.services.interface import HttpReply, HttpRequest, ServiceError
from localzure.services.storage_rest.errors import describe
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.sinks import Collecting
from localzure.services.table import multipart
from localzure.services.table.engine import transactions
from localzure.services.table.errors import ChangeError, TableError
from localzure.services.table.handlers import BODY_BYTES_MAX
from localzure.services.table.model import CHANGES_MAX
from localzure.services.table.replies import failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from localzure.auth.principal import Principal
    from localzure.services.interface import Address, BodySink
    from localzure.services.table.call import Call, Parts
    from localzure.services.table.handlers import EntityChange
    from localzure.services.table.model import Change

    Route: TypeAlias = Callable[[Parts, HttpRequest, Address, Principal], Call]

UNNUMBERED = frozenset(
    {"EntityAlreadyExists", "PropertyValueTooLarge", "ResourceNotFound", "UpdateConditionNotSatisfied"}
)
"""What a change set of one change is refused with in the words of that change alone, as Azure is seen to do."""

TOO_MANY = f"The batch request operation exceeds the maximum {CHANGES_MAX} changes per change set."

_QUERIES = frozenset({"Table_Query", "Table_QueryEntities", "Table_QueryEntitiesWithPartitionAndRowKey"})

_PART_HEADERS = {
    "cache-control": "Cache-Control",
    "content-type": "Content-Type",
    "dataserviceid": "DataServiceId",
    "etag": "ETag",
    "location": "Location",
    "preference-applied": "Preference-Applied",
    "x-content-type-options": "X-Content-Type-Options",
    "x-ms-continuation-nextpartitionkey": "x-ms-continuation-NextPartitionKey",
    "x-ms-continuation-nextrowkey": "x-ms-continuation-NextRowKey",
    "x-ms-continuation-nexttablename": "x-ms-continuation-NextTableName",
}
"""The headers of a reply that are kept in a part of a batch, as Azure writes their names."""


@dataclass(slots=True)
class _Step:
    """One change of a change set, routed and read."""

    call: Call
    kind: EntityChange
    change: Change
    content_id: str | None


def submit(call: Call, route: Route) -> BodySink:
    """Do a batch; `route` finds the operation that a request in it asks for. Raises TableError: 415."""
    boundary = multipart.boundary_of(call.request.headers.get("content-type", ""))
    if boundary is None:
        raise TableError("MediaTypeNotSupported")

    def finish(body: bytes) -> HttpReply:
        try:
            answers = _answers(call, route, multipart.split(body, boundary))
        except multipart.MultipartError:
            raise TableError("InvalidInput") from None
        name = f"batchresponse_{call.parts.entropy.uuid()}"
        headers = reply_headers(call.request)
        headers += [
            ("content-type", f"multipart/mixed; boundary={name}"),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ]
        return HttpReply(202, headers, multipart.join(name, answers))

    return Collecting(call.request, BODY_BYTES_MAX, finish)


def _answers(call: Call, route: Route, parts: list[multipart.Part]) -> list[bytes]:
    """Do the first part; a second one is too many, and refused by itself. Raises TableError, MultipartError."""
    if not parts:
        raise TableError("InvalidInput")
    boundary = multipart.boundary_of(parts[0].headers.get("content-type", ""))
    if boundary is None:
        answer = _query(call, route, parts[0])
    else:
        changes = multipart.split(parts[0].body, boundary)
        if not changes:
            raise TableError("InvalidInput")
        name = f"changesetresponse_{call.parts.entropy.uuid()}"
        content = multipart.join(name, _change_set(call, route, changes))
        answer = multipart.write_part(f"multipart/mixed; boundary={name}", content)
    return [answer, *(_failure(call, TableError("InvalidInput"), part) for part in parts[1:2])]


def _query(call: Call, route: Route, part: multipart.Part) -> bytes:
    try:
        inner, _ = _inner_call(call, route, part)
        if inner.operation.name not in _QUERIES:
            raise TableError("InvalidInput")
        return _success(inner.operation.handler(inner).finish(), part.headers.get("content-id"))
    except ServiceError as error:
        return _failure(call, error, part)


def _change_set(call: Call, route: Route, parts: list[multipart.Part]) -> list[bytes]:
    """Do a change set: the replies to its changes, or the one to the change that failed."""
    try:
        steps = _read_changes(call, route, parts)
        changes = [step.change for step in steps]
        transactions.check(changes)
        shared = call.parts
        with shared.transactions.writer() as writer:
            changed = transactions.commit(shared.engine, writer, changes, shared.writing())
    except ChangeError as failure:
        return [_failure(call, failure.error, parts[failure.index], failure.index, is_alone=len(parts) == 1)]
    return [
        _success(step.kind.render(step.call, step.change, outcome), step.content_id)
        for step, outcome in zip(steps, changed, strict=True)
    ]


def _read_changes(call: Call, route: Route, parts: list[multipart.Part]) -> list[_Step]:
    if len(parts) > CHANGES_MAX:
        raise ChangeError(0, TableError("InvalidInput", TOO_MANY))
    return [_read_change(call, route, index, part) for index, part in enumerate(parts)]


def _read_change(call: Call, route: Route, index: int, part: multipart.Part) -> _Step:
    try:
        inner, body = _inner_call(call, route, part)
        kind = inner.operation.change
        if kind is None:
            raise TableError("InvalidInput")
        content_id = part.headers.get("content-id") or inner.request.headers.get("content-id")
        return _Step(inner, kind, kind.read(inner, body), content_id)
    except ServiceError as error:
        raise ChangeError(index, error) from error


def _inner_call(call: Call, route: Route, part: multipart.Part) -> tuple[Call, bytes]:
    """Return the call that a part makes, with its body. Whoever may send the batch may send what is in it."""
    inner = multipart.read_request(part.body)
    try:
        uri = urlsplit(inner.uri)
    except ValueError:
        raise TableError("InvalidUri") from None
    base = urlsplit(call.address.base_url).path
    path = uri.path.removeprefix(base) if uri.path.startswith(f"{base}/") else uri.path
    outer = call.request
    request = HttpRequest(
        inner.method, uri.path, uri.query, inner.headers, outer.scheme, outer.host, outer.peer, outer.request_id
    )
    address = replace(call.address, path=path.removeprefix("/"))
    return route(call.parts, request, address, call.principal), inner.body


def _success(reply: HttpReply, content_id: str | None) -> bytes:
    headers = {} if content_id is None else {"Content-ID": content_id}
    headers["DataServiceVersion"] = "3.0;"
    headers |= {_PART_HEADERS[name]: value for name, value in reply.headers if name in _PART_HEADERS}
    assert isinstance(reply.body, bytes)
    return multipart.write_reply(reply.status, headers, reply.body)


def _failure(
    call: Call, error: ServiceError, part: multipart.Part, index: int | None = None, *, is_alone: bool = False
) -> bytes:
    wire = describe(error)
    if index is not None and not (is_alone and wire.code in UNNUMBERED):
        wire = wire._replace(message=f"{index}:{wire.message}")
    request = replace(call.request, headers={"accept": "application/json"}, raw_query="")
    return _success(failed(wire, request, call.parts.clock.now()), part.headers.get("content-id"))
