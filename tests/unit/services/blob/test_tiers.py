"""Access tiers: which one a blob is in by inference, and which it may be put into."""

from __future__ import annotations

import pytest

from localzure.services.blob.engine.state import AccountFeatures
from localzure.services.blob.engine.tiers import PREMIUM_TIERS
from tests.blob_world import BlobWorld
from tests.storage_world import ACCOUNT

GIB = 1024**3


@pytest.fixture
def premium() -> BlobWorld:
    world = BlobWorld()
    world.features[ACCOUNT] = AccountFeatures(sku="Premium_LRS")
    world.start()
    world.container()
    return world


def disk(world: BlobWorld, length: int) -> None:
    headers = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": str(length)}
    assert world.put("box/disk", b"", headers).status == 201


@pytest.mark.parametrize(
    ("length", "tier"), [(0, "P10"), (128 * GIB, "P10"), (128 * GIB + 512, "P20"), (8192 * GIB, "P60")]
)
def test_a_page_blob_is_in_the_tier_that_it_fits_into(premium: BlobWorld, length: int, tier: str) -> None:
    disk(premium, length)
    headers = premium.ask("HEAD", "box/disk").headers
    assert (headers["x-ms-access-tier"], headers["x-ms-access-tier-inferred"]) == (tier, "true")
    listed = premium.ask("GET", "box", "restype=container&comp=list").xml
    assert listed.findtext(".//AccessTier") == tier
    assert listed.findtext(".//AccessTierInferred") == "true"


def test_a_page_blob_is_put_into_a_tier_that_it_fits_into(premium: BlobWorld) -> None:
    disk(premium, PREMIUM_TIERS["P20"])
    small = premium.ask("PUT", "box/disk", "comp=tier", {"x-ms-access-tier": "P10"}, b"")
    assert (small.status, small.code) == (409, "BlobTierInadequateForContentLength")
    assert premium.ask("PUT", "box/disk", "comp=tier", {"x-ms-access-tier": "P20"}, b"").status == 200
    headers = premium.ask("HEAD", "box/disk").headers
    assert headers["x-ms-access-tier"] == "P20"
    assert "x-ms-access-tier-inferred" not in headers


def test_page_blobs_of_standard_accounts_are_in_no_tier() -> None:
    world = BlobWorld()
    world.container()
    disk(world, 512)
    assert "x-ms-access-tier" not in world.ask("HEAD", "box/disk").headers
    assert world.ask("GET", "box", "restype=container&comp=list").xml.find(".//AccessTier") is None


def test_block_blobs_are_in_the_accounts_tier(premium: BlobWorld) -> None:
    premium.put("box/blob")
    headers = premium.ask("HEAD", "box/blob").headers
    assert (headers["x-ms-access-tier"], headers["x-ms-access-tier-inferred"]) == ("Hot", "true")
