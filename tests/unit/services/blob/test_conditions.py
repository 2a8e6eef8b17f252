"""Conditional headers on every operation that takes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.blob_world import BlobWorld
from tests.storage_world import Answer

BEFORE = "Wed, 31 Dec 2025 23:59:59 GMT"
NOW = "Thu, 01 Jan 2026 00:00:00 GMT"
AFTER = "Thu, 01 Jan 2026 00:00:01 GMT"
OTHER = '"0x8D0000000000000"'

Operation = Callable[[BlobWorld, dict[str, str]], Answer]

READS: dict[str, Operation] = {
    "get": lambda world, headers: world.get("box/a", headers),
    "head": lambda world, headers: world.ask("HEAD", "box/a", headers=headers),
    "metadata": lambda world, headers: world.ask("GET", "box/a", "comp=metadata", headers),
}

WRITES: dict[str, Operation] = {
    "put": lambda world, headers: world.put("box/a", b"after", headers),
    "commit": lambda world, headers: world.commit("box/a", headers=headers),
    "set metadata": lambda world, headers: world.ask("PUT", "box/a", "comp=metadata", headers),
    "set properties": lambda world, headers: world.ask("PUT", "box/a", "comp=properties", headers),
    "delete": lambda world, headers: world.ask("DELETE", "box/a", headers=headers),
}


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    world.put("box/a", b"before")
    world.clock.advance(0.5)
    return world


def tag(world: BlobWorld) -> str:
    return world.get("box/a").headers["etag"]


def with_tag(headers: dict[str, str], own: str) -> dict[str, str]:
    return {name: value.replace("OWN", own) for name, value in headers.items()}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": "OWN"}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f"{OTHER}, OWN"}, 200),
        ({"if-match": OTHER}, 412),
        ({"if-none-match": "OWN"}, 304),
        ({"if-none-match": f"{OTHER},OWN"}, 304),
        ({"if-none-match": OTHER}, 200),
        ({"if-none-match": "*"}, 400),
        ({"if-modified-since": BEFORE}, 200),
        ({"if-modified-since": NOW}, 304),
        ({"if-modified-since": AFTER}, 304),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": NOW}, 200),
        ({"if-unmodified-since": AFTER}, 200),
        # If-Match && If-Unmodified-Since && (If-None-Match || If-Modified-Since)
        ({"if-none-match": "OWN", "if-modified-since": BEFORE}, 200),
        ({"if-none-match": OTHER, "if-modified-since": AFTER}, 200),
        ({"if-none-match": "OWN", "if-modified-since": AFTER}, 304),
        ({"if-match": "OWN", "if-unmodified-since": BEFORE}, 412),
        ({"if-match": OTHER, "if-none-match": "OWN"}, 412),
        ({"if-match": "OWN", "if-modified-since": AFTER}, 304),
    ],
    ids=str,
)
def test_reads(world: BlobWorld, read: Operation, headers: dict[str, str], status: int) -> None:
    answer = read(world, with_tag(headers, tag(world)))
    assert answer.status == status
    if status in {304, 412}:
        assert answer.code == "ConditionNotMet"
    if status == 304:
        assert answer.body == b""


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("headers", "is_met"),
    [
        ({"if-match": "OWN"}, True),
        ({"if-match": "*"}, True),
        ({"if-match": OTHER}, False),
        ({"if-none-match": OTHER}, True),
        ({"if-none-match": "OWN"}, False),
        ({"if-modified-since": BEFORE}, True),
        ({"if-modified-since": NOW}, False),
        ({"if-unmodified-since": NOW}, True),
        ({"if-unmodified-since": BEFORE}, False),
        # Of a pair, the tag decides.
        ({"if-match": "OWN", "if-unmodified-since": BEFORE}, True),
        ({"if-match": OTHER, "if-unmodified-since": AFTER}, False),
        ({"if-none-match": OTHER, "if-modified-since": AFTER}, True),
        ({"if-none-match": "OWN", "if-modified-since": BEFORE}, False),
    ],
    ids=str,
)
def test_writes(world: BlobWorld, write: Operation, headers: dict[str, str], is_met: bool) -> None:
    answer = write(world, with_tag(headers, tag(world)))
    if is_met:
        assert answer.status in {200, 201, 202}
    else:
        assert (answer.status, answer.code) == (412, "ConditionNotMet")
        assert world.get("box/a").body == b"before"


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"if-match": "OWN", "if-none-match": OTHER},
        {"if-match": "OWN", "if-modified-since": BEFORE},
        {"if-none-match": OTHER, "if-unmodified-since": AFTER},
        {"if-modified-since": BEFORE, "if-unmodified-since": AFTER},
        {"if-match": f"OWN,{OTHER}"},
        {"if-none-match": f"{OTHER},{OTHER}"},
    ],
    ids=str,
)
def test_writes_take_few_combinations(world: BlobWorld, write: Operation, headers: dict[str, str]) -> None:
    answer = write(world, with_tag(headers, tag(world)))
    assert (answer.status, answer.code) == (400, "MultipleConditionHeadersNotSupported")


@pytest.mark.parametrize("operation", [*READS.values(), *WRITES.values()], ids=[*READS, *WRITES])
@pytest.mark.parametrize("header", ["if-modified-since", "if-unmodified-since"])
def test_times_of_another_form_are_refused(world: BlobWorld, operation: Operation, header: str) -> None:
    answer = operation(world, {header: "yesterday"})
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")


@pytest.mark.parametrize("upload", ["put", "commit"])
def test_only_where_there_is_none(world: BlobWorld, upload: str) -> None:
    only_new = {"if-none-match": "*"}
    answer = WRITES[upload](world, only_new)
    assert (answer.status, answer.code) == (409, "BlobAlreadyExists")
    world.ask("DELETE", "box/a")
    assert WRITES[upload](world, only_new).status == 201


@pytest.mark.parametrize("upload", ["put", "commit"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": OTHER}, 412),
        ({"if-match": "*"}, 412),
        ({"if-none-match": OTHER}, 201),
        ({"if-modified-since": AFTER}, 201),
        ({"if-unmodified-since": BEFORE}, 201),
    ],
    ids=str,
)
def test_uploads_of_what_is_not_there(world: BlobWorld, upload: str, headers: dict[str, str], status: int) -> None:
    world.ask("DELETE", "box/a")
    assert WRITES[upload](world, headers).status == status


def test_reads_of_what_is_not_there(world: BlobWorld) -> None:
    assert world.get("box/none", {"if-match": "*"}).status == 412
    assert world.get("box/none", {"if-none-match": OTHER}).status == 404


@pytest.mark.parametrize("text", ["OWN", "BARE", "W/OWN", " OWN "])
def test_tags_may_be_written_in_several_ways(world: BlobWorld, text: str) -> None:
    own = tag(world)
    written = text.replace("OWN", own).replace("BARE", own.strip('"'))
    assert world.get("box/a", {"if-none-match": written}).status == 304


def test_an_operation_without_conditions_refuses_them(world: BlobWorld) -> None:
    for answer in (
        world.stage("box/a", "1", b"x", {"if-match": "*"}),
        world.ask("GET", "box", "restype=container&comp=list", {"if-none-match": "*"}),
        world.ask("PUT", "new", "restype=container", {"if-none-match": "*"}),
    ):
        assert (answer.status, answer.code) == (400, "ConditionHeadersNotSupported")
