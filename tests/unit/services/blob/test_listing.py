"""List Blobs: order, prefixes, delimiters, pages, and what a listing shows of a blob."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from localzure.gateway.address import resolve
from localzure.services.blob import long_listings
from localzure.services.blob.engine import blobs, listing
from localzure.services.blob.engine.state import AccountFeatures
from localzure.services.blob.model import BlobRecord
from tests.blob_world import BlobWorld
from tests.storage_world import ACCOUNT

NAMES = ["a", "a/1", "a/2", "a/b/1", "a/b/2", "b", "b/", "b//x", "c.txt", "z/1", "é/1", "日本"]


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


@pytest.fixture
def filled(world: BlobWorld) -> BlobWorld:
    for name in reversed(NAMES):
        assert world.put(f"box/{quote(name)}", name.encode()).status == 201
    return world


def page(world: BlobWorld, query: str = "") -> tuple[list[str], str]:
    """The blobs and (marked by a star) prefixes of a page, and the marker of the next."""
    answer = world.ask("GET", "box", f"restype=container&comp=list{query}")
    assert answer.status == 200, answer
    root = answer.xml
    blobs = root.find("Blobs")
    assert blobs is not None
    items = [(item.findtext("Name") or "") + ("*" if item.tag == "BlobPrefix" else "") for item in blobs]
    return items, root.findtext("NextMarker") or ""


def everything(world: BlobWorld, query: str, size: int) -> list[str]:
    """All pages of `size` together."""
    items, marker = page(world, f"{query}&maxresults={size}")
    while marker:
        more, marker = page(world, f"{query}&maxresults={size}&marker={quote(marker)}")
        assert 0 < len(more) <= size
        items += more
    return items


def test_flat_and_in_order(filled: BlobWorld) -> None:
    assert page(filled) == (NAMES, "")


@pytest.mark.parametrize(
    ("prefix", "delimiter", "expected"),
    [
        ("a", "", ["a", "a/1", "a/2", "a/b/1", "a/b/2"]),
        ("a/", "", ["a/1", "a/2", "a/b/1", "a/b/2"]),
        ("none", "", []),
        ("", "/", ["a", "a/*", "b", "b/*", "c.txt", "z/*", "é/*", "日本"]),
        ("a", "/", ["a", "a/*"]),
        ("a/", "/", ["a/1", "a/2", "a/b/*"]),
        ("a/b", "/", ["a/b/*"]),
        ("a/b/", "/", ["a/b/1", "a/b/2"]),
        ("b/", "/", ["b/", "b//*"]),
        ("é", "/", ["é/*"]),
        ("", "/b/", ["a", "a/1", "a/2", "a/b/*", "b", "b/", "b//x", "c.txt", "z/1", "é/1", "日本"]),
        ("", "本", ["a", "a/1", "a/2", "a/b/1", "a/b/2", "b", "b/", "b//x", "c.txt", "z/1", "é/1", "日本*"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5000])
def test_prefixes_delimiters_and_pages(
    filled: BlobWorld, prefix: str, delimiter: str, expected: list[str], size: int
) -> None:
    query = f"&prefix={quote(prefix)}" + (f"&delimiter={quote(delimiter)}" if delimiter else "")
    assert everything(filled, query, size) == expected


def test_a_start_and_an_end(filled: BlobWorld) -> None:
    assert page(filled, "&startFrom=a/2")[0] == NAMES[2:]
    assert page(filled, "&startFrom=a/20")[0] == NAMES[3:]
    assert page(filled, "&endBefore=b")[0] == NAMES[:5]
    assert page(filled, "&startFrom=a/2&endBefore=b/&prefix=a/")[0] == ["a/2", "a/b/1", "a/b/2"]
    assert page(filled, "&startFrom=z&endBefore=a")[0] == []
    assert everything(filled, "&startFrom=a/2", 2) == NAMES[2:]


def test_an_empty_delimiter_is_none(filled: BlobWorld) -> None:
    assert page(filled, "&delimiter=")[0] == NAMES


def test_the_query_is_repeated(filled: BlobWorld) -> None:
    _, marker = page(filled, "&maxresults=1")
    root = filled.ask(
        "GET", "box", f"restype=container&comp=list&prefix=a&delimiter=%2F&maxresults=7&marker={quote(marker)}"
    ).xml
    assert root.get("ServiceEndpoint") == "http://127.0.0.1:10000/devstoreaccount1/"
    assert root.get("ContainerName") == "box"
    assert [root.findtext(name) for name in ("Prefix", "Marker", "MaxResults", "Delimiter")] == ["a", marker, "7", "/"]


def test_the_properties_of_a_blob(world: BlobWorld) -> None:
    headers = {
        "x-ms-blob-content-type": "text/plain",
        "x-ms-blob-content-encoding": "gzip",
        "x-ms-blob-content-language": "de",
        "x-ms-blob-cache-control": "no-cache",
        "x-ms-blob-content-disposition": 'attachment; filename="<a&b>"',
        "x-ms-meta-Note": "a<b&c",
        "x-ms-meta-empty": "",
    }
    put = world.put("box/a", b"12345", headers).headers
    root = world.ask("GET", "box", "restype=container&comp=list&include=metadata").xml
    properties = root.find("Blobs/Blob/Properties")
    assert properties is not None
    shown = {item.tag: item.text for item in properties}
    assert shown == {
        "Creation-Time": put["last-modified"],
        "Last-Modified": put["last-modified"],
        "Etag": put["etag"].strip('"'),
        "Content-Length": "5",
        "Content-Type": "text/plain",
        "Content-Encoding": "gzip",
        "Content-Language": "de",
        "Content-CRC64": None,
        "Content-MD5": put["content-md5"],
        "Cache-Control": "no-cache",
        "Content-Disposition": 'attachment; filename="<a&b>"',
        "BlobType": "BlockBlob",
        "AccessTier": "Hot",
        "AccessTierInferred": "true",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    metadata = root.find("Blobs/Blob/Metadata")
    assert metadata is not None
    assert {item.tag: item.text for item in metadata} == {"Note": "a<b&c", "empty": None}
    assert world.ask("GET", "box", "restype=container&comp=list").xml.find("Blobs/Blob/Metadata") is None


def test_uncommitted_blobs_show_where_they_are_asked_for(world: BlobWorld) -> None:
    world.put("box/b/committed")
    for name in ("a", "b/staged", "c/staged"):
        world.stage(f"box/{name}", "1", b"x")
    assert page(world)[0] == ["b/committed"]
    assert page(world, "&delimiter=%2F")[0] == ["b/*"]
    assert page(world, "&include=uncommittedblobs")[0] == ["a", "b/committed", "b/staged", "c/staged"]
    assert page(world, "&include=uncommittedblobs&delimiter=%2F")[0] == ["a", "b/*", "c/*"]


def test_a_page_that_passes_over_many_ends_early(world: BlobWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "STEPS_MAX", 3)
    for number in range(8):
        world.stage(f"box/a{number}", "1", b"x")
    world.put("box/z")
    items, marker = page(world)
    assert (items, bool(marker)) == ([], True)
    seen = 1
    while marker:
        items, marker = page(world, f"&marker={marker}")
        seen += 1
    assert (items, seen) == (["z"], 3)


@pytest.mark.parametrize(
    "words", ["snapshots,metadata", "tags,versions,deletedwithversions,copy", "legalhold,permissions"]
)
def test_what_exists_nowhere_yet_adds_nothing(filled: BlobWorld, words: str) -> None:
    assert page(filled, f"&include={words}")[0] == NAMES


def test_blobs_that_are_gone_are_listed_by_their_last_version() -> None:
    world = BlobWorld()
    world.features[ACCOUNT] = AccountFeatures(is_versioned=True)
    world.start()
    world.container()
    for name in ("a", "b", "b", "b", "c", "c"):
        world.put(f"box/{name}", name.encode())
    last = world.put("box/b").headers["x-ms-version-id"]
    world.ask("DELETE", "box/b")
    world.stage("box/b", "1", b"waits")
    found = world.ask("GET", "box", "restype=container&comp=list&include=deletedwithversions").xml.findall(".//Blob")
    assert [blob.findtext("Name") for blob in found] == ["a", "b", "c"]
    assert [blob.findtext("HasVersionsOnly") for blob in found] == [None, "true", None]
    assert found[1].findtext("VersionId") == last
    assert page(world, "&include=deletedwithversions&maxresults=1")[0] == ["a"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("&include=frogs", "InvalidQueryParameterValue"),
        ("&maxresults=0", "OutOfRangeQueryParameterValue"),
        ("&maxresults=many", "InvalidQueryParameterValue"),
        ("&marker=%20", "InvalidQueryParameterValue"),
        ("&prefix=%ff", "InvalidUri"),
    ],
)
def test_queries_that_are_refused(world: BlobWorld, query: str, code: str) -> None:
    answer = world.ask("GET", "box", f"restype=container&comp=list{query}")
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "&delimiter=/",
        "&prefix=a&delimiter=/",
        "&include=snapshots,deleted,metadata",
        "&include=uncommittedblobs,versions",
        "&maxresults=7",
        "&maxresults=7&delimiter=/&include=snapshots",
    ],
)
@pytest.mark.parametrize("part", [(1, 3), (3, 1000), (5, 7)])
def test_a_page_in_parts_is_the_page(
    filled: BlobWorld, monkeypatch: pytest.MonkeyPatch, query: str, part: tuple[int, int]
) -> None:
    filled.features[ACCOUNT] = AccountFeatures(blob_retention_days=3)
    for name in ("a", "b", "z/1"):
        filled.ask("PUT", f"box/{name}", "comp=snapshot")
        filled.put(f"box/{name}", b"new")
        filled.stage(f"box/{name}/waits", "1", b"x")
    filled.ask("DELETE", "box/z/1", headers={"x-ms-delete-snapshots": "include"})
    whole = filled.ask("GET", "box", f"restype=container&comp=list{query}")
    monkeypatch.setattr(long_listings, "PART_ITEMS", part[0])
    monkeypatch.setattr(long_listings, "PART_STEPS", part[1])
    assert filled.ask("GET", "box", f"restype=container&comp=list{query}").body.replace(b"\n", b"") == whole.body


def test_a_part_looks_at_few_records(world: BlobWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of one event does not grow with the page."""
    for number in range(60):
        world.put(f"box/{number:03}")
    monkeypatch.setattr(long_listings, "PART_ITEMS", 10)
    looked = count_decodes(monkeypatch)
    request = world.describe("GET", "box", "restype=container&comp=list")
    _, address = resolve("blob", request)
    reply = world.service.accept(request, address).finish()
    assert not isinstance(reply.body, bytes)
    counts = [len(looked)]
    while reply.body.read(1 << 20):
        counts.append(len(looked))
    assert counts == [10, 10, 20, 30, 40, 50, 60], "the head, and six parts"


def test_a_container_that_is_deleted_while_it_is_listed(world: BlobWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        world.put(f"box/{number:03}")
    monkeypatch.setattr(long_listings, "PART_ITEMS", 5)
    request = world.describe("GET", "box", "restype=container&comp=list")
    _, address = resolve("blob", request)
    reply = world.service.accept(request, address).finish()
    world.ask("DELETE", "box", "restype=container")
    names = [name.text for name in world.settle(request, reply).xml.iter("Name")]
    assert names == [f"{number:03}" for number in range(5)]


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Gather the records that are looked at."""
    looked: list[bytes] = []
    decode = blobs.decode

    def look(value: bytes) -> BlobRecord:
        looked.append(value)
        return decode(value)

    monkeypatch.setattr(blobs, "decode", look)
    return looked
