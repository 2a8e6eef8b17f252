"""When blobs were last read, in accounts that follow it: once a day, and by writing them."""

from __future__ import annotations

import pytest

from localzure.services.blob.engine.state import AccountFeatures
from tests.blob_world import BlobWorld, block_id
from tests.storage_world import ACCOUNT

HOUR = 3600


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.features[ACCOUNT] = AccountFeatures(tracks_access=True)
    world.start()
    world.container()
    return world


def accessed(world: BlobWorld) -> str:
    """The time in the properties, which are the listing's too."""
    time = world.ask("HEAD", "box/blob").headers["x-ms-last-access-time"]
    assert world.ask("GET", "box", "restype=container&comp=list").xml.findtext(".//LastAccessTime") == time
    return time


def test_writing_is_an_access(world: BlobWorld) -> None:
    world.put("box/blob", b"one")
    first = accessed(world)
    world.clock.advance(HOUR)
    world.stage("box/blob", "1", b"two")
    body = f"<BlockList><Latest>{block_id('1')}</Latest></BlockList>".encode()
    world.ask("PUT", "box/blob", "comp=blocklist", {}, body)
    assert accessed(world) != first


def test_the_first_download_of_a_day_is_noted(world: BlobWorld) -> None:
    etag = world.put("box/blob", b"one").headers["etag"]
    first = accessed(world)
    world.clock.advance(23 * HOUR)
    world.get("box/blob")
    assert accessed(world) == first
    world.clock.advance(HOUR)
    assert world.get("box/blob").body == b"one"
    assert accessed(world) != first
    assert world.ask("HEAD", "box/blob").headers["etag"] == etag


def test_other_accounts_follow_nothing() -> None:
    world = BlobWorld()
    world.container()
    world.put("box/blob", b"one")
    assert "x-ms-last-access-time" not in world.get("box/blob").headers
