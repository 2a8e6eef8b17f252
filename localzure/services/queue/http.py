"""The Queue service on HTTP: from a request's head to the sink for its body, and from an error to its reply."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localzure.auth.accounts import prepare_accounts
from localzure.auth.authenticate import QUEUE_DOOR, authenticate, refuse_anonymous
from localzure.auth.principal import PrincipalKind
from localzure.services.queue import access, roles
from localzure.services.queue.call import Call, Parts
from localzure.services.queue.engine import remains
from localzure.services.queue.engine.porting import QueuePorter
from localzure.services.queue.errors import QueueError
from localzure.services.queue.operations import Resource, find
from localzure.services.storage_rest import account_properties
from localzure.services.storage_rest.cors import accept_shared
from localzure.services.storage_rest.errors import describe, render_xml
from localzure.services.storage_rest.headers import is_version
from localzure.services.storage_rest.query import UriError, decode_path, parse_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.auth.accounts import Accounts
    from localzure.config.settings import AuthLevel
    from localzure.services.interface import (
        Address,
        BodySink,
        HttpReply,
        HttpRequest,
        ServiceContext,
        ServiceError,
    )
    from localzure.services.storage_rest.cors import CorsRule
    from localzure_storage.store import StorageError, Writer

MESSAGES = "messages"
"""What the messages of a queue are addressed by, behind its name."""

_QUEUE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What the service is told to be."""

    accounts: Accounts | Mapping[str, tuple[bytes, ...]] = field(repr=False)
    """Account name → its one or two keys, decoded from base64; or what other services share with this one."""
    auth_level: AuthLevel = "verify"


class QueueService:
    """Queue storage (see `localzure.services.interface.HttpService`)."""

    def __init__(self, context: ServiceContext, settings: QueueSettings) -> None:
        """Call `start` before the first request."""
        self._parts = Parts.build(context, prepare_accounts(settings.accounts), settings.auth_level)

    def start(self) -> None:
        """Set the alarm by what the store holds. Raises StorageError."""
        self._parts.deadlines.arm()

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """Authorise and route a request by its head. Raises QueueError, AuthenticationError."""
        if request.method == "OPTIONS" or "origin" in request.headers:
            return accept_shared(
                request, lambda: self._cors(address), lambda: self._accept(request, address), self.refuse
            )
        return self._accept(request, address)

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """Render an error as Azure does."""
        return render_xml(describe(error), request, self._parts.clock.now())

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`."""
        try:
            resource, _, _ = parse_resource(address.path)
            return find(resource, request.method, parse_query(request.raw_query)).name
        except (UriError, QueueError):
            return ""

    def expire(self) -> None:
        """The alarm has gone off: remove what has expired."""
        self._parts.deadlines.ring()

    def porter(self) -> QueuePorter:
        """What carries this service's content out and in."""
        return QueuePorter(self._parts.engine)

    def empty(self, writer: Writer, account: str | None, budget: int) -> bool:
        """Take up to `budget` of what an account, None for all, has in this service; True while there may be more."""
        return self.porter().empty(writer, account, budget)

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Free at most about `budget` records of what deletes left behind; True while there may be more."""
        return remains.sweep(self._parts.engine, writer, budget)

    def _cors(self, address: Address) -> list[CorsRule]:
        with self._parts.transactions.reader() as reader:
            return account_properties.find(self._parts.engine, reader, address.account).cors

    def _accept(self, request: HttpRequest, address: Address) -> BodySink:
        parts = self._parts
        principal = authenticate(request, address, parts.accounts, parts.level, parts.clock.wall(), QUEUE_DOOR)
        if address.account not in parts.accounts:
            raise QueueError("ResourceNotFound")
        version = request.headers.get("x-ms-version")
        if version is not None and not is_version(version):
            raise QueueError("InvalidHeaderValue", HeaderName="x-ms-version", HeaderValue=version)
        try:
            query = parse_query(request.raw_query)
            resource, queue, message = parse_resource(address.path)
        except UriError as error:
            raise QueueError("InvalidUri", Reason=str(error)) from error
        operation = find(resource, request.method, query)
        request.operation = operation.name
        if address.secondary and operation.writes:
            raise QueueError("InsufficientAccountPermissions")
        if principal.kind is PrincipalKind.ANONYMOUS:
            raise refuse_anonymous(request)
        call = Call(parts, request, address, operation, query, queue, message, principal)
        if principal.sas is not None:
            access.check(call, principal.sas)
        roles.check(call)
        return operation.handler(call)


def parse_resource(path: str) -> tuple[Resource, str, str]:
    """Return (resource, queue, message id) of a path below the account, still percent-encoded.

    An empty message id is never taken for all messages. Raises UriError and QueueError.
    """
    first, slash, rest = path.partition("/")
    if not first and not slash:
        return "service", "", ""
    queue = _queue_name(decode_path(first))
    if not slash:
        return "queue", queue, ""
    segment, slash, message = rest.partition("/")
    if segment != MESSAGES:
        raise UriError("a queue has nothing but messages")
    if not slash:
        return "messages", queue, ""
    if not message:
        raise UriError("the path has no message id behind its messages")
    return "message", queue, decode_path(message)


def _queue_name(name: str) -> str:
    if _QUEUE.fullmatch(name) is None:
        raise QueueError("InvalidResourceName")
    if not 3 <= len(name) <= 63:
        raise QueueError("OutOfRangeInput")
    return name
