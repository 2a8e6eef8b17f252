"""Writing replies: the headers that Azure gives for each operation, and errors in its two shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.interface import HttpReply
from localzure.services.storage_rest.access_policies import policies_document
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.service_properties import properties_document, stats_document
from localzure.services.storage_rest.times import iso_time
from localzure.services.storage_rest.xml_writer import escape_text
from localzure.services.table import odata, requests
from localzure.services.table.continuation import format_token
from localzure.services.table.etags import format_etag
from localzure.services.table.model import Entity

if TYPE_CHECKING:
    from localzure.services.interface import HttpRequest, Instant
    from localzure.services.storage_rest.errors import WireError
    from localzure.services.storage_rest.service_properties import ServiceProperties
    from localzure.services.table.call import Call
    from localzure.services.table.model import Change, Changed, EntityPage, ReadEntity, TablePage, TableRecord

Headers = list[tuple[str, str]]

_METADATA_NAMESPACE = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"

_JSON_HEADERS = (("cache-control", "no-cache"), ("x-content-type-options", "nosniff"))


def _json(call: Call, status: int, fmt: odata.Format, body: bytes, *more: tuple[str, str]) -> HttpReply:
    headers = reply_headers(call.request)
    headers.append(("content-type", odata.content_type(fmt.level)))
    headers += _JSON_HEADERS
    headers += more
    return HttpReply(status, headers, body)


def _empty(call: Call, status: int, *more: tuple[str, str]) -> HttpReply:
    headers = reply_headers(call.request)
    headers += _JSON_HEADERS
    headers += more
    return HttpReply(status, headers)


def _xml(call: Call, body: bytes) -> HttpReply:
    headers = reply_headers(call.request)
    headers.append(("content-type", "application/xml"))
    if call.request.method == "HEAD":
        headers.append(("content-length", str(len(body))))
        return HttpReply(200, headers)
    return HttpReply(200, headers, body)


# --- the service --------------------------------------------------------------------------------------------------


def service_properties(call: Call, properties: ServiceProperties) -> HttpReply:
    """The reply to Get Table Service Properties."""
    return _xml(call, properties_document(properties))


def service_changed(call: Call, _reply: None) -> HttpReply:
    """The reply to Set Table Service Properties."""
    return HttpReply(202, reply_headers(call.request))


def service_stats(call: Call, _properties: ServiceProperties) -> HttpReply:
    """The reply to Get Table Service Stats."""
    return _xml(call, stats_document(call.parts.clock.now()))


def user_delegation_key(call: Call, key: bytes) -> HttpReply:
    """The reply to Get User Delegation Key."""
    return _xml(call, key)


# --- tables -------------------------------------------------------------------------------------------------------


def table_created(call: Call, record: TableRecord) -> HttpReply:
    """The reply to Create Table."""
    location = f"{call.address.base_url}/Tables('{record.name}')"
    more = _created(call, location)
    if not requests.returns_content(call):
        return _empty(call, 204, *more)
    fmt = requests.format_of(call)
    return _json(call, 201, fmt, fmt.table(record.name), *more)


def table_read(call: Call, record: TableRecord) -> HttpReply:
    """The reply to a query for one table."""
    fmt = requests.format_of(call)
    return _json(call, 200, fmt, fmt.table(record.name))


def table_deleted(call: Call, _reply: None) -> HttpReply:
    """The reply to Delete Table."""
    return _empty(call, 204)


def table_listing(call: Call, page: TablePage) -> HttpReply:
    """The reply to Query Tables."""
    fmt = requests.format_of(call)
    more: Headers = []
    if page.next_start is not None:
        more.append(("x-ms-continuation-nexttablename", format_token(page.next_start)))
    return _json(call, 200, fmt, fmt.tables(page.names), *more)


def table_policies(call: Call, record: TableRecord) -> HttpReply:
    """The reply to Get Table ACL."""
    return _xml(call, policies_document(record.policies))


def policies_changed(call: Call, _reply: None) -> HttpReply:
    """The reply to Set Table ACL."""
    return HttpReply(204, reply_headers(call.request))


# --- entities -----------------------------------------------------------------------------------------------------


def entity_read(call: Call, reply: ReadEntity) -> HttpReply:
    """The reply to a query for one entity."""
    fmt = requests.format_of(call)
    etag = ("etag", format_etag(reply.entity.record.ticks))
    return _json(call, 200, fmt, fmt.entity(reply.table, reply.entity), etag)


def entity_listing(call: Call, page: EntityPage) -> HttpReply:
    """The reply to Query Entities."""
    fmt = requests.format_of(call)
    more: Headers = []
    if page.next_start is not None:
        partition_key, row_key = page.next_start
        more.append(("x-ms-continuation-nextpartitionkey", format_token(partition_key)))
        more.append(("x-ms-continuation-nextrowkey", format_token(row_key)))
    return _json(call, 200, fmt, fmt.entities(page.table, page.entities), *more)


def entity_inserted(call: Call, change: Change, changed: Changed) -> HttpReply:
    """The reply to Insert Entity."""
    record = changed.record
    assert record is not None
    link = odata.entity_link(changed.table, change.partition_key, change.row_key)
    more = _created(call, f"{call.address.base_url}/{link}")
    more.append(("etag", format_etag(record.ticks)))
    if not requests.returns_content(call):
        return _empty(call, 204, *more)
    fmt = requests.format_of(call)
    body = fmt.entity(changed.table, Entity(change.partition_key, change.row_key, record))
    return _json(call, 201, fmt, body, *more)


def entity_changed(call: Call, _change: Change, changed: Changed) -> HttpReply:
    """The reply to the operations that change an entity, and to those that delete it."""
    record = changed.record
    return _empty(call, 204, *(() if record is None else (("etag", format_etag(record.ticks)),)))


def _created(call: Call, location: str) -> Headers:
    """Return the headers of what was made, which depend on what the request prefers to have back."""
    headers: Headers = [("location", location)]
    preferred = requests.preference(call)
    if preferred is not None:
        headers.append(("preference-applied", preferred))
    if preferred == "return-no-content":
        headers.append(("dataserviceid", location))
    return headers


# --- errors -------------------------------------------------------------------------------------------------------


def failed(error: WireError, request: HttpRequest, now: Instant) -> HttpReply:
    """Write an error in JSON, or in XML for those who take only that and for the operations that speak it."""
    headers = reply_headers(request)
    headers.append(("x-ms-error-code", error.code))
    headers += error.headers
    if request.method == "HEAD":
        return HttpReply(error.status, headers)
    details = "".join(f"\n{name}: {value}" for name, value in error.details.items())
    message = f"{error.message}\nRequestId:{request.request_id}\nTime:{iso_time(now)}{details}"
    if _takes_xml(request):
        headers.append(("content-type", "application/xml"))
        return HttpReply(error.status, headers, _xml_error(error.code, message))
    headers.append(("content-type", odata.content_type("minimalmetadata")))
    return HttpReply(error.status, headers, json_error(error.code, message))


def json_error(code: str, message: str) -> bytes:
    """Return the body of an error."""
    return msgspec.json.encode({"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}})


def _xml_error(code: str, message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>'
        f'<m:error xmlns:m="{_METADATA_NAMESPACE}"><m:code>{code}</m:code>'
        f'<m:message xml:lang="en-US">{escape_text(message)}</m:message></m:error>'
    ).encode()


def _takes_xml(request: HttpRequest) -> bool:
    accept = request.headers.get("accept", "").lower()
    return "json" not in accept and ("xml" in accept or "comp=" in request.raw_query)
