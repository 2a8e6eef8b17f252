"""Writing replies: the headers that Azure gives for each operation."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from localzure.auth.dates import http_date
from localzure.services.blob.engine import leases
from localzure.services.blob.engine.encryption import ACCOUNT_SCOPE
from localzure.services.blob.engine.tiers import DEFAULT_TIER, SMART_TIER, tier_of
from localzure.services.blob.model import ENDLESS, BlobRecord
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.headers import METADATA_PREFIX, reply_headers
from localzure.services.storage_rest.iso8601 import format_ticks_in_full
from localzure.services.storage_rest.times import format_etag

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.checksums import Sums
    from localzure.services.blob.engine.appends import Appended
    from localzure.services.blob.model import ContainerRecord, Lease, StagingRecord

Headers = list[tuple[str, str]]


def md5_text(digest: bytes) -> str:
    """Return a digest as headers carry it."""
    return b64encode(digest).decode("ascii")


def tagged(call: Call, record: BlobRecord | ContainerRecord) -> Headers:
    """Return the common headers with the tag and time of what was read or written."""
    headers = reply_headers(call.request)
    headers.append(("etag", format_etag(record.etag)))
    headers.append(("last-modified", http_date(record.modified)))
    if isinstance(record, BlobRecord) and record.version is not None:
        headers.append(("x-ms-version-id", format_ticks_in_full(record.version)))
    return headers


def encryption_headers(record: BlobRecord | StagingRecord, name: str) -> Headers:
    """Return the headers that tell how a blob or its blocks are encrypted; `name` is that of the first."""
    headers = [(name, "true")]
    if record.key_sha256 is not None:
        headers.append(("x-ms-encryption-key-sha256", record.key_sha256))
    if record.encryption_scope is not None:
        headers.append(("x-ms-encryption-scope", record.encryption_scope))
    return headers


def lease_headers(call: Call, lease: Lease | None) -> Headers:
    """Return the headers that tell of a lease."""
    if lease is None:
        return [("x-ms-lease-status", "unlocked"), ("x-ms-lease-state", "available")]
    state = leases.state_of(lease, call.parts.clock.now())
    is_locked = state in {leases.LeaseState.LEASED, leases.LeaseState.BREAKING}
    headers = [("x-ms-lease-status", "locked" if is_locked else "unlocked"), ("x-ms-lease-state", state.value)]
    if state is leases.LeaseState.LEASED:
        headers.append(("x-ms-lease-duration", "infinite" if lease.duration == ENDLESS else "fixed"))
    return headers


def accepted(call: Call, _reply: None) -> HttpReply:
    """The reply to a delete of a container."""
    return HttpReply(202, reply_headers(call.request))


def done(call: Call, _reply: None) -> HttpReply:
    """The reply of an operation that has nothing to say."""
    return HttpReply(200, reply_headers(call.request))


def created(call: Call, _reply: None) -> HttpReply:
    """The reply of an operation that made something and has nothing to say of it."""
    return HttpReply(201, reply_headers(call.request))


def snapshot_taken(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Snapshot Blob."""
    headers = tagged(call, record)
    assert record.snapshot is not None, "it is a snapshot"
    headers.append(("x-ms-snapshot", format_ticks_in_full(record.snapshot)))
    headers.append(("x-ms-request-server-encrypted", "true"))
    return HttpReply(201, headers)


def deleted(call: Call, is_permanent: bool) -> HttpReply:
    """The reply to a delete of a blob."""
    headers = reply_headers(call.request)
    headers.append(("x-ms-delete-type-permanent", "true" if is_permanent else "false"))
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
    headers += lease_headers(call, record.lease)
    is_immutable = call.parts.engine.features_of(call.address.account).has_version_immutability
    headers += [
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
        ("x-ms-immutable-storage-with-versioning-enabled", "true" if is_immutable else "false"),
        ("x-ms-default-encryption-scope", record.default_encryption_scope or ACCOUNT_SCOPE),
        ("x-ms-deny-encryption-scope-override", "true" if record.deny_encryption_scope_override else "false"),
    ]
    if record.public_access is not None:
        headers.append(("x-ms-blob-public-access", record.public_access))
    return HttpReply(200, headers)


def blob_changed(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Set Blob Properties and Set Blob Metadata."""
    headers = tagged(call, record)
    headers += encryption_headers(record, "x-ms-request-server-encrypted")
    return HttpReply(200, headers)


def blob_written(call: Call, record: BlobRecord, sums: Sums | None) -> HttpReply:
    """The reply to Put Blob, with the sums of its content, and to Put Block List, with those of its body."""
    headers = tagged(call, record)
    if sums is not None:
        headers += sums.headers()
    headers += encryption_headers(record, "x-ms-request-server-encrypted")
    return HttpReply(201, headers)


def block_staged(call: Call, staging: StagingRecord, sums: Sums | None) -> HttpReply:
    """The reply to Put Block, with the MD5 where the request had one (since version 2019-02-02)."""
    headers = reply_headers(call.request)
    if sums is not None:
        headers += sums.headers()
    headers += encryption_headers(staging, "x-ms-request-server-encrypted")
    return HttpReply(201, headers)


def block_appended(call: Call, appended: Appended, sums: Sums | None) -> HttpReply:
    """The reply to Append Block."""
    record = appended.record
    reply = blob_written(call, record, sums)
    reply.headers += [
        ("x-ms-blob-append-offset", str(appended.offset)),
        ("x-ms-blob-committed-block-count", str(record.block_count)),
    ]
    return reply


def sealed(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Seal."""
    headers = tagged(call, record)
    headers.append(("x-ms-blob-sealed", "true"))
    return HttpReply(200, headers)


def pages_written(call: Call, record: BlobRecord, sums: Sums | None) -> HttpReply:
    """The reply to Put Page."""
    reply = blob_written(call, record, sums)
    reply.headers.append(("x-ms-blob-sequence-number", str(record.sequence_number)))
    return reply


def pages_cleared(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Put Page, clearing."""
    return pages_written(call, record, None)


def page_properties_set(call: Call, record: BlobRecord) -> HttpReply:
    """The reply to Set Blob Properties of a page blob."""
    headers = tagged(call, record)
    headers.append(("x-ms-blob-sequence-number", str(record.sequence_number)))
    return HttpReply(200, headers)


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
    headers += (("accept-ranges", "bytes"), ("x-ms-blob-type", record.kind))
    if record.snapshot is None and not record.is_replaced:
        headers += lease_headers(call, record.lease)
    headers += encryption_headers(record, "x-ms-server-encrypted")
    headers.append(("x-ms-creation-time", http_date(record.created)))
    if record.kind == "PageBlob":
        headers.append(("x-ms-blob-sequence-number", str(record.sequence_number)))
    elif record.kind == "AppendBlob":
        headers.append(("x-ms-blob-committed-block-count", str(record.block_count)))
        if record.is_sealed:
            headers.append(("x-ms-blob-sealed", "true"))
    if record.tags:
        headers.append(("x-ms-tag-count", str(len(record.tags))))
    if record.version is not None and record.snapshot is None and not record.is_replaced:
        headers.append(("x-ms-is-current-version", "true"))
    headers += _rare(record)
    tier = tier_of(record, call.parts.engine.features_of(call.address.account))
    if tier is not None:
        headers.append(("x-ms-access-tier", tier.name))
        if tier.is_inferred:
            headers.append(("x-ms-access-tier-inferred", "true"))
        else:
            if tier.name == SMART_TIER:
                headers.append(("x-ms-smart-access-tier", DEFAULT_TIER))
            headers.append(("x-ms-access-tier-change-time", http_date(record.tier_changed or record.created)))
    return headers


def _metadata(record: BlobRecord | ContainerRecord) -> Headers:
    return [(METADATA_PREFIX + name, value) for name, value in record.metadata.items()]


def _rare(record: BlobRecord) -> Headers:
    """What few blobs have."""
    headers: Headers = []
    copy = record.copy
    if copy is not None:
        headers += [
            ("x-ms-copy-id", copy.id),
            ("x-ms-copy-source", copy.source),
            ("x-ms-copy-status", copy.status),
            ("x-ms-copy-progress", f"{copy.length}/{copy.length}"),
            ("x-ms-copy-completion-time", http_date(copy.started)),
        ]
        if copy.is_incremental:
            headers.append(("x-ms-incremental-copy", "true"))
        if copy.snapshot is not None:
            headers.append(("x-ms-copy-destination-snapshot", format_ticks_in_full(copy.snapshot)))
    if record.read is not None:
        headers.append(("x-ms-last-access-time", http_date(record.read)))
    if record.expires is not None:
        headers.append(("x-ms-expiry-time", http_date(record.expires)))
    if record.immutable_until is not None:
        headers.append(("x-ms-immutability-policy-until-date", http_date(record.immutable_until)))
        headers.append(("x-ms-immutability-policy-mode", (record.immutability_mode or "Unlocked").lower()))
    if record.legal_hold:
        headers.append(("x-ms-legal-hold", "true"))
    if record.rehydration is not None:
        headers.append(("x-ms-archive-status", f"rehydrate-pending-to-{record.rehydration.tier.lower()}"))
        headers.append(("x-ms-rehydrate-priority", record.rehydration.priority))
    return headers
