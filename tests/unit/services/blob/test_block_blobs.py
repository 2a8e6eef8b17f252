"""Block blobs as a whole: put, get, properties, metadata, ranges, delete."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from urllib.parse import quote

import pytest

from localzure.auth.dates import http_date
from localzure.services.blob.bodies import INLINE_BYTES_MAX, STEP_BYTES, WHOLE_BYTES_MAX
from localzure.services.blob.handlers import PUT_BLOB_BYTES_MAX, RANGE_DIGEST_BYTES_MAX
from tests.blob_world import BlobWorld


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


def digest(body: bytes) -> str:
    return b64encode(hashlib.md5(body).digest()).decode()


def pattern(size: int) -> bytes:
    """Bytes of which every stretch shows where it comes from."""
    return b"".join(number.to_bytes(4, "big") for number in range(-(-size // 4)))[:size]


SIZES = [
    0,
    1,
    INLINE_BYTES_MAX - 1,
    INLINE_BYTES_MAX,
    INLINE_BYTES_MAX + 1,
    WHOLE_BYTES_MAX,
    WHOLE_BYTES_MAX + 1,
    STEP_BYTES * 3 + 5,
]


@pytest.mark.parametrize("size", SIZES)
def test_put_and_get(world: BlobWorld, size: int) -> None:
    body = pattern(size)
    put = world.put("box/a", body)
    assert (put.status, put.body) == (201, b"")
    assert put.headers["content-md5"] == digest(body)
    assert put.headers["x-ms-request-server-encrypted"] == "true"
    got = world.get("box/a")
    assert got.status == 200
    assert got.body == body
    head = world.ask("HEAD", "box/a")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(size)
    for headers in (got.headers, head.headers):
        assert headers["etag"] == put.headers["etag"]
        assert headers["last-modified"] == headers["x-ms-creation-time"] == put.headers["last-modified"]
        assert headers["content-md5"] == digest(body)
        assert headers["content-type"] == "application/octet-stream"
        assert headers["accept-ranges"] == "bytes"
        assert headers["x-ms-blob-type"] == "BlockBlob"
        assert headers["x-ms-lease-state"] == "available"
        assert headers["x-ms-lease-status"] == "unlocked"
        assert headers["x-ms-server-encrypted"] == "true"
        assert (headers["x-ms-access-tier"], headers["x-ms-access-tier-inferred"]) == ("Hot", "true")


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES_MAX + 1, STEP_BYTES * 2 + 1])
def test_however_a_body_comes_in_it_is_the_same(world: BlobWorld, size: int) -> None:
    body = pattern(size)
    for step in (1000, 65_536, STEP_BYTES, size or 1):
        pieces = [body[at : at + step] for at in range(0, size, step)]
        answer = world.ask("PUT", "box/a", headers={"x-ms-blob-type": "BlockBlob"}, body=pieces)
        assert answer.headers["content-md5"] == digest(body)
        assert world.get("box/a").body == body


NAMES = [
    "a",
    "a/b/c",
    "a//b/",
    "/leading",
    "with space",
    "with+plus",
    "with%percent",
    "with%2Fencoded",
    "question?and#hash",
    "a\\b",
    "quote\"'`",
    "null\x00inside",
    "control\x01\x1f\x7f",
    "ünïcödé",
    "日本語",
    "emoji \U0001f600",
    "\uffff",
    "e\u0301 is not é",
    ".",
    "..",
    "a/../b",
    "x" * 1024,
    "é" * 1024,
    "\U0001f600" * 1024,
    "\x00" * 1024,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_names_are_kept_exactly(world: BlobWorld, name: str) -> None:
    path = f"box/{quote(name, safe='/~')}"
    assert world.put(path, b"mine").status == 201
    assert world.get(path).body == b"mine"
    assert world.get(f"box/{quote(name, safe='')}").body == b"mine"
    listed = world.ask("GET", "box", "restype=container&comp=list").xml.find("Blobs/Blob/Name")
    assert listed is not None
    shown = listed.text or ""
    assert (quote(name) if listed.get("Encoded") == "true" else name) == shown
    assert world.ask("DELETE", path).status == 202
    assert world.get(path).status == 404


def test_a_plus_in_a_path_is_a_plus(world: BlobWorld) -> None:
    world.put("box/a+b", b"plus")
    assert world.get("box/a%2Bb").body == b"plus"
    assert world.get("box/a%20b").status == 404


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("box/" + "x" * 1025, "OutOfRangeInput"),
        ("box/%ff", "InvalidUri"),
        ("box/", "InvalidUri"),
        ("/blob", "InvalidUri"),
        ("BOX/a", "InvalidResourceName"),
    ],
)
def test_names_that_azure_refuses(world: BlobWorld, path: str, code: str) -> None:
    answer = world.put(path)
    assert (answer.status, answer.code) == (400, code)


def test_a_single_segment_is_a_blob_in_the_root_container(world: BlobWorld) -> None:
    assert world.put("lonely").code == "ContainerNotFound"
    world.container("$root")
    assert world.put("lonely", b"here").status == 201
    assert world.get("lonely").body == world.get("$root/lonely").body == b"here"


def test_what_is_not_there(world: BlobWorld) -> None:
    for method, query in (
        ("GET", ""),
        ("HEAD", ""),
        ("DELETE", ""),
        ("PUT", "comp=metadata"),
        ("PUT", "comp=properties"),
    ):
        answer = world.ask(method, "box/none", query)
        assert (answer.status, answer.code) == (404, "BlobNotFound")
        assert world.ask(method, "nobox/none", query).code == "ContainerNotFound"


def test_an_overwrite_keeps_the_creation_time_alone(world: BlobWorld) -> None:
    first = world.put("box/a", b"old", {"x-ms-meta-a": "1", "x-ms-blob-content-type": "text/plain"})
    now = world.clock.advance(60)
    second = world.put("box/a", b"newer")
    got = world.get("box/a")
    assert got.body == b"newer"
    assert got.headers["etag"] == second.headers["etag"] != first.headers["etag"]
    assert got.headers["last-modified"] == http_date(now)
    assert got.headers["x-ms-creation-time"] == first.headers["last-modified"]
    assert got.metadata == {}
    assert got.headers["content-type"] == "application/octet-stream"


def test_tags_differ_though_the_clock_stands(world: BlobWorld) -> None:
    tags = {world.put("box/a").headers["etag"] for _ in range(20)}
    assert len(tags) == 20


CONTENT = {
    "content-type": "text/plain; charset=utf-8",
    "content-encoding": "gzip",
    "content-language": "de-CH",
    "cache-control": "max-age=1",
}


def test_content_headers_come_from_the_blobs_own_or_the_requests(world: BlobWorld) -> None:
    world.put("box/a", headers=CONTENT)
    world.put(
        "box/b", headers={f"x-ms-blob-{name}": value for name, value in CONTENT.items()} | {"content-type": "no/no"}
    )
    for path in ("box/a", "box/b"):
        headers = world.get(path).headers
        assert {name: headers[name] for name in CONTENT} == CONTENT
    world.put("box/c", headers={"x-ms-blob-content-disposition": "attachment"})
    assert world.get("box/c").headers["content-disposition"] == "attachment"


def test_set_properties_replaces_all_of_them(world: BlobWorld) -> None:
    world.put("box/a", headers=CONTENT)
    now = world.clock.advance(5)
    answer = world.ask(
        "PUT", "box/a", "comp=properties", {"x-ms-blob-content-type": "image/png", "cache-control": "no"}
    )
    assert (answer.status, answer.headers["last-modified"]) == (200, http_date(now))
    got = world.get("box/a")
    assert got.headers["content-type"] == "image/png"
    assert not {"content-encoding", "content-language", "cache-control", "content-md5"} & set(got.headers)
    assert got.headers["etag"] == answer.headers["etag"]
    assert got.body == b"content"


def test_an_md5_that_is_set_is_not_checked(world: BlobWorld) -> None:
    world.put("box/a")
    world.ask("PUT", "box/a", "comp=properties", {"x-ms-blob-content-md5": "bm90IGFuIG1kNQ=="})
    assert world.get("box/a").headers["content-md5"] == "bm90IGFuIG1kNQ=="
    assert world.ask("PUT", "box/a", "comp=properties", {"x-ms-blob-content-md5": "???"}).code == "InvalidMd5"


def test_metadata(world: BlobWorld) -> None:
    world.put("box/a", headers={"x-ms-meta-Old": "1", "x-ms-meta-both": "x"})
    assert world.ask("GET", "box/a", "comp=metadata").metadata == {"Old": "1", "both": "x"}
    answer = world.ask("PUT", "box/a", "comp=metadata", {"x-ms-meta-New": "2", "x-ms-meta-BOTH": "y"})
    assert answer.status == 200
    assert answer.headers["x-ms-request-server-encrypted"] == "true"
    for got in (world.get("box/a"), world.ask("HEAD", "box/a"), world.ask("HEAD", "box/a", "comp=metadata")):
        assert got.metadata == {"New": "2", "BOTH": "y"}
        assert got.headers["etag"] == answer.headers["etag"]
    assert world.ask("PUT", "box/a", "comp=metadata", {"x-ms-meta-not-good": "1"}).code == "InvalidMetadata"


def test_delete(world: BlobWorld) -> None:
    world.put("box/a")
    answer = world.ask("DELETE", "box/a", headers={"x-ms-delete-snapshots": "include"})
    assert answer.status == 202
    assert answer.headers["x-ms-delete-type-permanent"] == "true"
    assert world.get("box/a").code == "BlobNotFound"
    assert world.ask("DELETE", "box/a", headers={"x-ms-delete-snapshots": "all"}).code == "InvalidHeaderValue"


# --- MD5 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["content-md5", "x-ms-blob-content-md5"])
@pytest.mark.parametrize("size", [0, 10, STEP_BYTES * 2])
def test_an_md5_is_checked(world: BlobWorld, header: str, size: int) -> None:
    body = pattern(size)
    assert world.put("box/a", body, {header: digest(body)}).status == 201
    wrong = world.put("box/a", body, {header: digest(b"other")})
    assert (wrong.status, wrong.code) == (400, "Md5Mismatch")
    assert wrong.xml.findtext("UserSpecifiedMd5") == digest(b"other")
    assert wrong.xml.findtext("ServerCalculatedMd5") == digest(body)
    assert world.get("box/a").body == body


@pytest.mark.parametrize("value", ["x", "YQ==", "====", "M2MRoBYYQybdvdYe3U7rUg=", "\u00e9"])
def test_an_md5_of_another_form_is_refused(world: BlobWorld, value: str) -> None:
    assert world.put("box/a", headers={"content-md5": value}).code == "InvalidMd5"
    assert world.get("box/a").status == 404


# --- ranges -------------------------------------------------------------------------------------------------------

LENGTH = STEP_BYTES * 2 + 100
RANGES = [(0, 0), (0, 9), (5, None), (LENGTH - 1, LENGTH - 1), (LENGTH - 10, LENGTH + 10), (0, None), (70_000, 400_000)]


@pytest.mark.parametrize(("first", "last"), RANGES)
@pytest.mark.parametrize("header", ["range", "x-ms-range"])
def test_ranges(world: BlobWorld, header: str, first: int, last: int | None) -> None:
    body = pattern(LENGTH)
    world.put("box/a", body)
    end = LENGTH - 1 if last is None else min(last, LENGTH - 1)
    got = world.get("box/a", {header: f"bytes={first}-{'' if last is None else last}"})
    assert got.status == 206
    assert got.body == body[first : end + 1]
    assert got.headers["content-range"] == f"bytes {first}-{end}/{LENGTH}"
    assert got.headers["x-ms-blob-content-md5"] == digest(body)
    assert "content-md5" not in got.headers


def test_the_ms_range_comes_first(world: BlobWorld) -> None:
    world.put("box/a", b"0123456789")
    assert world.get("box/a", {"range": "bytes=0-0", "x-ms-range": "bytes=1-2"}).body == b"12"


@pytest.mark.parametrize(
    ("size", "asked"), [(0, "bytes=0-"), (0, "bytes=0-5"), (10, "bytes=10-"), (10, "bytes=10-20"), (10, "bytes=999-")]
)
def test_a_range_behind_the_end_cannot_be_satisfied(world: BlobWorld, size: int, asked: str) -> None:
    world.put("box/a", pattern(size))
    answer = world.get("box/a", {"x-ms-range": asked})
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert answer.headers["content-range"] == f"bytes */{size}"


MALFORMED = ["bytes=-5", "bytes=5-1", "bytes=a-b", "0-5", "bytes=0-1,3-4", "frogs=0-1", "bytes=" + "9" * 19 + "-", "-"]


@pytest.mark.parametrize("asked", MALFORMED)
def test_ranges_of_another_form(world: BlobWorld, asked: str) -> None:
    world.put("box/a", b"0123456789")
    refused = world.get("box/a", {"x-ms-range": asked})
    assert (refused.status, refused.code) == (400, "InvalidHeaderValue")
    passed_over = world.get("box/a", {"range": asked})
    assert (passed_over.status, passed_over.body) == (200, b"0123456789")


def test_the_md5_of_a_range(world: BlobWorld) -> None:
    body = pattern(STEP_BYTES * 2)
    world.put("box/a", body)
    got = world.get("box/a", {"x-ms-range": "bytes=1-300000", "x-ms-range-get-content-md5": "true"})
    assert (got.status, got.headers["content-md5"]) == (206, digest(body[1:300_001]))
    assert (
        "content-md5" not in world.get("box/a", {"range": "bytes=1-2", "x-ms-range-get-content-md5": "false"}).headers
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ms-range-get-content-md5": "true"},
        {"x-ms-range-get-content-md5": "true", "range": "bytes=0-"},
        {"x-ms-range-get-content-md5": "true", "range": f"bytes=0-{RANGE_DIGEST_BYTES_MAX}"},
        {"x-ms-range-get-content-md5": "maybe", "range": "bytes=0-1"},
    ],
    ids=str,
)
def test_the_md5_of_a_range_has_its_limits(world: BlobWorld, headers: dict[str, str]) -> None:
    world.put("box/a")
    assert world.get("box/a", headers).code == "InvalidHeaderValue"


# --- tiers, leases, snapshots -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["Hot", "Cool", "Cold", "cool"])
def test_tiers(world: BlobWorld, tier: str) -> None:
    put = world.put("box/a", headers={"x-ms-access-tier": tier})
    head = world.ask("HEAD", "box/a").headers
    assert head["x-ms-access-tier"] == tier.capitalize()
    assert head["x-ms-access-tier-change-time"] == put.headers["last-modified"]
    assert "x-ms-access-tier-inferred" not in head
    properties = world.ask("GET", "box", "restype=container&comp=list").xml.find("Blobs/Blob/Properties")
    assert properties is not None
    assert properties.findtext("AccessTier") == tier.capitalize()
    assert properties.find("AccessTierInferred") is None


def test_the_smart_tier_tells_where_the_blob_is(world: BlobWorld) -> None:
    world.put("box/a", headers={"x-ms-access-tier": "Smart"})
    assert world.ask("HEAD", "box/a").headers["x-ms-smart-access-tier"] == "Hot"
    listed = world.ask("GET", "box", "restype=container&comp=list").xml
    assert listed.findtext("Blobs/Blob/Properties/SmartAccessTier") == "Hot"


def test_an_archived_blob_is_not_read(world: BlobWorld) -> None:
    world.put("box/a", headers={"x-ms-access-tier": "Archive"})
    assert world.ask("HEAD", "box/a").headers["x-ms-access-tier"] == "Archive"
    answer = world.get("box/a")
    assert (answer.status, answer.code) == (409, "BlobArchived")
    assert world.put("box/b", headers={"x-ms-access-tier": "Lukewarm"}).code == "InvalidHeaderValue"


def test_there_are_no_leases(world: BlobWorld) -> None:
    world.put("box/a", b"before")
    lease = {"x-ms-lease-id": "00000000-0000-0000-0000-000000000000"}
    for answer in (
        world.put("box/a", b"after", lease),
        world.get("box/a", lease),
        world.ask("DELETE", "box/a", headers=lease),
        world.ask("PUT", "box/a", "comp=metadata", lease),
        world.stage("box/a", "1", b"x", lease),
        world.commit("box/a", headers=lease),
        world.ask("GET", "box/a", "comp=blocklist", lease),
    ):
        assert (answer.status, answer.code) == (412, "LeaseNotPresentWithBlobOperation")
    assert world.get("box/a").body == b"before"


@pytest.mark.parametrize("name", ["snapshot", "versionid"])
def test_there_are_no_snapshots_and_no_versions(world: BlobWorld, name: str) -> None:
    world.put("box/a", b"before")
    query = f"{name}=2026-01-01T00:00:00.0000000Z"
    for method in ("GET", "HEAD", "DELETE"):
        assert world.ask(method, "box/a", query).code == "BlobNotFound"
        assert world.ask(method, "box/a", f"{name}=yesterday").code == "InvalidQueryParameterValue"
    upload = {"x-ms-blob-type": "BlockBlob"}
    assert world.ask("PUT", "box/a", query, upload, b"after").code == "InvalidQueryParameterValue"
    assert world.ask("PUT", "box/a", f"comp=block&blockid=YQ==&{query}", {}, b"x").code == "InvalidQueryParameterValue"
    assert (
        world.ask("PUT", "box/a", f"comp=blocklist&{query}", {}, b"<BlockList/>").code == "InvalidQueryParameterValue"
    )
    assert world.get("box/a").body == b"before"


# --- lengths ------------------------------------------------------------------------------------------------------


def test_an_upload_needs_its_length(world: BlobWorld) -> None:
    headers = {"x-ms-blob-type": "BlockBlob", "transfer-encoding": "chunked"}
    answer = world.send(world.describe("PUT", "box/a", headers=headers), [b"x"])
    assert (answer.status, answer.code) == (411, "MissingContentLengthHeader")


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "9" * 19, ""])
def test_a_length_of_another_form_is_refused(world: BlobWorld, length: str) -> None:
    assert world.put("box/a", headers={"content-length": length}).code == "InvalidHeaderValue"


def test_a_body_that_is_too_long_is_refused_by_its_head(world: BlobWorld) -> None:
    answer = world.put("box/a", b"", {"content-length": str(PUT_BLOB_BYTES_MAX + 1)})
    assert (answer.status, answer.code) == (413, "RequestBodyTooLarge")
    assert answer.xml.findtext("MaxLimit") == str(PUT_BLOB_BYTES_MAX)


@pytest.mark.parametrize("promised", ["3", "9"])
def test_a_body_of_another_length_than_promised_changes_nothing(world: BlobWorld, promised: str) -> None:
    world.put("box/a", b"before")
    assert world.put("box/a", b"after!", {"content-length": promised}).code == "InvalidHeaderValue"
    assert world.get("box/a").body == b"before"
