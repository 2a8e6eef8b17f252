"""Page blobs: writing and clearing pages, their ranges, size and sequence number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from localzure.services.blob.engine import blobs, conditions, encryption, immutability, layers, leases
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import ByteRange, OnBlob  # noqa: TC001 - msgspec reads the annotations
from localzure.services.storage_rest.times import Ticks  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from localzure.services.blob.engine.appends import CreateBlob
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import BlobRecord, Block
    from localzure_storage.store import Reader, Writer

PAGE = 512
"""Bytes in a page."""

LENGTH_MAX = 8 * 1024**4
"""Longest page blob."""

WITHOUT_PAGES = frozenset({"BlobStorage", "BlockBlobStorage"})
"""Kinds of accounts that have no page blobs ("Storage account overview")."""

SEQUENCE_NUMBER_MAX = 2**63 - 1


class WritePages(Struct):
    """Put Page: writing, clearing."""

    target: OnBlob
    start: int
    stop: int
    """The first byte behind the pages."""
    number_at_most: int | None = None
    number_below: int | None = None
    number: int | None = None
    """The sequence number must be that."""


class SetPageProperties(Struct):
    """Set Blob Properties of a page blob: its size, or its sequence number."""

    target: OnBlob
    length: int | None = None
    action: Literal["max", "update", "increment"] | None = None
    sequence_number: int = 0


class GetPageRanges(Struct):
    """Get Page Ranges, of all pages or of those that changed since a snapshot."""

    target: OnBlob
    range: ByteRange | None
    since: Ticks | None
    limit: int
    marker: int


class PageRange(NamedTuple):
    """A run of pages; cleared ones only tell what changed."""

    start: int
    stop: int
    is_clear: bool


class PageRanges(Struct):
    """The ranges of a page blob."""

    record: BlobRecord
    ranges: list[PageRange]
    next_marker: int | None


def create(engine: Engine, writer: Writer, command: CreateBlob, moment: Moment) -> BlobRecord:
    """Put Blob: make a page blob of zeros, or replace a blob by one."""
    target = command.target
    if engine.features_of(target.account).kind in WITHOUT_PAGES:
        raise BlobError("BlobTypeNotSupported")
    place = blobs.locate(engine, writer, target, moment.now)
    current = blobs.committed(place.record)
    blobs.check_overwrite(engine, target, current, moment.now)
    record = blobs.new_record(target, place.container, command.properties, command.length, current, moment)
    record.sequence_number = command.sequence_number
    record.layer = layers.create(engine, writer)
    blobs.replace(engine, writer, target, place, record, moment)
    return record


def check(engine: Engine, reader: Reader, command: WritePages, moment: Moment) -> tuple[bytes, BlobRecord]:
    """Return what is written to. Raises BlobError where that would be refused as things stand."""
    key, record = _find(engine, reader, command.target, moment)
    encryption.check_change(engine, reader, command.target, record)
    number = record.sequence_number
    if (
        (command.number_at_most is not None and number > command.number_at_most)
        or (command.number_below is not None and number >= command.number_below)
        or (command.number is not None and number != command.number)
    ):
        raise BlobError("SequenceNumberConditionNotMet")
    if command.stop > record.length:
        raise BlobError("InvalidPageRange")
    return key, record


def write(engine: Engine, writer: Writer, command: WritePages, block: Block | None, moment: Moment) -> BlobRecord:
    """Put Page: a run of bytes of an extent, to retain, or zeros."""
    key, record = check(engine, writer, command, moment)
    _change(engine, writer, record, command.start, command.stop, block)
    record.headers.content_md5 = None
    return blobs.save_changed(writer, key, record, moment)


def clear(engine: Engine, writer: Writer, command: WritePages, moment: Moment) -> BlobRecord:
    """Put Page, clearing."""
    return write(engine, writer, command, None, moment)


def _change(engine: Engine, writer: Writer, record: BlobRecord, start: int, stop: int, block: Block | None) -> None:
    assert record.layer is not None, "a page blob has layers"
    record.layer = layers.writable(engine, writer, record.layer)
    layers.write(engine, writer, record.layer, start, stop, block)


def set_properties(engine: Engine, writer: Writer, command: SetPageProperties, moment: Moment) -> BlobRecord:
    """Set Blob Properties: what is cut off when a blob is made shorter is zeros when it grows again."""
    key, record = _find(engine, writer, command.target, moment)
    if command.length is not None:
        encryption.check_change(engine, writer, command.target, record)
        if command.length < record.length:
            _change(engine, writer, record, command.length, record.length, None)
        record.length = command.length
    if command.action == "increment":
        if record.sequence_number == SEQUENCE_NUMBER_MAX:
            raise BlobError("SequenceNumberIncrementTooLarge")
        record.sequence_number += 1
    elif command.action == "max":
        record.sequence_number = max(record.sequence_number, command.sequence_number)
    elif command.action == "update":
        record.sequence_number = command.sequence_number
    return blobs.save_changed(writer, key, record, moment)


def _find(engine: Engine, reader: Reader, target: OnBlob, moment: Moment) -> tuple[bytes, BlobRecord]:
    key, record = blobs.find(engine, reader, target, moment.now)
    leases.check_write(record.lease, target.lease_id, moment.now, "Blob")
    conditions.check_write(target.conditions, record)
    if record.kind != "PageBlob":
        raise BlobError("InvalidBlobType")
    immutability.check_mutable(record, moment.now)
    return key, record


def get_ranges(engine: Engine, reader: Reader, command: GetPageRanges, moment: Moment) -> PageRanges:
    """Get Page Ranges: pages that were written, and in a comparison those that were cleared."""
    record = blobs.find_readable(engine, reader, command.target, moment)
    if record.kind != "PageBlob":
        raise BlobError("InvalidBlobType")
    start, stop = 0, record.length
    if command.range is not None:
        start = command.range.first
        if start >= record.length:
            raise BlobError("InvalidRange", headers=(("content-range", f"bytes */{record.length}"),))
        start -= start % PAGE
        if command.range.last is not None:
            stop = min(record.length, -(-(command.range.last + 1) // PAGE) * PAGE)
    start = max(start, command.marker)
    until = None if command.since is None else _older_layer(engine, reader, command, record, moment)
    found = _ranges(layers.stretches(engine, reader, record.layer, start, stop, until), is_diff=until is not None)
    if len(found) > command.limit:
        return PageRanges(record, found[: command.limit], found[command.limit].start)
    return PageRanges(record, found, None)


def _older_layer(engine: Engine, reader: Reader, command: GetPageRanges, record: BlobRecord, moment: Moment) -> int:
    """Return the layer of the snapshot that a comparison begins with."""
    target = command.target
    if target.snapshot is not None and command.since is not None and command.since > target.snapshot:
        raise BlobError("PreviousSnapshotCannotBeNewer")
    older = type(target)(target.account, target.container, target.blob, snapshot=command.since)
    previous = blobs.find_any(engine, reader, older, moment.now).record
    if previous is None or previous.layer is None:
        raise BlobError("PreviousSnapshotNotFound")
    if not layers.is_above(engine, reader, record.layer, previous.layer):
        raise BlobError("BlobOverwritten")
    return previous.layer


def _ranges(stretches: list[layers.Stretch], *, is_diff: bool) -> list[PageRange]:
    """Join what adjoins; cleared pages count only in a comparison."""
    ranges: list[PageRange] = []
    for stretch in stretches:
        is_clear = stretch.extent is None
        if is_clear and not is_diff:
            continue
        if ranges and ranges[-1].stop == stretch.start and ranges[-1].is_clear == is_clear:
            ranges[-1] = ranges[-1]._replace(stop=stretch.stop)
        else:
            ranges.append(PageRange(stretch.start, stretch.stop, is_clear))
    return ranges
