"""Where the bytes of a blob are, and reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.engine import layers
from localzure.services.blob.model import Block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.blob.engine.state import Engine
    from localzure.services.blob.model import BlobRecord
    from localzure_storage.store import Reader

PIECES_MAX = 512
"""Most blocks that one step of a download reads: about two milliseconds of work."""

_decode_blocks = msgspec.msgpack.Decoder(list[Block]).decode


class ContentReader:
    """Reads the content of one version of a blob, in any number of steps, each with a view of its own.

    Between `pin` and `unpin` the content stays readable whatever becomes of the blob.
    """

    def __init__(self, engine: Engine, record: BlobRecord) -> None:
        self._engine = engine
        self._record = record
        self._page: list[Block] = []
        self._page_start = 0
        self._page_stop = 0

    def pin(self) -> None:
        """Keep the content until `unpin`."""
        if self._record.extent is not None:
            self._engine.extents.pin(self._record.extent)
        if self._record.content is not None:
            self._engine.pin_content(self._record.content)
        if self._record.layer is not None:
            self._engine.pin_content(self._record.layer)

    def unpin(self) -> None:
        """Let the content go."""
        if self._record.extent is not None:
            self._engine.extents.unpin(self._record.extent)
        if self._record.content is not None:
            self._engine.unpin_content(self._record.content)
        if self._record.layer is not None:
            self._engine.unpin_content(self._record.layer)

    def read_all(self, reader: Reader, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, which must be inside the blob. The caller bounds the length."""
        data = self.read(reader, offset, length)
        if len(data) == length:
            return data
        pieces = [data]
        done = len(data)
        while done < length:
            data = self.read(reader, offset + done, length - done)
            pieces.append(data)
            done += len(data)
        return b"".join(pieces)

    def read(self, reader: Reader, offset: int, length: int) -> bytes:
        """Return some of these bytes: fewer only where they are spread over more than `PIECES_MAX` blocks."""
        record = self._record
        if record.inline is not None:
            return record.inline[offset : offset + length]
        if record.extent is not None:
            return self._engine.extents.read(reader, record.extent, offset, length)
        if record.layer is not None:
            return layers.read(self._engine, reader, record.layer, offset, offset + length)
        return b"".join(self._pieces(reader, offset, length))

    def _pieces(self, reader: Reader, offset: int, length: int) -> Iterator[bytes]:
        """Read across the blocks of a list."""
        stop = offset + length
        left = PIECES_MAX
        while True:
            self._load_page(reader, offset)
            at = self._page_start
            for block in self._page:
                if at + block.size > offset:
                    inside = offset - at
                    take = min(block.size - inside, stop - offset)
                    yield self._engine.extents.read(reader, block.extent, block.offset + inside, take)
                    offset += take
                    left -= 1
                    if offset == stop or not left:
                        return
                at += block.size

    def _load_page(self, reader: Reader, offset: int) -> None:
        """Make the page that holds `offset` the current one."""
        if self._page_start <= offset < self._page_stop:
            return
        keys = self._engine.keys
        assert self._record.content is not None
        start, _ = keys.block_pages(self._record.content)
        stop = keys.block_page(self._record.content, offset + 1)
        key, value = next(iter(reader.scan(start, stop, reverse=True, limit=1)))
        self._page = _decode_blocks(value)
        self._page_start = keys.page_offset(key)
        self._page_stop = self._page_start + sum(block.size for block in self._page)


def all_blocks(engine: Engine, reader: Reader, content_id: int) -> list[Block]:
    """Return every block of a committed list, in order."""
    blocks: list[Block] = []
    for _, value in reader.scan(*engine.keys.block_pages(content_id)):
        blocks += _decode_blocks(value)
    return blocks
