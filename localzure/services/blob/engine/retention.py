"""What time takes away: expired blobs, deleted blobs and containers past their retention, blocks nobody committed.

Each step takes up a bounded number of entries of the due index, the earliest first, in a transaction of its own. What
is large is left as `Remains`, so an entry costs little whatever it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import due, immutability, remains
from localzure.services.blob.model import BlobRecord, ContainerRecord, Remains, StagingRecord
from localzure.services.interface import Instant

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine
    from localzure_storage.store import Writer

_encode = msgspec.msgpack.Encoder().encode
_decode_blob = msgspec.msgpack.Decoder(BlobRecord).decode
_decode_container = msgspec.msgpack.Decoder(ContainerRecord).decode
_decode_staging = msgspec.msgpack.Decoder(StagingRecord).decode


def sweep(engine: Engine, writer: Writer, now: Instant, budget: int) -> bool:
    """Take away what has had its time at `now`, at most `budget` records; True while there may be more."""
    keys = engine.keys
    entries = list(writer.scan(*keys.due_until(now), limit=budget))
    for key, owner in entries:
        writer.delete(key)
        record = keys.due_record(key)
        value = writer.get(record)
        if value is None:
            continue
        if owner:
            _end_staging(engine, writer, record, value, owner, now)
        elif record.startswith(keys.gone_containers.prefix):
            _end_container(engine, writer, record, value, now)
        else:
            _end_blob(engine, writer, record, value, now)
    return len(entries) == budget


def _end_container(engine: Engine, writer: Writer, key: bytes, value: bytes, now: Instant) -> None:
    record = _decode_container(value)
    if record.restorable_until is not None and record.restorable_until <= now:
        writer.delete(key)
        remains.leave(engine, writer, Remains(container=record.id))


def _end_blob(engine: Engine, writer: Writer, key: bytes, value: bytes, now: Instant) -> None:
    record = _decode_blob(value)
    has_ended = record.restorable_until is not None and record.restorable_until <= now
    if has_ended or immutability.has_expired(record, now):
        remains.discard(engine, writer, record)
        writer.delete(key)
    elif record.expires is not None and record.immutable_until is not None and record.immutable_until > now:
        due.remember(engine, writer, record.immutable_until, key)  # until then it is kept beyond its expiry


def _end_staging(engine: Engine, writer: Writer, key: bytes, value: bytes, owner: bytes, now: Instant) -> None:
    """Forget the blocks that wait, or look again a week after the last of them."""
    staging = _decode_staging(value)
    end = Instant(staging.touched + due.UNCOMMITTED_KEPT)
    if end > now:
        staging.due = end
        writer.put(key, _encode(staging))
        due.remember(engine, writer, end, key, owner)
        return
    stored = writer.get(owner)
    blob = None if stored is None else _decode_blob(stored)
    if blob is None or blob.staging is None or engine.keys.staging(blob.staging) != key:
        return  # a delete or an overwrite has left them to be swept already
    remains.discard_staging(engine, writer, blob)
    if blob.is_committed:
        blob.staging = None
        writer.put(owner, _encode(blob))
    else:
        writer.delete(owner)
