"""Blobs as a whole: finding, reading and replacing them, their properties, metadata and leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from localzure.services.blob.engine import (
    accounts,
    conditions,
    containers,
    due,
    encryption,
    immutability,
    leases,
    remains,
    sharing,
)
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import BlobRecord
from localzure.services.interface import SECOND, Instant
from localzure.services.storage_rest.times import Ticks

if TYPE_CHECKING:
    from localzure.services.blob.engine.leases import Leased
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import (
        BlobProperties,
        ContainerRecord,
        LeaseBlob,
        OnBlob,
        SetBlobHeaders,
        SetBlobMetadata,
        SetBlobTags,
    )
    from localzure_storage.extents import ExtentId
    from localzure_storage.store import Reader, Writer

DAY = 86_400 * SECOND
"""Microseconds in a day, the unit of retention."""

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(BlobRecord).decode


class Place(NamedTuple):
    """Where a blob is kept, or would be."""

    container: ContainerRecord
    key: bytes
    record: BlobRecord | None
    expired: BlobRecord | None = None
    """What is stored there and has expired: whoever writes there lets go of it with `clear`."""


def locate(engine: Engine, reader: Reader, target: OnBlob, now: Instant) -> Place:
    """Return the place of a base blob, also of one that only carries waiting blocks. Raises `ContainerNotFound`."""
    container = containers.find(engine, reader, target.account, target.container)
    key = engine.keys.blob(container.id, target.blob)
    value = reader.get(key)
    if value is None:
        return Place(container, key, None)
    stored = decode(value)
    record = settle(stored, now)
    return Place(container, key, record, stored if record is None else None)


def clear(engine: Engine, writer: Writer, place: Place) -> None:
    """Let go of what has expired at a place that is about to be written; its record is still there."""
    if place.expired is not None:
        remains.discard(engine, writer, place.expired)


def settle(record: BlobRecord, now: Instant) -> BlobRecord | None:
    """Return a record as time has made it: rehydrated where that is done, None where it has expired."""
    if record.expires is not None and immutability.has_expired(record, now):
        return None
    if record.rehydration is not None and record.rehydration.done <= now:
        record.tier = record.rehydration.tier
        record.tier_changed = record.rehydration.done
        record.rehydration = None
    return record


def save(writer: Writer, key: bytes, record: BlobRecord) -> None:
    """Write a blob's record."""
    writer.put(key, encode(record))


def find_any(engine: Engine, reader: Reader, target: OnBlob, now: Instant) -> Place:
    """Return the place of what a request names: a base blob, a snapshot or a version; without a record for none."""
    place = locate(engine, reader, target, now)
    if target.is_base:
        return place if committed(place.record) is not None else place._replace(record=None)
    if target.version is not None and place.record is not None and place.record.version == target.version:
        return place
    ticks = target.version if target.snapshot is None else target.snapshot
    assert ticks is not None, "a target that is no base names a snapshot or a version"
    key = engine.keys.past_blob(place.container.id, target.blob, ticks)
    value = reader.get(key)
    record = None if value is None else settle(decode(value), now)
    if record is not None and (record.deleted is not None or (record.snapshot is None) != (target.snapshot is None)):
        record = None
    return Place(place.container, key, record)


def find(engine: Engine, reader: Reader, target: OnBlob, now: Instant) -> tuple[bytes, BlobRecord]:
    """Return the key and record of what exists. Raises BlobError `ContainerNotFound`, `BlobNotFound`."""
    place = find_any(engine, reader, target, now)
    if place.record is None:
        if target.conditions.if_match:
            raise BlobError("ConditionNotMet")
        raise BlobError("BlobNotFound")
    return place.key, place.record


def read(engine: Engine, reader: Reader, command: OnBlob, moment: Moment) -> BlobRecord:
    """Return a blob, snapshot or version for reading its properties or content, which its key is needed for."""
    record = find_readable(engine, reader, command, moment)
    encryption.check_key(command, record)
    return record


def find_readable(engine: Engine, reader: Reader, command: OnBlob, moment: Moment) -> BlobRecord:
    """Return a blob, snapshot or version that may be read as far as leases and conditions go."""
    record = find_any(engine, reader, command, moment.now).record
    if record is None:
        conditions.check_absent_read(command.conditions)
        raise BlobError("BlobNotFound")
    leases.check_read(record.lease, command.lease_id, moment.now, "Blob")
    conditions.check_read(command.conditions, record)
    return record


def check_put(engine: Engine, reader: Reader, target: OnBlob, moment: Moment) -> None:
    """Raise BlobError where a Put Blob or Put Block List would be refused as things stand."""
    check_overwrite(engine, target, committed(locate(engine, reader, target, moment.now).record), moment.now)


def check_overwrite(engine: Engine, target: OnBlob, old: BlobRecord | None, now: Instant) -> None:
    """Raise BlobError where `old` must not be replaced.

    `If-None-Match: *` means: only where there is none. Who holds the lease and names it knows that there is one, and
    Azure lets him: the SDKs' uploads send that condition beside the lease.
    """
    leases.check_write(None if old is None else old.lease, target.lease_id, now, "Blob")
    if old is not None and target.conditions.if_none_match == conditions.ANY:
        if target.lease_id is None:
            raise BlobError("BlobAlreadyExists")
    else:
        conditions.check_write(target.conditions, old)
    if old is not None:
        immutability.check_replaceable(engine, target, old, now)


def committed(record: BlobRecord | None) -> BlobRecord | None:
    """Return the record of a blob that exists, None for one that only carries waiting blocks."""
    return record if record is not None and record.is_committed else None


def put(
    engine: Engine,
    writer: Writer,
    target: OnBlob,
    properties: BlobProperties,
    content: bytes | ExtentId,
    length: int,
    moment: Moment,
) -> BlobRecord:
    """Put Blob: make or replace a block blob whose whole content is given, inline or as an extent to retain."""
    place = locate(engine, writer, target, moment.now)
    current = committed(place.record)
    check_overwrite(engine, target, current, moment.now)
    record = new_record(target, place.container, properties, length, current, moment)
    if isinstance(content, bytes):
        record.inline = content
    else:
        engine.extents.retain(writer, content)
        record.extent = content
    replace(engine, writer, target, place, record, moment)
    return record


def new_record(
    target: OnBlob,
    container: ContainerRecord,
    properties: BlobProperties,
    length: int,
    old: BlobRecord | None,
    moment: Moment,
) -> BlobRecord:
    """Return the record of an uploaded blob, its content still to be set. Raises BlobError for its encryption scope.

    An overwrite keeps the creation time and the lease.
    """
    return BlobRecord(
        etag=moment.etag,
        created=moment.now if old is None else old.created,
        modified=moment.now,
        length=length,
        headers=properties.headers,
        metadata=properties.metadata,
        tier=properties.tier,
        tier_changed=None if properties.tier is None else moment.now,
        kind=properties.kind,
        tags=properties.tags,
        lease=None if old is None else leases.held(old.lease, moment.now),
        encryption_scope=encryption.scope_of(target, container),
        key_sha256=target.key_sha256,
        immutable_until=properties.immutable_until,
        immutability_mode=properties.immutability_mode,
        legal_hold=properties.legal_hold,
    )


def replace(engine: Engine, writer: Writer, target: OnBlob, place: Place, record: BlobRecord, moment: Moment) -> None:
    """Write the record of a blob that was written anew; what was there is kept or left, as the account says."""
    old = place.record
    clear(engine, writer, place)
    if old is not None:
        remains.discard_staging(engine, writer, old)
        if not keep_replaced(engine, writer, target, place, moment):
            remains.discard_content(engine, writer, old)
    if engine.features_of(target.account).is_versioned:
        record.version = moment.etag
    containers.note_immutable(engine, writer, target, record)
    save_written(engine, writer, target, place.key, record, moment)


def save_written(
    engine: Engine, writer: Writer, target: OnBlob, key: bytes, record: BlobRecord, moment: Moment
) -> None:
    """Write the record of a blob that was written anew, which counts as an access."""
    if engine.features_of(target.account).tracks_access:
        record.read = moment.now
    save(writer, key, record)


def is_access_due(engine: Engine, target: OnBlob, record: BlobRecord, now: Instant) -> bool:
    """Whether a download is to be noted: the first of a day is ("Optionally enable access time tracking")."""
    if not engine.features_of(target.account).tracks_access:
        return False
    return record.read is None or now - record.read >= DAY


def note_access(engine: Engine, writer: Writer, target: OnBlob, moment: Moment) -> None:
    """Note that a blob was read."""
    place = find_any(engine, writer, target, moment.now)
    if place.record is not None:
        place.record.read = moment.now
        save(writer, place.key, place.record)


def keep_replaced(engine: Engine, writer: Writer, target: OnBlob, place: Place, moment: Moment) -> bool:
    """Keep what a write replaces, with its content, as a version or as a deleted snapshot; False where nobody asks.

    Versions are the account's choice; the other comes with its retention of deleted blobs ("Soft delete for blobs").
    """
    old = committed(place.record)
    if old is None:
        return False
    if engine.features_of(target.account).is_versioned:
        keep_version(engine, writer, target, place.container.id, old)
        return True
    until = retained_until(engine, writer, target.account, moment.now)
    if until is None:
        return False
    past = msgspec.structs.replace(old, staging=None, lease=None, snapshot=moment.etag, expires=None)
    save_deleted(
        engine, writer, engine.keys.past_blob(place.container.id, target.blob, moment.etag), past, until, moment
    )
    return True


def save_deleted(
    engine: Engine, writer: Writer, key: bytes, record: BlobRecord, until: Instant, moment: Moment
) -> None:
    """Write the record of what is deleted now and can come back until `until`."""
    record.deleted, record.restorable_until = moment.now, until
    due.remember(engine, writer, until, key)
    save(writer, key, record)


def keep_version(engine: Engine, writer: Writer, target: OnBlob, container_id: int, old: BlobRecord) -> None:
    """Keep the state of a blob, with its content, as a version that is not the last."""
    version = old.version or old.etag
    past = msgspec.structs.replace(old, staging=None, lease=None, version=version, expires=None, is_replaced=True)
    writer.put(engine.keys.past_blob(container_id, target.blob, version), encode(past))


def retained_until(engine: Engine, reader: Reader, account: str, now: Instant) -> Instant | None:
    """Return until when what is deleted now can come back; None where the account keeps nothing."""
    retention = accounts.delete_retention(engine, account, accounts.load(engine, reader, account))
    return Instant(now + (retention.days or 0) * DAY) if retention.enabled else None


def set_metadata(engine: Engine, writer: Writer, command: SetBlobMetadata, moment: Moment) -> BlobRecord:
    """Set Blob Metadata: replace all of it. A new version, where the account keeps them."""
    target = command.target
    key, record = find_for_change(engine, writer, target, moment.now)
    encryption.check_change(engine, writer, target, record)
    immutability.check_replaceable(engine, target, record, moment.now)
    if engine.features_of(target.account).is_versioned:
        container = containers.find(engine, writer, target.account, target.container)
        sharing.share(engine, writer, record)
        keep_version(engine, writer, target, container.id, record)
        record.version = moment.etag
    record.metadata = command.metadata
    return save_changed(writer, key, record, moment)


def set_headers(engine: Engine, writer: Writer, command: SetBlobHeaders, moment: Moment) -> BlobRecord:
    """Set Blob Properties: replace all system properties."""
    key, record = find_for_change(engine, writer, command.target, moment.now)
    immutability.check_mutable(record, moment.now)
    record.headers = command.headers
    return save_changed(writer, key, record, moment)


def find_for_change(engine: Engine, writer: Writer, target: OnBlob, now: Instant) -> tuple[bytes, BlobRecord]:
    """Return the key and record of what may be changed. Raises BlobError."""
    key, record = find(engine, writer, target, now)
    leases.check_write(record.lease, target.lease_id, now, "Blob")
    conditions.check_write(target.conditions, record)
    return key, record


def save_changed(writer: Writer, key: bytes, record: BlobRecord, moment: Moment) -> BlobRecord:
    """Write a record under a new entity tag."""
    record.etag = moment.etag
    record.modified = moment.now
    record.lease = leases.held(record.lease, moment.now)
    save(writer, key, record)
    return record


def next_free(engine: Engine, reader: Reader, container_id: int, blob: str, ticks: Ticks) -> Ticks:
    """Return the first time from `ticks` on that no snapshot or version of a blob bears."""
    while reader.get(engine.keys.past_blob(container_id, blob, ticks)) is not None:
        ticks = Ticks(ticks + 1)
    return ticks


def lease(engine: Engine, writer: Writer, command: LeaseBlob, moment: Moment) -> tuple[BlobRecord, Leased]:
    """Lease Blob. It changes neither the entity tag nor the time of the blob."""
    key, record = find(engine, writer, command.target, moment.now)
    conditions.check_write(command.target.conditions, record)
    leased = leases.act(record.lease, command.lease, moment.now)
    record.lease = leased.lease
    save(writer, key, record)
    return record, leased


def get_tags(engine: Engine, reader: Reader, target: OnBlob, moment: Moment) -> BlobRecord:
    """Get Blob Tags. Its conditions are those of a write: what does not hold is a 412."""
    record = find(engine, reader, target, moment.now)[1]
    leases.check_read(record.lease, target.lease_id, moment.now, "Blob")
    conditions.check_write(target.conditions, record)
    return record


def set_tags(engine: Engine, writer: Writer, command: SetBlobTags, moment: Moment) -> None:
    """Set Blob Tags: replace all of them. It changes neither the entity tag nor the time of the blob."""
    target = command.target
    key, record = find(engine, writer, target, moment.now)
    leases.check_write(record.lease, target.lease_id, moment.now, "Blob")
    conditions.check_write(target.conditions, record)
    if record.snapshot is not None:
        raise BlobError("InvalidOperation")
    record.tags = command.tags
    save(writer, key, record)
