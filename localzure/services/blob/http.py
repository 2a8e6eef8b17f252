"""The Blob service on HTTP: from a request's head to the sink for its body, and from an error to its reply."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localzure.auth.accounts import prepare_accounts
from localzure.auth.authenticate import BLOB_DOOR, authenticate, refuse_anonymous
from localzure.auth.principal import PrincipalKind
from localzure.services.blob import access, roles
from localzure.services.blob.call import Call, Parts
from localzure.services.blob.engine import accounts, containers, remains, retention
from localzure.services.blob.engine.porting import BlobPorter
from localzure.services.blob.errors import BlobError
from localzure.services.blob.operations import Resource, find, refuse_header
from localzure.services.blob.website import WebsiteService
from localzure.services.interface import ServiceError
from localzure.services.storage_rest.cors import accept_shared
from localzure.services.storage_rest.errors import describe, render_xml
from localzure.services.storage_rest.headers import is_version
from localzure.services.storage_rest.query import UriError, decode_path, parse_query
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.auth.accounts import Accounts
    from localzure.auth.principal import Principal
    from localzure.config.settings import AuthLevel
    from localzure.services.blob.engine.state import AccountFeatures
    from localzure.services.interface import (
        Address,
        BodySink,
        Fetch,
        HttpReply,
        HttpRequest,
        ServiceContext,
    )
    from localzure.services.storage_rest.cors import CorsRule
    from localzure_storage.store import Writer

BLOB_NAME_MAX = 1024
"""Characters in a blob's name."""

ROOT_CONTAINER = "$root"
"""The container of the blobs that are addressed without one."""

_CONTAINER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_SPECIAL_CONTAINERS = frozenset({ROOT_CONTAINER, "$web", "$logs"})


@dataclass(frozen=True, slots=True)
class BlobSettings:
    """What the service is told to be."""

    accounts: Accounts | Mapping[str, tuple[bytes, ...]] = field(repr=False)
    """Account name → its one or two keys, decoded from base64; or what other services share with this one."""
    auth_level: AuthLevel = "verify"
    features: Mapping[str, AccountFeatures] = field(default_factory=dict)
    """Account → what Azure sets for it outside of this API; accounts that are not here are plain ones."""
    fetch: Fetch | None = None
    """Gets the sources of copies from other servers; None where that is not allowed."""


class BlobService:
    """Blob storage (see `localzure.services.interface.HttpService`)."""

    def __init__(self, context: ServiceContext, settings: BlobSettings) -> None:
        self._parts = Parts.build(
            context,
            prepare_accounts(settings.accounts),
            settings.auth_level,
            settings.features,
            self.admit,
            self.serve,
            self.refuse,
            settings.fetch,
        )

    @property
    def website(self) -> WebsiteService:
        """The websites of the same accounts."""
        return WebsiteService(self._parts)

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """Authorise and route a request by its head. Raises BlobError, AuthenticationError."""
        if request.method == "OPTIONS" or "origin" in request.headers:
            return accept_shared(
                request, lambda: self._cors(address), lambda: self._accept(request, address), self.refuse
            )
        return self._accept(request, address)

    def expire(self) -> None:
        """Go on with what takes several events."""
        self._parts.jobs.run()

    def serve(
        self, request: HttpRequest, address: Address, operations: frozenset[str], version: str | None
    ) -> HttpReply:
        """Answer a request without a body, where it is for one of these operations; errors too are replies.

        `version` is that of a request that names none.
        """
        sink: BodySink | None = None
        try:
            sender = self._authenticate(request, address)
            if version is not None:
                request.headers.setdefault("x-ms-version", version)  # late: the sender has signed no such header
            if self.admit(request, address, sender).operation.name not in operations:
                raise BlobError("InvalidInput")
            sink = self._accept(request, address, sender)
            return sink.finish()
        except (ServiceError, StorageError) as error:
            if sink is not None:
                sink.abandon()
            return self.refuse(request, error)

    def _cors(self, address: Address) -> list[CorsRule]:
        with self._parts.transactions.reader() as reader:
            return accounts.load(self._parts.engine, reader, address.account).properties.cors

    def _accept(self, request: HttpRequest, address: Address, sender: Principal | None = None) -> BodySink:
        call = self.admit(request, address, sender)
        operation = call.operation
        if not operation.refused.isdisjoint(request.headers):
            raise refuse_header(operation, request.headers)
        sink = operation.handler(call)
        sas = call.principal.sas or call.principal.shown
        return sink if sas is None else access.handle(call, sas, sink)

    def admit(self, request: HttpRequest, address: Address, principal: Principal | None = None) -> Call:
        """Return what a request asks for, once its sender may ask for it. Raises BlobError, AuthenticationError.

        A `principal` that is given is known to be the sender.
        """
        parts = self._parts
        if principal is None:
            principal = self._authenticate(request, address)
        if address.account not in parts.accounts:
            raise BlobError("ResourceNotFound")
        headers = request.headers
        version = headers.get("x-ms-version")
        if version is not None and not is_version(version):
            raise BlobError("InvalidHeaderValue", HeaderName="x-ms-version", HeaderValue=version)
        try:
            query = parse_query(request.raw_query)
            resource, container, blob = parse_resource(address.path, query)
        except UriError as error:
            raise BlobError("InvalidUri", Reason=str(error)) from error
        if version is None:
            self._take_default_version(request, address)
        operation = find(resource, request.method, headers, query)
        request.operation = operation.name
        if address.secondary and request.method not in {"GET", "HEAD"}:
            raise BlobError("InsufficientAccountPermissions")
        call = Call(parts, request, address, operation, query, container, blob, principal)
        if principal.kind is PrincipalKind.ANONYMOUS:
            _check_public(call)
        if principal.sas is not None:
            call.permissions = access.check(call, principal.sas)
        roles.check(call)
        shown = principal.sas or principal.shown
        if shown is not None:
            access.adopt(call, shown)
        return call

    def _authenticate(self, request: HttpRequest, address: Address) -> Principal:
        parts = self._parts
        return authenticate(request, address, parts.accounts, parts.level, parts.clock.wall(), BLOB_DOOR)

    def _take_default_version(self, request: HttpRequest, address: Address) -> None:
        """Let a request that names no version be of the one that the account's properties give."""
        engine = self._parts.engine
        with self._parts.transactions.reader() as reader:
            record = accounts.load(engine, reader, address.account)
        default = accounts.default_version(engine, address.account, record)
        if default is not None:
            request.headers["x-ms-version"] = default

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """Render an error as Azure does."""
        return render_xml(describe(error), request, self._parts.clock.now())

    def porter(self) -> BlobPorter:
        """What carries this service's content out and in."""
        return BlobPorter(self._parts.engine)

    def empty(self, writer: Writer, account: str | None, budget: int) -> bool:
        """Take up to `budget` of what an account, None for all, has in this service; True while there may be more."""
        return self.porter().empty(writer, account, budget)

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`."""
        try:
            query = parse_query(request.raw_query)
            resource, _, _ = parse_resource(address.path, query)
            return find(resource, request.method, request.headers, query).name
        except (UriError, BlobError):
            return ""

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Free at most about `budget` records of what time or deletes left behind; True while there may be more."""
        engine = self._parts.engine
        has_more = retention.sweep(engine, writer, self._parts.clock.now(), budget)
        return remains.sweep(engine, writer, budget) or has_more


def parse_resource(path: str, query: Mapping[str, str]) -> tuple[Resource, str, str]:
    """Return (resource, container, blob) of a path below the account, still percent-encoded.

    A single segment is a container where the query says so, and else a blob in the root container. Raises UriError
    and BlobError.
    """
    first, slash, rest = path.partition("/")
    if not first:
        if slash:
            raise UriError("the path has an empty segment in place of a container")
        return "service", "", ""
    name = decode_path(first)
    if not rest:
        if query.get("restype"):
            return "container", _container_name(name), ""
        if slash:
            raise UriError("the path has no blob behind its container")
        return "blob", ROOT_CONTAINER, _blob_name(name)
    return "blob", _container_name(name), _blob_name(decode_path(rest))


def _container_name(name: str) -> str:
    if name in _SPECIAL_CONTAINERS:
        return name
    if _CONTAINER.fullmatch(name) is None:
        raise BlobError("InvalidResourceName")
    if not 3 <= len(name) <= 63:
        raise BlobError("OutOfRangeInput")
    return name


def _blob_name(name: str) -> str:
    if len(name) > BLOB_NAME_MAX:
        raise BlobError("OutOfRangeInput")
    return name


def _check_public(call: Call) -> None:
    """Raise where an anonymous caller may not do this; the answer does not tell whether the container exists."""
    least = call.operation.public
    if least is not None and call.container:
        parts = call.parts
        try:
            with parts.transactions.reader() as reader:
                access = containers.find(parts.engine, reader, call.address.account, call.container).public_access
        except BlobError:
            access = None
        if access == "container" or (access is not None and access == least):
            return
    raise refuse_anonymous(call.request)
