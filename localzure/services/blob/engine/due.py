"""When a record has had its time: an index from instants to the records to look at then.

What time takes away is gone for everybody at that instant, because whoever reads a record holds it against the clock;
the index only tells `retention` where something is to be freed. So an entry is a hint: a record that has gone or
changed meanwhile makes it stale, never wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.model import StagingRecord
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine
    from localzure.services.interface import Instant
    from localzure_storage.store import Writer

UNCOMMITTED_KEPT = 7 * 86_400 * SECOND
"""How long blocks wait to be committed after the last one was staged ("Put Block", remarks)."""

_decode_staging = msgspec.msgpack.Decoder(StagingRecord).decode


def remember(engine: Engine, writer: Writer, at: Instant, record: bytes, owner: bytes = b"") -> None:
    """Have the record under the key `record` looked at, at `at`; `owner` is the key of the record that names it."""
    writer.put(engine.keys.due(at, record), owner)


def forget(engine: Engine, writer: Writer, at: Instant, record: bytes) -> None:
    """Take back what was remembered."""
    writer.delete(engine.keys.due(at, record))


def forget_staging(engine: Engine, writer: Writer, staging_id: int) -> None:
    """Remove the record of waiting blocks that are gone, and its entry."""
    key = engine.keys.staging(staging_id)
    value = writer.get(key)
    if value is not None:
        writer.delete(engine.keys.due(_decode_staging(value).due, key))
        writer.delete(key)
