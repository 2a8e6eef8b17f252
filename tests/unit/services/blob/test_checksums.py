"""The sums of bodies: what requests promise, what replies tell, and structured bodies in both directions."""

from __future__ import annotations

import base64
import hashlib

import pytest

from localzure.services.blob.checksums import add_crc64, crc64_bytes
from localzure.services.blob.structured import (
    SEGMENT_BYTES,
    STRUCTURED_BODY,
    StructuredReader,
    StructuredSource,
    structured_length,
)
from tests.blob_world import BlobWorld, block_id
from tests.storage_world import Answer

DATA = b"0123456789" * 100


def crc(data: bytes) -> str:
    return base64.b64encode(crc64_bytes(add_crc64(data))).decode()


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def structured(data: bytes, segment: int = 400, *, with_sums: bool = True) -> bytes:
    """Write a structured body as the format describes it, part by part."""
    segments = [data[at : at + segment] for at in range(0, len(data), segment)] or [b""]

    def total(content: bytes) -> bytes:
        return crc64_bytes(add_crc64(content)) if with_sums else b""

    parts = b"".join(
        number.to_bytes(2, "little") + len(content).to_bytes(8, "little") + content + total(content)
        for number, content in enumerate(segments, 1)
    )
    length = 13 + len(parts) + len(total(data))
    flags = 1 if with_sums else 0
    head = b"\x01" + length.to_bytes(8, "little") + flags.to_bytes(2, "little") + len(segments).to_bytes(2, "little")
    return head + parts + total(data)


def read(message: bytes, step: int = 1_000_000) -> bytes:
    reader = StructuredReader(len(message))
    content = [piece for at in range(0, len(message), step) for piece in reader.receive(message[at : at + step])]
    reader.close()
    return b"".join(content)


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


def upload(world: BlobWorld, where: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send content by the operation that is named."""
    if where == "blob":
        return world.put("box/blob", body, headers)
    if where == "block":
        return world.ask("PUT", "box/blob", f"comp=block&blockid={block_id('1')}", headers, body)
    if where == "append":
        world.put("box/log", b"", {"x-ms-blob-type": "AppendBlob"})
        return world.ask("PUT", "box/log", "comp=appendblock", headers, body)
    world.put("box/disk", b"", {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "1024"})
    return world.ask(
        "PUT", "box/disk", "comp=page", {"x-ms-page-write": "update", "range": "bytes=0-511", **headers}, body
    )


OPERATIONS = ("blob", "block", "append", "page")
PAGE = DATA[:512]


def test_the_sum_is_crc_64_nvme() -> None:
    assert add_crc64(b"123456789") == 0xAE8B14860A799888  # the check value of the algorithm's catalogue
    assert add_crc64(b"6789", add_crc64(b"12345")) == add_crc64(b"123456789")


@pytest.mark.parametrize("where", OPERATIONS)
def test_every_upload_is_answered_with_its_sum(world: BlobWorld, where: str) -> None:
    answer = upload(world, where, PAGE, {"x-ms-content-crc64": crc(PAGE)})
    assert answer.status == 201
    assert answer.headers["x-ms-content-crc64"] == crc(PAGE)


@pytest.mark.parametrize("where", OPERATIONS)
def test_a_body_that_is_not_the_promised_one_is_refused(world: BlobWorld, where: str) -> None:
    answer = upload(world, where, PAGE, {"x-ms-content-crc64": crc(b"other")})
    assert (answer.status, answer.code) == (400, "Crc64Mismatch")
    assert answer.xml.findtext("UserSpecifiedCrc") == crc(b"other")
    assert answer.xml.findtext("ServerCalculatedCrc") == crc(PAGE)
    answer = upload(world, where, PAGE, {"content-md5": md5(b"other")})
    assert (answer.status, answer.code) == (400, "Md5Mismatch")


@pytest.mark.parametrize(
    ("value", "code"),
    [("no base64", "InvalidHeaderValue"), ("AAAA", "InvalidHeaderValue"), ("A" * 16, "Crc64Mismatch")],
)
def test_sums_that_are_none(world: BlobWorld, value: str, code: str) -> None:
    answer = upload(world, "blob", DATA, {"x-ms-content-crc64": value})
    assert (answer.status, answer.code) == (400, code)


def test_two_kinds_of_sums_are_one_too_many(world: BlobWorld) -> None:
    sums = {"x-ms-content-crc64": crc(DATA), "content-md5": md5(DATA)}
    assert upload(world, "blob", DATA, sums).code == "BothCrc64AndMd5HeaderPresent"
    sums = {"x-ms-content-crc64": crc(DATA), "x-ms-blob-content-md5": md5(DATA)}
    assert upload(world, "blob", DATA, sums).code == "BothCrc64AndMsMd5HeaderPresent"


def test_block_lists_and_tags_have_sums_too(world: BlobWorld) -> None:
    wrong = {"x-ms-content-crc64": crc(b"")}
    world.stage("box/blob", "1", DATA)
    body = f"<BlockList><Latest>{block_id('1')}</Latest></BlockList>".encode()
    assert (
        world.ask("PUT", "box/blob", "comp=blocklist", {"x-ms-content-crc64": crc(b"")}, body).code == "Crc64Mismatch"
    )
    answer = world.ask("PUT", "box/blob", "comp=blocklist", {"x-ms-content-crc64": crc(body)}, body)
    assert answer.headers["x-ms-content-crc64"] == crc(body)
    body = b"<Tags><TagSet/></Tags>"
    assert world.ask("PUT", "box/blob", "comp=tags", wrong, body).code == "Crc64Mismatch"
    assert world.ask("PUT", "box/blob", "comp=tags", {"x-ms-content-crc64": crc(body)}, body).status == 204


def test_sources_have_sums(world: BlobWorld) -> None:
    world.put("box/source", DATA)
    source = {"x-ms-copy-source": "http://localhost:10000/devstoreaccount1/box/source"}
    block = f"comp=block&blockid={block_id('1')}"
    assert world.ask("PUT", "box/blob", block, source, b"").headers["x-ms-content-crc64"] == crc(DATA)
    wrong = {**source, "x-ms-source-content-crc64": crc(b"other")}
    assert world.ask("PUT", "box/blob", block, wrong, b"").code == "Crc64Mismatch"
    assert world.ask("PUT", "box/blob", "", {**wrong, "x-ms-blob-type": "BlockBlob"}, b"").code == "Crc64Mismatch"
    right = {**source, "x-ms-requires-sync": "true", "x-ms-source-content-crc64": crc(DATA)}
    assert world.ask("PUT", "box/blob", "", right, b"").headers["x-ms-content-crc64"] == crc(DATA)
    right = {**source, "x-ms-source-content-crc64": crc(DATA)}
    assert world.ask("PUT", "box/blob", block, right, b"").headers["x-ms-content-crc64"] == crc(DATA)
    answer = world.ask("PUT", "box/blob", "", {**right, "x-ms-blob-type": "BlockBlob"}, b"")
    assert answer.headers["x-ms-content-crc64"] == crc(DATA)


def test_downloads_tell_the_sum_of_a_range(world: BlobWorld) -> None:
    world.put("box/blob", DATA)
    asked = {"range": "bytes=5-99", "x-ms-range-get-content-crc64": "true"}
    answer = world.get("box/blob", asked)
    assert (answer.status, answer.headers["x-ms-content-crc64"]) == (206, crc(DATA[5:100]))
    assert "content-md5" not in answer.headers
    answer = world.get("box/blob", {**asked, "x-ms-range-get-content-md5": "true"})
    assert answer.code == "BothCrc64AndMd5RangeHeaderPresent"
    assert world.get("box/blob", {"x-ms-range-get-content-crc64": "true"}).code == "InvalidHeaderValue"


@pytest.mark.parametrize("where", OPERATIONS)
@pytest.mark.parametrize("with_sums", [True, False])
def test_structured_bodies_are_taken_apart(world: BlobWorld, where: str, with_sums: bool) -> None:
    headers = {"x-ms-structured-body": STRUCTURED_BODY, "x-ms-structured-content-length": "512"}
    answer = upload(world, where, structured(PAGE, 100, with_sums=with_sums), headers)
    assert answer.status == 201
    assert answer.headers["x-ms-structured-body"] == STRUCTURED_BODY
    assert answer.headers["x-ms-content-crc64"] == crc(PAGE)


def test_structured_content_is_what_the_blob_has(world: BlobWorld) -> None:
    headers = {"x-ms-structured-body": STRUCTURED_BODY, "x-ms-structured-content-length": "1000"}
    assert upload(world, "blob", structured(DATA), headers).status == 201
    assert world.get("box/blob").body == DATA


def damaged(at: int) -> bytes:
    message = bytearray(structured(DATA))
    message[at] ^= 1
    return bytes(message)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(damaged(0), "InvalidInput", id="version"),
        pytest.param(damaged(1), "InvalidInput", id="length"),
        pytest.param(damaged(10), "InvalidInput", id="flags"),
        pytest.param(damaged(11), "Crc64Mismatch", id="segments"),
        pytest.param(damaged(13), "InvalidInput", id="number of a segment"),
        pytest.param(damaged(22), "InvalidInput", id="length of a segment"),
        pytest.param(damaged(30), "Crc64Mismatch", id="content"),
        pytest.param(damaged(425), "Crc64Mismatch", id="sum of a segment"),
        pytest.param(damaged(-1), "Crc64Mismatch", id="sum of the whole"),
        pytest.param(structured(DATA)[:-1], "InvalidInput", id="cut off"),
        pytest.param(structured(DATA[:-1]), "InvalidHeaderValue", id="too short"),
        pytest.param(structured(DATA + b"x"), "InvalidHeaderValue", id="too long"),
    ],
)
def test_structured_bodies_that_are_none(world: BlobWorld, body: bytes, code: str) -> None:
    headers = {"x-ms-structured-body": STRUCTURED_BODY, "x-ms-structured-content-length": "1000"}
    answer = upload(world, "blob", body, headers)
    assert (answer.status, answer.code) == (400, code)
    assert world.get("box/blob").status == 404


def test_structured_heads_that_are_none(world: BlobWorld) -> None:
    kind = {"x-ms-structured-body": STRUCTURED_BODY}
    assert upload(world, "blob", structured(DATA), kind).code == "MissingRequiredHeader"
    other = {"x-ms-structured-body": "XSM/2.0", "x-ms-structured-content-length": "1000"}
    assert upload(world, "blob", structured(DATA), other).code == "InvalidHeaderValue"
    long = {**kind, "x-ms-structured-content-length": str(10**15)}
    assert upload(world, "blob", structured(DATA), long).code == "RequestBodyTooLarge"
    world.put("box/blob", DATA)
    assert world.get("box/blob", {"x-ms-structured-body": "XSM/2.0"}).code == "InvalidHeaderValue"


@pytest.mark.parametrize("size", [0, 1, 300_000, SEGMENT_BYTES, SEGMENT_BYTES + 5])
def test_structured_downloads(world: BlobWorld, size: int) -> None:
    data = (b"0123456789" * (size // 10 + 1))[:size]
    world.put("box/blob", data)
    answer = world.get("box/blob", {"x-ms-structured-body": STRUCTURED_BODY})
    assert answer.status == 200
    assert answer.headers["x-ms-structured-body"] == STRUCTURED_BODY
    assert answer.headers["x-ms-structured-content-length"] == str(size)
    assert answer.body == structured(data, SEGMENT_BYTES)
    assert len(answer.body) == structured_length(size)


def test_a_range_can_be_structured(world: BlobWorld) -> None:
    world.put("box/blob", DATA)
    answer = world.get("box/blob", {"range": "bytes=10-19", "x-ms-structured-body": STRUCTURED_BODY})
    assert (answer.status, answer.headers["content-range"]) == (206, "bytes 10-19/1000")
    assert read(answer.body) == DATA[10:20]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_structured_body_is_the_same_however_it_is_read(limit: int) -> None:
    source = StructuredSource(DATA)
    pieces = list(iter(lambda: source.read(limit), b""))
    source.close()
    assert all(len(piece) <= limit for piece in pieces)
    assert b"".join(pieces) == structured(DATA, SEGMENT_BYTES)
    assert source.length == structured_length(len(DATA))
