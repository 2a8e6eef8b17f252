"""Copies, append blobs and page blobs."""

from __future__ import annotations

import pytest

from tests.blob_world import BlobWorld, sign
from tests.storage_world import Answer

HERE = "http://127.0.0.1:10000/devstoreaccount1"


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


def append(world: BlobWorld, path: str, data: bytes, **headers: str) -> Answer:
    sent = {f"x-ms-{name.replace('_', '-')}": value for name, value in headers.items()}
    return world.ask("PUT", path, "comp=appendblock", sent, data)


def create(world: BlobWorld, path: str, kind: str, **headers: str) -> None:
    sent = {f"x-ms-{name.replace('_', '-')}": value for name, value in headers.items()}
    assert world.ask("PUT", path, headers={"x-ms-blob-type": kind, **sent}).status == 201


def pages(world: BlobWorld, path: str, first: int, data: bytes | int, **headers: str) -> Answer:
    size = data if isinstance(data, int) else len(data)
    sent = {f"x-ms-{name.replace('_', '-')}": value for name, value in headers.items()}
    sent |= {"x-ms-range": f"bytes={first}-{first + size - 1}"}
    sent["x-ms-page-write"] = "clear" if isinstance(data, int) else "update"
    return world.ask("PUT", path, "comp=page", sent, b"" if isinstance(data, int) else data)


def ranges(world: BlobWorld, path: str, query: str = "") -> list[tuple[str, int, int]]:
    listed = world.ask("GET", path, f"comp=pagelist{query}")
    assert listed.status == 200, listed
    return [(run.tag, int(run[0].text or ""), int(run[1].text or "")) for run in listed.xml if len(run)]


def test_appending(world: BlobWorld) -> None:
    create(world, "box/log", "AppendBlob")
    for number in range(70):
        answer = append(world, "box/log", b"%03d" % number, blob_condition_appendpos=str(number * 3))
        assert (answer.status, answer.headers["x-ms-blob-append-offset"]) == (201, str(number * 3))
    assert world.get("box/log").body == b"".join(b"%03d" % number for number in range(70))
    assert world.get("box/log").headers["x-ms-blob-committed-block-count"] == "70"
    assert append(world, "box/log", b"x", blob_condition_appendpos="3").code == "AppendPositionConditionNotMet"
    assert append(world, "box/log", b"x", blob_condition_maxsize="210").code == "MaxBlobSizeConditionNotMet"
    assert append(world, "box/log", b"").code == "InvalidHeaderValue"


def test_a_sealed_blob_stays_as_it_is(world: BlobWorld) -> None:
    create(world, "box/log", "AppendBlob")
    append(world, "box/log", b"x")
    assert world.ask("PUT", "box/log", "comp=seal").headers["x-ms-blob-sealed"] == "true"
    assert append(world, "box/log", b"y").code == "BlobIsSealed"


def test_snapshots_and_copies_of_a_growing_blob(world: BlobWorld) -> None:
    create(world, "box/log", "AppendBlob")
    append(world, "box/log", b"one")
    taken = world.ask("PUT", "box/log", "comp=snapshot").headers["x-ms-snapshot"]
    copied = world.ask("PUT", "box/copy", headers={"x-ms-copy-source": f"{HERE}/box/log"})
    assert (copied.status, copied.headers["x-ms-copy-status"]) == (202, "success")
    append(world, "box/log", b"two")
    append(world, "box/copy", b"2")
    world.sweep()
    assert world.get("box/log").body == b"onetwo"
    assert world.get("box/log", query=f"snapshot={taken}").body == b"one"
    assert world.get("box/copy").body == b"one2"
    for path in ("box/log", "box/copy"):
        world.ask("DELETE", path, headers={"x-ms-delete-snapshots": "include"})
    world.sweep()
    assert not [key for key in world.stored_keys() if b"chunk" in key]


def test_pages(world: BlobWorld) -> None:
    create(world, "box/disk", "PageBlob", blob_content_length="4096")
    assert pages(world, "box/disk", 512, b"a" * 1536).status == 201
    assert pages(world, "box/disk", 1024, b"b" * 512).status == 201
    assert pages(world, "box/disk", 512, 512).status == 201
    assert world.get("box/disk").body == bytes(1024) + b"b" * 512 + b"a" * 512 + bytes(2048)
    assert ranges(world, "box/disk") == [("PageRange", 1024, 2047)]
    assert pages(world, "box/disk", 4096, b"a" * 512).code == "InvalidPageRange"
    assert pages(world, "box/disk", 1, b"a" * 512).code == "InvalidPageRange"


def test_what_changed_since_a_snapshot(world: BlobWorld) -> None:
    create(world, "box/disk", "PageBlob", blob_content_length="4096")
    pages(world, "box/disk", 0, b"a" * 1024)
    taken = world.ask("PUT", "box/disk", "comp=snapshot").headers["x-ms-snapshot"]
    pages(world, "box/disk", 512, 512)
    pages(world, "box/disk", 2048, b"c" * 512)
    assert ranges(world, "box/disk", f"&prevsnapshot={taken}") == [
        ("ClearRange", 512, 1023),
        ("PageRange", 2048, 2559),
    ]
    assert ranges(world, "box/disk") == [("PageRange", 0, 511), ("PageRange", 2048, 2559)]
    assert ranges(world, "box/disk", f"&snapshot={taken}") == [("PageRange", 0, 1023)]
    assert world.get("box/disk", query=f"snapshot={taken}").body == b"a" * 1024 + bytes(3072)
    create(world, "box/disk", "PageBlob", blob_content_length="512")
    assert world.ask("GET", "box/disk", f"comp=pagelist&prevsnapshot={taken}").code == "BlobOverwritten"
    world.ask("DELETE", "box/disk", headers={"x-ms-delete-snapshots": "include"})
    world.sweep()
    assert not [key for key in world.stored_keys() if b"chunk" in key]


def test_ranges_come_in_pages(world: BlobWorld) -> None:
    create(world, "box/disk", "PageBlob", blob_content_length="8192")
    for first in range(0, 8192, 1024):
        pages(world, "box/disk", first, b"x" * 512)
    listed = world.ask("GET", "box/disk", "comp=pagelist&maxresults=3").xml
    assert len(listed.findall("PageRange")) == 3
    rest = ranges(world, "box/disk", f"&maxresults=9&marker={listed.findtext('NextMarker')}")
    assert [first for _, first, _ in rest] == list(range(3072, 8192, 1024))


def test_a_smaller_blob_forgets(world: BlobWorld) -> None:
    create(world, "box/disk", "PageBlob", blob_content_length="1024")
    pages(world, "box/disk", 0, b"a" * 1024)
    for size in ("512", "1024"):
        world.ask("PUT", "box/disk", "comp=properties", {"x-ms-blob-content-length": size})
    assert world.get("box/disk").body == b"a" * 512 + bytes(512)


def test_sequence_numbers(world: BlobWorld) -> None:
    create(world, "box/disk", "PageBlob", blob_content_length="512", blob_sequence_number="5")
    for action, number, after in (("max", "3", "5"), ("update", "2", "2"), ("increment", None, "3")):
        headers = {"x-ms-sequence-number-action": action} | ({"x-ms-blob-sequence-number": number} if number else {})
        answer = world.ask("PUT", "box/disk", "comp=properties", headers)
        assert answer.headers["x-ms-blob-sequence-number"] == after
    assert pages(world, "box/disk", 0, b"a" * 512, if_sequence_number_lt="3").code == "SequenceNumberConditionNotMet"
    assert pages(world, "box/disk", 0, b"a" * 512, if_sequence_number_le="3").status == 201
    assert pages(world, "box/disk", 0, b"a" * 512, if_sequence_number_eq="3").status == 201


def test_other_kinds_are_refused(world: BlobWorld) -> None:
    world.put("box/block")
    create(world, "box/log", "AppendBlob")
    assert append(world, "box/block", b"x").code == "InvalidBlobType"
    assert pages(world, "box/block", 0, b"a" * 512).code == "InvalidBlobType"
    assert world.stage("box/log", "a", b"x").code == "InvalidBlobType"


@pytest.mark.parametrize("size", [5, 100_000])
def test_copies_share_content(world: BlobWorld, size: int) -> None:
    world.put("box/one", b"x" * size, {"x-ms-meta-colour": "red", "content-type": "text/plain"})
    before = len([key for key in world.stored_keys() if b"chunk" in key])
    world.ask("PUT", "box/two", headers={"x-ms-copy-source": f"{HERE}/box/one"})
    assert len([key for key in world.stored_keys() if b"chunk" in key]) == before
    world.ask("DELETE", "box/one")
    world.sweep()
    copy = world.get("box/two")
    assert (copy.body, copy.metadata, copy.headers["content-type"]) == (b"x" * size, {"colour": "red"}, "text/plain")
    assert world.ask("PUT", "box/two", "comp=copy&copyid=x", {"x-ms-copy-action": "abort"}).code == (
        "NoPendingCopyOperation"
    )


def test_ranges_from_a_url(world: BlobWorld) -> None:
    world.put("box/one", bytes(range(256)) * 400)
    source = {"x-ms-copy-source": f"{HERE}/box/one", "x-ms-source-range": "bytes=512-1023"}
    block = world.ask("PUT", "box/two", "comp=block&blockid=YWFhYWFhYWE%3D", source)
    assert block.status == 201, block
    create(world, "box/log", "AppendBlob")
    assert world.ask("PUT", "box/log", "comp=appendblock", source).status == 201
    create(world, "box/disk", "PageBlob", blob_content_length="512")
    update = {"x-ms-page-write": "update", "x-ms-range": "bytes=0-511"}
    assert world.ask("PUT", "box/disk", "comp=page", source | update).status == 201
    world.ask("DELETE", "box/one")
    world.sweep()
    for path in ("box/log", "box/disk"):
        assert world.get(path).body == bytes(range(256)) * 2


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{HERE}/box/one", 201),
        ("http://devstoreaccount1.blob.localhost:10000/box/one", 201),
        ("http://127.0.0.1:8080/blob/devstoreaccount1/box/one", 201),
        ("http://example.com/devstoreaccount1/box/one", 403),
        ("http://127.0.0.1:10000/nobody/box/one", 403),
        (f"{HERE}/box/none", 404),
        (f"{HERE}/none/one", 404),
        ("ftp://127.0.0.1/devstoreaccount1/box/one", 400),
        ("nonsense", 400),
        ("http://[::1", 400),
    ],
)
def test_sources(world: BlobWorld, url: str, status: int) -> None:
    world.put("box/one")
    headers = {"x-ms-copy-source": url, "x-ms-blob-type": "BlockBlob"}
    assert world.ask("PUT", "box/two", headers=headers).status == status


def test_a_source_must_be_readable() -> None:
    world = BlobWorld("verify")
    world.send(sign(world.describe("PUT", "box", "restype=container")))
    upload = world.describe("PUT", "box/one", "", {"x-ms-blob-type": "BlockBlob", "content-length": "1"})
    world.send(sign(upload), [b"x"])
    put = {"x-ms-copy-source": f"{HERE}/box/one", "x-ms-blob-type": "BlockBlob", "content-length": "0"}
    refused = world.send(sign(world.describe("PUT", "box/two", "", put)))
    assert (refused.status, refused.code) == (401, "CannotVerifyCopySource")
    assert refused.headers["x-ms-copy-source-error-code"] == "NoAuthenticationInformation"
    copy = {"x-ms-copy-source": f"{HERE}/box/one", "content-length": "0"}
    assert world.send(sign(world.describe("PUT", "box/two", "", copy))).status == 202
