"""Snapshots, tags and conditions on them, the access policy of a container."""

from __future__ import annotations

import pytest

from tests.blob_world import BlobWorld

TAGS = "<Tags><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b c</Key><Value>x</Value></Tag></TagSet></Tags>"


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


def snapshot(world: BlobWorld, path: str, **headers: str) -> str:
    answer = world.ask("PUT", path, "comp=snapshot", headers)
    assert answer.status == 201, answer
    return answer.headers["x-ms-snapshot"]


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_snapshot_keeps_its_content(world: BlobWorld, size: int) -> None:
    world.put("box/one", b"1" * size)
    taken = snapshot(world, "box/one")
    world.put("box/one", b"2" * size)
    world.sweep()
    assert world.get("box/one", query=f"snapshot={taken}").body == b"1" * size
    assert world.get("box/one").body == b"2" * size


def test_a_snapshot_shares_a_list_of_blocks(world: BlobWorld) -> None:
    for block in "ab":
        world.stage("box/one", block, block.encode() * 5000)
    world.commit("box/one", "a", "b")
    taken = snapshot(world, "box/one")
    world.stage("box/one", "c", b"c")
    world.commit("box/one", "Committed:b", "c")
    world.sweep()
    assert world.get("box/one", query=f"snapshot={taken}").body == b"a" * 5000 + b"b" * 5000
    assert world.get("box/one").body == b"b" * 5000 + b"c"
    assert world.ask("DELETE", "box/one", headers={"x-ms-delete-snapshots": "include"}).status == 202
    world.sweep()
    assert not [key for key in world.stored_keys() if b"chunk" in key]


def test_deleting_with_snapshots(world: BlobWorld) -> None:
    world.put("box/one")
    taken = snapshot(world, "box/one")
    assert world.ask("DELETE", "box/one").code == "SnapshotsPresent"
    assert world.ask("DELETE", "box/one", headers={"x-ms-delete-snapshots": "only"}).status == 202
    assert world.get("box/one", query=f"snapshot={taken}").code == "BlobNotFound"
    taken = snapshot(world, "box/one")
    assert world.ask("DELETE", "box/one", f"snapshot={taken}").status == 202
    assert world.ask("DELETE", "box/one").status == 202


def test_snapshots_are_listed_before_their_blob(world: BlobWorld) -> None:
    world.put("box/one")
    first, second = snapshot(world, "box/one"), snapshot(world, "box/one")
    world.put("box/two")
    listed = world.ask("GET", "box", "restype=container&comp=list&include=snapshots").xml
    found = [(blob.findtext("Name"), blob.findtext("Snapshot")) for blob in listed.iterfind("Blobs/Blob")]
    assert found == [("one", first), ("one", second), ("one", None), ("two", None)]


def test_a_snapshot_with_metadata_of_its_own(world: BlobWorld) -> None:
    world.put("box/one", headers={"x-ms-meta-colour": "red"})
    kept, changed = snapshot(world, "box/one"), snapshot(world, "box/one", **{"x-ms-meta-colour": "blue"})
    assert world.get("box/one", query=f"snapshot={kept}").metadata == {"colour": "red"}
    assert world.get("box/one", query=f"snapshot={changed}").metadata == {"colour": "blue"}


def test_snapshots_cannot_be_changed(world: BlobWorld) -> None:
    world.put("box/one")
    taken = snapshot(world, "box/one")
    assert world.ask("PUT", "box/one", f"comp=snapshot&snapshot={taken}").code == "InvalidQueryParameterValue"


def test_tags(world: BlobWorld) -> None:
    world.put("box/one", headers={"x-ms-tags": "a=1&b%20c=2"})
    assert world.get("box/one").headers["x-ms-tag-count"] == "2"
    before = world.ask("HEAD", "box/one").headers["etag"]
    assert world.ask("PUT", "box/one", "comp=tags", body=TAGS.encode()).status == 204
    tags = world.ask("GET", "box/one", "comp=tags").xml
    assert [(tag.findtext("Key"), tag.findtext("Value")) for tag in tags.iterfind("TagSet/Tag")] == [
        ("a", "1"),
        ("b c", "x"),
    ]
    assert world.ask("HEAD", "box/one").headers["etag"] == before


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("\"a\" = '1'", 200),
        ("\"a\" <> '1'", 412),
        ("\"none\" = '1'", 412),
        ("\"a\" >= '1' AND \"b\" < '3'", 200),
        ("\"a\" > '1' OR \"b\" = '2'", 200),
        ("a = '1'", 200),
        ("\"a\" = '1' AND", 400),
        ("\"a\" '1'", 400),
        ("", 400),
    ],
)
def test_conditions_on_tags(world: BlobWorld, condition: str, status: int) -> None:
    world.put("box/one", headers={"x-ms-tags": "a=1&b=2"})
    assert world.ask("HEAD", "box/one", headers={"x-ms-if-tags": condition}).status == status


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ("=1", "EmptyTagName"),
        ("a=%21", "InvalidTag"),
        ("&".join(f"t{number}=1" for number in range(11)), "TagsTooLarge"),
        ("a" * 129 + "=1", "TagsTooLarge"),
        ("a=1&a=2", "InvalidHeaderValue"),
    ],
)
def test_tags_that_are_refused(world: BlobWorld, tags: str, code: str) -> None:
    assert world.put("box/one", headers={"x-ms-tags": tags}).code == code


def test_find_blobs_by_tags(world: BlobWorld) -> None:
    world.container("other")
    for path in ("box/one", "box/two", "other/one"):
        world.put(path, headers={"x-ms-tags": f"where={path}&kind=x"})
    world.put("box/plain")

    def found(path: str, query: str) -> list[tuple[str | None, str | None]]:
        answer = world.ask("GET", path, query)
        assert answer.status == 200, answer
        return [(blob.findtext("ContainerName"), blob.findtext("Name")) for blob in answer.xml.iterfind("Blobs/Blob")]

    kind = "comp=blobs&where=%22kind%22%3D%27x%27"
    assert found("", kind) == [("box", "one"), ("box", "two"), ("other", "one")]
    assert found("box", f"restype=container&{kind}") == [("box", "one"), ("box", "two")]
    assert found("", f"{kind}%20AND%20@container%3D%27other%27") == [("other", "one")]
    first = world.ask("GET", "", f"{kind}&maxresults=1").xml
    assert found("", f"{kind}&maxresults=1&marker={first.findtext('NextMarker')}") == [("box", "two")]
    assert world.ask("GET", "", "comp=blobs&where=kind").code == "InvalidQueryParameterValue"


def test_the_access_policy_of_a_container(world: BlobWorld) -> None:
    policy = (
        "<SignedIdentifiers><SignedIdentifier><Id>mine</Id><AccessPolicy><Start>2026-01-01</Start>"
        "<Permission>rl</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>"
    )
    query = "restype=container&comp=acl"
    assert world.ask("PUT", "box", query, {"x-ms-blob-public-access": "blob"}, policy.encode()).status == 200
    answer = world.ask("GET", "box", query)
    assert answer.headers["x-ms-blob-public-access"] == "blob"
    assert answer.xml.findtext("SignedIdentifier/Id") == "mine"
    assert world.ask("HEAD", "box", query).status == 200
    assert world.ask("PUT", "box", query).status == 200
    assert world.ask("GET", "box", query).xml.find("SignedIdentifier") is None
    assert world.ask("PUT", "box", query, body=policy.replace("rl", "rq").encode()).status == 400
