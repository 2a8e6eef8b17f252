"""List Blobs as an Arrow stream, read back with the library that the SDK reads it with."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import nanoarrow
import pytest
from nanoarrow.ipc import InputStream

from localzure.services.blob import arrow_listing
from localzure.services.blob.arrow_listing import MEDIA_TYPE
from localzure.services.blob.engine.state import AccountFeatures
from localzure_protocols.arrow import bool_column, int_column, map_column, stream, text_column
from tests.blob_world import BlobWorld, block_id
from tests.storage_world import ACCOUNT

LIST = "restype=container&comp=list"
ACCEPT = {"accept": f"{MEDIA_TYPE},application/xml"}


def read(data: bytes) -> tuple[dict[str, list[Any]], dict[bytes, bytes]]:
    """Return the columns of a stream, and the metadata of its schema."""
    with InputStream.from_readable(io.BytesIO(data)) as source:
        reader = nanoarrow.ArrayStream(source)
        names = [field.name for field in reader.schema.fields]
        metadata = dict(reader.schema.metadata.items())
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for batch in reader:
            for index, name in enumerate(names):
                child = batch.child(index)
                columns[name] += _maps(child) if name in {"Metadata", "Tags", "map"} else child.to_pylist()
    return columns, metadata


def _maps(child: Any) -> list[dict[str, str]]:
    offsets = list(child.buffer(1))
    entries = child.child(0)
    pairs = list(zip(entries.child(0).to_pylist(), entries.child(1).to_pylist(), strict=True))
    return [dict(pairs[first:stop]) for first, stop in pairwise(offsets)]


def listed(world: BlobWorld, query: str = "") -> tuple[list[dict[str, Any]], bytes]:
    """Return the rows of a listing, without what is null, and the marker behind it."""
    answer = world.ask("GET", "box", LIST + query, ACCEPT)
    assert (answer.status, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    columns, metadata = read(answer.body)
    rows = [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in zip(*columns.values(), strict=True)
    ]
    return rows, metadata.get(b"NextMarker", b"")


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


def test_an_empty_container(world: BlobWorld) -> None:
    assert listed(world) == ([], b"")


def test_a_blob_has_what_the_xml_has(world: BlobWorld) -> None:
    world.put("box/blob", b"content", {"x-ms-meta-a": "1", "x-ms-tags": "t=v", "content-type": "text/plain"})
    (row,), _ = listed(world, "&include=metadata,tags")
    xml = world.ask("GET", "box", f"{LIST}&include=metadata,tags").xml
    for name in ("Name", "Etag", "Content-Type", "Content-MD5", "BlobType", "AccessTier", "LeaseStatus", "LeaseState"):
        assert row[name] == xml.findtext(f".//Blob//{name}"), name
    assert (row["Content-Length"], row["TagCount"]) == (7, 1)
    assert (row["Metadata"], row["Tags"]) == ({"a": "1"}, {"t": "v"})
    assert row["AccessTierInferred"] is True
    assert row["ServerEncrypted"] is True
    now = datetime.fromtimestamp(world.clock.now() // 1_000_000, UTC)
    assert row["Creation-Time"] == row["Last-Modified"] == now
    assert row["ResourceType"] == "blob"


def test_what_was_not_asked_for_is_left_out(world: BlobWorld) -> None:
    world.put("box/blob", b"", {"x-ms-meta-a": "1", "x-ms-tags": "t=v"})
    (row,), _ = listed(world)
    assert not row.keys() & {"Metadata", "Tags", "Snapshot", "Deleted", "x-ms-blob-sequence-number"}


def test_other_kinds_of_blobs(world: BlobWorld) -> None:
    world.put("box/disk", b"", {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "512"})
    world.put("box/log", b"", {"x-ms-blob-type": "AppendBlob"})
    world.ask("PUT", "box/log", "comp=seal", {}, b"")
    world.ask("PUT", "box/log", "comp=lease", {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"}, b"")
    world.stage("box/waiting", "1", b"block")
    disk, log, waiting = listed(world, "&include=uncommittedblobs")[0]
    assert (disk["BlobType"], disk["x-ms-blob-sequence-number"]) == ("PageBlob", 0)
    assert (log["BlobType"], log["Sealed"], log["LeaseDuration"]) == ("AppendBlob", True, "infinite")
    assert (waiting["Name"], waiting["Content-Length"]) == ("waiting", 0)
    assert block_id("1")


def test_pages_and_prefixes(world: BlobWorld) -> None:
    for name in ("a", "dir/one", "dir/two", "z"):
        world.put(f"box/{name}")
    rows, marker = listed(world, "&delimiter=/&maxresults=2")
    assert [(row["Name"], row["ResourceType"]) for row in rows] == [("a", "blob"), ("dir/", "blobprefix")]
    rows, marker = listed(world, f"&delimiter=/&maxresults=2&marker={marker.decode()}")
    assert ([row["Name"] for row in rows], marker) == (["z"], b"")


def test_long_pages_are_cut_into_several(world: BlobWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_listing, "PAGE_MAX", 2)
    for name in "abc":
        world.put(f"box/{name}")
    rows, marker = listed(world, "&maxresults=5000")
    assert [row["Name"] for row in rows] == ["a", "b"]
    assert [row["Name"] for row in listed(world, f"&marker={marker.decode()}")[0]] == ["c"]


def test_names_that_xml_cannot_hold(world: BlobWorld) -> None:
    world.put("box/%EF%BF%BF%20", b"")
    assert [row["Name"] for row in listed(world)[0]] == ["\uffff "]


def test_versions_snapshots_and_what_was_deleted() -> None:
    world = BlobWorld()
    world.features[ACCOUNT] = AccountFeatures(is_versioned=True, blob_retention_days=3)
    world.start()
    world.container()
    world.put("box/blob", b"one")
    world.put("box/blob", b"two")
    world.ask("PUT", "box/blob", "comp=snapshot", {}, b"")
    rows, _ = listed(world, "&include=versions,snapshots")
    assert [row.get("IsCurrentVersion") for row in rows].count(True) == 1
    assert sum("Snapshot" in row for row in rows) == 1
    assert sum("VersionId" in row for row in rows) == 3
    version = next(row["VersionId"] for row in rows if "IsCurrentVersion" not in row and "VersionId" in row)
    assert world.ask("DELETE", "box/blob", f"versionid={version}").status == 202
    gone = [row for row in listed(world, "&include=deleted,versions")[0] if row.get("Deleted")]
    assert [(row["VersionId"], row["RemainingRetentionDays"]) for row in gone] == [(version, 3)]


def test_errors_are_as_ever(world: BlobWorld) -> None:
    answer = world.ask("GET", "nobox", LIST, ACCEPT)
    assert (answer.status, answer.code) == (404, "ContainerNotFound")


def test_every_type_with_and_without_nulls() -> None:
    columns = [
        text_column("text", ["a", None, "äöü", ""]),
        int_column("int", [1, -(2**62), None, 0]),
        bool_column("bool", [True, None, False, True]),
        bool_column("full", [True, False, True, True]),
        int_column("when", [0, None, 86400, 1], "timestamp"),
        map_column("map", [{"a": "1", "b": "2"}, {}, None, {"c": "3"}]),
    ]
    found, metadata = read(stream(columns, 4, {"key": "value"}))
    assert metadata == {b"key": b"value"}
    assert found["text"] == ["a", None, "äöü", ""]
    assert found["int"] == [1, -(2**62), None, 0]
    assert found["bool"] == [True, None, False, True]
    assert found["full"] == [True, False, True, True]
    assert found["when"][2] == datetime(1970, 1, 2, tzinfo=UTC)
    assert found["map"] == [{"a": "1", "b": "2"}, {}, {}, {"c": "3"}]
