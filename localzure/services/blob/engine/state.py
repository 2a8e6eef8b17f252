"""What every decision is made with: the keys, the extents, and the instant of the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.blob.keys import BlobKeys
    from localzure.services.interface import Instant
    from localzure.services.storage_rest.times import Ticks
    from localzure_storage.extents import Extents


@dataclass(slots=True)
class Engine:
    """The parts that decisions share. The pins are all that is not in the store."""

    keys: BlobKeys
    extents: Extents
    pinned_contents: dict[int, int] = field(default_factory=dict)
    """Content id → downloads that are reading this block list: it is not swept meanwhile."""

    def pin_content(self, content_id: int) -> None:
        """Keep a block list from being swept until `unpin_content`. Pins count."""
        self.pinned_contents[content_id] = self.pinned_contents.get(content_id, 0) + 1

    def unpin_content(self, content_id: int) -> None:
        """Let go of one pin."""
        left = self.pinned_contents[content_id] - 1
        if left:
            self.pinned_contents[content_id] = left
        else:
            del self.pinned_contents[content_id]


@dataclass(slots=True)
class Moment:
    """The one instant of a request, and the entity tag of what it writes."""

    now: Instant
    etag: Ticks
