"""List Blobs as an Arrow stream: a column for each element that the XML listing has, under the same name.

Clients that can read it ask for it with `Accept`. Columns without any value are left out. `ResourceType` tells blobs
from prefixes, and the marker of the next page is metadata of the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localzure.services.blob.documents import marker_of
from localzure.services.blob.engine import leases
from localzure.services.blob.engine.blobs import DAY
from localzure.services.blob.engine.tiers import DEFAULT_TIER, SMART_TIER, Tier, tier_of
from localzure.services.blob.model import ENDLESS
from localzure.services.blob.replies import md5_text
from localzure.services.interface import SECOND, Instant
from localzure.services.storage_rest.iso8601 import format_ticks_in_full
from localzure_protocols.arrow import Column, bool_column, int_column, map_column, stream, text_column

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from localzure.services.blob.call import Call
    from localzure.services.blob.model import BlobPage, BlobRecord, ListedBlob

MEDIA_TYPE = "application/vnd.apache.arrow.stream"

PAGE_MAX = 1500
"""Most items in a page: its marker stands before them, so it is written at once, in some fifteen milliseconds."""


class _Row(NamedTuple):
    """A blob of a listing, and what its values are made of."""

    record: BlobRecord
    is_current: bool
    has_base: bool
    tier: Tier | None
    state: leases.LeaseState
    now: Instant


def is_wanted(call: Call) -> bool:
    """Whether a client asks for this form of a listing."""
    return MEDIA_TYPE in call.request.headers.get("accept", "")


def blob_listing(call: Call, page: BlobPage, words: frozenset[str]) -> bytes:
    """Write List Blobs; `words` are what it is asked to include."""
    based = {item.name for item in page.items if item.is_current and item.record is not None}
    rows = [_row(call, item, item.name in based) for item in page.items]
    columns = [
        text_column("Name", [item.name for item in page.items]),
        text_column("ResourceType", ["blobprefix" if row is None else "blob" for row in rows]),
    ]
    for name, (make, value) in _COLUMNS.items():
        if name not in _ASKED_FOR or _ASKED_FOR[name] in words:
            values = [None if row is None else value(row) for row in rows]
            if values.count(None) < len(values):
                columns.append(make(name, values))
    marker = {} if page.next_start is None else {"NextMarker": marker_of(page.next_start)}
    return stream(columns, len(rows), marker)


def _row(call: Call, item: ListedBlob, has_base: bool) -> _Row | None:
    if item.record is None:
        return None
    now = call.parts.clock.now()
    tier = tier_of(item.record, call.parts.engine.features_of(call.address.account))
    return _Row(item.record, item.is_current, has_base, tier, leases.state_of(item.record.lease, now), now)


def _times(name: str, values: list[Any]) -> Column:
    """Make a column of instants, which listings show in whole seconds."""
    return int_column(name, [None if value is None else value // SECOND for value in values], "timestamp")


def _true_or_none(value: bool) -> bool | None:
    """Return what is shown of a flag that is only shown where it is set."""
    return value or None


def _digest(row: _Row) -> str | None:
    digest = row.record.headers.content_md5
    return None if digest is None else md5_text(digest)


def _version(row: _Row) -> str | None:
    record = row.record
    return None if record.version is None or record.snapshot is not None else format_ticks_in_full(record.version)


def _lease_duration(row: _Row) -> str | None:
    lease = row.record.lease
    if lease is None or row.state is not leases.LeaseState.LEASED:
        return None
    return "infinite" if lease.duration == ENDLESS else "fixed"


def _lease_status(row: _Row) -> str:
    return "locked" if row.state in {leases.LeaseState.LEASED, leases.LeaseState.BREAKING} else "unlocked"


def _tier_changed(row: _Row) -> Instant | None:
    if row.tier is None or row.tier.is_inferred:
        return None
    return row.record.tier_changed or row.record.created


def _archive_status(row: _Row) -> str | None:
    rehydration = row.record.rehydration
    return None if rehydration is None else f"rehydrate-pending-to-{rehydration.tier.lower()}"


def _days_left(row: _Row) -> int | None:
    if row.record.deleted is None:
        return None
    return max(0, ((row.record.restorable_until or row.now) - row.now) // DAY)


def _mode(row: _Row) -> str | None:
    return None if row.record.immutable_until is None else (row.record.immutability_mode or "Unlocked").lower()


def _destination(row: _Row) -> str | None:
    copy = row.record.copy
    return None if copy is None or copy.snapshot is None else format_ticks_in_full(copy.snapshot)


def _has_versions_only(row: _Row) -> bool | None:
    record = row.record
    is_one = not row.is_current and not row.has_base and record.version is not None and record.snapshot is None
    return _true_or_none(is_one)


_COLUMNS: Mapping[str, tuple[Callable[[str, list[Any]], Column], Callable[[_Row], Any]]] = {
    "Snapshot": (
        text_column,
        lambda row: None if row.record.snapshot is None else format_ticks_in_full(row.record.snapshot),
    ),
    "VersionId": (text_column, _version),
    "IsCurrentVersion": (bool_column, lambda row: _true_or_none(row.is_current and row.record.version is not None)),
    "Deleted": (bool_column, lambda row: _true_or_none(row.record.deleted is not None)),
    "Creation-Time": (_times, lambda row: row.record.created),
    "Last-Modified": (_times, lambda row: row.record.modified),
    "Etag": (text_column, lambda row: f"0x{row.record.etag:X}"),
    "Content-Length": (int_column, lambda row: row.record.length),
    "Content-Type": (text_column, lambda row: row.record.headers.content_type),
    "Content-Encoding": (text_column, lambda row: row.record.headers.content_encoding),
    "Content-Language": (text_column, lambda row: row.record.headers.content_language),
    "Content-MD5": (text_column, _digest),
    "Cache-Control": (text_column, lambda row: row.record.headers.cache_control),
    "Content-Disposition": (text_column, lambda row: row.record.headers.content_disposition),
    "BlobType": (text_column, lambda row: row.record.kind),
    "AccessTier": (text_column, lambda row: None if row.tier is None else row.tier.name),
    "AccessTierInferred": (bool_column, lambda row: _true_or_none(row.tier is not None and row.tier.is_inferred)),
    "SmartAccessTier": (
        text_column,
        lambda row: DEFAULT_TIER if row.tier is not None and row.tier.name == SMART_TIER else None,
    ),
    "AccessTierChangeTime": (_times, _tier_changed),
    "x-ms-blob-sequence-number": (
        int_column,
        lambda row: row.record.sequence_number if row.record.kind == "PageBlob" else None,
    ),
    "Sealed": (bool_column, lambda row: _true_or_none(row.record.is_sealed)),
    "LeaseStatus": (text_column, _lease_status),
    "LeaseState": (text_column, lambda row: row.state.value),
    "LeaseDuration": (text_column, _lease_duration),
    "ServerEncrypted": (bool_column, lambda _row: True),
    "CopyId": (text_column, lambda row: None if row.record.copy is None else row.record.copy.id),
    "CopyStatus": (text_column, lambda row: None if row.record.copy is None else row.record.copy.status),
    "CopySource": (text_column, lambda row: None if row.record.copy is None else row.record.copy.source),
    "CopyProgress": (
        text_column,
        lambda row: None if row.record.copy is None else f"{row.record.copy.length}/{row.record.copy.length}",
    ),
    "CopyCompletionTime": (_times, lambda row: None if row.record.copy is None else row.record.copy.started),
    "IncrementalCopy": (
        bool_column,
        lambda row: None if row.record.copy is None else _true_or_none(row.record.copy.is_incremental),
    ),
    "CopyDestinationSnapshot": (text_column, _destination),
    "ArchiveStatus": (text_column, _archive_status),
    "RehydratePriority": (
        text_column,
        lambda row: None if row.record.rehydration is None else row.record.rehydration.priority,
    ),
    "CustomerProvidedKeySha256": (text_column, lambda row: row.record.key_sha256),
    "EncryptionScope": (text_column, lambda row: row.record.encryption_scope),
    "TagCount": (int_column, lambda row: len(row.record.tags) or None),
    "LastAccessTime": (_times, lambda row: row.record.read),
    "Expiry-Time": (_times, lambda row: row.record.expires),
    "ImmutabilityPolicyUntilDate": (_times, lambda row: row.record.immutable_until),
    "ImmutabilityPolicyMode": (text_column, _mode),
    "LegalHold": (bool_column, lambda row: _true_or_none(row.record.legal_hold)),
    "DeletedTime": (_times, lambda row: row.record.deleted),
    "RemainingRetentionDays": (int_column, _days_left),
    "HasVersionsOnly": (bool_column, _has_versions_only),
    "Metadata": (map_column, lambda row: row.record.metadata),
    "Tags": (map_column, lambda row: row.record.tags or None),
}
"""Column → how it is made, and the value of a row."""

_ASKED_FOR = {
    "Metadata": "metadata",
    "Tags": "tags",
    "CopyId": "copy",
    "CopyStatus": "copy",
    "CopySource": "copy",
    "CopyProgress": "copy",
    "CopyCompletionTime": "copy",
    "IncrementalCopy": "copy",
    "CopyDestinationSnapshot": "copy",
}
"""Columns that a listing has only where it is asked to include them → what it is asked for."""
