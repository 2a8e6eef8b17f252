"""The key space of the Blob service.

| key | value |
| --- | --- |
| `c`, account, container | `ContainerRecord` |
| `b`, container id, blob | `BlobRecord`: a listing is a scan in the order of the names |
| `l`, content id, offset | the blocks of a committed list that begin at this offset, up to `BLOCKS_PER_PAGE` |
| `s`, staging id | `StagingRecord` |
| `u`, staging id, block | `Block` that waits to be committed |
| `p`, container id, blob, ticks | `BlobRecord` of a snapshot, a version that is not the last, or a deleted blob |
| `d`, account, container, ticks | `ContainerRecord` of a deleted container that may come back |
| `k`, content id | how many blobs share a list of blocks, beyond the first |
| `y`, layer id | `LayerRecord` of a page blob |
| `g`, layer id, offset | `PageRun`: the pages from this offset on |
| `a`, account | `AccountRecord`: the properties of an account's service |
| `r`, number | `Remains` to be swept |
| `e`, time, key of a record | when to look whether that record has had its time (see `engine.due`) |
| `n` | the last number given to any of these |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure_storage.counter import Counter
from localzure_storage.keys import int_key, int_of

if TYPE_CHECKING:
    from localzure.services.interface import Instant
    from localzure_storage.keys import Subspace

BLOCKS_PER_PAGE = 64
"""Blocks in one record of a committed list: with the usual ids two or three KiB, so less than a page of the store."""

_INT_BYTES = 9
"""Bytes of a packed integer."""

_NAME_OFFSET = _INT_BYTES + 1
"""Bytes of a packed integer and of the tag of the text behind it."""


class BlobKeys:
    """Makes and takes apart the service's keys."""

    def __init__(self, space: Subspace) -> None:
        """`space` is the service's own."""
        self.containers = space.subspace("c")
        self.blobs = space.subspace("b")
        self._lists = space.subspace("l").prefix
        self._staging = space.subspace("s").prefix
        self.waiting = space.subspace("u")
        self.past = space.subspace("p")
        self.gone_containers = space.subspace("d")
        self._shares = space.subspace("k").prefix
        self._layers = space.subspace("y").prefix
        self._runs = space.subspace("g").prefix
        self.accounts = space.subspace("a")
        self.remains = space.subspace("r")
        self._due = space.subspace("e").prefix
        self.next_number = Counter(space.pack("n"))
        self._blob_name_at = len(self.blobs.prefix) + _NAME_OFFSET

    def container(self, account: str, container: str) -> bytes:
        """The key of a container's record."""
        return self.containers.pack(account, container)

    def container_name(self, key: bytes) -> str:
        """The name in a container's key."""
        return str(self.containers.unpack(key)[1])

    def blob(self, container_id: int, blob: str) -> bytes:
        """The key of a blob's record."""
        return self.blobs.pack(container_id, blob)

    def blob_name(self, key: bytes) -> str:
        """The name in a blob's key: what `unpack` gives, faster, for listings."""
        name = key[self._blob_name_at : -1]
        return (name.replace(b"\x00\xff", b"\x00") if b"\x00" in name else name).decode()

    def past_blob(self, container_id: int, blob: str, ticks: int) -> bytes:
        """The key of a snapshot or a version of a blob."""
        return self.past.pack(container_id, blob, ticks)

    def share_count(self, content_id: int) -> bytes:
        """The key of the number of blobs that share a list of blocks."""
        return int_key(self._shares, content_id)

    def layer(self, layer_id: int) -> bytes:
        """The key of a page blob's layer."""
        return int_key(self._layers, layer_id)

    def run(self, layer_id: int, offset: int) -> bytes:
        """The key of the run of pages that begins at `offset` in a layer."""
        return int_key(int_key(self._runs, layer_id), offset)

    def block_page(self, content_id: int, offset: int) -> bytes:
        """The key of the page of a block list that begins at `offset` of the blob."""
        return int_key(int_key(self._lists, content_id), offset)

    def block_pages(self, content_id: int) -> tuple[bytes, bytes]:
        """The range of a block list's pages."""
        return self.block_page(content_id, 0), int_key(self._lists, content_id + 1)

    def page_offset(self, key: bytes) -> int:
        """The offset in the key of a block list's page."""
        return int_of(key)

    def staging(self, staging_id: int) -> bytes:
        """The key of a blob's `StagingRecord`."""
        return int_key(self._staging, staging_id)

    def waiting_block(self, staging_id: int, block: str) -> bytes:
        """The key of a block that waits."""
        return self.waiting.pack(staging_id, block)

    def waiting_blocks(self, staging_id: int) -> tuple[bytes, bytes]:
        """The range of all blocks that wait under one id."""
        return self.waiting.range(staging_id)

    def due(self, at: Instant, record: bytes) -> bytes:
        """The key that says that the record under the key `record` is to be looked at, at `at`."""
        return int_key(self._due, at) + record

    def due_until(self, now: Instant) -> tuple[bytes, bytes]:
        """The range of what is due at `now`, the earliest first."""
        return self._due, int_key(self._due, now + 1)

    def due_record(self, key: bytes) -> bytes:
        """The key of the record that a due key names."""
        return key[len(self._due) + _INT_BYTES :]
