"""Reading a request's head and body into commands, each fault as Azure names it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from localzure.services.storage_rest.access_policies import read_policies
from localzure.services.storage_rest.account_properties import OnService, SetProperties
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.service_properties import change_properties
from localzure.services.storage_rest.xml_reader import XmlError, parse_document
from localzure.services.table import access, odata, payload, resource
from localzure.services.table.continuation import parse_token
from localzure.services.table.errors import TableError
from localzure.services.table.etags import is_condition
from localzure.services.table.filters.plan import EVERYTHING, compile_filter
from localzure.services.table.model import (
    KEY_UNITS_MAX,
    PAGE_MAX,
    DeleteEntity,
    InsertEntity,
    ListTables,
    OnEntity,
    OnTable,
    QueryEntities,
    SetPolicies,
    WriteEntity,
)

if TYPE_CHECKING:
    from localzure.services.storage_rest.xml_reader import Element
    from localzure.services.table.call import Call
    from localzure.services.table.filters.plan import Plan

PERMISSIONS = "raud"
"""The letters of a table's stored access policies: query, add, update, delete."""

_UNSUPPORTED_OPTIONS = ("$orderby", "$skip", "$skiptoken", "$expand", "$inlinecount", "$count")
"""Options of OData that the service has not."""


# --- what many requests have --------------------------------------------------------------------------------------


def level(call: Call) -> odata.Level:
    """Return the level of metadata that is asked for. Raises TableError: 415."""
    return odata.negotiate(call.query.get("$format") or call.request.headers.get("accept", ""))


def format_of(call: Call) -> odata.Format:
    """Return how the entities of the reply are written. Raises TableError: 415."""
    address = call.address
    return odata.Format(level(call), address.account, address.base_url, _select(call))


def preference(call: Call) -> str | None:
    """Return what a `Prefer` asks of the reply to an insert, where it is one of the two that are known."""
    for part in call.request.headers.get("prefer", "").lower().split(","):
        if part.strip() in {"return-content", "return-no-content"}:
            return part.strip()
    return None


def returns_content(call: Call) -> bool:
    """Whether the reply to an insert has what was inserted."""
    return preference(call) != "return-no-content"


def _select(call: Call) -> tuple[str, ...] | None:
    text = call.query.get("$select", "")
    names = tuple(name for name in (part.strip() for part in text.split(",")) if name)
    return None if not names or "*" in names else names


def _check_options(call: Call) -> None:
    if any(option in call.query for option in _UNSUPPORTED_OPTIONS):
        raise TableError("NotImplemented")


def _plan(call: Call) -> Plan:
    text = call.query.get("$filter")
    return EVERYTHING if text is None else compile_filter(text)


def _limit(call: Call) -> int:
    text = call.query.get("$top")
    if text is None:
        return PAGE_MAX
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) > PAGE_MAX:
        raise TableError("InvalidInput")
    return int(text)


def _continuation(call: Call, name: str) -> str | None:
    """Return the key or name in a continuation token, None without one; what is no token of this service is refused."""
    text = call.query.get(name)
    if text is None:
        return None
    key = parse_token(text)
    if key is None or len(key) > KEY_UNITS_MAX:
        raise TableError("InvalidInput")
    return key


def _check_content_type(call: Call) -> None:
    """Atom is what clients sent before JSON. Raises TableError: 415."""
    if "atom" in call.request.headers.get("content-type", "").lower():
        raise TableError("AtomFormatNotSupported")


def document(body: bytes) -> Element:
    """Return the root of a body in XML. Raises StorageRestError `InvalidXmlDocument`."""
    try:
        return parse_document(body)
    except XmlError as error:
        raise StorageRestError("InvalidXmlDocument", Reason=str(error)) from error


# --- the service --------------------------------------------------------------------------------------------------


def on_service(call: Call) -> OnService:
    """Read Get Table Service Properties."""
    return OnService(call.address.account)


def get_stats(call: Call) -> OnService:
    """Read Get Table Service Stats, which only the secondary endpoint has."""
    if not call.address.secondary:
        raise StorageRestError("InvalidQueryParameterValue", QueryParameterName="comp", QueryParameterValue="stats")
    return OnService(call.address.account)


def set_properties(call: Call, body: bytes) -> SetProperties:
    """Read Set Table Service Properties."""
    return SetProperties(call.address.account, partial(change_properties, document=document(body)))


# --- tables -------------------------------------------------------------------------------------------------------


def on_table(call: Call) -> OnTable:
    """Read an operation that needs no more than its table."""
    return OnTable(call.address.account, call.target.table)


def get_table(call: Call) -> OnTable:
    """Read a query for one table."""
    level(call)
    return on_table(call)


def create_table(call: Call, body: bytes) -> OnTable:
    """Read Create Table."""
    _check_content_type(call)
    name = resource.check_name(payload.read_table_name(body))
    if name.lower() == "tables":
        raise TableError("InvalidInput")
    if returns_content(call):
        level(call)
    return OnTable(call.address.account, name)


def list_tables(call: Call) -> ListTables:
    """Read Query Tables."""
    _check_options(call)
    level(call)
    start = _continuation(call, "nexttablename")
    return ListTables(call.address.account, _plan(call), (start or "").lower(), _limit(call))


def set_policies(call: Call, body: bytes) -> SetPolicies:
    """Read Set Table ACL."""
    policies = read_policies(document(body) if body else None, PERMISSIONS)
    return SetPolicies(call.address.account, call.target.table, policies)


# --- entities -----------------------------------------------------------------------------------------------------


def on_entity(call: Call) -> OnEntity:
    """Read a query for one entity."""
    _check_options(call)
    level(call)
    target = call.target
    return OnEntity(call.address.account, target.table, target.partition_key, target.row_key)


def query_entities(call: Call) -> QueryEntities:
    """Read Query Entities."""
    _check_options(call)
    level(call)
    partition_key = _continuation(call, "nextpartitionkey")
    row_key = _continuation(call, "nextrowkey")
    start = None if partition_key is None else (partition_key, row_key or "")
    plan = access.confine(call, _plan(call))
    return QueryEntities(call.address.account, call.target.table, plan, start, _limit(call))


def insert_entity(call: Call, body: bytes) -> InsertEntity:
    """Read Insert Entity."""
    _check_content_type(call)
    entity = payload.read_entity(body)
    partition_key, row_key = payload.inserted_keys(entity)
    access.check_keys(call, partition_key, row_key)
    if returns_content(call):
        level(call)
    return InsertEntity(call.address.account, call.target.table, partition_key, row_key, entity.values, entity.tags)


def update_entity(call: Call, body: bytes) -> WriteEntity:
    """Read Update Entity and Insert Or Replace Entity."""
    return _write_entity(call, body, is_merge=False)


def merge_entity(call: Call, body: bytes) -> WriteEntity:
    """Read Merge Entity and Insert Or Merge Entity."""
    return _write_entity(call, body, is_merge=True)


def delete_entity(call: Call, _body: bytes) -> DeleteEntity:
    """Read Delete Entity, which always has a condition."""
    target = call.target
    condition = _condition(call, "DELETE")
    if condition is None:
        raise TableError(
            "InvalidInput",
            f"Since entity type '{call.address.account}.{target.table}' has one or more etag properties, If-Match HTTP "
            "header must be specified for DELETE/PUT operations on this type.",
        )
    return DeleteEntity(call.address.account, target.table, target.partition_key, target.row_key, condition)


def _write_entity(call: Call, body: bytes, *, is_merge: bool) -> WriteEntity:
    """The address says which entity it is, whatever the body says of its keys."""
    _check_content_type(call)
    target = call.target
    condition = _condition(call, "PUT")
    entity = payload.read_entity(body)
    return WriteEntity(
        call.address.account,
        target.table,
        target.partition_key,
        target.row_key,
        entity.values,
        entity.tags,
        is_merge,
        condition,
    )


def _condition(call: Call, method: str) -> str | None:
    """Return the `If-Match`; None without one. `method` is what Azure's message calls the operation."""
    headers = call.request.headers
    if "if-none-match" in headers:
        raise TableError("InvalidInput", f"If-None-Match HTTP header cannot be specified for {method} operations.")
    text = headers.get("if-match")
    if text is None:
        return None
    if not is_condition(text):
        raise TableError(
            "InvalidInput",
            f"The etag value '{text}' specified in one of the request headers is not valid. Please make sure only one "
            "etag value is specified and is valid.",
        )
    return text
