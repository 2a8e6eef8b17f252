"""Containers: create, read, set metadata, delete, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import conditions, remains
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import ContainerPage, ContainerRecord, Remains

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import CreateContainer, ListContainers, OnContainer, SetContainerMetadata
    from localzure_storage.store import Reader, Writer

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


def get(engine: Engine, reader: Reader, command: OnContainer, _moment: Moment) -> ContainerRecord:
    """Return a container for its properties or metadata."""
    record = find(engine, reader, command.account, command.container)
    _check_lease(command)
    return record


def set_metadata(engine: Engine, writer: Writer, command: SetContainerMetadata, moment: Moment) -> ContainerRecord:
    """Replace a container's metadata."""
    target = command.target
    record = find(engine, writer, target.account, target.container)
    _check_lease(target)
    conditions.check_write(target.conditions, record)
    record.metadata = command.metadata
    record.etag = moment.etag
    record.modified = moment.now
    writer.put(engine.keys.container(target.account, target.container), _encode(record))
    return record


def delete(engine: Engine, writer: Writer, command: OnContainer, _moment: Moment) -> None:
    """Remove a container at once; its blobs, which nobody can reach any more, are left to be swept."""
    record = find(engine, writer, command.account, command.container)
    _check_lease(command)
    conditions.check_write(command.conditions, record)
    writer.delete(engine.keys.container(command.account, command.container))
    remains.leave(engine, writer, Remains(container=record.id))


def list_page(engine: Engine, reader: Reader, command: ListContainers, _moment: Moment) -> ContainerPage:
    """Return a page of an account's containers."""
    keys = engine.keys
    start, stop = keys.containers.prefix_range(command.account, command.prefix)
    if command.start:
        start = max(start, keys.container(command.account, command.start))
    page: list[tuple[str, ContainerRecord]] = []
    for key, value in reader.scan(start, stop, limit=command.limit + 1):
        name = keys.container_name(key)
        if len(page) == command.limit:
            return ContainerPage(page, name)
        page.append((name, _decode(value)))
    return ContainerPage(page, None)


def _check_lease(command: OnContainer) -> None:
    if command.lease_id is not None:
        raise BlobError("LeaseNotPresentWithContainerOperation")
