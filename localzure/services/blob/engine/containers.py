"""Containers: create, read, set metadata and access, lease, delete, restore, list."""

from __future__ import annotations

import heapq
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import conditions, due, immutability, leases, remains
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import ContainerPage, ContainerRecord, CreateContainer, Remains
from localzure.services.interface import SECOND, Instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.blob.engine.leases import Leased
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import (
        BlobRecord,
        LeaseContainer,
        ListContainers,
        OnBlob,
        OnContainer,
        RenameContainer,
        RestoreContainer,
        SetContainerAccess,
        SetContainerMetadata,
    )
    from localzure_storage.store import Reader, Writer

LOGS = "$logs"
"""The container of an account's request logs."""

SYSTEM_CONTAINERS = frozenset({"$blobchangefeed", LOGS})
"""Containers that a listing shows only where it is asked to include system containers."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ContainerRecord).decode


def find(engine: Engine, reader: Reader, account: str, container: str) -> ContainerRecord:
    """Return a container. Raises BlobError `ContainerNotFound`."""
    value = reader.get(engine.keys.container(account, container))
    if value is None:
        raise BlobError("ContainerNotFound")
    return _decode(value)


def create(engine: Engine, writer: Writer, command: CreateContainer, moment: Moment) -> ContainerRecord:
    """Make a container. Its name may be that of one whose blobs are still being swept."""
    key = engine.keys.container(command.account, command.container)
    if writer.get(key) is not None:
        raise BlobError("ContainerAlreadyExists")
    record = ContainerRecord(
        id=engine.keys.next_number(writer),
        etag=moment.etag,
        modified=moment.now,
        metadata=command.metadata,
        public_access=command.public_access,
        default_encryption_scope=command.default_encryption_scope,
        deny_encryption_scope_override=command.deny_encryption_scope_override,
    )
    writer.put(key, _encode(record))
    return record


def get(engine: Engine, reader: Reader, command: OnContainer, moment: Moment) -> ContainerRecord:
    """Return a container for its properties or metadata."""
    record = find(engine, reader, command.account, command.container)
    leases.check_read(record.lease, command.lease_id, moment.now, "Container")
    return record


def set_metadata(engine: Engine, writer: Writer, command: SetContainerMetadata, moment: Moment) -> ContainerRecord:
    """Replace a container's metadata."""
    record = _find_for_change(engine, writer, command.target, moment)
    record.metadata = command.metadata
    return _save_changed(engine, writer, command.target, record, moment)


def set_access(engine: Engine, writer: Writer, command: SetContainerAccess, moment: Moment) -> ContainerRecord:
    """Replace a container's public access and stored access policies."""
    record = _find_for_change(engine, writer, command.target, moment)
    record.public_access = command.public_access
    record.policies = command.policies
    return _save_changed(engine, writer, command.target, record, moment)


def lease(engine: Engine, writer: Writer, command: LeaseContainer, moment: Moment) -> tuple[ContainerRecord, Leased]:
    """Lease Container."""
    target = command.target
    record = find(engine, writer, target.account, target.container)
    conditions.check_write(target.conditions, record)
    leased = leases.act(record.lease, command.lease, moment.now)
    record.lease = leased.lease
    writer.put(engine.keys.container(target.account, target.container), _encode(record))
    return record, leased


def _find_for_change(engine: Engine, writer: Writer, target: OnContainer, moment: Moment) -> ContainerRecord:
    record = find(engine, writer, target.account, target.container)
    leases.check_read(record.lease, target.lease_id, moment.now, "Container")
    conditions.check_write(target.conditions, record)
    return record


def _save_changed(
    engine: Engine, writer: Writer, target: OnContainer, record: ContainerRecord, moment: Moment
) -> ContainerRecord:
    record.etag = moment.etag
    record.modified = moment.now
    writer.put(engine.keys.container(target.account, target.container), _encode(record))
    return record


def rename(engine: Engine, writer: Writer, command: RenameContainer, moment: Moment) -> None:
    """Rename Container: give it, with everything in it, a name that is free."""
    record = find(engine, writer, command.account, command.source)
    leases.check_write(record.lease, command.source_lease_id, moment.now, "Container")
    if writer.get(engine.keys.container(command.account, command.container)) is not None:
        raise BlobError("ContainerAlreadyExists")
    writer.delete(engine.keys.container(command.account, command.source))
    record.etag, record.modified = moment.etag, moment.now
    save(engine, writer, command.account, command.container, record)


def save(engine: Engine, writer: Writer, account: str, container: str, record: ContainerRecord) -> None:
    """Write a container's record."""
    writer.put(engine.keys.container(account, container), _encode(record))


def note_immutable(engine: Engine, writer: Writer, target: OnBlob, record: BlobRecord) -> None:
    """Let a container know of a blob that is under a policy or a hold: who deletes the container has to look."""
    if not record.legal_hold and record.immutable_until is None:
        return
    container = find(engine, writer, target.account, target.container)
    if not container.has_immutable:
        container.has_immutable = True
        save(engine, writer, target.account, target.container, container)


def delete(engine: Engine, writer: Writer, command: OnContainer, moment: Moment) -> None:
    """Remove a container at once; its blobs, which nobody can reach any more, are left to be swept.

    Where the account retains deleted containers, it is moved aside with everything in it.
    """
    record = find(engine, writer, command.account, command.container)
    leases.check_write(record.lease, command.lease_id, moment.now, "Container")
    conditions.check_write(command.conditions, record)
    immutability.check_container(engine, writer, record, moment.now)
    writer.delete(engine.keys.container(command.account, command.container))
    days = engine.features_of(command.account).container_retention_days
    if not days:
        remains.leave(engine, writer, Remains(container=record.id))
        return
    record.lease = None
    record.deleted = moment.now
    record.version = f"{moment.etag:X}"
    record.restorable_until = Instant(moment.now + days * 86_400 * SECOND)
    gone = engine.keys.gone_containers.pack(command.account, command.container, moment.etag)
    due.remember(engine, writer, record.restorable_until, gone)
    writer.put(gone, _encode(record))


def restore(engine: Engine, writer: Writer, command: RestoreContainer, moment: Moment) -> None:
    """Restore Container: bring a deleted one back, under the name of the request, which must be free."""
    key = engine.keys.container(command.account, command.container)
    if writer.get(key) is not None:
        raise BlobError("ContainerAlreadyExists")
    gone, record = _find_gone(engine, writer, command, moment.now)
    record.deleted = record.version = record.restorable_until = None
    writer.delete(gone)
    writer.put(key, _encode(record))


def _find_gone(
    engine: Engine, reader: Reader, command: RestoreContainer, now: Instant
) -> tuple[bytes, ContainerRecord]:
    for key, value in reader.scan(*engine.keys.gone_containers.range(command.account, command.name)):
        record = _decode(value)
        if record.version == command.version and _is_restorable(record, now):
            return key, record
    raise BlobError("ContainerNotFound")


def _is_restorable(record: ContainerRecord, now: Instant) -> bool:
    return record.restorable_until is not None and record.restorable_until > now


def list_page(engine: Engine, reader: Reader, command: ListContainers, moment: Moment) -> ContainerPage:
    """Return a page of an account's containers."""
    page: list[tuple[str, ContainerRecord]] = []
    for name, record in _named(engine, reader, command, moment):
        if not command.with_system and name in SYSTEM_CONTAINERS:
            continue
        if len(page) >= command.limit and (not page or page[-1][0] != name):
            return ContainerPage(page, name)
        page.append((name, record))
    return ContainerPage(page, None)


def list_with_system(engine: Engine, writer: Writer, command: ListContainers, moment: Moment) -> ContainerPage:
    """Return a page of an account's containers; that of its logs is there for whoever looks for it."""
    create_missing(engine, writer, command.account, LOGS, moment)
    return list_page(engine, writer, command, moment)


def create_missing(engine: Engine, writer: Writer, account: str, container: str, moment: Moment) -> None:
    """Make a container of the service's own, where there is none."""
    if writer.get(engine.keys.container(account, container)) is None:
        create(engine, writer, CreateContainer(account, container, {}, None, None, False), moment)


def all_of(engine: Engine, reader: Reader, account: str, start: str) -> list[tuple[str, ContainerRecord]]:
    """Return an account's containers from a name on."""
    keys = engine.keys
    first, stop = keys.containers.range(account)
    if start:
        first = max(first, keys.container(account, start))
    return [(keys.container_name(key), _decode(value)) for key, value in reader.scan(first, stop)]


def _named(
    engine: Engine, reader: Reader, command: ListContainers, moment: Moment
) -> Iterator[tuple[str, ContainerRecord]]:
    """Yield the containers in the order of their names; the deleted ones of a name come first."""
    keys = engine.keys
    start, stop = keys.containers.prefix_range(command.account, command.prefix)
    if command.start:
        start = max(start, keys.container(command.account, command.start))
    standing = ((keys.container_name(key), _decode(value)) for key, value in reader.scan(start, stop))
    if not command.with_deleted:
        return standing
    start, stop = keys.gone_containers.prefix_range(command.account, command.prefix)
    if command.start:
        start = max(start, keys.gone_containers.range(command.account, command.start)[0])
    gone = (
        (str(keys.gone_containers.unpack(key)[1]), record)
        for key, value in reader.scan(start, stop)
        if _is_restorable(record := _decode(value), moment.now)
    )
    return heapq.merge(gone, standing, key=itemgetter(0))
