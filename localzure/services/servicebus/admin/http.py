"""The administration API on HTTP: from a request's head to the sink for its body, and from an error to its reply."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from localzure.services.interface import SECOND, HttpReply
from localzure.services.servicebus.admin import atom, handlers, operations
from localzure.services.servicebus.admin.authorization import authorize, may_forward
from localzure.services.servicebus.admin.errors import AdminError, bad_request, describe
from localzure.services.servicebus.admin.targets import Target, target_of
from localzure.services.servicebus.rest import plain_http
from localzure.services.servicebus.rest.http import MessageBody, message_call
from localzure.services.servicebus.rest.plain_entities import Entities
from localzure.services.storage_rest.query import UriError, decode_path, parse_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localzure.services.interface import (
        Address,
        BodySink,
        HttpRequest,
        ServiceContext,
        ServiceError,
        Transactions,
    )
    from localzure.services.servicebus.access import Authority
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.rest.receivers import Receivers
    from localzure_storage.store import StorageError

BODY_BYTES_MAX = 1024 * 1024
"""Largest description; one with every property and twelve rules takes ten kilobytes."""

NAMESPACE = "sbemulatorns"
"""What the namespace is called where no host name says so: as in Microsoft's emulator."""

_ERROR_TYPE = "application/xml; charset=utf-8"


class AdminService:
    """The administration API, and messages over HTTP (see `localzure.services.interface.HttpService`)."""

    def __init__(self, context: ServiceContext, broker: Broker, authority: Authority, receivers: Receivers) -> None:
        """Made with the namespace that it administers; `receivers` are the requests that wait for messages."""
        self._receivers = receivers
        self._transactions: Transactions = context.transactions
        self._broker = broker
        self._authority = authority

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """Authorise and route a request by its head. Raises AdminError."""
        try:
            path = decode_path(address.path)
            query = parse_query(request.raw_query)
            signed_paths = [path.strip("/"), decode_path(request.raw_path).strip("/")]
        except UriError as error:
            raise bad_request(f"The request's address is not what is expected: {error}.") from None
        target = target_of(path)
        if plain_http.is_at_gateway(address) and plain_http.is_plain(request):
            return self._accept_plain(request, path, signed_paths, target, query, address.base_url)
        operation = operations.find(request.method, target.resource, is_update="if-match" in request.headers)
        request.operation = operation.name
        wall = self._broker.clock.wall()
        with self._broker.reader() as reader:
            authorize(self._authority, reader, request, operation.right, signed_paths, operation.name, wall)
        if operation.message_handler is not None:
            messages = message_call(self._receivers, request, path, target, query, address.base_url)
            return MessageBody(messages, operation.message_handler)
        assert operation.handler is not None, "an operation has one handler or the other"
        call = handlers.Call(
            broker=self._broker,
            transactions=self._transactions,
            target=target,
            query=query,
            base_url=address.base_url,
            host=request.host,
            namespace=namespace_of(request.host),
            may_forward=partial(may_forward, self._authority, request.headers, wall),
        )
        return _Body(request, operation.handler, call)

    def _accept_plain(
        self,
        request: HttpRequest,
        path: str,
        signed_paths: Sequence[str],
        target: Target,
        query: Mapping[str, str],
        base_url: str,
    ) -> BodySink:
        """As `accept`, for a request in plain JSON."""
        operation = plain_http.find(request.method, target)
        wall = self._broker.clock.wall()
        with self._broker.reader() as reader:
            authorize(self._authority, reader, request, operation.right, signed_paths, operation.name, wall)
        messages = message_call(self._receivers, request, path, target, query, base_url)
        call = plain_http.PlainCall(messages, Entities(self._broker, self._transactions), target)
        return MessageBody(messages, plain_http.bound(call, operation))

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`."""
        try:
            target = target_of(decode_path(address.path))
            is_update = "if-match" in request.headers
            return operations.find(request.method, target.resource, is_update=is_update).name
        except (UriError, AdminError):
            return ""

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """Render an error as Azure does, or in the form in which the request came."""
        told = describe(error)
        if plain_http.is_plain(request):
            return plain_http.refuse(request, told)
        now = datetime.fromtimestamp(self._broker.clock.wall() / SECOND, UTC)
        path = request.raw_path.strip("/")
        detail = (
            f"SubCode={told.sub_code}. {told.detail} TrackingId:{request.request_id}_G0, "
            f"SystemTracker:{namespace_of(request.host)}:{path:.260}, Timestamp:{now:%Y-%m-%dT%H:%M:%S}"
        )
        return HttpReply(
            told.status, [("content-type", _ERROR_TYPE), *told.headers], atom.error_document(told.status, detail)
        )


def namespace_of(host: str) -> str:
    """The name of the namespace, as the Host header tells it."""
    name, _, rest = host.partition(".")
    return name if rest.startswith("servicebus.") else NAMESPACE


class _Body:
    """Gathers the body of a request, up to a limit, and does the operation at its end."""

    def __init__(self, request: HttpRequest, handler: handlers.Handler, call: handlers.Call) -> None:
        """Raises AdminError where the head tells of too large a body."""
        length = request.headers.get("content-length", "")
        self._left = BODY_BYTES_MAX
        if length.isdecimal() and (len(length) > 18 or int(length) > BODY_BYTES_MAX):
            raise _too_large()
        self._handler = handler
        self._call = call
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        self._left -= len(data)
        if self._left < 0:
            raise _too_large()
        self._pieces.append(data)

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        return self._handler(self._call, b"".join(self._pieces))

    def abandon(self) -> None:
        """See `BodySink`."""


def _too_large() -> AdminError:
    return AdminError(413, f"The request body has more than {BODY_BYTES_MAX} bytes.")
