"""The operations of the Table service, as data.

One row per operation: how a request for it looks, what it needs and what it does. Routing and authorisation read this
table. Names are those of the service's OpenAPI document. It lacks user delegation keys, the query for one table, and
the two that write an entity whether it is there or not, which differ from Update and Merge by the condition that they
lack; their names follow its style.

A request that fits no row is never taken for a neighbour: `route` says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.storage_rest.query import UriError, parse_query
from localzure.services.storage_rest.routing import by_route, methods_of, split_target
from localzure.services.table import access, batch, handlers, roles
from localzure.services.table.call import Call
from localzure.services.table.engine import tables
from localzure.services.table.errors import KEY_COUNT, TableError
from localzure.services.table.resource import parse_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.auth.principal import Principal
    from localzure.services.interface import Address, BodySink, HttpRequest
    from localzure.services.table.call import Parts
    from localzure.services.table.handlers import EntityChange, Handler
    from localzure.services.table.resource import Resource, Target


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    name: str
    method: str
    resource: Resource
    restype: str
    comp: str
    has_condition: bool | None
    """Whether it has an `If-Match`; None where that does not tell it from its neighbour."""
    permission: str
    """The SAS permissions that it needs, all of them; empty for what no table's SAS allows."""
    handler: Handler
    change: EntityChange | None
    """How it is done in an entity group transaction; None where it cannot be."""


def _row(
    name: str,
    method: str,
    target: str,
    permission: str,
    handler: Handler,
    *,
    has_condition: bool | None = None,
) -> Operation:
    """Make a row; `target` is `resource restype comp`, with a dash for neither."""
    resource, restype, comp = split_target(target)
    return Operation(
        name,
        method,
        resource,  # type: ignore[arg-type]  # the rows below name nothing else, and a test says so
        restype,
        comp,
        has_condition,
        permission,
        handler,
        None,
    )


def _change(
    name: str,
    method: str,
    resource: Resource,
    permission: str,
    change: EntityChange,
    *,
    has_condition: bool | None = None,
) -> Operation:
    """Make the row of an operation that may be in a batch."""
    return Operation(name, method, resource, "", "", has_condition, permission, change.handle, change)


def _submit_batch(call: Call) -> BodySink:
    return batch.submit(call, route)


OPERATIONS: tuple[Operation, ...] = (
    # The service.
    _row("Service_SetProperties", "PUT", "service service properties", "", handlers.set_service_properties),
    _row("Service_GetProperties", "GET", "service service properties", "", handlers.get_service_properties),
    _row("Service_GetStatistics", "GET", "service service stats", "", handlers.get_service_stats),
    _row(
        "Service_GetUserDelegationKey",
        "POST",
        "service service userdelegationkey",
        "",
        handlers.get_user_delegation_key,
    ),
    _row("Table_Batch", "POST", "batch - -", "", _submit_batch),
    # Tables.
    _row("Table_Query", "GET", "tables - -", "", handlers.list_tables),
    _row("Table_Create", "POST", "tables - -", "", handlers.create_table),
    _row("Table_Get", "GET", "table - -", "", handlers.get_table),
    _row("Table_Delete", "DELETE", "table - -", "", handlers.delete_table),
    _row("Table_GetAccessPolicy", "GET", "entities - acl", "", handlers.get_policies),
    _row("Table_GetAccessPolicyWithHead", "HEAD", "entities - acl", "", handlers.get_policies),
    _row("Table_SetAccessPolicy", "PUT", "entities - acl", "", handlers.set_policies),
    # Entities.
    _row("Table_QueryEntities", "GET", "entities - -", "r", handlers.query_entities),
    _change("Table_InsertEntity", "POST", "entities", "a", handlers.insert_entity),
    _row("Table_QueryEntitiesWithPartitionAndRowKey", "GET", "entity - -", "r", handlers.get_entity),
    _change("Table_UpdateEntity", "PUT", "entity", "u", handlers.update_entity, has_condition=True),
    _change("Table_InsertOrReplaceEntity", "PUT", "entity", "au", handlers.update_entity, has_condition=False),
    _change("Table_MergeEntity", "PATCH", "entity", "u", handlers.merge_entity, has_condition=True),
    _change("Table_InsertOrMergeEntity", "PATCH", "entity", "au", handlers.merge_entity, has_condition=False),
    _change("Table_DeleteEntity", "DELETE", "entity", "d", handlers.delete_entity),
)
"""Every operation. `MERGE` is the older name of `PATCH`; preflight requests are answered before they get here."""

TUNNELLED = frozenset({"DELETE", "MERGE", "PATCH", "PUT"})
"""What `X-HTTP-Method` may make of a POST, for clients whose way lets through no other methods."""

_ROUTES = by_route(OPERATIONS)


def find_operation(request: HttpRequest, address: Address) -> Operation:
    """Return the operation that a request names, whoever sends it. Raises TableError, UriError."""
    target = parse_target(address.path, address.account)
    if target.resource == "below":
        raise TableError("ResourceNotFound")
    return find(target.resource, _method(request), request.headers, parse_query(request.raw_query))


def route(parts: Parts, request: HttpRequest, address: Address, principal: Principal) -> Call:
    """Find out what a request asks for. Raises TableError that says why for nothing, and AuthenticationError."""
    method = _method(request)
    try:
        query = parse_query(request.raw_query)
    except UriError:
        raise TableError("InvalidUri") from None
    target = parse_target(address.path, address.account)
    if target.resource == "below":
        raise _nothing_below(parts, address.account, target, method)
    operation = find(target.resource, method, request.headers, query)
    request.operation = operation.name
    call = Call(parts, request, address, operation, query, target, principal)
    if principal.sas is not None:
        access.check(call, principal.sas)
    roles.check(call)
    return call


def find(resource: Resource, method: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Operation:
    """Return the operation on a resource. Raises TableError where there is none."""
    restype = query.get("restype", "").lower()
    comp = query.get("comp", "").lower()
    for row in _ROUTES.get((resource, method, restype, comp), ()):
        if row.has_condition is None or row.has_condition is ("if-match" in headers):
            return row
    methods = methods_of(OPERATIONS, resource, restype, comp)
    if methods:
        raise TableError("MethodNotAllowed", headers=(("allow", ", ".join(methods)),))
    raise TableError("InvalidQueryParameterValue")


def _method(request: HttpRequest) -> str:
    """Return the method that is meant."""
    method = request.method
    tunnelled = request.headers.get("x-http-method")
    if tunnelled is not None:
        if method != "POST":
            raise TableError("XMethodNotUsingPost")
        if "," in tunnelled:
            raise TableError("XMethodIncorrectCount")
        method = tunnelled.strip().upper()
        if method not in TUNNELLED:
            raise TableError("XMethodIncorrectValue")
    return "PATCH" if method == "MERGE" else method


def _nothing_below(parts: Parts, account: str, target: Target, method: str) -> TableError:
    """Return the error of a path that goes on below a table, as one does where a client takes a table for its account.

    Azure looks for the table first, and takes what is posted for an entity of it.
    """
    if target.rest == "$batch":
        return TableError("MediaTypeNotSupported")
    try:
        with parts.transactions.reader() as reader:
            tables.find(parts.engine, reader, account, target.table)
    except TableError as error:
        return error
    if method == "POST":
        return TableError("PropertiesNeedValue")
    return TableError("InvalidInput", KEY_COUNT.format(account=account, name=target.table))
