"""The account's service, batches, tiers, expiry, holds, soft delete and versions."""

from __future__ import annotations

import base64
import hashlib

import pytest

from localzure.services.blob.engine.state import AccountFeatures
from localzure.services.interface import SECOND
from tests.blob_world import BlobWorld, sign
from tests.storage_world import ACCOUNT, Answer

HOUR = 3600 * SECOND
CORS = (
    "<StorageServiceProperties><Cors><CorsRule><AllowedOrigins>http://a.example</AllowedOrigins>"
    "<AllowedMethods>GET</AllowedMethods><AllowedHeaders /><ExposedHeaders>*</ExposedHeaders>"
    "<MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>"
)


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


def retain(world: BlobWorld, days: int = 7) -> None:
    body = f"<DeleteRetentionPolicy><Enabled>true</Enabled><Days>{days}</Days></DeleteRetentionPolicy>"
    body = f"<StorageServiceProperties>{body}</StorageServiceProperties>"
    assert world.ask("PUT", "", "restype=service&comp=properties", body=body.encode()).status == 202


def listed(world: BlobWorld, include: str) -> list[tuple[str | None, bool, bool, bool]]:
    """(name, whether deleted, whether a snapshot, whether the current version) of each line."""
    page = world.ask("GET", "box", f"restype=container&comp=list&include={include}").xml
    return [
        (
            blob.findtext("Name"),
            blob.find("Deleted") is not None,
            blob.find("Snapshot") is not None,
            blob.find("IsCurrentVersion") is not None,
        )
        for blob in page.iterfind("Blobs/Blob")
    ]


def test_properties(world: BlobWorld) -> None:
    query = "restype=service&comp=properties"
    assert world.ask("GET", "", query).xml.findtext("DeleteRetentionPolicy/Enabled") == "false"
    site = "<StaticWebsite><Enabled>true</Enabled><IndexDocument>i.html</IndexDocument></StaticWebsite>"
    version = "<DefaultServiceVersion>2020-02-10</DefaultServiceVersion>"
    body = f"<StorageServiceProperties>{site}{version}</StorageServiceProperties>"
    assert world.ask("PUT", "", query, body=body.encode()).status == 202
    retain(world)
    kept = world.ask("GET", "", query).xml
    assert kept.findtext("StaticWebsite/IndexDocument") == "i.html"
    assert kept.findtext("DefaultServiceVersion") == "2020-02-10"
    assert kept.findtext("DeleteRetentionPolicy/Days") == "7"


@pytest.mark.parametrize(
    "section",
    [
        "<DeleteRetentionPolicy><Enabled>true</Enabled></DeleteRetentionPolicy>",
        "<DeleteRetentionPolicy><Enabled>true</Enabled><Days>366</Days></DeleteRetentionPolicy>",
        "<DeleteRetentionPolicy><Enabled>yes</Enabled></DeleteRetentionPolicy>",
        "<StaticWebsite></StaticWebsite>",
        "<DefaultServiceVersion>new</DefaultServiceVersion>",
        "<Frogs />",
    ],
)
def test_properties_that_are_refused(world: BlobWorld, section: str) -> None:
    body = f"<StorageServiceProperties>{section}</StorageServiceProperties>".encode()
    assert world.ask("PUT", "", "restype=service&comp=properties", body=body).status == 400


def test_cors(world: BlobWorld) -> None:
    world.ask("PUT", "", "restype=service&comp=properties", body=CORS.encode())
    preflight = {"origin": "http://a.example", "access-control-request-method": "GET"}
    assert world.ask("OPTIONS", "box/one", headers=preflight).status == 200
    assert world.ask("OPTIONS", "box/one", headers={**preflight, "origin": "http://b.example"}).status == 403
    world.put("box/one")
    shared = world.get("box/one", {"origin": "http://a.example"})
    assert shared.headers["access-control-allow-origin"] == "http://a.example"
    missing = world.get("box/two", {"origin": "http://a.example"})
    assert missing.headers["access-control-allow-origin"] == "http://a.example"


def test_stats_and_account(world: BlobWorld) -> None:
    assert world.ask("GET", "", "restype=service&comp=stats").status == 400
    stats = world.ask("GET", "", "restype=service&comp=stats", account=f"{ACCOUNT}-secondary")
    assert stats.xml.findtext("GeoReplication/Status") == "live"
    for path in ("", "box", "box/none"):
        assert world.ask("GET", path, "restype=account&comp=properties").headers["x-ms-account-kind"] == "StorageV2"


def test_a_delegation_key_needs_a_token() -> None:
    world = BlobWorld("verify")
    body = b"<KeyInfo><Expiry>2026-01-02T00:00:00Z</Expiry></KeyInfo>"
    query = "restype=service&comp=userdelegationkey"
    request = world.describe("POST", "", query, {"content-length": str(len(body))})
    assert world.send(sign(request), [body]).status == 403


def batch(world: BlobWorld, *requests: str, query: str = "comp=batch", path: str = "") -> Answer:
    parts = "".join(
        f"--x\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n{request} HTTP/1.1\r\n"
        f"x-ms-access-tier: Cool\r\nContent-Length: 0\r\n\r\n\r\n"
        for number, request in enumerate(requests)
    )
    headers = {"content-type": "multipart/mixed; boundary=x"}
    return world.ask("POST", path, query, headers, f"{parts}--x--\r\n".encode())


def statuses(answer: Answer) -> list[int]:
    assert answer.status == 202, answer
    lines = answer.body.decode().split("\r\n")
    return [int(line.split(" ")[1]) for line in lines if line.startswith("HTTP/1.1 ")]


def test_batches(world: BlobWorld) -> None:
    world.put("box/one")
    world.put("box/two")
    root = f"/{ACCOUNT}"
    tiers = [f"PUT {root}/box/one?comp=tier", f"PUT {root}/box/none?comp=tier"]
    assert statuses(batch(world, *tiers)) == [200, 404]
    assert world.ask("HEAD", "box/one").headers["x-ms-access-tier"] == "Cool"
    deletes = [f"DELETE {root}/box/one", f"DELETE {root}/box/one", f"GET {root}/box/two", "DELETE /other/box/two"]
    assert statuses(batch(world, *deletes)) == [202, 404, 400, 400]
    within = batch(world, f"DELETE {root}/box/two", query="restype=container&comp=batch", path="box")
    assert statuses(within) == [202]
    assert batch(world, *[f"DELETE {root}/box/a"] * 257).code == "ExceedsMaxBatchRequestCount"
    assert batch(world).code == "InvalidInput"
    assert batch(world, "nonsense").code == "InvalidInput"


def test_batches_of_requests_that_are_signed_without_a_version() -> None:
    world = BlobWorld("verify")
    part = world.describe("DELETE", "box/none")
    del part.headers["x-ms-version"]
    head = "".join(f"{name}: {value}\r\n" for name, value in sign(part).headers.items())
    body = f"--x\r\nContent-Type: application/http\r\n\r\nDELETE {part.raw_path} HTTP/1.1\r\n{head}\r\n\r\n--x--\r\n"
    # The query is what @azure/storage-blob asks an account's batch with, where the account is in the path.
    headers = {"content-type": "multipart/mixed; boundary=x", "content-length": str(len(body))}
    request = world.describe("POST", "", "comp=batch&restype=container", headers)
    assert statuses(world.send(sign(request), [body.encode()])) == [404]


def test_tiers_and_rehydration(world: BlobWorld) -> None:
    world.put("box/one")
    assert world.ask("PUT", "box/one", "comp=tier", {"x-ms-access-tier": "Archive"}).status == 200
    assert world.get("box/one").code == "BlobArchived"
    assert world.ask("PUT", "box/one", "comp=tier", {"x-ms-access-tier": "hot"}).status == 202
    waiting = world.ask("HEAD", "box/one").headers
    assert waiting["x-ms-archive-status"] == "rehydrate-pending-to-hot"
    assert world.get("box/one").code == "BlobBeingRehydrated"
    world.clock.advance(15 * HOUR)
    assert world.get("box/one").status == 200
    assert world.ask("PUT", "box/one", "comp=tier", {"x-ms-access-tier": "P10"}).code == "InvalidBlobType"
    assert world.ask("PUT", "box/one", "comp=tier", {"x-ms-access-tier": "Warm"}).code == "InvalidHeaderValue"


def test_expiry(world: BlobWorld) -> None:
    world.put("box/one")
    later = {"x-ms-expiry-option": "RelativeToNow", "x-ms-expiry-time": "60000"}
    assert world.ask("PUT", "box/one", "comp=expiry", later).status == 200
    assert "x-ms-expiry-time" in world.ask("HEAD", "box/one").headers
    world.clock.advance(60 * SECOND)
    assert world.get("box/one").code == "BlobNotFound"
    assert listed(world, "") == []


def test_what_is_held_stays(world: BlobWorld) -> None:
    world.put("box/one")
    assert world.ask("PUT", "box/one", "comp=legalhold", {"x-ms-legal-hold": "true"}).status == 200
    assert world.put("box/one").code == "BlobImmutableDueToLegalHold"
    assert world.ask("DELETE", "box/one").code == "BlobImmutableDueToLegalHold"
    world.ask("PUT", "box/one", "comp=legalhold", {"x-ms-legal-hold": "false"})
    until = {"x-ms-immutability-policy-until-date": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert world.ask("PUT", "box/one", "comp=immutabilityPolicies", until).status == 200
    assert world.ask("DELETE", "box/one").code == "BlobImmutableDueToPolicy"
    assert world.ask("DELETE", "box/one", "comp=immutabilityPolicies").status == 200
    locked = until | {"x-ms-immutability-policy-mode": "Locked"}
    assert world.ask("PUT", "box/one", "comp=immutabilityPolicies", locked).status == 200
    assert world.ask("DELETE", "box/one", "comp=immutabilityPolicies").code == "BlobImmutableDueToPolicy"


def test_soft_delete(world: BlobWorld) -> None:
    retain(world)
    world.put("box/one", b"first")
    world.put("box/one", b"second")
    world.ask("PUT", "box/one", "comp=snapshot")
    gone = world.ask("DELETE", "box/one", headers={"x-ms-delete-snapshots": "include"})
    assert gone.headers["x-ms-delete-type-permanent"] == "false"
    assert listed(world, "snapshots") == []
    assert listed(world, "deleted") == [("one", True, False, False)]
    assert sorted(listed(world, "deleted,snapshots")) == sorted(
        [("one", True, True, False), ("one", True, True, False), ("one", True, False, False)]
    )
    assert world.ask("PUT", "box/one", "comp=undelete").status == 200
    assert world.get("box/one").body == b"second"
    assert listed(world, "snapshots,deleted") == [
        ("one", False, True, False),
        ("one", False, True, False),
        ("one", False, False, False),
    ]
    assert world.ask("PUT", "box/none", "comp=undelete").code == "BlobNotFound"


def test_what_is_deleted_stays_as_long_as_it_is_retained(world: BlobWorld) -> None:
    retain(world, days=1)
    world.put("box/one")
    world.ask("DELETE", "box/one")
    world.clock.advance(24 * HOUR)
    assert listed(world, "deleted") == []


def features(world: BlobWorld, **more: object) -> None:
    world.features[ACCOUNT] = AccountFeatures(**more)  # type: ignore[arg-type]  # the tests name what there is


def test_versions(world: BlobWorld) -> None:
    features(world, is_versioned=True)
    first = world.put("box/one", b"first").headers["x-ms-version-id"]
    second = world.put("box/one", b"second").headers["x-ms-version-id"]
    assert first < second
    assert world.get("box/one", query=f"versionid={first}").body == b"first"
    assert world.get("box/one", query=f"versionid={second}").body == b"second"
    third = world.ask("PUT", "box/one", "comp=metadata", {"x-ms-meta-a": "b"}).headers["x-ms-version-id"]
    assert listed(world, "versions") == [
        ("one", False, False, False),
        ("one", False, False, False),
        ("one", False, False, True),
    ]
    assert world.ask("DELETE", "box/one", f"versionid={third}").code == "OperationNotAllowedOnRootBlob"
    assert world.ask("DELETE", "box/one").status == 202
    assert world.get("box/one").code == "BlobNotFound"
    assert world.get("box/one", query=f"versionid={third}").body == b"second"
    for version in (first, second, third):
        assert world.ask("DELETE", "box/one", f"versionid={version}").status == 202
    assert listed(world, "versions") == []


def test_a_snapshot_makes_a_version(world: BlobWorld) -> None:
    features(world, is_versioned=True)
    first = world.put("box/one", b"x" * 9000).headers["x-ms-version-id"]
    taken = world.ask("PUT", "box/one", "comp=snapshot").headers
    assert world.ask("HEAD", "box/one").headers["x-ms-version-id"] == taken["x-ms-version-id"] > first
    for query in ("", f"versionid={first}", f"snapshot={taken['x-ms-snapshot']}"):
        assert world.get("box/one", query=query).body == b"x" * 9000
    world.ask("DELETE", "box/one", f"snapshot={taken['x-ms-snapshot']}")
    world.ask("DELETE", "box/one")
    for version in (first, taken["x-ms-version-id"]):
        assert world.ask("DELETE", "box/one", f"versionid={version}").status == 202
    world.sweep()
    assert not [key for key in world.stored_keys() if b"chunk" in key]


def test_deleted_containers_come_back(world: BlobWorld) -> None:
    features(world, container_retention_days=1)
    world.put("box/one")
    assert world.ask("DELETE", "box", "restype=container").status == 202
    assert world.get("box/one").code == "ContainerNotFound"
    gone = world.ask("GET", "", "comp=list&include=deleted").xml
    assert gone.findtext("Containers/Container/Deleted") == "true"
    headers = {
        "x-ms-deleted-container-name": "box",
        "x-ms-deleted-container-version": gone.findtext("Containers/Container/Version") or "",
    }
    assert world.ask("PUT", "again", "restype=container&comp=undelete", headers).status == 201
    assert world.get("again/one").status == 200
    assert world.ask("PUT", "more", "restype=container&comp=undelete", headers).code == "ContainerNotFound"


def test_a_customers_key_must_be_shown(world: BlobWorld) -> None:
    secret = b"0123456789abcdef" * 2
    key = {
        "x-ms-encryption-key": base64.b64encode(secret).decode(),
        "x-ms-encryption-key-sha256": base64.b64encode(hashlib.sha256(secret).digest()).decode(),
        "x-ms-encryption-algorithm": "AES256",
    }
    assert world.put("box/one", headers=key).headers["x-ms-encryption-key-sha256"] == key["x-ms-encryption-key-sha256"]
    assert world.get("box/one").code == "BlobUsesCustomerSpecifiedEncryption"
    assert world.get("box/one", key).status == 200
    assert world.put("box/one", headers={**key, "x-ms-encryption-key-sha256": "x"}).code == "InvalidHeaderValue"
    assert world.put("box/one", headers={**key, "x-ms-encryption-key": "x"}).code == "InvalidHeaderValue"
    assert world.put("box/one", headers={**key, "x-ms-encryption-algorithm": "ROT13"}).code == "InvalidHeaderValue"


def test_a_delete_may_ask_when_the_tier_was_set(world: BlobWorld) -> None:
    world.put("box/one", headers={"x-ms-access-tier": "Cool"})
    early, late = "Thu, 01 Jan 2015 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for name, date, status in (
        ("modified", late, 412),
        ("unmodified", early, 412),
        ("modified", "soon", 400),
        ("modified", early, 202),
    ):
        answer = world.ask("DELETE", "box/one", headers={f"x-ms-access-tier-if-{name}-since": date})
        assert answer.status == status


def test_the_features_of_an_account_decide_what_its_properties_do_not(world: BlobWorld) -> None:
    features(
        world, blob_retention_days=2, default_version="2020-10-02", has_immutable_storage=False, kind="BlobStorage"
    )
    properties = world.ask("GET", "", "restype=service&comp=properties").xml
    assert properties.findtext("DeleteRetentionPolicy/Days") == "2"
    assert properties.findtext("DefaultServiceVersion") == "2020-10-02"
    world.put("box/one")
    assert world.ask("DELETE", "box/one").headers["x-ms-delete-type-permanent"] == "false"
    retain(world, days=1)
    assert world.ask("GET", "", "restype=service&comp=properties").xml.findtext("DeleteRetentionPolicy/Days") == "1"
    world.put("box/one")
    assert world.ask("PUT", "box/one", "comp=legalhold", {"x-ms-legal-hold": "true"}).code == "InvalidOperation"
    pages = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "512"}
    assert world.ask("PUT", "box/pages", headers=pages).code == "BlobTypeNotSupported"


def test_a_request_without_a_version_is_of_the_default_one(world: BlobWorld) -> None:
    features(world, default_version="2020-10-02")
    request = world.describe("HEAD", "box", "restype=container")
    del request.headers["x-ms-version"]
    assert world.send(request).headers["x-ms-version"] == "2020-10-02"
    set_default = b"<StorageServiceProperties><DefaultServiceVersion>2021-12-02</DefaultServiceVersion>"
    body = set_default + b"</StorageServiceProperties>"
    assert world.ask("PUT", "", "restype=service&comp=properties", body=body).status == 202
    request = world.describe("HEAD", "box", "restype=container")
    del request.headers["x-ms-version"]
    assert world.send(request).headers["x-ms-version"] == "2021-12-02"
