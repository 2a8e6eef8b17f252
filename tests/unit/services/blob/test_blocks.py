"""Block lists: staging, committing, reading them, and whose references keep the content."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from base64 import b64decode, b64encode
from collections.abc import Iterable
from urllib.parse import quote

import pytest

from localzure.gateway.address import resolve
from localzure.services.blob.bodies import STEP_BYTES
from localzure.services.blob.engine import blocks, remains
from localzure.services.blob.keys import BLOCKS_PER_PAGE
from tests.blob_world import BlobWorld, block_id, block_list


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


Shown = list[tuple[str, int]]


def lists(world: BlobWorld, kind: str = "all", path: str = "box/a") -> tuple[Shown, Shown]:
    """The committed and the waiting blocks, as (name, size)."""
    answer = world.ask("GET", path, f"comp=blocklist&blocklisttype={kind}")
    assert answer.status == 200, answer
    return shown(answer.xml.iterfind("CommittedBlocks/Block")), shown(answer.xml.iterfind("UncommittedBlocks/Block"))


def shown(items: Iterable[ET.Element]) -> Shown:
    return [
        (b64decode(item.findtext("Name") or "").decode().strip(), int(item.findtext("Size") or "")) for item in items
    ]


def test_stage_and_commit(world: BlobWorld) -> None:
    for name, body in (("1", b"one"), ("2", b"two"), ("3", b"three")):
        answer = world.stage("box/a", name, body)
        assert (answer.status, answer.body) == (201, b"")
        assert answer.headers["x-ms-request-server-encrypted"] == "true"
        assert "etag" not in answer.headers
    assert world.get("box/a").code == "BlobNotFound"
    answer = world.commit("box/a", "3", "1", "2")
    assert answer.status == 201
    assert answer.headers["content-md5"] == b64encode(hashlib.md5(block_list("3", "1", "2")).digest()).decode()
    got = world.get("box/a")
    assert got.body == b"threeonetwo"
    assert got.headers["etag"] == answer.headers["etag"]
    assert "content-md5" not in got.headers
    assert lists(world) == ([("3", 5), ("1", 3), ("2", 3)], [])


def test_commit_sets_properties(world: BlobWorld) -> None:
    headers = {
        "x-ms-blob-content-type": "text/plain",
        "x-ms-blob-content-md5": "bm90IGFuIG1kNQ==",
        "x-ms-meta-A": "1",
        "x-ms-access-tier": "Cool",
        "content-type": "application/xml",
        "content-encoding": "no",
    }
    world.commit("box/a", headers=headers)
    head = world.ask("HEAD", "box/a")
    assert head.headers["content-type"] == "text/plain"
    assert head.headers["content-md5"] == "bm90IGFuIG1kNQ=="
    assert head.headers["x-ms-access-tier"] == "Cool"
    assert head.metadata == {"A": "1"}
    assert "content-encoding" not in head.headers
    world.commit("box/a", headers={"content-type": "application/xml"})
    assert world.ask("HEAD", "box/a").headers["content-type"] == "application/octet-stream"


def test_an_empty_list_makes_an_empty_blob(world: BlobWorld) -> None:
    assert world.commit("box/a").status == 201
    assert world.get("box/a").body == b""
    assert world.get("box/a", {"x-ms-range": "bytes=0-"}).code == "InvalidRange"
    assert lists(world) == ([], [])


def test_ranges_across_blocks(world: BlobWorld) -> None:
    names = [str(number) for number in range(BLOCKS_PER_PAGE * 2 + 3)]
    for number, name in enumerate(names):
        world.stage("box/a", name, bytes([number]) * (number % 7 + 1))
    world.commit("box/a", *names)
    whole = b"".join(bytes([number]) * (number % 7 + 1) for number in range(len(names)))
    assert world.get("box/a").body == whole
    for first in range(0, len(whole), 13):
        for last in (first, first + 1, first + 200, len(whole)):
            got = world.get("box/a", {"range": f"bytes={first}-{last}"})
            assert got.body == whole[first : last + 1]


def test_a_list_can_mix_old_and_new_blocks(world: BlobWorld) -> None:
    world.stage("box/a", "1", b"old1")
    world.stage("box/a", "2", b"old2")
    world.commit("box/a", "1", "2")
    world.stage("box/a", "1", b"new1")
    world.stage("box/a", "3", b"new3")
    assert lists(world) == ([("1", 4), ("2", 4)], [("1", 4), ("3", 4)])
    assert world.commit("box/a", "Committed:1", "Uncommitted:1", "Latest:2", "3", "Latest:1").status == 201
    assert world.get("box/a").body == b"old1new1old2new3new1"
    world.sweep()
    assert world.get("box/a").body == b"old1new1old2new3new1"


@pytest.mark.parametrize("missing", ["Committed:1", "Uncommitted:9", "Latest:9", "Uncommitted:0"])
def test_a_block_that_is_not_there_commits_nothing(world: BlobWorld, missing: str) -> None:
    world.stage("box/a", "0", b"zero")
    world.commit("box/a", "0")
    world.stage("box/a", "1", b"one")
    before = world.stored_keys()
    answer = world.commit("box/a", "1", missing)
    assert (answer.status, answer.code) == (400, "InvalidBlockList")
    assert world.stored_keys() == before
    assert world.get("box/a").body == b"zero"
    assert lists(world) == ([("0", 4)], [("1", 3)])


def test_a_commit_forgets_blocks_that_still_wait(world: BlobWorld) -> None:
    world.stage("box/a", "1", b"one")
    world.stage("box/a", "2", b"two")
    world.commit("box/a", "1")
    assert lists(world) == ([("1", 3)], [])
    assert world.commit("box/a", "Uncommitted:2").code == "InvalidBlockList"


def test_put_blob_and_delete_forget_blocks_that_wait(world: BlobWorld) -> None:
    world.put("box/a")
    for path, method in (("box/a", "PUT"), ("box/a", "DELETE")):
        world.stage(path, "1", b"one")
        world.ask(method, path, headers={"x-ms-blob-type": "BlockBlob"}, body=b"x")
        assert world.commit(path, "Latest:1").code == "InvalidBlockList"


def test_a_block_replaces_one_of_the_same_id(world: BlobWorld) -> None:
    world.stage("box/a", "1", b"first")
    world.stage("box/a", "1", b"second")
    world.commit("box/a", "1")
    assert world.get("box/a").body == b"second"
    world.sweep()
    assert world.get("box/a").body == b"second"


def test_waiting_blocks_are_listed_by_id(world: BlobWorld) -> None:
    for name in ("b", "c", "a"):
        world.stage("box/a", name, b"x")
    assert lists(world, "uncommitted") == ([], [("a", 1), ("b", 1), ("c", 1)])
    answer = world.ask("GET", "box/a", "comp=blocklist&blocklisttype=uncommitted")
    assert answer.headers["x-ms-blob-content-length"] == "0"
    assert answer.headers["content-type"] == "application/xml"
    assert "etag" not in answer.headers


def test_which_lists_are_given(world: BlobWorld) -> None:
    world.stage("box/a", "1", b"one")
    world.commit("box/a", "1")
    world.stage("box/a", "2", b"two")
    parts = {}
    for kind in ("", "&blocklisttype=committed", "&blocklisttype=Uncommitted", "&blocklisttype=all"):
        answer = world.ask("GET", "box/a", f"comp=blocklist{kind}")
        parts[kind] = [part.tag for part in answer.xml]
        assert answer.headers["etag"] == world.get("box/a").headers["etag"]
        assert answer.headers["x-ms-blob-content-length"] == "3"
    assert list(parts.values()) == [
        ["CommittedBlocks"],
        ["CommittedBlocks"],
        ["UncommittedBlocks"],
        ["CommittedBlocks", "UncommittedBlocks"],
    ]
    assert world.ask("GET", "box/a", "comp=blocklist&blocklisttype=none").code == "InvalidQueryParameterValue"
    assert world.ask("GET", "box/none", "comp=blocklist").code == "BlobNotFound"
    assert world.ask("GET", "box/a", "comp=blocklist&snapshot=2026-01-01T00:00:00Z").code == "BlobNotFound"


def test_a_blob_that_was_put_whole_has_no_blocks(world: BlobWorld) -> None:
    world.put("box/a", b"whole")
    assert lists(world) == ([], [])
    world.stage("box/a", "1", b"block")
    assert world.get("box/a").body == b"whole"
    world.commit("box/a", "1")
    assert world.get("box/a").body == b"block"


def test_staging_does_not_change_the_blob(world: BlobWorld) -> None:
    before = world.put("box/a").headers
    world.clock.advance(5)
    world.stage("box/a", "1", b"x")
    after = world.get("box/a").headers
    assert (after["etag"], after["last-modified"]) == (before["etag"], before["last-modified"])


@pytest.mark.parametrize("size", [1, 100, STEP_BYTES, STEP_BYTES + 1, STEP_BYTES * 3])
def test_blocks_of_any_size(world: BlobWorld, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    world.stage("box/a", "1", body[:size])
    world.stage("box/a", "2", b"!")
    world.commit("box/a", "1", "2")
    assert world.get("box/a").body == body[:size] + b"!"


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MissingRequiredQueryParameter"),
        ("&blockid=", "MissingRequiredQueryParameter"),
        ("&blockid=%3F%3F%3F", "InvalidQueryParameterValue"),
        ("&blockid=YQ", "InvalidQueryParameterValue"),
        ("&blockid=" + quote(b64encode(b"x" * 65).decode()), "OutOfRangeQueryParameterValue"),
    ],
)
def test_block_ids_that_are_refused(world: BlobWorld, query: str, code: str) -> None:
    answer = world.ask("PUT", "box/a", f"comp=block{query}", {}, b"x")
    assert (answer.status, answer.code) == (400, code)


def test_the_longest_block_id(world: BlobWorld) -> None:
    name = b64encode(b"\xff" * 64).decode()
    assert world.ask("PUT", "box/a", f"comp=block&blockid={quote(name, safe='')}", {}, b"x").status == 201
    body = f"<BlockList><Latest> {name}\n</Latest></BlockList>".encode()
    assert world.ask("PUT", "box/a", "comp=blocklist", {}, body).status == 201


def test_a_list_may_be_indented(world: BlobWorld) -> None:
    world.stage("box/a", "1", b"one")
    body = f"\n<BlockList>\n  <Latest>\n    {block_id('1')}\n  </Latest>\n</BlockList>\n".encode()
    assert world.ask("PUT", "box/a", "comp=blocklist", {}, body).status == 201
    assert world.get("box/a").body == b"one"


def test_block_ids_of_a_blob_have_one_length(world: BlobWorld) -> None:
    for size in (1, STEP_BYTES + 1):
        assert world.ask("PUT", f"box/{size}", "comp=block&blockid=YWE=", {}, b"x" * size).status == 201
        answer = world.ask("PUT", f"box/{size}", "comp=block&blockid=YWFhYQ==", {}, b"x" * size)
        assert (answer.status, answer.code) == (400, "InvalidBlobOrBlock")


def test_a_block_is_not_empty(world: BlobWorld) -> None:
    assert world.stage("box/a", "1", b"").code == "InvalidHeaderValue"


def test_a_block_needs_its_container(world: BlobWorld) -> None:
    for size in (1, STEP_BYTES + 1):
        assert world.stage("nobox/a", "1", b"x" * size).code == "ContainerNotFound"


def test_the_md5_of_a_block_is_checked(world: BlobWorld) -> None:
    right, wrong = (b64encode(hashlib.md5(body).digest()).decode() for body in (b"one", b"two"))
    answer = world.stage("box/a", "1", b"one", {"content-md5": right})
    assert answer.headers["content-md5"] == right
    assert world.stage("box/a", "2", b"one", {"content-md5": wrong}).code == "Md5Mismatch"
    assert lists(world) == ([], [("1", 3)])
    assert world.commit("box/a", "1", headers={"content-md5": wrong}).code == "Md5Mismatch"
    assert world.get("box/a").status == 404


def test_the_limit_of_waiting_blocks(world: BlobWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "UNCOMMITTED_BLOCK_COUNT_MAX", 2)
    for name in ("1", "2", "2"):
        assert world.stage("box/a", name, b"x").status == 201
    answer = world.stage("box/a", "3", b"x")
    assert (answer.status, answer.code) == (409, "BlockCountExceedsLimit")
    assert world.stage("box/a", "1", b"x").status == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "InvalidXmlDocument"),
        (b"<BlockList>", "InvalidXmlDocument"),
        (b"<BlockList></Blocks>", "InvalidXmlDocument"),
        (b"not xml", "InvalidXmlDocument"),
        (b"<!DOCTYPE x><BlockList/>", "InvalidXmlDocument"),
        (b"<BlockList><Latest>&e;</Latest></BlockList>", "InvalidXmlDocument"),
        (b"<Blocks/>", "UnsupportedXmlNode"),
        (b"<BlockList><Newest>YQ==</Newest></BlockList>", "UnsupportedXmlNode"),
        (b"<BlockList><Latest><Name/></Latest></BlockList>", "UnsupportedXmlNode"),
        (b"<BlockList><Latest></Latest></BlockList>", "InvalidBlockList"),
        (b"<BlockList><Latest>\xff</Latest></BlockList>", "InvalidXmlDocument"),
        (b"<BlockList>" + b"<Latest>YQ==</Latest>" * 50_001 + b"</BlockList>", "BlockListTooLong"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else value,
)
def test_lists_that_are_refused(world: BlobWorld, body: bytes, code: str) -> None:
    world.stage("box/a", "1", b"one")
    answer = world.ask("PUT", "box/a", "comp=blocklist", {}, body)
    assert (answer.status, answer.code) == (400, code)
    assert lists(world) == ([], [("1", 3)])


def test_a_list_that_breaks_off_commits_nothing(world: BlobWorld) -> None:
    world.stage("box/a", "1", b"one")
    length = str(len(block_list("1")))
    answer = world.ask("PUT", "box/a", "comp=blocklist", {"content-length": length}, block_list("1")[:-5])
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")
    sink_lost = world.describe("PUT", "box/a", "comp=blocklist", {"content-length": length})
    _, address = resolve("blob", sink_lost)
    world.service.accept(sink_lost, address).abandon()
    assert world.get("box/a").status == 404


# --- references ---------------------------------------------------------------------------------------------------


def test_nothing_is_left_when_all_is_deleted(world: BlobWorld) -> None:
    before = world.stored_keys()
    world.put("box/a", b"x" * 100_000)
    for round_ in range(3):
        for name in ("1", "2", "3"):
            world.stage("box/a", name, f"{round_}{name}".encode() * 1000)
        world.commit("box/a", "1", "2", "Latest:1", "1")
        world.stage("box/a", "4", b"waits")
    assert world.get("box/a").body == b"21" * 1000 + b"22" * 1000 + b"21" * 2000
    world.ask("DELETE", "box/a")
    world.sweep()
    assert world.stored_keys() == before


@pytest.mark.parametrize("at_once", [0, 1000])
def test_references_are_passed_on_exactly(world: BlobWorld, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """However little a commit does at once itself, the sweep frees the rest and nothing else."""
    monkeypatch.setattr(remains, "RELEASED_AT_ONCE_MAX", at_once)
    monkeypatch.setattr(blocks, "REMOVED_AT_ONCE_MAX", at_once)
    monkeypatch.setattr(remains, "EXTENTS_PER_NOTE", 2)
    empty = world.stored_keys()
    for name in ("1", "2", "3", "4", "5"):
        world.stage("box/a", name, name.encode() * 5000)
    world.commit("box/a", "1", "1", "2")
    world.sweep()
    assert world.get("box/a").body == b"1" * 10_000 + b"2" * 5000
    world.stage("box/a", "6", b"6" * 5000)
    world.commit("box/a", "1", "6", "6", "6")
    world.sweep()
    assert world.get("box/a").body == b"1" * 5000 + b"6" * 15_000
    world.commit("box/a", "Committed:6")
    world.sweep()
    assert world.get("box/a").body == b"6" * 5000
    world.commit("box/a")
    world.ask("DELETE", "box/a")
    world.sweep()
    assert world.stored_keys() == empty


def test_block_id_helper_pads_to_one_length() -> None:
    assert len({len(block_id(str(number))) for number in (1, 22, 333)}) == 1
