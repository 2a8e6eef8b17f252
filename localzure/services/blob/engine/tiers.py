"""Access tiers: which there are, and which one a blob is in that was put into none.

Block blobs follow the account ("Access tiers for blob data"). Page blobs have tiers in premium accounts only, by how
long they may be; one that was put into none is in the smallest of the usual ones that its length fits into ("Set Blob
Tier", "Scalability and performance targets for premium page blobs").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import AccountFeatures
    from localzure.services.blob.model import BlobRecord

TIERS = {tier.lower(): tier for tier in ("Hot", "Cool", "Cold", "Smart", "Archive")}
"""The access tiers of block blobs."""

DEFAULT_TIER = "Hot"
"""The account's access tier, which a blob without one of its own has by inference."""

SMART_TIER = "Smart"
"""The tier that moves blobs by how they are used; here all stay in the default tier."""

_GIB = 1024**3

PREMIUM_TIERS = {
    "P4": 32 * _GIB,
    "P6": 64 * _GIB,
    "P10": 128 * _GIB,
    "P15": 256 * _GIB,
    "P20": 512 * _GIB,
    "P30": 1024 * _GIB,
    "P40": 2048 * _GIB,
    "P50": 4096 * _GIB,
    "P60": 8192 * _GIB,
    "P70": 16384 * _GIB,
    "P80": 32768 * _GIB,
}
"""The access tiers of page blobs in premium accounts, and how long a blob in each may be."""

_INFERRED = ("P10", "P20", "P30", "P40", "P50", "P60")
"""The tiers that page blobs are in by inference."""


class Tier(NamedTuple):
    """The tier of a blob."""

    name: str
    is_inferred: bool


def tier_of(record: BlobRecord, features: AccountFeatures) -> Tier | None:
    """Return the tier that a blob is in, None for one that has none."""
    if record.tier is not None:
        return Tier(record.tier, is_inferred=False)
    if record.kind == "BlockBlob":
        return Tier(DEFAULT_TIER, is_inferred=True)
    if record.kind == "PageBlob" and features.is_premium:
        fitting = (name for name in _INFERRED if record.length <= PREMIUM_TIERS[name])
        return Tier(next(fitting, _INFERRED[-1]), is_inferred=True)
    return None
