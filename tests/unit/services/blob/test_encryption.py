"""Customers' keys and encryption scopes: which requests must bear them, and which need not."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from azure.storage.blob import generate_blob_sas

from localzure.config.settings import AuthLevel
from localzure.services.blob.engine.encryption import ACCOUNT_SCOPE
from tests.blob_world import BlobWorld, block_id
from tests.storage_world import ACCOUNT
from tests.storage_world import KEY as KEY_OF_ACCOUNT

COPY = "http://localhost:10000/devstoreaccount1/box/"


def key_headers(secret: bytes, prefix: str = "x-ms-encryption-") -> dict[str, str]:
    return {
        f"{prefix}key": base64.b64encode(secret).decode(),
        f"{prefix}key-sha256": base64.b64encode(hashlib.sha256(secret).digest()).decode(),
        f"{prefix}algorithm": "AES256",
    }


NONE: dict[str, str] = {}
KEY, OTHER_KEY = key_headers(b"k" * 32), key_headers(b"o" * 32)
SCOPE, OTHER_SCOPE = {"x-ms-encryption-scope": "one"}, {"x-ms-encryption-scope": "two"}

APPEND = {"x-ms-blob-type": "AppendBlob"}
PAGE = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "1024"}
LIST = f"<BlockList><Latest>{block_id('1')}</Latest></BlockList>".encode()

CHANGES = [
    ("box/blob", "comp=metadata", NONE, b""),
    ("box/blob", "comp=snapshot", NONE, b""),
    ("box/log", "comp=appendblock", NONE, b"more"),
    ("box/disk", "comp=page", {"x-ms-page-write": "update", "range": "bytes=0-511"}, bytes(512)),
    ("box/disk", "comp=page", {"x-ms-page-write": "clear", "range": "bytes=0-511"}, b""),
    ("box/disk", "comp=properties", {"x-ms-blob-content-length": "2048"}, b""),
]
"""What adds to a blob or changes its metadata."""

OTHERS = [
    ("PUT", "box/blob", "comp=properties", {"x-ms-blob-content-type": "text/plain"}),
    ("PUT", "box/blob", "comp=tier", {"x-ms-access-tier": "Cool"}),
    ("PUT", "box/disk", "comp=properties", {"x-ms-sequence-number-action": "increment"}),
    ("GET", "box/disk", "comp=pagelist", NONE),
    ("PUT", "box/log", "comp=seal", NONE),
    ("PUT", "box/blob", "", {"x-ms-blob-type": "BlockBlob"}),
    ("DELETE", "box/disk", "", NONE),
]
"""What needs neither a key nor a scope."""


def filled(headers: dict[str, str], container: dict[str, str] = NONE) -> BlobWorld:
    world = BlobWorld()
    assert world.ask("PUT", "box", "restype=container", container, b"").status == 201
    assert world.put("box/blob", b"content", headers).status == 201
    assert world.put("box/log", b"", {**APPEND, **headers}).status == 201
    assert world.put("box/disk", b"", {**PAGE, **headers}).status == 201
    return world


@pytest.mark.parametrize(("given", "other"), [(KEY, OTHER_KEY), (SCOPE, OTHER_SCOPE)])
@pytest.mark.parametrize(("path", "query", "headers", "body"), CHANGES)
def test_changes_bear_what_the_blob_was_written_with(
    given: dict[str, str], other: dict[str, str], path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    world = filled(given)
    assert world.ask("PUT", path, query, headers, body).code == "BlobUsesCustomerSpecifiedEncryption"
    wrong = world.ask("PUT", path, query, {**headers, **other}, body)
    assert (wrong.status, wrong.code) == (409, "BlobCustomerSpecifiedEncryptionMismatch")
    assert world.ask("PUT", path, query, {**headers, **given}, body).status in {200, 201}
    plain = filled(NONE).ask("PUT", path, query, {**headers, **given}, body)
    assert (plain.status, plain.code) == (409, "BlobDoesNotUseCustomerSpecifiedEncryption")


@pytest.mark.parametrize("given", [KEY, SCOPE])
@pytest.mark.parametrize(("method", "path", "query", "headers"), OTHERS)
def test_the_rest_needs_neither(
    given: dict[str, str], method: str, path: str, query: str, headers: dict[str, str]
) -> None:
    body = None if method == "GET" else b""
    assert filled(given).ask(method, path, query, headers, body).status < 300


def test_reading_needs_the_key_and_no_scope() -> None:
    world = filled(KEY)
    assert world.get("box/blob").code == "BlobUsesCustomerSpecifiedEncryption"
    assert world.get("box/blob", OTHER_KEY).code == "BlobCustomerSpecifiedEncryptionMismatch"
    assert world.get("box/blob", KEY).body == b"content"
    answer = filled(SCOPE).get("box/blob")
    assert (answer.body, answer.headers["x-ms-encryption-scope"]) == (b"content", "one")


@pytest.mark.parametrize(("given", "other"), [(KEY, OTHER_KEY), (SCOPE, OTHER_SCOPE)])
def test_blocks_of_one_blob_go_together(given: dict[str, str], other: dict[str, str]) -> None:
    world = filled(NONE)
    stage = f"comp=block&blockid={block_id('1')}"
    answer = world.ask("PUT", "box/new", stage, given, b"block")
    assert (
        answer.headers.items()
        >= {name: value for name, value in given.items() if "sha256" in name or "scope" in name}.items()
    )
    for headers, code in (
        (NONE, "BlobUsesCustomerSpecifiedEncryption"),
        (other, "BlobCustomerSpecifiedEncryptionMismatch"),
    ):
        assert world.ask("PUT", "box/new", stage, headers, b"block").code == code
        assert world.ask("PUT", "box/new", "comp=blocklist", headers, LIST).code == code
    assert world.ask("PUT", "box/new", "comp=blocklist", given, LIST).status == 201
    assert world.get("box/new", given if "x-ms-encryption-key" in given else {}).body == b"block"


def test_a_copy_needs_the_key_of_its_source() -> None:
    world = filled(KEY)
    source = {"x-ms-copy-source": f"{COPY}blob"}
    assert world.ask("PUT", "box/copy", "", source, b"").code == "BlobUsesCustomerSpecifiedEncryption"
    again = {**source, "x-ms-blob-type": "BlockBlob", **OTHER_KEY, **key_headers(b"k" * 32, "x-ms-source-encryption-")}
    assert world.ask("PUT", "box/copy", "", again, b"").status == 201
    assert world.get("box/copy", OTHER_KEY).body == b"content"


def test_the_scope_of_a_container_is_that_of_its_blobs() -> None:
    world = filled(NONE, {"x-ms-default-encryption-scope": "one", "x-ms-deny-encryption-scope-override": "false"})
    assert world.get("box/blob").headers["x-ms-encryption-scope"] == "one"
    assert world.put("box/other", headers=OTHER_SCOPE).headers["x-ms-encryption-scope"] == "two"
    assert world.ask("PUT", "box/blob", "comp=metadata", {}, b"").status == 200
    assert world.put("box/key", headers=KEY).status == 201
    assert "x-ms-encryption-scope" not in world.get("box/key", KEY).headers


def test_a_container_may_insist_on_its_scope() -> None:
    world = filled(SCOPE, {"x-ms-default-encryption-scope": "one", "x-ms-deny-encryption-scope-override": "true"})
    refused = world.put("box/other", headers=OTHER_SCOPE)
    assert (refused.status, refused.code) == (403, "RequestForbiddenByContainerEncryptionPolicy")
    staged = world.ask("PUT", "box/other", f"comp=block&blockid={block_id('1')}", OTHER_SCOPE, b"block")
    assert staged.code == "RequestForbiddenByContainerEncryptionPolicy"
    assert world.put("box/other").headers["x-ms-encryption-scope"] == "one"


def test_the_scope_of_the_account_is_none() -> None:
    world = filled(NONE, {"x-ms-default-encryption-scope": ACCOUNT_SCOPE})
    assert "x-ms-encryption-scope" not in world.get("box/blob").headers


def asking(level: AuthLevel) -> BlobWorld:
    """A world that was filled before it asked for anything."""
    world = filled(NONE)
    world.level = level
    world.start()
    return world


def signature(**given: Any) -> str:
    token = generate_blob_sas(
        ACCOUNT, "box", "blob", account_key=KEY_OF_ACCOUNT, permission="rw", expiry="2999-01-01T00:00:00Z", **given
    )
    return str(token)


@pytest.mark.parametrize("level", ["any", "verify"])
def test_a_signature_writes_within_its_scope(level: AuthLevel) -> None:
    world = asking(level)
    token = signature(encryption_scope="one")
    block = {"x-ms-blob-type": "BlockBlob"}
    answer = world.send(world.describe("PUT", "box/blob", token, {**block, "content-length": "0"}), [])
    assert (answer.status, answer.headers["x-ms-encryption-scope"]) == (201, "one")
    other = world.send(world.describe("PUT", "box/blob", token, {**block, **OTHER_SCOPE, "content-length": "0"}), [])
    assert (other.status, other.code) == (400, "InvalidHeaderValue")
    assert world.send(world.describe("GET", "box/blob", token, {}), []).status == 200


@pytest.mark.parametrize("level", ["any", "verify"])
def test_a_signature_gives_headers_to_replies(level: AuthLevel) -> None:
    world = asking(level)
    answer = world.send(world.describe("GET", "box/blob", signature(cache_control="no-store"), {}), [])
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
