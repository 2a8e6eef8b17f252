"""The Table service on HTTP: from a request's head to the sink for its body, and from an error to its reply."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from localzure.auth.accounts import prepare_accounts
from localzure.auth.authenticate import TABLE_DOOR, authenticate, refuse_anonymous
from localzure.auth.principal import PrincipalKind
from localzure.services.storage_rest import account_properties
from localzure.services.storage_rest.cors import accept_shared
from localzure.services.storage_rest.errors import StorageRestError, describe
from localzure.services.storage_rest.headers import is_version
from localzure.services.storage_rest.query import UriError
from localzure.services.table.call import Parts
from localzure.services.table.engine import remains
from localzure.services.table.engine.porting import TablePorter
from localzure.services.table.errors import TableError
from localzure.services.table.operations import find_operation, route
from localzure.services.table.replies import failed

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


@dataclass(frozen=True, slots=True)
class TableSettings:
    """What the service is told to be."""

    accounts: Accounts | Mapping[str, tuple[bytes, ...]] = field(repr=False)
    """Account name → its one or two keys, decoded from base64; or what other services share with this one."""
    auth_level: AuthLevel = "verify"


class TableService:
    """Table storage (see `localzure.services.interface.HttpService`)."""

    def __init__(self, context: ServiceContext, settings: TableSettings) -> None:
        self._parts = Parts.build(context, prepare_accounts(settings.accounts), settings.auth_level)

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """Authorise and route a request by its head. Raises ServiceError."""
        if request.method == "OPTIONS" or "origin" in request.headers:
            return accept_shared(
                request, lambda: self._cors(address), lambda: self._accept(request, address), self.refuse
            )
        return self._accept(request, address)

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """Render an error as Azure does."""
        return failed(describe(error), request, self._parts.clock.now())

    def porter(self) -> TablePorter:
        """What carries this service's content out and in."""
        return TablePorter(self._parts.engine)

    def empty(self, writer: Writer, account: str | None, budget: int) -> bool:
        """Take up to `budget` of what an account, None for all, has in this service; True while there may be more."""
        return self.porter().empty(writer, account, budget)

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`."""
        try:
            return find_operation(request, address).name
        except (UriError, TableError):
            return ""

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Free at most about `budget` records of what deletes left behind; True while there may be more."""
        return remains.sweep(self._parts.engine, writer, budget)

    def _accept(self, request: HttpRequest, address: Address) -> BodySink:
        parts = self._parts
        principal = authenticate(request, address, parts.accounts, parts.level, parts.clock.wall(), TABLE_DOOR)
        if address.account not in parts.accounts:
            raise TableError("ResourceNotFound")
        version = request.headers.get("x-ms-version")
        if version is not None and not is_version(version):
            raise StorageRestError("InvalidHeaderValue", HeaderName="x-ms-version", HeaderValue=version)
        if principal.kind is PrincipalKind.ANONYMOUS:
            raise refuse_anonymous(request)
        if address.secondary:
            if request.method not in {"GET", "HEAD"}:
                raise TableError("InsufficientAccountPermissions")
            address = _without_second_account(address)
        call = route(parts, request, address, principal)
        return call.operation.handler(call)

    def _cors(self, address: Address) -> list[CorsRule]:
        parts = self._parts
        with parts.transactions.reader() as reader:
            return account_properties.find(parts.engine, reader, address.account).cors


def _without_second_account(address: Address) -> Address:
    """Return the address of what a client means by `/account-secondary/account/…`.

    So azure-data-tables for Python writes the secondary endpoint of an account that is the first segment of the path.
    """
    first, _, rest = address.path.partition("/")
    return replace(address, path=rest) if first == address.account else address
