"""The operations of the Blob service, as data.

One row per operation: how a request for it looks, what it takes, what it needs and who does it. Routing and
authorisation read this table. Names are those of the service's OpenAPI document; the two that it lacks (the
metadata of a container and of a blob, read alone) and the ones that newer clients use follow its style.

Several operations can share a method, resource, `restype` and `comp`; then headers or parameters tell them apart, and
the first row whose `when` holds is meant. A request that fits no row is never taken for a neighbour: `find` says what
is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from localzure.services.blob import (
    account,
    batching,
    copying,
    delegating,
    grants,
    growing,
    handlers,
    lifetime,
    long_listings,
    querying,
    tagging,
)
from localzure.services.blob.errors import BlobError
from localzure.services.storage_rest.routing import by_route, methods_of, split_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.blob.handling import Handler

Resource = Literal["service", "container", "blob"]


CONDITION_HEADERS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})
"""The conditional headers."""


@dataclass(frozen=True, slots=True)
class Has:
    """What tells an operation from its neighbours: a header or a parameter, with any value or with one."""

    name: str
    value: str | None = None
    is_parameter: bool = False

    def holds(self, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        """Whether a request has it; values are compared without regard to case."""
        given = (query if self.is_parameter else headers).get(self.name)
        return given is not None and (self.value is None or given.lower() == self.value.lower())


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    name: str
    method: str
    resource: Resource
    restype: str
    comp: str
    when: tuple[Has, ...]
    permission: str
    """The SAS permissions of which any one is enough; empty for what no SAS allows."""
    conditions: frozenset[str]
    """The conditional headers that it takes."""
    refused: frozenset[str]
    """The conditional headers with which it is refused."""
    public: Literal["blob", "container"] | None
    """The least public access with which anonymous callers may do it."""
    handler: Handler


_TIMES = frozenset({"if-modified-since", "if-unmodified-since"})
_ALL = CONDITION_HEADERS
_NONE: frozenset[str] = frozenset()


def _row(
    name: str,
    method: str,
    target: str,
    permission: str,
    *when: Has,
    conditions: frozenset[str] = _NONE,
    public: Literal["blob", "container"] | None = None,
    handler: Handler,
) -> Operation:
    """Make a row; `target` is `resource?restype&comp`, with a dash for neither."""
    resource, restype, comp = split_target(target)
    return Operation(
        name,
        method,
        resource,  # type: ignore[arg-type]  # the rows below name nothing else, and a test says so
        restype,
        comp,
        when,
        permission,
        conditions,
        CONDITION_HEADERS - conditions,
        public,
        handler,
    )


def _lease(action: str) -> Has:
    return Has("x-ms-lease-action", action)


_BLOCK_BLOB = Has("x-ms-blob-type", "BlockBlob")
_SOURCE = Has("x-ms-copy-source")

OPERATIONS: tuple[Operation, ...] = (
    # The service.
    _row("Service_SetProperties", "PUT", "service service properties", "w", handler=account.set_properties),
    _row("Service_GetProperties", "GET", "service service properties", "r", handler=account.get_properties),
    _row("Service_GetStatistics", "GET", "service service stats", "r", handler=account.get_stats),
    _row("Service_ListContainersSegment", "GET", "service - list", "l", handler=handlers.list_containers),
    _row(
        "Service_GetUserDelegationKey",
        "POST",
        "service service userdelegationkey",
        "",
        handler=delegating.get_user_delegation_key,
    ),
    _row("Service_GetAccountInfo", "GET", "service account properties", "rwdlacup", handler=account.get_account_info),
    _row(
        "Service_GetAccountInfoWithHead",
        "HEAD",
        "service account properties",
        "rwdlacup",
        handler=account.get_account_info,
    ),
    _row("Service_SubmitBatch", "POST", "service - batch", "rwdlacup", handler=batching.submit),
    _row("Service_FilterBlobs", "GET", "service - blobs", "f", handler=tagging.find_blobs),
    # Containers.
    _row("Container_Create", "PUT", "container container -", "cw", handler=handlers.create_container),
    _row(
        "Container_GetProperties",
        "GET",
        "container container -",
        "r",
        public="container",
        handler=handlers.get_container_properties,
    ),
    _row(
        "Container_GetPropertiesWithHead",
        "HEAD",
        "container container -",
        "r",
        public="container",
        handler=handlers.get_container_properties,
    ),
    _row(
        "Container_Delete",
        "DELETE",
        "container container -",
        "d",
        conditions=_TIMES,
        handler=handlers.delete_container,
    ),
    _row(
        "Container_GetMetadata",
        "GET",
        "container container metadata",
        "r",
        public="container",
        handler=handlers.get_container_metadata,
    ),
    _row(
        "Container_GetMetadataWithHead",
        "HEAD",
        "container container metadata",
        "r",
        public="container",
        handler=handlers.get_container_metadata,
    ),
    _row(
        "Container_SetMetadata",
        "PUT",
        "container container metadata",
        "w",
        conditions=frozenset({"if-modified-since"}),
        handler=handlers.set_container_metadata,
    ),
    _row("Container_GetAccessPolicy", "GET", "container container acl", "", handler=grants.get_access),
    _row("Container_GetAccessPolicyWithHead", "HEAD", "container container acl", "", handler=grants.get_access),
    _row(
        "Container_SetAccessPolicy", "PUT", "container container acl", "", conditions=_TIMES, handler=grants.set_access
    ),
    _row("Container_Restore", "PUT", "container container undelete", "w", handler=handlers.restore_container),
    _row("Container_Rename", "PUT", "container container rename", "w", handler=handlers.rename_container),
    _row("Container_SubmitBatch", "POST", "container container batch", "rwdlacup", handler=batching.submit),
    _row("Container_FilterBlobs", "GET", "container container blobs", "f", handler=tagging.find_blobs),
    _row(
        "Container_AcquireLease",
        "PUT",
        "container container lease",
        "w",
        _lease("acquire"),
        conditions=_TIMES,
        handler=grants.lease_container,
    ),
    _row(
        "Container_ReleaseLease",
        "PUT",
        "container container lease",
        "w",
        _lease("release"),
        conditions=_TIMES,
        handler=grants.lease_container,
    ),
    _row(
        "Container_RenewLease",
        "PUT",
        "container container lease",
        "w",
        _lease("renew"),
        conditions=_TIMES,
        handler=grants.lease_container,
    ),
    _row(
        "Container_BreakLease",
        "PUT",
        "container container lease",
        "w",
        _lease("break"),
        conditions=_TIMES,
        handler=grants.lease_container,
    ),
    _row(
        "Container_ChangeLease",
        "PUT",
        "container container lease",
        "w",
        _lease("change"),
        conditions=_TIMES,
        handler=grants.lease_container,
    ),
    _row(
        "Container_ListBlobHierarchySegment",
        "GET",
        "container container list",
        "l",
        Has("delimiter", is_parameter=True),
        public="container",
        handler=long_listings.list_blobs,
    ),
    _row(
        "Container_ListBlobFlatSegment",
        "GET",
        "container container list",
        "l",
        public="container",
        handler=long_listings.list_blobs,
    ),
    _row(
        "Container_GetAccountInfo", "GET", "container account properties", "rwdlacup", handler=account.get_account_info
    ),
    _row(
        "Container_GetAccountInfoWithHead",
        "HEAD",
        "container account properties",
        "rwdlacup",
        handler=account.get_account_info,
    ),
    # All blobs.
    _row("Blob_Download", "GET", "blob - -", "r", conditions=_ALL, public="blob", handler=handlers.get_blob),
    _row(
        "Blob_GetProperties",
        "HEAD",
        "blob - -",
        "r",
        conditions=_ALL,
        public="blob",
        handler=handlers.get_blob_properties,
    ),
    _row("Blob_Delete", "DELETE", "blob - -", "d", conditions=_ALL, handler=handlers.delete_blob),
    _row("Blob_Undelete", "PUT", "blob - undelete", "w", handler=handlers.undelete_blob),
    _row("Blob_SetExpiry", "PUT", "blob - expiry", "w", handler=lifetime.set_expiry),
    _row(
        "Blob_SetImmutabilityPolicy",
        "PUT",
        "blob - immutabilitypolicies",
        "i",
        conditions=frozenset({"if-unmodified-since"}),
        handler=lifetime.set_immutability,
    ),
    _row(
        "Blob_DeleteImmutabilityPolicy",
        "DELETE",
        "blob - immutabilitypolicies",
        "i",
        handler=lifetime.delete_immutability,
    ),
    _row("Blob_SetLegalHold", "PUT", "blob - legalhold", "i", handler=lifetime.set_legal_hold),
    _row(
        "Blob_GetMetadata",
        "GET",
        "blob - metadata",
        "r",
        conditions=_ALL,
        public="blob",
        handler=handlers.get_blob_metadata,
    ),
    _row(
        "Blob_GetMetadataWithHead",
        "HEAD",
        "blob - metadata",
        "r",
        conditions=_ALL,
        public="blob",
        handler=handlers.get_blob_metadata,
    ),
    _row(
        "Blob_SetMetadata",
        "PUT",
        "blob - metadata",
        "w",
        conditions=_ALL,
        handler=handlers.set_blob_metadata,
    ),
    _row(
        "Blob_AcquireLease", "PUT", "blob - lease", "w", _lease("acquire"), conditions=_ALL, handler=grants.lease_blob
    ),
    _row(
        "Blob_ReleaseLease", "PUT", "blob - lease", "w", _lease("release"), conditions=_ALL, handler=grants.lease_blob
    ),
    _row("Blob_RenewLease", "PUT", "blob - lease", "w", _lease("renew"), conditions=_ALL, handler=grants.lease_blob),
    _row("Blob_ChangeLease", "PUT", "blob - lease", "w", _lease("change"), conditions=_ALL, handler=grants.lease_blob),
    _row("Blob_BreakLease", "PUT", "blob - lease", "w", _lease("break"), conditions=_ALL, handler=grants.lease_blob),
    _row("Blob_CreateSnapshot", "PUT", "blob - snapshot", "cw", conditions=_ALL, handler=handlers.create_snapshot),
    _row(
        "Blob_AbortCopyFromURL", "PUT", "blob - copy", "w", Has("x-ms-copy-action", "abort"), handler=copying.abort_copy
    ),
    _row("Blob_SetTier", "PUT", "blob - tier", "w", handler=lifetime.set_tier),
    _row("Blob_GetAccountInfo", "GET", "blob account properties", "rwdlacup", handler=account.get_account_info),
    _row(
        "Blob_GetAccountInfoWithHead", "HEAD", "blob account properties", "rwdlacup", handler=account.get_account_info
    ),
    _row("Blob_Query", "POST", "blob - query", "r", conditions=_ALL, handler=querying.query_blob),
    _row("Blob_GetTags", "GET", "blob - tags", "t", handler=tagging.get_tags),
    _row("Blob_SetTags", "PUT", "blob - tags", "t", handler=tagging.set_tags),
    # What PUT to a blob without `comp` means, its headers tell: first the copies, then the kinds of blobs.
    _row(
        "BlockBlob_PutBlobFromUrl",
        "PUT",
        "blob - -",
        "cw",
        _BLOCK_BLOB,
        _SOURCE,
        conditions=_ALL,
        handler=copying.put_from_url,
    ),
    _row("BlockBlob_Upload", "PUT", "blob - -", "cw", _BLOCK_BLOB, conditions=_ALL, handler=handlers.put_blob),
    _row(
        "PageBlob_Create",
        "PUT",
        "blob - -",
        "cw",
        Has("x-ms-blob-type", "PageBlob"),
        conditions=_ALL,
        handler=growing.create_page_blob,
    ),
    _row(
        "AppendBlob_Create",
        "PUT",
        "blob - -",
        "cw",
        Has("x-ms-blob-type", "AppendBlob"),
        conditions=_ALL,
        handler=growing.create_append_blob,
    ),
    _row(
        "Blob_CopyFromURL",
        "PUT",
        "blob - -",
        "cw",
        _SOURCE,
        Has("x-ms-requires-sync", "true"),
        conditions=_ALL,
        handler=copying.start_copy,
    ),
    _row("Blob_StartCopyFromURL", "PUT", "blob - -", "cw", _SOURCE, conditions=_ALL, handler=copying.start_copy),
    # Setting properties: size and sequence number are a page blob's.
    _row(
        "PageBlob_Resize",
        "PUT",
        "blob - properties",
        "w",
        Has("x-ms-blob-content-length"),
        conditions=_ALL,
        handler=growing.set_page_properties,
    ),
    _row(
        "PageBlob_UpdateSequenceNumber",
        "PUT",
        "blob - properties",
        "w",
        Has("x-ms-sequence-number-action"),
        conditions=_ALL,
        handler=growing.set_page_properties,
    ),
    _row("Blob_SetHTTPHeaders", "PUT", "blob - properties", "w", conditions=_ALL, handler=handlers.set_blob_headers),
    # Block blobs.
    _row("BlockBlob_StageBlockFromURL", "PUT", "blob - block", "w", _SOURCE, handler=copying.put_block_from_url),
    _row("BlockBlob_StageBlock", "PUT", "blob - block", "w", handler=handlers.put_block),
    _row(
        "BlockBlob_CommitBlockList",
        "PUT",
        "blob - blocklist",
        "cw",
        conditions=_ALL,
        handler=handlers.put_block_list,
    ),
    _row("BlockBlob_GetBlockList", "GET", "blob - blocklist", "r", public="blob", handler=handlers.get_block_list),
    # Page blobs.
    _row(
        "PageBlob_UploadPagesFromURL",
        "PUT",
        "blob - page",
        "w",
        Has("x-ms-page-write", "update"),
        _SOURCE,
        conditions=_ALL,
        handler=copying.put_pages_from_url,
    ),
    _row(
        "PageBlob_UploadPages",
        "PUT",
        "blob - page",
        "w",
        Has("x-ms-page-write", "update"),
        conditions=_ALL,
        handler=growing.put_pages,
    ),
    _row(
        "PageBlob_ClearPages",
        "PUT",
        "blob - page",
        "w",
        Has("x-ms-page-write", "clear"),
        conditions=_ALL,
        handler=growing.clear_pages,
    ),
    _row(
        "PageBlob_GetPageRangesDiff",
        "GET",
        "blob - pagelist",
        "r",
        Has("prevsnapshot", is_parameter=True),
        conditions=_ALL,
        public="blob",
        handler=growing.get_page_ranges,
    ),
    _row(
        "PageBlob_GetPageRangesDiff",
        "GET",
        "blob - pagelist",
        "r",
        Has("x-ms-previous-snapshot-url"),
        conditions=_ALL,
        public="blob",
        handler=growing.get_page_ranges,
    ),
    _row(
        "PageBlob_GetPageRanges",
        "GET",
        "blob - pagelist",
        "r",
        conditions=_ALL,
        public="blob",
        handler=growing.get_page_ranges,
    ),
    _row(
        "PageBlob_CopyIncremental",
        "PUT",
        "blob - incrementalcopy",
        "w",
        conditions=_ALL,
        handler=copying.incremental_copy,
    ),
    # Append blobs.
    _row(
        "AppendBlob_AppendBlockFromUrl",
        "PUT",
        "blob - appendblock",
        "aw",
        _SOURCE,
        conditions=_ALL,
        handler=copying.append_from_url,
    ),
    _row("AppendBlob_AppendBlock", "PUT", "blob - appendblock", "aw", conditions=_ALL, handler=growing.append_block),
    _row("AppendBlob_Seal", "PUT", "blob - seal", "aw", conditions=_ALL, handler=growing.seal),
)
"""Every operation."""

_ROUTES = by_route(OPERATIONS)

# @azure/storage-blob takes the account in an emulator's path for a container, and asks for a batch of one there.
_ROUTES["service", "POST", "container", "batch"] = _ROUTES["service", "POST", "", "batch"]


def find(resource: Resource, method: str, headers: Mapping[str, str], query: Mapping[str, str]) -> Operation:
    """Return the operation that a request asks for. Raises BlobError that says why it asks for none."""
    restype = query.get("restype", "").lower()
    comp = query.get("comp", "").lower()
    rows = _ROUTES.get((resource, method, restype, comp))
    if rows is None:
        raise _unroutable(resource, restype, comp)
    for row in rows:
        for has in row.when:
            if not has.holds(headers, query):
                break
        else:
            return row
    raise _undecided(rows, headers)


def refuse_header(operation: Operation, headers: Mapping[str, str]) -> BlobError:
    """Return the error for the first header that is among `operation.refused`."""
    name = next(name for name in headers if name in operation.refused)
    return BlobError("ConditionHeadersNotSupported", HeaderName=name)


def _unroutable(resource: Resource, restype: str, comp: str) -> BlobError:
    """No row has this method, `restype` and `comp` for the resource: which of them is wrong?"""
    methods = methods_of(OPERATIONS, resource, restype, comp)
    if methods:
        return BlobError("UnsupportedHttpVerb", headers=(("allow", ", ".join(methods)),))
    if comp and comp not in {row.comp for row in OPERATIONS}:
        name, value = "comp", comp
    elif restype and restype not in {row.restype for row in OPERATIONS if row.resource == resource}:
        name, value = "restype", restype
    else:
        name, value = ("comp", comp) if comp or not restype else ("restype", restype)
    return BlobError("InvalidQueryParameterValue", QueryParameterName=name, QueryParameterValue=value)


def _undecided(rows: list[Operation], headers: Mapping[str, str]) -> BlobError:
    """Only headers tell these operations apart, and they hold for none: a header is missing or has another value."""
    named = [has for row in rows for has in row.when if not has.is_parameter]
    for has in named:
        if has.name in headers and has.value is not None:
            return BlobError("InvalidHeaderValue", HeaderName=has.name, HeaderValue=headers[has.name])
    return BlobError("MissingRequiredHeader", HeaderName=named[0].name)
