"""What time takes away: gone for clients at its instant, and freed by the sweep that follows it."""

from __future__ import annotations

import pytest

from localzure.services.blob.engine.state import AccountFeatures
from tests.blob_world import BlobWorld
from tests.storage_world import ACCOUNT

DAY = 86_400.0
EMPTY = 1
"""Keys of a store whose containers are gone: the last number given."""


@pytest.fixture
def world() -> BlobWorld:
    return BlobWorld()


def retain(world: BlobWorld, days: int, *, permanent: bool = False) -> None:
    body = (
        f"<StorageServiceProperties><DeleteRetentionPolicy><Enabled>true</Enabled><Days>{days}</Days>"
        f"<AllowPermanentDelete>{'true' if permanent else 'false'}</AllowPermanentDelete></DeleteRetentionPolicy>"
        "</StorageServiceProperties>"
    )
    assert world.ask("PUT", "", "restype=service&comp=properties", body=body.encode()).status == 202


def expire(world: BlobWorld, path: str, milliseconds: int) -> None:
    headers = {"x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": str(milliseconds)}
    assert world.ask("PUT", path, "comp=expiry", headers).status == 200


def keys(world: BlobWorld) -> int:
    """Keys in the store once what can be freed is."""
    world.sweep()
    return len(world.stored_keys())


def test_an_expired_blob_is_freed_also_after_a_restart(world: BlobWorld) -> None:
    world.container()
    before = keys(world)
    world.put("box/blob", b"x" * 10_000)
    expire(world, "box/blob", 5000)
    held = keys(world)
    world.clock.advance(4.9)
    assert world.get("box/blob").status == 200
    assert keys(world) == held
    world.clock.advance(0.1)
    assert world.get("box/blob").status == 404
    world.start()
    assert keys(world) == before


@pytest.mark.parametrize("rewrite", ["put", "commit", "stage", "append"])
def test_what_replaces_an_expired_blob_frees_it_once(world: BlobWorld, rewrite: str) -> None:
    world.container()
    world.put("box/blob", b"x" * 10_000)
    world.stage("box/blob", "w", b"waits")
    expire(world, "box/blob", 5000)
    world.clock.advance(6)
    if rewrite == "put":
        assert world.put("box/blob", b"new").status == 201
    elif rewrite == "append":
        assert world.ask("PUT", "box/blob", headers={"x-ms-blob-type": "AppendBlob"}).status == 201
    else:
        assert world.stage("box/blob", "a", b"new").status == 201
        if rewrite == "commit":
            assert world.commit("box/blob", "a").status == 201
    world.sweep()
    if rewrite in {"put", "commit"}:
        assert world.get("box/blob").body == b"new"
    assert sum(b"chunk" in key for key in world.stored_keys()) == (rewrite in {"commit", "stage"})
    world.ask("DELETE", "box", "restype=container")
    world.clock.advance(8 * DAY)
    assert keys(world) == EMPTY


def test_a_blob_that_never_expires_any_more_stays(world: BlobWorld) -> None:
    world.container()
    world.put("box/blob")
    expire(world, "box/blob", 5000)
    assert world.ask("PUT", "box/blob", "comp=expiry", {"x-ms-expiry-option": "NeverExpire"}).status == 200
    world.clock.advance(10)
    world.sweep()
    assert world.get("box/blob").status == 200


def test_what_is_held_expires_later(world: BlobWorld) -> None:
    world.container()
    before = keys(world)
    for name in ("held", "kept"):
        world.put(f"box/{name}", b"x" * 10_000)
        expire(world, f"box/{name}", 5000)
    assert world.ask("PUT", "box/held", "comp=legalhold", {"x-ms-legal-hold": "true"}).status == 200
    until = {"x-ms-immutability-policy-until-date": "Thu, 01 Jan 2026 00:01:00 GMT"}
    assert world.ask("PUT", "box/kept", "comp=immutabilityPolicies", until).status == 200
    world.put("box/kept2", b"x" * 10_000)
    assert world.ask("PUT", "box/kept2", "comp=immutabilityPolicies", until).status == 200
    expire(world, "box/kept2", 4000)
    world.clock.advance(6)
    world.sweep()
    assert [world.get(f"box/{name}").status for name in ("held", "kept")] == [200, 200]
    assert world.ask("PUT", "box/held", "comp=legalhold", {"x-ms-legal-hold": "false"}).status == 200
    world.clock.advance(60)
    assert [world.get(f"box/{name}").status for name in ("held", "kept", "kept2")] == [404, 404, 404]
    assert keys(world) == before


def test_a_snapshot_outlives_the_expiry_of_its_blob(world: BlobWorld) -> None:
    world.container()
    world.put("box/blob", b"x" * 10_000)
    expire(world, "box/blob", 5000)
    snapshot = world.ask("PUT", "box/blob", "comp=snapshot").headers["x-ms-snapshot"]
    world.clock.advance(6)
    world.sweep()
    assert world.get("box/blob").status == 404
    assert world.get("box/blob", query=f"snapshot={snapshot}").body == b"x" * 10_000


def test_deleted_blobs_and_snapshots_go_with_their_retention(world: BlobWorld) -> None:
    retain(world, 3)
    world.container()
    before = keys(world)
    world.put("box/blob", b"x" * 10_000)
    world.ask("PUT", "box/blob", "comp=snapshot")
    world.put("box/blob", b"y" * 10_000)
    world.ask("DELETE", "box/blob", headers={"x-ms-delete-snapshots": "include"})
    world.put("box/blob", b"z" * 10_000)
    world.ask("DELETE", "box/blob")
    held = keys(world)
    world.clock.advance(2.9 * DAY)
    assert keys(world) == held
    retain(world, 1)
    assert keys(world) == held, "the retention is that of the day it was deleted on"
    world.clock.advance(0.2 * DAY)
    assert keys(world) == before


def test_what_was_brought_back_stays(world: BlobWorld) -> None:
    retain(world, 3)
    world.container()
    world.put("box/blob", b"x" * 10_000)
    world.ask("DELETE", "box/blob")
    assert world.ask("PUT", "box/blob", "comp=undelete").status == 200
    world.clock.advance(4 * DAY)
    world.sweep()
    assert world.get("box/blob").body == b"x" * 10_000


def test_a_deleted_container_goes_with_everything_in_it(world: BlobWorld) -> None:
    world.features[ACCOUNT] = AccountFeatures(container_retention_days=2)
    world.container()
    for number in range(30):
        world.put(f"box/{number}", b"x" * 10_000)
    world.ask("DELETE", "box", "restype=container")
    held = keys(world)
    world.clock.advance(1.9 * DAY)
    assert keys(world) == held
    world.clock.advance(0.2 * DAY)
    world.start()
    assert keys(world) == EMPTY


def test_blocks_wait_a_week_from_the_last_one_on(world: BlobWorld) -> None:
    world.container()
    before = keys(world)
    world.put("box/blob", b"kept")
    world.stage("box/blob", "a", b"a" * 5000)
    world.stage("box/none", "a", b"a" * 5000)
    world.clock.advance(6 * DAY)
    world.stage("box/none", "b", b"b" * 5000)
    world.clock.advance(2 * DAY)
    world.sweep()
    assert world.commit("box/blob", "Uncommitted:a").code == "InvalidBlockList"
    assert world.commit("box/none", "a", "b").status == 201
    world.stage("box/none", "c", b"c" * 5000)
    world.stage("box/other", "c", b"c" * 5000)
    world.clock.advance(8 * DAY)
    world.sweep()
    assert world.get("box/blob").body == b"kept"
    world.ask("DELETE", "box/blob")
    world.ask("DELETE", "box/none")
    assert keys(world) == before


def test_a_commit_leaves_no_entry_behind(world: BlobWorld) -> None:
    world.container()
    world.stage("box/blob", "a", b"a" * 5000)
    world.commit("box/blob", "a")
    world.sweep()
    assert not any(key.startswith(b"\x02blob\x00\x02e\x00") for key in world.stored_keys())


def test_a_step_is_bounded(world: BlobWorld) -> None:
    world.container()
    for number in range(25):
        world.put(f"box/{number}")
        expire(world, f"box/{number}", 1000)
    world.clock.advance(2)
    left = []
    more = True
    while more:
        with world.transactions.writer() as writer:
            more = world.service.sweep(writer, 10)
        world.transactions.commit()
        left.append(sum(key.startswith(b"\x02blob\x00\x02b\x00") for key in world.stored_keys()))
    assert left[:3] == [15, 5, 0]


def test_for_good_only_where_the_policy_allows_it(world: BlobWorld) -> None:
    retain(world, 3)
    world.container()
    before = keys(world)
    world.put("box/blob", b"x" * 10_000)
    snapshot = world.ask("PUT", "box/blob", "comp=snapshot").headers["x-ms-snapshot"]
    world.ask("DELETE", "box/blob", f"snapshot={snapshot}")
    query = f"snapshot={snapshot}&deletetype=permanent"
    refused = world.ask("DELETE", "box/blob", query)
    assert (refused.status, refused.code) == (403, "InsufficientAccountPermissions")
    retain(world, 3, permanent=True)
    done = world.ask("DELETE", "box/blob", query)
    assert (done.status, done.headers["x-ms-delete-type-permanent"]) == (202, "true")
    assert world.ask("DELETE", "box/blob", query).code == "BlobNotFound"
    world.ask("DELETE", "box/blob")
    world.clock.advance(4 * DAY)
    assert keys(world) == before
