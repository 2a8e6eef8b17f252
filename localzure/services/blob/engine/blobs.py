"""Blobs as a whole: put, read, set properties and metadata, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import conditions, containers, remains
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import BlobRecord

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import BlobProperties, OnBlob, SetBlobHeaders, SetBlobMetadata
    from localzure_storage.extents import ExtentId
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(BlobRecord).decode


def load(engine: Engine, reader: Reader, target: OnBlob) -> tuple[bytes, BlobRecord | None]:
    """Return a blob's key and its record, also one that only carries waiting blocks. Raises `ContainerNotFound`."""
    container = containers.find(engine, reader, target.account, target.container)
    key = engine.keys.blob(container.id, target.blob)
    value = reader.get(key)
    return key, None if value is None else _decode(value)


def save(writer: Writer, key: bytes, record: BlobRecord) -> None:
    """Write a blob's record."""
    writer.put(key, _encode(record))


def find(engine: Engine, reader: Reader, target: OnBlob) -> tuple[bytes, BlobRecord]:
    """Return the key and record of a blob that exists. Raises BlobError `ContainerNotFound`, `BlobNotFound`."""
    key, record = load(engine, reader, target)
    if record is None or not record.is_committed or not target.is_current:
        raise BlobError("BlobNotFound")
    return key, record


def read(engine: Engine, reader: Reader, command: OnBlob, _moment: Moment) -> BlobRecord:
    """Return a blob for reading its properties or content."""
    _, record = load(engine, reader, command)
    if record is None or not record.is_committed or not command.is_current:
        conditions.check_absent_read(command.conditions)
        raise BlobError("BlobNotFound")
    check_lease(command)
    conditions.check_read(command.conditions, record)
    return record


def check_put(engine: Engine, reader: Reader, target: OnBlob) -> None:
    """Raise BlobError where a Put Blob or Put Block List would be refused as things stand."""
    check_overwrite(target, committed(load(engine, reader, target)[1]))


def check_overwrite(target: OnBlob, old: BlobRecord | None) -> None:
    """Raise BlobError where `old` must not be replaced. `If-None-Match: *` means: only where there is none."""
    check_lease(target)
    if old is not None and target.conditions.if_none_match == conditions.ANY:
        raise BlobError("BlobAlreadyExists")
    conditions.check_write(target.conditions, old)


def committed(record: BlobRecord | None) -> BlobRecord | None:
    """Return the record of a blob that exists, None for one that only carries waiting blocks."""
    return record if record is not None and record.is_committed else None


def check_lease(target: OnBlob) -> None:
    """Raise BlobError for a request that names a lease: there is none to hold."""
    if target.lease_id is not None:
        raise BlobError("LeaseNotPresentWithBlobOperation")


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
    key, old = load(engine, writer, target)
    current = committed(old)
    check_overwrite(target, current)
    if old is not None:
        remains.discard(engine, writer, old)
    record = new_record(properties, length, current, moment)
    if isinstance(content, bytes):
        record.inline = content
    else:
        engine.extents.retain(writer, content)
        record.extent = content
    save(writer, key, record)
    return record


def new_record(properties: BlobProperties, length: int, old: BlobRecord | None, moment: Moment) -> BlobRecord:
    """Return the record of an uploaded blob, its content still to be set; an overwrite keeps the creation time."""
    return BlobRecord(
        etag=moment.etag,
        created=moment.now if old is None else old.created,
        modified=moment.now,
        length=length,
        headers=properties.headers,
        metadata=properties.metadata,
        tier=properties.tier,
        tier_changed=None if properties.tier is None else moment.now,
    )


def set_metadata(engine: Engine, writer: Writer, command: SetBlobMetadata, moment: Moment) -> BlobRecord:
    """Set Blob Metadata: replace all of it."""
    key, record = _find_for_change(engine, writer, command.target)
    record.metadata = command.metadata
    return _save_changed(writer, key, record, moment)


def set_headers(engine: Engine, writer: Writer, command: SetBlobHeaders, moment: Moment) -> BlobRecord:
    """Set Blob Properties: replace all system properties."""
    key, record = _find_for_change(engine, writer, command.target)
    record.headers = command.headers
    return _save_changed(writer, key, record, moment)


def delete(engine: Engine, writer: Writer, command: OnBlob, _moment: Moment) -> None:
    """Delete Blob: gone at once, its waiting blocks with it."""
    key, record = _find_for_change(engine, writer, command)
    remains.discard(engine, writer, record)
    writer.delete(key)


def _find_for_change(engine: Engine, writer: Writer, target: OnBlob) -> tuple[bytes, BlobRecord]:
    key, record = find(engine, writer, target)
    check_lease(target)
    conditions.check_write(target.conditions, record)
    return key, record


def _save_changed(writer: Writer, key: bytes, record: BlobRecord, moment: Moment) -> BlobRecord:
    record.etag = moment.etag
    record.modified = moment.now
    save(writer, key, record)
    return record
