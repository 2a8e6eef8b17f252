"""Immutability policies and legal holds: what they keep blobs, versions and containers from; renaming containers."""

from __future__ import annotations

import pytest

from localzure.services.blob.engine.state import AccountFeatures
from tests.blob_world import BlobWorld
from tests.storage_world import ACCOUNT

UNTIL = {"x-ms-immutability-policy-until-date": "Fri, 01 Jan 2100 00:00:00 GMT"}
HOLD = {"x-ms-legal-hold": "true"}

PROTECTIONS = [(UNTIL, "BlobImmutableDueToPolicy"), (HOLD, "BlobImmutableDueToLegalHold")]

CHANGES = [
    ("PUT", "box/blob", "", {"x-ms-blob-type": "BlockBlob"}, b"other"),
    ("PUT", "box/blob", "comp=blocklist", {}, b"<BlockList/>"),
    ("PUT", "box/blob", "comp=metadata", {}, b""),
    ("PUT", "box/blob", "comp=properties", {}, b""),
    ("PUT", "box/log", "comp=appendblock", {}, b"more"),
    ("PUT", "box/disk", "comp=page", {"x-ms-page-write": "clear", "range": "bytes=0-511"}, b""),
    ("PUT", "box/disk", "comp=properties", {"x-ms-blob-content-length": "512"}, b""),
    ("DELETE", "box/blob", "", {}, None),
]


def protected(headers: dict[str, str], *, is_versioned: bool = False) -> BlobWorld:
    """Return a world whose blobs were written under a policy or a hold."""
    world = BlobWorld()
    world.features[ACCOUNT] = AccountFeatures(is_versioned=is_versioned)
    world.start()
    world.container()
    world.put("box/blob", b"content", headers)
    world.put("box/log", b"", {"x-ms-blob-type": "AppendBlob", **headers})
    world.put("box/disk", b"", {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "1024", **headers})
    return world


@pytest.mark.parametrize(
    ("headers", "code"), [(UNTIL, "BlobImmutableDueToPolicy"), (HOLD, "BlobImmutableDueToLegalHold")]
)
@pytest.mark.parametrize(("method", "path", "query", "more", "body"), CHANGES)
def test_a_protected_blob_stays_as_it_is(
    headers: dict[str, str], code: str, method: str, path: str, query: str, more: dict[str, str], body: bytes | None
) -> None:
    world = protected(headers)
    answer = world.ask(method, path, query, more, body)
    assert (answer.status, answer.code) == (409, code)
    assert world.get("box/blob").body == b"content"
    assert protected({}).ask(method, path, query, more, body).status < 300


def test_what_a_version_protects_may_be_replaced() -> None:
    world = protected(HOLD, is_versioned=True)
    version = world.ask("HEAD", "box/blob").headers["x-ms-version-id"]
    assert world.ask("PUT", "box/blob", "comp=metadata", {}, b"").status == 200
    assert world.ask("DELETE", "box/log").code == "BlobImmutableDueToLegalHold"
    assert world.put("box/blob", b"other").status == 201
    assert world.ask("DELETE", "box/blob").status == 202
    assert world.ask("DELETE", "box/blob", f"versionid={version}").code == "BlobImmutableDueToLegalHold"
    assert world.ask("GET", "box/blob", f"versionid={version}").body == b"content"
    assert world.ask("PUT", "box/log", "comp=appendblock", {}, b"more").code == "BlobImmutableDueToLegalHold"


@pytest.mark.parametrize(
    ("headers", "code"), [(UNTIL, "BlobImmutableDueToPolicy"), (HOLD, "BlobImmutableDueToLegalHold")]
)
def test_a_container_with_a_protected_blob_is_not_deleted(headers: dict[str, str], code: str) -> None:
    world = protected(headers)
    answer = world.ask("DELETE", "box", "restype=container")
    assert (answer.status, answer.code) == (409, code)
    assert world.get("box/blob").body == b"content"


def test_a_container_is_deleted_once_nothing_is_protected() -> None:
    world = protected({})
    assert world.ask("PUT", "box/blob", "comp=legalhold", HOLD, b"").status == 200
    assert world.ask("DELETE", "box", "restype=container").code == "BlobImmutableDueToLegalHold"
    assert world.ask("PUT", "box/blob", "comp=legalhold", {"x-ms-legal-hold": "false"}, b"").status == 200
    assert world.ask("PUT", "box/blob", "comp=immutabilityPolicies", UNTIL, b"").status == 200
    assert world.ask("DELETE", "box", "restype=container").code == "BlobImmutableDueToPolicy"
    assert world.ask("DELETE", "box/blob", "comp=immutabilityPolicies").status == 200
    assert world.ask("DELETE", "box", "restype=container").status == 202


@pytest.mark.parametrize("is_versioned", [True, False])
def test_containers_tell_whether_versions_can_be_protected(is_versioned: bool) -> None:
    world = protected({}, is_versioned=is_versioned)
    told = world.ask("HEAD", "box", "restype=container").headers["x-ms-immutable-storage-with-versioning-enabled"]
    assert told == ("true" if is_versioned else "false")
    assert world.ask("GET", "", "comp=list").xml.findtext(".//ImmutableStorageWithVersioningEnabled") == told


def test_versions_protect_their_container_too() -> None:
    world = protected(HOLD, is_versioned=True)
    for name in ("blob", "log", "disk"):
        assert world.put(f"box/{name}").status == 201
        assert world.ask("DELETE", f"box/{name}").status == 202
    assert world.ask("DELETE", "box", "restype=container").code == "BlobImmutableDueToLegalHold"


# --- renaming -----------------------------------------------------------------------------------------------------


def rename(world: BlobWorld, new: str, source: str | None, lease: str | None = None) -> tuple[int, str]:
    headers = {"x-ms-source-container-name": source, "x-ms-source-lease-id": lease}
    given = {name: value for name, value in headers.items() if value is not None}
    answer = world.ask("PUT", new, "restype=container&comp=rename", given, b"")
    return answer.status, answer.code


def test_a_container_takes_its_blobs_to_its_new_name() -> None:
    world = protected({})
    assert rename(world, "new", "box") == (200, "")
    assert world.get("new/blob").body == b"content"
    assert world.get("box/blob").code == "ContainerNotFound"
    world.container()
    assert world.get("box/blob").code == "BlobNotFound"


def test_a_new_name_is_free_and_the_old_one_is_not() -> None:
    world = protected({})
    world.container("other")
    assert rename(world, "other", "box") == (409, "ContainerAlreadyExists")
    assert rename(world, "new", "nobox") == (404, "ContainerNotFound")
    assert rename(world, "new", None) == (400, "MissingRequiredHeader")
    assert world.get("box/blob").body == b"content"


def test_renaming_needs_the_lease_of_the_source() -> None:
    world = protected({})
    lease = "11111111-2222-4333-8444-555555555555"
    acquire = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1", "x-ms-proposed-lease-id": lease}
    assert world.ask("PUT", "box", "restype=container&comp=lease", acquire, b"").status == 201
    assert rename(world, "new", "box") == (412, "LeaseIdMissing")
    assert rename(world, "new", "box", lease) == (200, "")
