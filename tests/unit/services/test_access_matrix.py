"""Every operation with every permission and kind of signature: what the operations tables say, the services do."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import generate_table_sas
from azure.storage.blob import (
    ResourceTypes,
    UserDelegationKey,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from azure.storage.queue import generate_queue_sas

from localzure.auth import delegation
from localzure.auth.accounts import SigningKey
from localzure.gateway.address import resolve
from localzure.services.blob.operations import OPERATIONS as BLOB_OPERATIONS
from localzure.services.blob.operations import Operation as BlobOperation
from localzure.services.interface import Address, HttpRequest, ServiceError
from localzure.services.queue.operations import OPERATIONS as QUEUE_OPERATIONS
from localzure.services.queue.operations import Operation as QueueOperation
from localzure.services.storage_rest.errors import describe
from localzure.services.table.operations import OPERATIONS as TABLE_OPERATIONS
from localzure.services.table.operations import Operation as TableOperation
from tests import storage_world
from tests.blob_world import BlobWorld
from tests.queue_world import QueueWorld
from tests.table_world import TableWorld

ACCOUNT, KEY = storage_world.ACCOUNT, storage_world.KEY
EXPIRY = datetime(2026, 1, 2, tzinfo=UTC)
LETTERS = "rwdxylatcupftiemo"
ANY_LETTER = "rwdlacup"
"""How the table of the Blob service writes that every signature will do."""

DENIED = {"AuthorizationFailure", "AuthorizationPermissionMismatch", "AuthorizationResourceTypeMismatch"}
TYPES = {"service": "s", "container": "c", "blob": "o", "queue": "c", "messages": "o", "message": "o"}

World = BlobWorld | QueueWorld | TableWorld


def account_sas(letters: str, types: str = "sco") -> str:
    every = ResourceTypes.from_string(types)  # type: ignore[no-untyped-call]  # the SDK's own
    permission: Any = letters
    services: Any = "bqt"
    return str(generate_account_sas(ACCOUNT, KEY, every, permission, EXPIRY, services=services))


def delegation_key() -> Any:
    info = delegation.KeyInfo("oid", "tid", "2025-12-31T00:00:00Z", "2026-01-05T00:00:00Z", "b", "2026-10-06")
    key = UserDelegationKey()  # type: ignore[no-untyped-call]  # the SDK's own
    key.signed_oid, key.signed_tid, key.signed_start, key.signed_expiry = info.oid, info.tid, info.start, info.expiry
    key.signed_service, key.signed_version = info.service, info.version
    secret = SigningKey(base64.b64decode(KEY))
    key.value = base64.b64encode(delegation.derive(secret, ACCOUNT, info)).decode()
    return key


def outcome(world: World, request: HttpRequest, path: str) -> str:
    """The code with which a request is refused for what its signature lacks; empty where it is let in."""
    address = Address(ACCOUNT, secondary=False, path=path, base_url=f"http://h/{ACCOUNT}")
    try:
        world.service.accept(request, address).abandon()
    except ServiceError as error:
        code = describe(error).code
        assert code not in {"AuthenticationFailed", "AuthorizationServiceMismatch", "InvalidAuthenticationInfo"}
        return code if code in DENIED else ""
    return ""


# --- Blob ---------------------------------------------------------------------------------------------------------


def blob_request(world: BlobWorld, operation: BlobOperation, token: str) -> tuple[HttpRequest, str]:
    path = {"service": "", "container": "box", "blob": "box/blob"}[operation.resource]
    query = [f"{name}={value}" for name, value in (("restype", operation.restype), ("comp", operation.comp)) if value]
    headers = {}
    for has in operation.when:
        if has.is_parameter:
            query.append(f"{has.name}={has.value or '/'}")
        else:
            headers[has.name] = has.value or "http://127.0.0.1:10000/devstoreaccount1/box/other"
    return world.describe(operation.method, path, "&".join([*query, token]), headers), path


def blob_letters(operation: BlobOperation, kind: str) -> str | None:
    """The letters of which one lets a caller do the operation; None where no letter does."""
    is_open = operation.permission == ANY_LETTER
    letters = LETTERS if is_open else operation.permission + "d" * operation.name.endswith("BreakLease")
    if kind == "account" or operation.resource == "blob":
        return letters or None
    if operation.resource == "service":
        return None
    return letters if is_open or operation.permission in {"l", "f"} else None


@pytest.fixture(scope="module")
def blobs() -> BlobWorld:
    return BlobWorld("verify")


BLOB_KINDS: dict[str, Callable[[str], str]] = {
    "account": account_sas,
    "container": lambda letters: generate_container_sas(
        ACCOUNT, "box", account_key=KEY, permission=letters, expiry=EXPIRY
    ),
    "blob": lambda letters: generate_blob_sas(
        ACCOUNT, "box", "blob", account_key=KEY, permission=letters, expiry=EXPIRY
    ),
    "delegation": lambda letters: generate_container_sas(
        ACCOUNT, "box", user_delegation_key=delegation_key(), permission=letters, expiry=EXPIRY
    ),
}
BLOB_TOKENS = {kind: {letter: make(letter) for letter in LETTERS} for kind, make in BLOB_KINDS.items()}


@pytest.mark.parametrize("kind", BLOB_KINDS)
@pytest.mark.parametrize("operation", BLOB_OPERATIONS, ids=lambda operation: operation.name)
def test_blob_operations(blobs: BlobWorld, operation: BlobOperation, kind: str) -> None:
    if kind in {"container", "blob", "delegation"} and operation.resource == "service":
        return  # such a signature names no service: it fails before anything is allowed, as the next test shows
    if kind == "blob" and operation.resource == "container":
        return  # and one of a blob names no container
    letters = blob_letters(operation, kind)
    for letter, token in BLOB_TOKENS[kind].items():
        request, path = blob_request(blobs, operation, token)
        expected = "AuthorizationFailure" if letters is None else "AuthorizationPermissionMismatch"
        found = outcome(blobs, request, path)
        assert found == ("" if letters and letter in letters else expected), (operation.name, letter)


def test_signatures_of_less_reach_no_more(blobs: BlobWorld) -> None:
    for operation in BLOB_OPERATIONS:
        kinds = {"service": ("container", "blob"), "container": ("blob",), "blob": ()}[operation.resource]
        for kind in kinds:
            request, _ = blob_request(blobs, operation, BLOB_TOKENS[kind]["r"])
            with pytest.raises(ServiceError) as caught:
                blobs.service.accept(request, resolve("blob", request)[1])
            assert describe(caught.value).code == "AuthenticationFailed"


@pytest.mark.parametrize("operation", BLOB_OPERATIONS, ids=lambda operation: operation.name)
def test_blob_resource_types(blobs: BlobWorld, operation: BlobOperation) -> None:
    if operation.permission == ANY_LETTER:
        return  # any signature will do
    letters = blob_letters(operation, "account") or "r"
    for kind in "sco":
        request, path = blob_request(blobs, operation, account_sas(letters, kind))
        found = outcome(blobs, request, path)
        if kind != TYPES[operation.resource]:
            assert found == "AuthorizationResourceTypeMismatch"
        else:
            assert found == ("" if operation.permission else "AuthorizationFailure")


@pytest.mark.parametrize(
    ("query", "letter"), [("versionid=2026-01-01T00:00:00.0000000Z", "x"), ("deletetype=permanent", "y"), ("", "d")]
)
def test_what_is_deleted_decides_the_permission(blobs: BlobWorld, query: str, letter: str) -> None:
    for given in "dxy":
        request = blobs.describe("DELETE", "box/blob", f"{query}&{account_sas(given)}")
        assert (outcome(blobs, request, "box/blob") == "") is (given == letter)


@pytest.mark.parametrize("header", ["x-ms-tags", "x-ms-if-tags"])
def test_tags_need_their_own_permission(blobs: BlobWorld, header: str) -> None:
    for letters, expected in (("rw", "AuthorizationPermissionMismatch"), ("rwt", "")):
        headers = {header: "a=1", "x-ms-blob-type": "BlockBlob"}
        request = blobs.describe("PUT", "box/blob", account_sas(letters), headers)
        assert outcome(blobs, request, "box/blob") == expected


# --- Queue --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queues() -> QueueWorld:
    return QueueWorld("verify")


@pytest.mark.parametrize("operation", QUEUE_OPERATIONS, ids=lambda operation: operation.name)
def test_queue_operations(queues: QueueWorld, operation: QueueOperation) -> None:
    paths = {"service": "", "queue": "line", "messages": "line/messages", "message": "line/messages/x"}
    path = paths[operation.resource]
    query = [f"{name}={value}" for name, value in (("restype", operation.restype), ("comp", operation.comp)) if value]
    query += ["peekonly=true"] * operation.peeks
    for letter in LETTERS:
        is_enough = letter in operation.permission
        token = account_sas(letter)
        request = queues.describe(operation.method, path, "&".join([*query, token]))
        refused = "AuthorizationPermissionMismatch" if operation.permission else "AuthorizationFailure"
        assert outcome(queues, request, path) == ("" if is_enough else refused), letter
        if operation.resource == "service":
            continue
        token = generate_queue_sas(ACCOUNT, "line", KEY, permission=letter, expiry=EXPIRY)
        request = queues.describe(operation.method, path, "&".join([*query, token]))
        reaches = bool(operation.permission) and set(operation.permission) <= set("raup")
        refused = "AuthorizationPermissionMismatch" if reaches else "AuthorizationFailure"
        assert outcome(queues, request, path) == ("" if reaches and is_enough else refused), letter


# --- Table --------------------------------------------------------------------------------------------------------

TABLE_ACCOUNT_LETTERS = {
    "Service_SetProperties": "w",
    "Service_GetProperties": "r",
    "Service_GetStatistics": "r",
    "Table_Query": "l",
    "Table_Get": "l",
    "Table_Create": "cw",
    "Table_Delete": "d",
}
"""What a signature of the account needs for what no signature of a table reaches, any one of the letters."""


@pytest.fixture(scope="module")
def tables() -> TableWorld:
    return TableWorld("verify")


@pytest.mark.parametrize("operation", TABLE_OPERATIONS, ids=lambda operation: operation.name)
def test_table_operations(tables: TableWorld, operation: TableOperation) -> None:
    paths = {
        "service": "",
        "batch": "$batch",
        "tables": "Tables",
        "table": "Tables('People')",
        "entities": "People",
        "entity": "People(PartitionKey='a',RowKey='b')",
    }
    path = paths[operation.resource]
    query = [f"{name}={value}" for name, value in (("restype", operation.restype), ("comp", operation.comp)) if value]
    headers = {"if-match": "*"} if operation.has_condition else {}
    credential = AzureNamedKeyCredential(ACCOUNT, KEY)
    for letters in [*LETTERS, "au", "raud"]:
        request = tables.describe(operation.method, path, "&".join([*query, account_sas(letters)]), headers)
        only = TABLE_ACCOUNT_LETTERS.get(operation.name)
        if operation.resource == "batch":
            wanted = True
        elif only is not None:
            wanted = any(letter in letters for letter in only)
        else:
            wanted = bool(operation.permission) and set(operation.permission) <= set(letters)
        is_closed = not operation.permission and only is None
        refused = "AuthorizationFailure" if is_closed else "AuthorizationPermissionMismatch"
        assert outcome(tables, request, path) == ("" if wanted else refused), letters
        if not set(letters) <= set("raud"):
            continue
        token = generate_table_sas(credential, "People", permission=letters, expiry=EXPIRY)
        request = tables.describe(operation.method, path, "&".join([*query, token]), headers)
        reaches = operation.resource == "batch" or (only is None and bool(operation.permission))
        refused = "AuthorizationPermissionMismatch" if reaches else "AuthorizationFailure"
        assert outcome(tables, request, path) == ("" if reaches and wanted else refused), letters
