"""Reading a request's headers and query into commands, each fault as Azure names it."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import parse_qsl
from uuid import UUID

from localzure.auth.dates import parse_http_date
from localzure.services.blob.engine import tag_conditions
from localzure.services.blob.engine.past import DeleteBlob
from localzure.services.blob.engine.tag_conditions import TagConditionError
from localzure.services.blob.engine.tiers import PREMIUM_TIERS, TIERS
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import (
    ENDLESS,
    UNCONDITIONAL,
    BlobProperties,
    BlockListKind,
    ByteRange,
    Conditions,
    ContentHeaders,
    CreateContainer,
    LeaseAction,
    LeaseCommand,
    ListBlobs,
    ListContainers,
    OnBlob,
    OnContainer,
    SetContainerMetadata,
    StageBlock,
)
from localzure.services.storage_rest.headers import metadata_fault, read_metadata
from localzure.services.storage_rest.iso8601 import parse_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.tag_conditions import TagCondition
    from localzure.services.blob.model import PublicAccess
    from localzure.services.interface import Instant
    from localzure.services.storage_rest.times import Ticks

PAGE_MAX = 5000
"""Most items in a page of a listing, and the number in one that asks for no fewer."""

BLOCK_ID_BYTES_MAX = 64
"""Longest block id, before its base64."""

TAGS_MAX = 10
"""Tags of a blob."""

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
_TAG_TEXT = re.compile(r"[A-Za-z0-9 +\-./:=_]*", re.ASCII)


def bad_header(name: str, value: str) -> BlobError:
    """Return the error of a header whose value is not of its form."""
    return BlobError("InvalidHeaderValue", HeaderName=name, HeaderValue=value)


def bad_parameter(name: str, value: str, reason: str = "") -> BlobError:
    """Return the error of a query parameter whose value is not of its form."""
    return BlobError("InvalidQueryParameterValue", QueryParameterName=name, QueryParameterValue=value, Reason=reason)


def conditions(call: Call) -> Conditions:
    """Read the conditional headers; those that the operation does not take were refused before."""
    headers = call.request.headers
    tags = headers.get("x-ms-if-tags")
    if tags is None and call.operation.conditions.isdisjoint(headers):
        return UNCONDITIONAL
    return Conditions(
        if_match=_tags(headers.get("if-match", "")),
        if_none_match=_tags(headers.get("if-none-match", "")),
        if_modified_since=http_time(call, "if-modified-since"),
        if_unmodified_since=http_time(call, "if-unmodified-since"),
        if_tags=None if tags is None else tag_condition("x-ms-if-tags", tags),
    )


def blob_conditions(call: Call) -> Conditions:
    """Read the conditions of Get and Set Blob Tags, whose headers bear a prefix of their own."""
    headers = call.request.headers
    tags = headers.get("x-ms-if-tags")
    return Conditions(
        if_match=_tags(headers.get("x-ms-blob-if-match", "")),
        if_none_match=_tags(headers.get("x-ms-blob-if-none-match", "")),
        if_modified_since=http_time(call, "x-ms-blob-if-modified-since"),
        if_unmodified_since=http_time(call, "x-ms-blob-if-unmodified-since"),
        if_tags=None if tags is None else tag_condition("x-ms-if-tags", tags),
    )


def tag_condition(name: str, text: str) -> TagCondition:
    """Read a condition on tags."""
    try:
        return tag_conditions.parse(text)
    except TagConditionError as error:
        raise BlobError("InvalidHeaderValue", HeaderName=name, HeaderValue=text, Reason=str(error)) from error


def _tags(text: str) -> tuple[str, ...]:
    tags = (part.strip().removeprefix("W/").strip('"') for part in text.split(","))
    return tuple(tag for tag in tags if tag)


def http_time(call: Call, name: str) -> Instant | None:
    """Read a header that holds a date; None where it is not there."""
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
    if tier is not None and tier.lower() not in TIERS and tier.upper() not in PREMIUM_TIERS:
        raise bad_header("x-ms-access-tier", tier)
    return BlobProperties(
        headers,
        metadata(call),
        None if tier is None else TIERS.get(tier.lower(), tier.upper()),
        tags(call),
        immutable_until=http_time(call, "x-ms-immutability-policy-until-date"),
        immutability_mode=immutability_mode(call),
        legal_hold=flag(call, "x-ms-legal-hold"),
    )


def immutability_mode(call: Call) -> str | None:
    """Read how firm an immutability policy is, where there is one."""
    headers = call.request.headers
    if "x-ms-immutability-policy-until-date" not in headers:
        return None
    mode = headers.get("x-ms-immutability-policy-mode", "Unlocked")
    if mode.lower() not in {"locked", "unlocked"}:
        raise bad_header("x-ms-immutability-policy-mode", mode)
    return mode.capitalize()


def on_container(call: Call) -> OnContainer:
    """Read an operation that needs no more than its container."""
    return OnContainer(call.address.account, call.container, conditions(call), lease_id(call, "x-ms-lease-id"))


def create_container(call: Call) -> CreateContainer:
    """Read Create Container."""
    headers = call.request.headers
    deny = headers.get("x-ms-deny-encryption-scope-override", "false").lower()
    if deny not in {"true", "false"}:
        raise bad_header("x-ms-deny-encryption-scope-override", deny)
    return CreateContainer(
        account=call.address.account,
        container=call.container,
        metadata=metadata(call),
        public_access=public_access(call),
        default_encryption_scope=headers.get("x-ms-default-encryption-scope"),
        deny_encryption_scope_override=deny == "true",
    )


def public_access(call: Call) -> PublicAccess | None:
    """Read what anonymous callers may read; None where the header is not there."""
    access = call.request.headers.get("x-ms-blob-public-access")
    if access is not None and access.lower() not in {"container", "blob"}:
        raise bad_header("x-ms-blob-public-access", access)
    return None if access is None else cast("PublicAccess", access.lower())


def set_container_metadata(call: Call) -> SetContainerMetadata:
    """Read Set Container Metadata."""
    return SetContainerMetadata(on_container(call), metadata(call))


def on_blob(call: Call) -> OnBlob:
    """Read an operation that needs no more than its blob."""
    headers = call.request.headers
    query = call.query
    target = OnBlob(call.address.account, call.container, call.blob, conditions(call), lease_id(call, "x-ms-lease-id"))
    if query:
        target.snapshot = ticks("snapshot", query["snapshot"]) if query.get("snapshot") else None
        target.version = ticks("versionid", query["versionid"]) if query.get("versionid") else None
        if target.snapshot is not None and target.version is not None:
            raise bad_parameter("versionid", query["versionid"], "A snapshot has no versions.")
    if "x-ms-encryption-key" in headers:
        target.key_sha256 = customer_key(call, "x-ms-encryption-")
    target.encryption_scope = headers.get("x-ms-encryption-scope")
    return target


def ticks(name: str, text: str) -> Ticks:
    """Read the time that names a snapshot or a version."""
    found = parse_ticks(text)
    if found is None:
        raise bad_parameter(name, text, "Not a valid DateTime.")
    return found


def lease_id(call: Call, name: str) -> str | None:
    """Read the id of a lease, in the form in which ids are compared. Raises BlobError for what is no GUID."""
    text = call.request.headers.get(name)
    if not text:
        return None
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise bad_header(name, text) from None


def lease_action(call: Call) -> LeaseAction:
    """Read what is done with a lease; the operation's row has seen to it that the header names an action."""
    return LeaseAction(call.request.headers["x-ms-lease-action"].lower())


def lease_command(call: Call) -> LeaseCommand:
    """Read one action on a lease ("Lease Blob", "Lease Container")."""
    action = lease_action(call)
    held = lease_id(call, "x-ms-lease-id")
    proposed = lease_id(call, "x-ms-proposed-lease-id")
    command = LeaseCommand(action, held or "", proposed or "")
    if action is LeaseAction.ACQUIRE:
        command.lease_id = proposed or str(call.parts.entropy.uuid())
        duration = _whole_number(call, "x-ms-lease-duration")
        if duration is None:
            raise BlobError("MissingRequiredHeader", HeaderName="x-ms-lease-duration")
        if duration != ENDLESS and not 15 <= duration <= 60:
            raise bad_header("x-ms-lease-duration", str(duration))
        command.duration = duration
    elif action is LeaseAction.BREAK:
        command.break_period = _whole_number(call, "x-ms-lease-break-period")
        if command.break_period is not None and not 0 <= command.break_period <= 60:
            raise bad_header("x-ms-lease-break-period", str(command.break_period))
    else:
        if held is None:
            raise BlobError("MissingRequiredHeader", HeaderName="x-ms-lease-id")
        if action is LeaseAction.CHANGE and proposed is None:
            raise BlobError("MissingRequiredHeader", HeaderName="x-ms-proposed-lease-id")
    return command


def _whole_number(call: Call, name: str) -> int | None:
    text = call.request.headers.get(name)
    if not text:
        return None
    if not text.isascii() or not text.removeprefix("-").isdecimal() or len(text) > 18:
        raise bad_header(name, text)
    return int(text)


def natural(call: Call, name: str) -> int | None:
    """Read a header that holds a number from 0 on; None where it is not there."""
    value = _whole_number(call, name)
    if value is not None and value < 0:
        raise bad_header(name, str(value))
    return value


def flag(call: Call, name: str) -> bool:
    """Read a header that holds true or false; false where it is not there."""
    text = call.request.headers.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise bad_header(name, text)
    return text == "true"


def customer_key(call: Call, prefix: str) -> str:
    """Check a customer's key and return its SHA-256 in base64: the key itself is kept nowhere."""
    headers = call.request.headers
    text = headers.get(f"{prefix}key", "")
    algorithm = headers.get(f"{prefix}algorithm", "")
    if algorithm != "AES256":
        raise bad_header(f"{prefix}algorithm", algorithm)
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    digest = b64encode(hashlib.sha256(key).digest()).decode("ascii")
    if len(key) != 32:
        raise BlobError("InvalidHeaderValue", HeaderName=f"{prefix}key")
    if headers.get(f"{prefix}key-sha256") != digest:
        raise bad_header(f"{prefix}key-sha256", headers.get(f"{prefix}key-sha256", ""))
    return digest


def tags(call: Call) -> dict[str, str]:
    """Read `x-ms-tags`, which is written like a query. Raises BlobError."""
    text = call.request.headers.get("x-ms-tags")
    if not text:
        return {}
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in found:
            raise bad_header("x-ms-tags", text)
        found[name] = value
    check_tags(found)
    return found


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise BlobError for tags that Azure refuses ("Set Blob Tags")."""
    if len(tags) > TAGS_MAX:
        raise BlobError("TagsTooLarge")
    for name, value in tags.items():
        if not name:
            raise BlobError("EmptyTagName")
        if len(name) > 128 or len(value) > 256:
            raise BlobError("TagsTooLarge")
        if _TAG_TEXT.fullmatch(name) is None or _TAG_TEXT.fullmatch(value) is None:
            raise BlobError("InvalidTag")


def on_base_blob(call: Call) -> OnBlob:
    """Read an upload, which cannot be to a snapshot or a version."""
    target = on_blob(call)
    if not target.is_base:
        name = "snapshot" if call.query.get("snapshot") else "versionid"
        raise bad_parameter(name, call.query[name], "The operation is on the base blob.")
    return target


def delete_blob(call: Call) -> DeleteBlob:
    """Read Delete Blob."""
    text = call.request.headers.get("x-ms-delete-snapshots")
    snapshots: Literal["include", "only"] | None = None
    if text is not None:
        if text.lower() not in {"include", "only"}:
            raise bad_header("x-ms-delete-snapshots", text)
        snapshots = "include" if text.lower() == "include" else "only"
    kind = call.query.get("deletetype")
    if kind is not None and kind.lower() != "permanent":
        raise bad_parameter("deletetype", kind)
    return DeleteBlob(
        on_blob(call),
        snapshots,
        is_permanent=kind is not None,
        tier_modified_since=http_time(call, "x-ms-access-tier-if-modified-since"),
        tier_unmodified_since=http_time(call, "x-ms-access-tier-if-unmodified-since"),
    )


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


def source_conditions(call: Call) -> Conditions:
    """Read what a copy asks of its source."""
    headers = call.request.headers
    if not any(name.startswith("x-ms-source-if-") for name in headers):
        return UNCONDITIONAL
    tags = headers.get("x-ms-source-if-tags")
    return Conditions(
        if_match=_tags(headers.get("x-ms-source-if-match", "")),
        if_none_match=_tags(headers.get("x-ms-source-if-none-match", "")),
        if_modified_since=http_time(call, "x-ms-source-if-modified-since"),
        if_unmodified_since=http_time(call, "x-ms-source-if-unmodified-since"),
        if_tags=None if tags is None else tag_condition("x-ms-source-if-tags", tags),
    )


def priority(call: Call) -> str:
    """Read how urgent a rehydration is."""
    text = call.request.headers.get("x-ms-rehydrate-priority", "Standard")
    if text.lower() not in {"standard", "high"}:
        raise bad_header("x-ms-rehydrate-priority", text)
    return text.capitalize()


def block_list_kind(call: Call) -> BlockListKind:
    """Read which blocks Get Block List is asked for."""
    text = call.query.get("blocklisttype") or "committed"
    try:
        return BlockListKind(text.lower())
    except ValueError:
        raise bad_parameter("blocklisttype", text) from None


def byte_range(call: Call, name: str = "") -> ByteRange | None:
    """Read the range of a download, or that of a header; `x-ms-range` comes before `Range`.

    A `Range` of another form than Azure's two is passed over, as HTTP allows; an `x-ms-range` is refused.
    """
    headers = call.request.headers
    name = name or ("x-ms-range" if "x-ms-range" in headers else "range")
    text = headers.get(name)
    if not text:
        return None
    match = _RANGE.fullmatch(text)
    if match is not None:
        first, last = int(match[1]), int(match[2]) if match[2] else None
        if last is None or first <= last:
            return ByteRange(first, last)
    if name != "range":
        raise bad_header(name, text)
    return None


def list_containers(call: Call) -> ListContainers:
    """Read List Containers."""
    words = includes(call, CONTAINER_INCLUDES)
    return ListContainers(
        call.address.account,
        call.query.get("prefix", ""),
        marker(call),
        page_size(call),
        with_deleted="deleted" in words,
        with_system="system" in words,
    )


def list_blobs(call: Call) -> ListBlobs:
    """Read List Blobs."""
    query = call.query
    words = includes(call, BLOB_INCLUDES)
    return ListBlobs(
        account=call.address.account,
        container=call.container,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start=max(marker(call), query.get("startfrom", "")),
        stop=query.get("endbefore") or None,
        limit=page_size(call),
        with_uncommitted="uncommittedblobs" in words,
        with_snapshots="snapshots" in words,
        with_versions="versions" in words,
        with_deleted="deleted" in words,
        with_outlived="deletedwithversions" in words,
    )


def includes(call: Call, known: frozenset[str]) -> frozenset[str]:
    """Return what a listing is asked to include. What exists nowhere yet adds nothing; unknown words are refused."""
    text = call.query.get("include", "")
    words = frozenset(word.strip().lower() for word in text.split(","))
    if not words <= known:
        raise bad_parameter("include", text)
    return words


def page_size(call: Call) -> int:
    """Read how long a page may be."""
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


def marker(call: Call) -> str:
    """Read where a page begins, as the page before it said."""
    text = call.query.get("marker", "")
    try:
        return b64decode(text, altchars=b"-_", validate=True).decode("utf-8")
    except ValueError:
        raise bad_parameter("marker", text) from None
