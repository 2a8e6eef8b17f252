"""What every decision is made with: the keys, the extents, the accounts, and the instant of the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.blob.keys import BlobKeys
    from localzure.services.interface import Instant
    from localzure.services.storage_rest.times import Ticks
    from localzure_storage.extents import Extents

AccountKind = Literal["StorageV2", "BlobStorage", "BlockBlobStorage", "Storage"]
"""The kinds of storage accounts."""


@dataclass(frozen=True, slots=True)
class AccountFeatures:
    """What Azure sets for an account outside of the service's own API."""

    kind: AccountKind = "StorageV2"
    sku: str = "Standard_RAGRS"
    """How the account's content is stored; what begins with Premium is on faster disks, with tiers for page blobs."""
    is_versioned: bool = False
    container_retention_days: int = 0
    """Days for which a deleted container can be restored; 0 is never."""
    blob_retention_days: int = 0
    """Days for which a deleted blob can be restored, where the service's properties do not say; 0 is never."""
    tracks_access: bool = False
    """Whether it is followed when blobs are read."""
    has_immutable_storage: bool = True
    """Whether blobs can have immutability policies and legal holds."""
    default_version: str | None = None
    """The version of requests that name none, where the service's properties do not say; None is the latest."""

    @property
    def has_version_immutability(self) -> bool:
        """Whether all containers are what Azure calls immutable storage with versioning."""
        return self.is_versioned and self.has_immutable_storage

    @property
    def is_premium(self) -> bool:
        """Whether it is a premium account."""
        return self.sku.startswith("Premium")


PLAIN_ACCOUNT = AccountFeatures()


@dataclass(slots=True)
class Engine:
    """The parts that decisions share. The pins are all that is not in the store."""

    keys: BlobKeys
    extents: Extents
    features: Mapping[str, AccountFeatures] = field(default_factory=dict)
    """Account → its features, where they are not those of a plain one; may change between requests."""
    pinned_contents: dict[int, int] = field(default_factory=dict)
    """Id of a block list or layer → downloads that are reading it: it is not swept or changed meanwhile."""

    def features_of(self, account: str) -> AccountFeatures:
        """Return the features of an account."""
        return self.features.get(account, PLAIN_ACCOUNT)

    def pin_content(self, content_id: int) -> None:
        """Keep a block list or layer from being swept until `unpin_content`. Pins count."""
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
