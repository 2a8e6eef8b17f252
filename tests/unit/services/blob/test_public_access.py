"""What anonymous callers may do, by the container's public access; and signed requests through the whole service."""

from __future__ import annotations

import pytest

from localzure.services.blob.operations import OPERATIONS, Operation
from tests.blob_world import BlobWorld, sign
from tests.storage_world import KEY, OTHER_KEY, Answer

READS = [row for row in OPERATIONS if row.public is not None]


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld("verify")
    for name, access in (("private", ""), ("blobs", "blob"), ("open", "container")):
        headers = {"x-ms-blob-public-access": access} if access else {}
        assert world.send(sign(world.describe("PUT", name, "restype=container", headers))).status == 201
        upload = world.describe("PUT", f"{name}/a", "", {"x-ms-blob-type": "BlockBlob", "content-length": "3"})
        assert world.send(sign(upload), [b"abc"]).status == 201
        kind = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "512", "content-length": "0"}
        assert world.send(sign(world.describe("PUT", f"{name}/pages", "", kind))).status == 201
        taken = world.send(sign(world.describe("PUT", f"{name}/pages", "comp=snapshot", {"content-length": "0"})))
        world.snapshots[name] = taken.headers["x-ms-snapshot"]
    return world


def ask(world: BlobWorld, row: Operation, container: str) -> Answer:
    blob = "pages" if row.name.startswith("PageBlob") else "a"
    path = f"{container}/{blob}" if row.resource == "blob" else container
    query = "&".join(f"{name}={value}" for name, value in (("restype", row.restype), ("comp", row.comp)) if value)
    snapshot = world.snapshots.get(container, "2026-01-01T00:00:00Z")
    query += "".join(f"&{has.name}={snapshot if blob == 'pages' else 'x'}" for has in row.when if has.is_parameter)
    headers = {has.name: f"http://x/y?snapshot={snapshot}" for has in row.when if not has.is_parameter}
    return world.ask(row.method, path, query, headers)


@pytest.mark.parametrize("row", READS, ids=lambda row: row.name)
def test_reads(world: BlobWorld, row: Operation) -> None:
    assert ask(world, row, "open").status == 200
    assert ask(world, row, "blobs").status == (200 if row.public == "blob" else 401)
    for container in ("private", "nobox"):
        refused = ask(world, row, container)
        assert (refused.status, refused.code) == (401, "NoAuthenticationInformation")
        assert refused.headers["www-authenticate"].startswith("Bearer ")


def test_older_versions_are_told_that_there_is_nothing(world: BlobWorld) -> None:
    refused = world.get("private/a", {"x-ms-version": "2018-03-28"})
    assert (refused.status, refused.code) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("method", "path", "query", "headers"),
    [
        ("PUT", "open/a", "", {"x-ms-blob-type": "BlockBlob", "content-length": "0"}),
        ("DELETE", "open/a", "", {}),
        ("PUT", "open/a", "comp=metadata", {}),
        ("PUT", "open", "restype=container&comp=metadata", {}),
        ("DELETE", "open", "restype=container", {}),
        ("PUT", "new", "restype=container", {}),
        ("GET", "", "comp=list", {}),
        ("GET", "open", "restype=container&comp=acl", {}),
        ("GET", "open/a", "comp=blocklist&blocklisttype=all", {}),
        ("GET", "open/a", "comp=blocklist&blocklisttype=uncommitted", {}),
    ],
)
def test_nothing_else(world: BlobWorld, method: str, path: str, query: str, headers: dict[str, str]) -> None:
    before = world.stored_keys()
    assert world.ask(method, path, query, headers).status == 401
    assert world.stored_keys() == before


def test_a_signed_request_is_the_owners(world: BlobWorld) -> None:
    for container in ("private", "blobs", "open"):
        assert world.send(sign(world.describe("GET", f"{container}/a"))).body == b"abc"


@pytest.mark.parametrize("path", ["a%20b", "a%2Fb", "a+b", "%C3%BC", "a%2520b", "a//b", "a~b!$&'()*,;=:@"])
def test_signatures_cover_the_path_as_sent(world: BlobWorld, path: str) -> None:
    upload = world.describe("PUT", f"private/{path}", "", {"x-ms-blob-type": "BlockBlob", "content-length": "3"})
    assert world.send(sign(upload), [b"xyz"]).status == 201
    assert world.send(sign(world.describe("GET", f"private/{path}"))).body == b"xyz"


def test_a_wrong_key_is_refused_with_azures_body(world: BlobWorld) -> None:
    answer = world.send(sign(world.describe("GET", "private/a", "timeout=5"), OTHER_KEY))
    assert (answer.status, answer.code) == (403, "AuthenticationFailed")
    detail = answer.xml.findtext("AuthenticationErrorDetail") or ""
    assert "GET\n\n\n" in detail
    assert "/devstoreaccount1/devstoreaccount1/private/a\ntimeout:5" in detail
    assert KEY not in answer.body.decode()


def test_the_second_key_and_the_other_account(world: BlobWorld) -> None:
    asked = sign(world.describe("GET", "", "comp=list", account="other"), OTHER_KEY, "other")
    assert world.send(asked).status == 200
    asked = sign(world.describe("GET", "", "comp=list", account="other"), "c2Vjb25k", "other")
    assert world.send(asked).status == 200


def test_a_request_for_the_secondary_is_signed_with_its_path(world: BlobWorld) -> None:
    assert world.send(sign(world.describe("GET", "private/a", account="devstoreaccount1-secondary"))).body == b"abc"


def test_an_authentication_error_comes_before_what_is_wrong_with_the_request(world: BlobWorld) -> None:
    bad = sign(world.describe("GET", "BAD NAME", "comp=frogs"), OTHER_KEY)
    assert world.send(bad).code == "AuthenticationFailed"
