"""Find Blobs by Tags: the blobs of a container or an account whose tags fulfil a search.

A scan, in pages: each looks at `STEPS_MAX` blobs at most and says where the next one goes on, found or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from localzure.services.blob.engine import blobs, containers
from localzure.services.blob.engine.tag_conditions import CONTAINER, TagCondition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import BlobRecord
    from localzure_storage.store import Reader

STEPS_MAX = 10_000
"""Blobs that one page may look at."""

SEPARATOR = "/"
"""Stands between container and blob in a marker: no container's name has it."""


class FindBlobs(Struct):
    """Find Blobs by Tags."""

    account: str
    container: str | None
    """None for all containers of the account."""
    condition: TagCondition
    start: str
    """The first container and blob of the page, from its marker."""
    limit: int
    with_versions: bool = False


class FoundBlob(Struct):
    """A blob that fulfils a search."""

    container: str
    name: str
    record: BlobRecord
    is_current: bool


class FoundPage(Struct):
    """A page of what a search found."""

    items: list[FoundBlob]
    next_start: str | None


def find(engine: Engine, reader: Reader, command: FindBlobs, moment: Moment) -> FoundPage:
    """Return a page of what a search finds, in the order of the names. Raises BlobError `ContainerNotFound`."""
    items: list[FoundBlob] = []
    steps = 0
    for container, name, value, is_current in _candidates(engine, reader, command):
        if len(items) == command.limit or steps == STEPS_MAX:
            return FoundPage(items, f"{container}{SEPARATOR}{name}")
        steps += 1
        record = blobs.settle(blobs.decode(value), moment.now)
        if record is None or not record.is_committed or record.deleted is not None or record.snapshot is not None:
            continue
        if record.tags and command.condition.holds({**record.tags, CONTAINER: container}):
            items.append(FoundBlob(container, name, record, is_current))
    return FoundPage(items, None)


def _candidates(engine: Engine, reader: Reader, command: FindBlobs) -> Iterator[tuple[str, str, bytes, bool]]:
    keys = engine.keys
    first, _, first_blob = command.start.partition(SEPARATOR)
    if command.container is not None:
        record = containers.find(engine, reader, command.account, command.container)
        names = [(command.container, record.id)]
    else:
        names = [(name, record.id) for name, record in containers.all_of(engine, reader, command.account, first)]
    for container, container_id in names:
        start, stop = keys.blobs.range(container_id)
        if container == first and first_blob:
            start = max(start, keys.blob(container_id, first_blob))
        for key, value in reader.scan(start, stop):
            yield container, keys.blob_name(key), value, True
        if command.with_versions:
            for key, value in reader.scan(*keys.past.range(container_id)):
                yield container, str(keys.past.unpack(key)[1]), value, False
