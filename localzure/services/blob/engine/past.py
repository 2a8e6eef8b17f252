"""Snapshots, and deleting: what stands behind a blob's name beside the blob, and what becomes of it.

Snapshots, versions and deleted blobs are records under the blob's name and a time. Deleting a blob moves it there where
the account keeps versions or retains what is deleted; undelete brings back what the retention has not taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from localzure.services.blob.engine import (
    accounts,
    blobs,
    conditions,
    due,
    encryption,
    immutability,
    leases,
    remains,
    sharing,
)
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import DELETED_BASE, BlobRecord, OnBlob
from localzure.services.interface import SECOND, Instant

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure_storage.store import Reader, Writer


class CreateSnapshot(Struct):
    """Snapshot Blob."""

    target: OnBlob
    metadata: dict[str, str]
    """Empty to keep the blob's own."""


class DeleteBlob(Struct):
    """Delete Blob."""

    target: OnBlob
    snapshots: Literal["include", "only"] | None = None
    is_permanent: bool = False
    """For what was deleted already: end its retention."""
    tier_modified_since: Instant | None = None
    tier_unmodified_since: Instant | None = None


def snapshot(engine: Engine, writer: Writer, command: CreateSnapshot, moment: Moment) -> BlobRecord:
    """Snapshot Blob: returns the snapshot, bearing the version that the blob has from now on.

    The blob itself stays as it is, but where the account keeps versions a snapshot makes a new one.
    """
    target = command.target
    place = blobs.find_any(engine, writer, target, moment.now)
    record = place.record
    if record is None:
        raise BlobError("BlobNotFound")
    leases.check_read(record.lease, target.lease_id, moment.now, "Blob")
    conditions.check_write(target.conditions, record)
    encryption.check_change(engine, writer, target, record)
    if record.tier == "Archive":
        raise BlobError("BlobArchived")
    ticks = blobs.next_free(engine, writer, place.container.id, target.blob, moment.etag)
    taken = msgspec.structs.replace(
        record,
        snapshot=ticks,
        version=None,
        staging=None,
        lease=None,
        expires=None,
        is_content_own=False,
        tags=dict(record.tags),
    )
    if command.metadata:
        taken.metadata = command.metadata
        taken.etag, taken.modified = moment.etag, moment.now
    sharing.share(engine, writer, taken)
    writer.put(engine.keys.past_blob(place.container.id, target.blob, ticks), blobs.encode(taken))
    if engine.features_of(target.account).is_versioned:
        sharing.share(engine, writer, record)
        blobs.keep_version(engine, writer, target, place.container.id, record)
        record.version = blobs.next_free(engine, writer, place.container.id, target.blob, ticks)
        blobs.save(writer, place.key, record)
        taken.version = record.version
    return taken


def delete(engine: Engine, writer: Writer, command: DeleteBlob, moment: Moment) -> bool:
    """Delete Blob; True where it is gone for good, False where it may come back."""
    target = command.target
    if command.is_permanent:
        return _delete_permanently(engine, writer, target, moment)
    if not target.is_base:
        if command.snapshots is not None:
            raise BlobError("InvalidQueryParameterValue", QueryParameterName="snapshot")
        return _delete_past(engine, writer, target, moment)
    place = blobs.find_any(engine, writer, target, moment.now)
    key, record = blobs.find_for_change(engine, writer, target, moment.now)
    _check_tier_times(command, record)
    until = blobs.retained_until(engine, writer, target.account, moment.now)
    snapshots = [(at, past) for at, past in _past(engine, writer, place.container.id, target.blob) if _stands(past)]
    if snapshots and command.snapshots is None:
        raise BlobError("SnapshotsPresent")
    if command.snapshots != "only":
        _delete_base(engine, writer, target, place.container.id, key, record, until, moment)
    for at, past in snapshots:
        immutability.check_mutable(past, moment.now)
        _discard(engine, writer, at, past, until, moment)
    return until is None


def _check_tier_times(command: DeleteBlob, record: BlobRecord) -> None:
    """Raise BlobError where the tier was set at another time than the request wants; whole seconds count."""
    changed = (record.tier_changed or record.created) // SECOND
    since = command.tier_modified_since
    if since is not None and changed <= since // SECOND:
        raise BlobError("ConditionNotMet")
    since = command.tier_unmodified_since
    if since is not None and changed > since // SECOND:
        raise BlobError("ConditionNotMet")


def _delete_base(
    engine: Engine,
    writer: Writer,
    target: OnBlob,
    container_id: int,
    key: bytes,
    record: BlobRecord,
    until: Instant | None,
    moment: Moment,
) -> None:
    """Take a blob's own record away; with versions, its last state becomes one of them."""
    is_versioned = engine.features_of(target.account).is_versioned
    immutability.check_mutable(record, moment.now)
    writer.delete(key)
    remains.discard_staging(engine, writer, record)
    record.staging = record.lease = None
    if is_versioned:
        blobs.keep_version(engine, writer, target, container_id, record)
        return
    if until is None:
        remains.discard_content(engine, writer, record)
        return
    at = engine.keys.past_blob(container_id, target.blob, DELETED_BASE)
    earlier = writer.get(at)
    if earlier is not None:
        past = blobs.decode(earlier)
        past.snapshot = blobs.next_free(engine, writer, container_id, target.blob, moment.etag)
        moved = engine.keys.past_blob(container_id, target.blob, past.snapshot)
        due.remember(engine, writer, past.restorable_until or moment.now, moved)
        blobs.save(writer, moved, past)
    blobs.save_deleted(engine, writer, at, record, until, moment)


def _delete_past(engine: Engine, writer: Writer, target: OnBlob, moment: Moment) -> bool:
    """Delete one snapshot or version."""
    place = blobs.find_any(engine, writer, target, moment.now)
    key, record = blobs.find_for_change(engine, writer, target, moment.now)
    immutability.check_mutable(record, moment.now)
    if key == engine.keys.blob(place.container.id, target.blob):
        raise BlobError("OperationNotAllowedOnRootBlob")
    until = blobs.retained_until(engine, writer, target.account, moment.now)
    _discard(engine, writer, key, record, until, moment)
    return until is None


def _delete_permanently(engine: Engine, writer: Writer, target: OnBlob, moment: Moment) -> bool:
    """End the retention of a deleted snapshot or version, where the account's policy allows it."""
    if not accounts.load(engine, writer, target.account).allows_permanent_delete:
        raise BlobError("InsufficientAccountPermissions")
    place = blobs.locate(engine, writer, target, moment.now)
    ticks = target.snapshot or target.version
    if ticks is None:
        raise BlobError("InvalidQueryParameterValue", QueryParameterName="deletetype")
    key = engine.keys.past_blob(place.container.id, target.blob, ticks)
    value = writer.get(key)
    if value is None or (record := blobs.decode(value)).deleted is None:
        raise BlobError("BlobNotFound")
    _discard(engine, writer, key, record, None, moment)
    return True


def _discard(
    engine: Engine, writer: Writer, key: bytes, record: BlobRecord, until: Instant | None, moment: Moment
) -> None:
    """Delete the record of a snapshot or version: for good, or until its retention is over."""
    if until is None:
        remains.discard(engine, writer, record)
        writer.delete(key)
        return
    blobs.save_deleted(engine, writer, key, record, until, moment)


def undelete(engine: Engine, writer: Writer, target: OnBlob, moment: Moment) -> None:
    """Undelete Blob: bring back the blob, and the snapshots or versions, that the retention still holds."""
    place = blobs.locate(engine, writer, target, moment.now)
    has_base = blobs.committed(place.record) is not None
    found = has_base
    for key, past in _past(engine, writer, place.container.id, target.blob):
        found = True
        if past.deleted is None or (past.restorable_until is not None and past.restorable_until <= moment.now):
            continue
        is_base = past.snapshot is None and key == engine.keys.past_blob(place.container.id, target.blob, DELETED_BASE)
        past.deleted = past.restorable_until = None
        if is_base:
            writer.delete(key)
            if has_base:
                past.snapshot = blobs.next_free(engine, writer, place.container.id, target.blob, moment.etag)
                key = engine.keys.past_blob(place.container.id, target.blob, past.snapshot)  # noqa: PLW2901 - moved
            else:
                key = place.key  # noqa: PLW2901 - it becomes the blob again
                blobs.clear(engine, writer, place)
                if past.expires is not None:
                    due.remember(engine, writer, past.expires, key)
        writer.put(key, blobs.encode(past))
    if not found:
        raise BlobError("BlobNotFound")


def has_snapshots(engine: Engine, reader: Reader, container_id: int, blob: str) -> bool:
    """Whether a blob has snapshots that are not deleted."""
    return any(_stands(past) for _, past in _past(engine, reader, container_id, blob))


def _stands(past: BlobRecord) -> bool:
    """Whether a record is a snapshot that is not deleted: versions do not keep a blob from being deleted."""
    return past.snapshot is not None and past.deleted is None


def _past(engine: Engine, reader: Reader, container_id: int, blob: str) -> list[tuple[bytes, BlobRecord]]:
    scan = reader.scan(*engine.keys.past.range(container_id, blob))
    return [(key, blobs.decode(value)) for key, value in scan]
