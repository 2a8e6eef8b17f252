"""Reading a request's headers and query into commands, each fault as Azure names it."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, cast

from localzure.auth.dates import parse_http_date
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import (
    UNCONDITIONAL,
    BlobProperties,
    BlockListKind,
    ByteRange,
    Conditions,
    ContentHeaders,
    CreateContainer,
    ListBlobs,
    ListContainers,
    OnBlob,
    OnContainer,
    SetContainerMetadata,
    StageBlock,
)
from localzure.services.storage_rest.headers import metadata_fault, read_metadata

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.model import PublicAccess
    from localzure.services.interface import Instant

PAGE_MAX = 5000
"""Most items in a page of a listing, and the number in one that asks for no fewer."""

BLOCK_ID_BYTES_MAX = 64
"""Longest block id, before its base64."""

TIERS = {tier.lower(): tier for tier in ("Hot", "Cool", "Cold", "Smart", "Archive")}
"""The access tiers of block blobs."""

CONTAINER_INCLUDES = frozenset({"", "metadata", "deleted", "system"})
"""What a listing of containers may include."""

BLOB_INCLUDES = frozenset(
    {
        "",
        "copy",
        "deleted",
        "deletedwithversions",
        "immutabilitypolicy",
        "legalhold",
        "metadata",
        "permissions",
        "snapshots",
        "tags",
        "uncommittedblobs",
        "versions",
    }
)
"""What a listing of blobs may include."""

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{1,18})\s*-\s*(\d{0,18})\s*", re.ASCII)
_SNAPSHOT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z?", re.ASCII)


def bad_header(name: str, value: str) -> BlobError:
    """Return the error of a header whose value is not of its form."""
    return BlobError("InvalidHeaderValue", HeaderName=name, HeaderValue=value)


def bad_parameter(name: str, value: str, reason: str = "") -> BlobError:
    """Return the error of a query parameter whose value is not of its form."""
    return BlobError("InvalidQueryParameterValue", QueryParameterName=name, QueryParameterValue=value, Reason=reason)


def conditions(call: Call) -> Conditions:
    """Read the conditional headers; those that the operation does not take were refused before."""
    headers = call.request.headers
    if call.operation.conditions.isdisjoint(headers):
        return UNCONDITIONAL
    return Conditions(
        if_match=_tags(headers.get("if-match", "")),
        if_none_match=_tags(headers.get("if-none-match", "")),
        if_modified_since=_date(call, "if-modified-since"),
        if_unmodified_since=_date(call, "if-unmodified-since"),
    )


def _tags(text: str) -> tuple[str, ...]:
    tags = (part.strip().removeprefix("W/").strip('"') for part in text.split(","))
    return tuple(tag for tag in tags if tag)


def _date(call: Call, name: str) -> Instant | None:
    text = call.request.headers.get(name)
    if not text:
        return None
    instant = parse_http_date(text)
    if instant is None:
        raise bad_header(name, text)
    return instant


def metadata(call: Call) -> dict[str, str]:
    """Read the `x-ms-meta-` headers. Raises BlobError where Azure refuses them."""
    found = read_metadata(call.request)
    if found and (fault := metadata_fault(found)) is not None:
        raise BlobError(fault)
    return found


def md5(call: Call, name: str) -> bytes | None:
    """Read a header that carries the MD5 of a body in base64. Raises BlobError `InvalidMd5`."""
    digest = _kept_md5(call, name)
    if digest is not None and len(digest) != 16:
        raise BlobError("InvalidMd5")
    return digest


def _kept_md5(call: Call, name: str) -> bytes | None:
    """Read an MD5 that is only kept for the readers of the blob: Azure does not look at its length."""
    text = call.request.headers.get(name)
    if not text:
        return None
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise BlobError("InvalidMd5") from None


def content_headers(call: Call, *, has_content: bool) -> ContentHeaders:
    """Read the system properties that an operation sets.

    Where the body is the blob's content (`has_content`), the standard headers speak for it too; the `x-ms-blob-` ones
    come first.
    """
    headers = call.request.headers

    def text(name: str) -> str | None:
        value = headers.get(f"x-ms-blob-{name}")
        return value or (headers.get(name) or None if has_content else None)

    return ContentHeaders(
        content_type=text("content-type"),
        content_encoding=text("content-encoding"),
        content_language=text("content-language"),
        content_md5=(md5 if has_content else _kept_md5)(call, "x-ms-blob-content-md5"),
        cache_control=text("cache-control"),
        content_disposition=headers.get("x-ms-blob-content-disposition") or None,
    )


def blob_properties(call: Call, *, has_content: bool) -> BlobProperties:
    """Read what an upload sets beside the content; the content type has a default."""
    headers = content_headers(call, has_content=has_content)
    if headers.content_type is None:
        headers.content_type = "application/octet-stream"
    tier = call.request.headers.get("x-ms-access-tier")
    if tier is not None and tier.lower() not in TIERS:
        raise bad_header("x-ms-access-tier", tier)
    return BlobProperties(headers, metadata(call), None if tier is None else TIERS[tier.lower()])


def on_container(call: Call) -> OnContainer:
    """Read an operation that needs no more than its container."""
    return OnContainer(
        call.address.account, call.container, conditions(call), call.request.headers.get("x-ms-lease-id")
    )


def create_container(call: Call) -> CreateContainer:
    """Read Create Container."""
    headers = call.request.headers
    access = headers.get("x-ms-blob-public-access")
    if access is not None and access.lower() not in {"container", "blob"}:
        raise bad_header("x-ms-blob-public-access", access)
    deny = headers.get("x-ms-deny-encryption-scope-override", "false").lower()
    if deny not in {"true", "false"}:
        raise bad_header("x-ms-deny-encryption-scope-override", deny)
    return CreateContainer(
        account=call.address.account,
        container=call.container,
        metadata=metadata(call),
        public_access=None if access is None else cast("PublicAccess", access.lower()),
        default_encryption_scope=headers.get("x-ms-default-encryption-scope"),
        deny_encryption_scope_override=deny == "true",
    )


def set_container_metadata(call: Call) -> SetContainerMetadata:
    """Read Set Container Metadata."""
    return SetContainerMetadata(on_container(call), metadata(call))


def on_blob(call: Call) -> OnBlob:
    """Read an operation that needs no more than its blob."""
    is_current = True
    for name in ("snapshot", "versionid"):
        value = call.query.get(name)
        if value:
            if _SNAPSHOT.fullmatch(value) is None:
                raise bad_parameter(name, value, "Not a valid DateTime.")
            is_current = False
    return OnBlob(
        call.address.account,
        call.container,
        call.blob,
        conditions(call),
        call.request.headers.get("x-ms-lease-id"),
        is_current,
    )


def on_base_blob(call: Call) -> OnBlob:
    """Read an upload, which cannot be to a snapshot or a version."""
    target = on_blob(call)
    if not target.is_current:
        name = "snapshot" if call.query.get("snapshot") else "versionid"
        raise bad_parameter(name, call.query[name], "The operation is on the base blob.")
    return target


def delete_blob(call: Call) -> OnBlob:
    """Read Delete Blob. There are no snapshots, so what it says of them changes nothing."""
    snapshots = call.request.headers.get("x-ms-delete-snapshots")
    if snapshots is not None and snapshots.lower() not in {"include", "only"}:
        raise bad_header("x-ms-delete-snapshots", snapshots)
    return on_blob(call)


def stage_block(call: Call) -> StageBlock:
    """Read Put Block."""
    text = call.query.get("blockid")
    if not text:
        raise BlobError("MissingRequiredQueryParameter", QueryParameterName="blockid")
    try:
        block = b64decode(text, validate=True)
    except ValueError:
        raise bad_parameter("blockid", text, "Not a valid base64 string.") from None
    if not 0 < len(block) <= BLOCK_ID_BYTES_MAX:
        raise BlobError("OutOfRangeQueryParameterValue", QueryParameterName="blockid", QueryParameterValue=text)
    return StageBlock(on_base_blob(call), text)


def block_list_kind(call: Call) -> BlockListKind:
    """Read which blocks Get Block List is asked for."""
    text = call.query.get("blocklisttype") or "committed"
    try:
        return BlockListKind(text.lower())
    except ValueError:
        raise bad_parameter("blocklisttype", text) from None


def byte_range(call: Call) -> ByteRange | None:
    """Read the range of a download; `x-ms-range` comes before `Range`.

    A `Range` of another form than Azure's two is passed over, as HTTP allows; an `x-ms-range` is refused.
    """
    headers = call.request.headers
    name = "x-ms-range" if "x-ms-range" in headers else "range"
    text = headers.get(name)
    if not text:
        return None
    match = _RANGE.fullmatch(text)
    if match is not None:
        first, last = int(match[1]), int(match[2]) if match[2] else None
        if last is None or first <= last:
            return ByteRange(first, last)
    if name == "x-ms-range":
        raise bad_header(name, text)
    return None


def list_containers(call: Call) -> ListContainers:
    """Read List Containers."""
    includes(call, CONTAINER_INCLUDES)
    return ListContainers(call.address.account, call.query.get("prefix", ""), _marker(call), _page_size(call))


def list_blobs(call: Call) -> ListBlobs:
    """Read List Blobs."""
    query = call.query
    return ListBlobs(
        account=call.address.account,
        container=call.container,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=max(_marker(call), query.get("startfrom", "")),
        stop=query.get("endbefore") or None,
        limit=_page_size(call),
        with_uncommitted="uncommittedblobs" in includes(call, BLOB_INCLUDES),
    )


def includes(call: Call, known: frozenset[str]) -> frozenset[str]:
    """Return what a listing is asked to include. What exists nowhere yet adds nothing; unknown words are refused."""
    text = call.query.get("include", "")
    words = frozenset(word.strip().lower() for word in text.split(","))
    if not words <= known:
        raise bad_parameter("include", text)
    return words


def _page_size(call: Call) -> int:
    text = call.query.get("maxresults")
    if not text:
        return PAGE_MAX
    if not text.removeprefix("-").isdecimal() or len(text) > 18:
        raise bad_parameter("maxresults", text)
    size = int(text)
    if size < 1:
        raise BlobError(
            "OutOfRangeQueryParameterValue",
            QueryParameterName="maxresults",
            QueryParameterValue=text,
            MinimumAllowed="1",
            MaximumAllowed=str(0x7FFFFFFF),
        )
    return min(size, PAGE_MAX)


def _marker(call: Call) -> str:
    text = call.query.get("marker", "")
    try:
        return b64decode(text, altchars=b"-_", validate=True).decode("utf-8")
    except ValueError:
        raise bad_parameter("marker", text) from None
