"""Shared access signatures made by the unmodified SDKs, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    AccessPolicy,
    AccountSasPermissions,
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from azure.storage.queue import QueueClient, QueueServiceClient, generate_queue_sas

from localzure.testing import LocalZure

ACCOUNT = "devstoreaccount1"
SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure() as server:
        yield server


@pytest.fixture(scope="module")
def service(azure: LocalZure) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as client:
        yield client


@pytest.fixture(scope="module")
def box(service: BlobServiceClient) -> ContainerClient:
    container = service.create_container("box")
    container.upload_blob("blob", b"content")
    container.upload_blob("a/b/c", b"deep")
    return container


@pytest.fixture
def key(service: BlobServiceClient) -> str:
    return str(service.credential.account_key)


def code(call: Any) -> str:
    with pytest.raises(HttpResponseError) as caught:
        call()
    assert caught.value.status_code == 403
    error: Any = caught.value
    return str(getattr(error.error_code, "value", error.error_code))


def blob_with(box: ContainerClient, token: str, name: str = "blob") -> BlobClient:
    return BlobClient(box.url.rpartition("/")[0], "box", name, credential=token, retry_total=0)


def test_of_the_account(service: BlobServiceClient, box: ContainerClient, key: str) -> None:
    every = ResourceTypes(service=True, container=True, object=True)
    token = generate_account_sas(ACCOUNT, key, every, AccountSasPermissions(read=True, list=True), SOON)
    with BlobServiceClient(service.url, credential=token, retry_total=0) as client:
        assert [one.name for one in client.list_containers()] == ["box"]
        assert client.get_blob_client("box", "blob").download_blob().readall() == b"content"
        assert code(lambda: client.create_container("other")) == "AuthorizationPermissionMismatch"
    token = generate_account_sas(ACCOUNT, key, ResourceTypes(container=True), AccountSasPermissions(list=True), SOON)
    with BlobServiceClient(service.url, credential=token, retry_total=0) as client:
        assert len(list(client.get_container_client("box").list_blobs())) == 2
        assert code(lambda: list(client.list_containers())) == "AuthorizationResourceTypeMismatch"


def test_of_a_blob(box: ContainerClient, key: str) -> None:
    token = generate_blob_sas(
        ACCOUNT,
        "box",
        "blob",
        account_key=key,
        permission="r",
        expiry=SOON,
        content_type="text/x",
        cache_control="private",
        content_disposition="attachment",
        content_language="de",
        content_encoding="x",
    )
    with blob_with(box, token) as client:
        settings = client.get_blob_properties().content_settings
        assert (settings.content_type, settings.cache_control, settings.content_disposition) == (
            "text/x",
            "private",
            "attachment",
        )
        assert (settings.content_language, settings.content_encoding) == ("de", "x")
        assert code(client.delete_blob) == "AuthorizationPermissionMismatch"
    assert box.get_blob_client("blob").get_blob_properties().content_settings.cache_control is None
    with blob_with(box, token, "a/b/c") as client:
        assert code(lambda: client.download_blob().readall()) == "AuthenticationFailed"


def test_of_a_container(box: ContainerClient, key: str) -> None:
    allowed = ContainerSasPermissions(list=True, create=True)
    token = generate_container_sas(ACCOUNT, "box", account_key=key, permission=allowed, expiry=SOON)
    with ContainerClient(box.url.rpartition("/")[0], "box", credential=token, retry_total=0) as client:
        assert {"blob", "a/b/c"} <= {one.name for one in client.list_blobs()}
        client.upload_blob("made", b"1")
        assert code(lambda: client.upload_blob("made", b"2", overwrite=True)) == "UnauthorizedBlobOverwrite"
        assert code(client.get_container_properties) == "AuthorizationFailure"
        assert code(client.delete_container) == "AuthorizationFailure"
    box.delete_blob("made")


def test_of_a_directory(box: ContainerClient, key: str) -> None:
    token = generate_blob_sas(ACCOUNT, "box", "a/b", account_key=key, permission="rl", expiry=SOON, is_directory=True)
    with blob_with(box, token, "a/b/c") as client:
        assert client.download_blob().readall() == b"deep"
    with blob_with(box, token) as client:
        assert code(lambda: client.download_blob().readall()) == "AuthenticationFailed"


def test_by_a_stored_policy(box: ContainerClient, key: str) -> None:
    policy = AccessPolicy(permission=ContainerSasPermissions(read=True), expiry=SOON)
    box.set_container_access_policy({"readers": policy})
    token = generate_container_sas(ACCOUNT, "box", account_key=key, policy_id="readers")
    with blob_with(box, token) as client:
        assert client.download_blob().readall() == b"content"
        assert code(client.delete_blob) == "AuthorizationPermissionMismatch"
    box.set_container_access_policy({})
    with blob_with(box, token) as client:
        assert code(lambda: client.download_blob().readall()) == "AuthenticationFailed"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"ip": "10.0.0.1"}, "AuthorizationSourceIPMismatch"),
        ({"protocol": "https"}, "AuthorizationProtocolMismatch"),
        ({"expiry": SOON - timedelta(hours=2)}, "AuthenticationFailed"),
        ({"start": SOON - timedelta(minutes=1)}, "AuthenticationFailed"),
        ({"permission": "w"}, "AuthorizationPermissionMismatch"),
        ({"account_key": "d3Jvbmc="}, "AuthenticationFailed"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_does_not_hold(box: ContainerClient, key: str, field: dict[str, Any], expected: str) -> None:
    given = {"account_key": key, "permission": "r", "expiry": SOON, **field}
    with blob_with(box, generate_blob_sas(ACCOUNT, "box", "blob", **given)) as client:
        assert code(client.get_blob_properties) == expected


def test_of_a_queue(azure: LocalZure, key: str) -> None:
    with QueueServiceClient.from_connection_string(azure.queue_connection_string, retry_total=0) as service:
        service.create_queue("line")
        token = generate_queue_sas(ACCOUNT, "line", key, permission="rau", expiry=SOON)
        with QueueClient(service.url, "line", credential=token, retry_total=0) as client:
            client.send_message("hello")
            assert [message.content for message in client.peek_messages()] == ["hello"]
            assert code(client.receive_message) == "AuthorizationPermissionMismatch"
            assert code(client.delete_queue) == "AuthorizationFailure"
        with QueueClient(service.url, "other", credential=token, retry_total=0) as client:
            assert code(client.peek_messages) == "AuthenticationFailed"
