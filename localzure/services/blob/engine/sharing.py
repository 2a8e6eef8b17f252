"""Content that several blobs have: snapshots, versions and copies take references, never bytes.

An extent counts its references itself. A list of blocks and the layer of a page blob count the blobs that share them:
the list in a key of its own, absent while there is one blob; a layer in its record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.engine import layers

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine
    from localzure.services.blob.model import BlobRecord
    from localzure_storage.store import Reader, Writer


def share(engine: Engine, writer: Writer, record: BlobRecord) -> None:
    """Take one more reference to the content of a blob, for a second record with the same content."""
    if record.extent is not None:
        engine.extents.retain(writer, record.extent)
    if record.content is not None:
        key = engine.keys.share_count(record.content)
        writer.put(key, (extra_shares(engine, writer, record.content) + 1).to_bytes(8, "big"))
    if record.layer is not None:
        layers.retain(engine, writer, record.layer)


def extra_shares(engine: Engine, reader: Reader, content_id: int) -> int:
    """Return how many blobs beyond the first have this list of blocks."""
    value = reader.get(engine.keys.share_count(content_id))
    return 0 if value is None else int.from_bytes(value, "big")


def leave_shared(engine: Engine, writer: Writer, content_id: int) -> bool:
    """Let go of a list of blocks that others have too; False where nobody else does."""
    extra = extra_shares(engine, writer, content_id)
    if not extra:
        return False
    key = engine.keys.share_count(content_id)
    if extra == 1:
        writer.delete(key)
    else:
        writer.put(key, (extra - 1).to_bytes(8, "big"))
    return True
