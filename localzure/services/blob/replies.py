"""Writing replies: the headers that Azure gives for each operation."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from localzure.auth.dates import http_date
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.headers import METADATA_PREFIX, reply_headers
from localzure.services.storage_rest.times import format_etag

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.model import BlobRecord, ContainerRecord

Headers = list[tuple[str, str]]

DEFAULT_TIER = "Hot"
"""The account's access tier, which a blob without one of its own has by inference."""

SMART_TIER = "Smart"
"""The tier that moves blobs by how they are used; here all stay in the default tier."""

ACCOUNT_SCOPE = "$account-encryption-key"
"""The encryption scope of a container that was given none."""


def md5_text(digest: bytes) -> str:
    """Return a digest as headers carry it."""
    return b64encode(digest).decode("ascii")


def tagged(call: Call, record: BlobRecord | ContainerRecord) -> Headers:
    """Return the common headers with the tag and time of what was read or written."""
    headers = reply_headers(call.request)
    headers.append(("etag", format_etag(record.etag)))
    headers.append(("last-modified", http_date(record.modified)))
    return headers


def accepted(call: Call, _reply: None) -> HttpReply:
    """The reply to a delete of a container."""
    return HttpReply(202, reply_headers(call.request))


def deleted(call: Call, _reply: None) -> HttpReply:
    """The reply to a delete of a blob."""
    headers = reply_headers(call.request)
    headers.append(("x-ms-delete-type-permanent", "true"))
    return HttpReply(202, headers)


def container_created(call: Call, record: ContainerRecord) -> HttpReply:
    """The reply to Create Container."""
    return HttpReply(201, tagged(call, record))


def container_changed(call: Call, record: ContainerRecord) -> HttpReply:
    """The reply to Set Container Metadata."""
    return HttpReply(200, tagged(call, record))


def container_metadata(call: Call, record: ContainerRecord) -> HttpReply:
    """The reply to Get Container Metadata."""
    return HttpReply(200, tagged(call, record) + _metadata(record))


def container_properties(call: Call, record: ContainerRecord) -> HttpReply:
    """The reply to Get Container Properties."""
    headers = tagged(call, record) + _metadata(record)
    headers += [
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-lease-state", "available"),
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
        ("x-ms-immutable-storage-with-versioning-enabled", "false"),
        ("x-ms-default-encryption-scope", record.default_encryption_scope or ACCOUNT_SCOPE),
        ("x-ms-deny-encryption-scope-override", "true" if record.deny_encryption_scope_override else "false"),
    ]
    if record.public_access is not None:
        headers.append(("x-ms-blob-public-access", record.public_access))
    return HttpReply(200, headers)


def blob_changed(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Set Blob Properties and Set Blob Metadata."""
    headers = tagged(call, record)
    headers.append(("x-ms-request-server-encrypted", "true"))
    return HttpReply(200, headers)


def blob_written(call: Call, record: BlobRecord, digest: bytes) -> HttpReply:
    """The reply to Put Blob, with the MD5 of its content, and to Put Block List, with that of its body."""
    headers = tagged(call, record)
    headers.append(("content-md5", md5_text(digest)))
    headers.append(("x-ms-request-server-encrypted", "true"))
    return HttpReply(201, headers)


def block_staged(call: Call, digest: bytes | None) -> HttpReply:
    """The reply to Put Block, with the MD5 where the request had one (since version 2019-02-02)."""
    headers = reply_headers(call.request)
    if digest is not None:
        headers.append(("content-md5", md5_text(digest)))
    headers.append(("x-ms-request-server-encrypted", "true"))
    return HttpReply(201, headers)


def blob_metadata(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Get Blob Metadata."""
    return HttpReply(200, tagged(call, record) + _metadata(record))


def blob_properties(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Get Blob Properties."""
    headers = blob_headers(call, record)
    headers.append(("content-length", str(record.length)))
    if record.headers.content_md5 is not None:
        headers.append(("content-md5", md5_text(record.headers.content_md5)))
    return HttpReply(200, headers)


def blob_headers(call: Call, record: BlobRecord) -> Headers:
    """Return the headers that describe a blob, without its MD5: which header bears that depends on the range."""
    headers = tagged(call, record)
    if record.metadata:
        headers += _metadata(record)
    content = record.headers
    for name, value in (
        ("content-type", content.content_type),
        ("content-encoding", content.content_encoding),
        ("content-language", content.content_language),
        ("cache-control", content.cache_control),
        ("content-disposition", content.content_disposition),
    ):
        if value is not None:
            headers.append((name, value))
    headers += _BLOCK_BLOB
    headers.append(("x-ms-creation-time", http_date(record.created)))
    if record.tier is None:
        headers += _INFERRED_TIER
    else:
        headers.append(("x-ms-access-tier", record.tier))
        if record.tier == SMART_TIER:
            headers.append(("x-ms-smart-access-tier", DEFAULT_TIER))
        headers.append(("x-ms-access-tier-change-time", http_date(record.tier_changed or record.created)))
    return headers


def _metadata(record: BlobRecord | ContainerRecord) -> Headers:
    return [(METADATA_PREFIX + name, value) for name, value in record.metadata.items()]


_BLOCK_BLOB = (
    ("accept-ranges", "bytes"),
    ("x-ms-blob-type", "BlockBlob"),
    ("x-ms-lease-state", "available"),
    ("x-ms-lease-status", "unlocked"),
    ("x-ms-server-encrypted", "true"),
)

_INFERRED_TIER = (("x-ms-access-tier", DEFAULT_TIER), ("x-ms-access-tier-inferred", "true"))
