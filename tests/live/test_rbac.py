"""`--auth rbac` with the SDKs: each role may do what it allows, and nothing beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableServiceClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthorizationError
from azure.servicebus.management import ServiceBusAdministrationClient
from azure.storage.blob import BlobClient, BlobServiceClient, generate_blob_sas
from azure.storage.queue import QueueServiceClient

from localzure.testing import LocalZure

ACCOUNT = "devstoreaccount1"
MISMATCH = "AuthorizationPermissionMismatch"
ROLES = {
    "blob-reader": ("Storage Blob Data Reader", f"/{ACCOUNT}"),
    "box-reader": ("Storage Blob Data Reader", f"/{ACCOUNT}/box"),
    "blob-contributor": ("Storage Blob Data Contributor", f"/{ACCOUNT}"),
    "blob-owner": ("Storage Blob Data Owner", f"/{ACCOUNT}"),
    "delegator": ("Storage Blob Delegator", f"/{ACCOUNT}"),
    "queue-reader": ("Storage Queue Data Reader", f"/{ACCOUNT}"),
    "queue-contributor": ("Storage Queue Data Contributor", f"/{ACCOUNT}"),
    "queue-processor": ("Storage Queue Data Message Processor", f"/{ACCOUNT}/line"),
    "queue-sender": ("Storage Queue Data Message Sender", f"/{ACCOUNT}/line"),
    "table-reader": ("Storage Table Data Reader", f"/{ACCOUNT}"),
    "table-contributor": ("Storage Table Data Contributor", f"/{ACCOUNT}"),
    "bus-sender": ("Azure Service Bus Data Sender", "/any"),
    "bus-receiver": ("Azure Service Bus Data Receiver", "/any/orders"),
    "bus-owner": ("Azure Service Bus Data Owner", "/"),
}


class Identity:
    """A client of the authority, as a credential."""

    def __init__(self, server: LocalZure, client: str) -> None:
        self._url = f"{server.endpoints['gateway']}/.localzure/oauth/token"
        self._client = client

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        told = httpx.get(self._url, params={"client_id": self._client, "scope": scopes[0]}).json()
        return AccessToken(told["access_token"], int(time.time()) + 3600)


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    given = [{"principal": client, "role": role, "scope": scope} for client, (role, scope) in ROLES.items()]
    with LocalZure(
        extra_args=["--auth", "rbac"], config={"rbac": {"assignments": given}}, queues=["orders", "others"]
    ) as server:
        with BlobServiceClient.from_connection_string(server.blob_connection_string) as blobs:
            for name in ("box", "closed"):
                blobs.create_container(name).upload_blob("blob", b"content")
        with QueueServiceClient.from_connection_string(server.queue_connection_string) as queues:
            for name in ("line", "closed"):
                queues.create_queue(name).send_message("message")
        with TableServiceClient.from_connection_string(server.table_connection_string) as tables:
            tables.create_table("People").create_entity({"PartitionKey": "p", "RowKey": "r"})
        yield server
        assert "Traceback" not in server.logs


def _secure(server: LocalZure, service: str) -> str:
    return f"https://localhost:{urlsplit(server.endpoints[service]).port}"


def _options(server: LocalZure) -> dict[str, Any]:
    return {"connection_verify": str(server.ca_file), "retry_total": 0}


def blobs(server: LocalZure, client: str) -> BlobServiceClient:
    credential: Any = Identity(server, client)
    return BlobServiceClient(f"{_secure(server, 'blob')}/{ACCOUNT}", credential=credential, **_options(server))


def queues(server: LocalZure, client: str) -> Any:
    credential: Any = Identity(server, client)
    return QueueServiceClient(f"{_secure(server, 'queue')}/{ACCOUNT}", credential=credential, **_options(server))


def tables(server: LocalZure, client: str) -> Any:
    credential: Any = Identity(server, client)
    return TableServiceClient(
        endpoint=f"{_secure(server, 'table')}/{ACCOUNT}", credential=credential, **_options(server)
    )


def bus(server: LocalZure, client: str) -> ServiceBusClient:
    credential: Any = Identity(server, client)
    return ServiceBusClient(
        "localhost",
        credential,
        custom_endpoint_address=server.tls_endpoints["amqps"].replace("amqps://", "sb://"),
        connection_verify=str(server.ca_file),
        retry_total=0,
    )


def refused(ask: Callable[[], object]) -> None:
    """What is asked for is a 403 with the code of those who lack a role."""
    with pytest.raises(HttpResponseError) as caught:
        ask()
    assert caught.value.status_code == 403
    assert MISMATCH in str(getattr(caught.value, "error_code", "")) + str(caught.value)


def test_blob_reader(azure: LocalZure) -> None:
    with blobs(azure, "blob-reader") as client:
        assert {each.name for each in client.list_containers()} >= {"box", "closed"}
        blob = client.get_blob_client("box", "blob")
        assert blob.download_blob().readall() == b"content"
        refused(lambda: blob.upload_blob(b"new", overwrite=True))
        refused(blob.delete_blob)
        refused(lambda: client.create_container("made"))
        refused(client.get_service_properties)


def test_a_role_in_one_container(azure: LocalZure) -> None:
    with blobs(azure, "box-reader") as client:
        assert [each.name for each in client.get_container_client("box").list_blobs()] == ["blob"]
        refused(lambda: client.get_blob_client("closed", "blob").download_blob())
        refused(lambda: list(client.list_containers()))


def test_blob_contributor_and_owner(azure: LocalZure) -> None:
    with blobs(azure, "blob-contributor") as client, blobs(azure, "blob-owner") as owner:
        made = client.create_container("contributed").upload_blob("blob", b"new")
        made.delete_blob()
        refused(lambda: made.upload_blob(b"", tags={"a": "b"}))
        refused(lambda: client.get_blob_client("box", "blob").get_blob_tags())
        refused(lambda: client.get_container_client("box").get_container_access_policy())
        assert owner.get_blob_client("box", "blob").get_blob_tags() == {}
        assert owner.get_container_client("box").get_container_access_policy()["signed_identifiers"] == []
        refused(owner.get_service_properties)
        assert list(client.get_container_client("contributed").delete_blobs("none", raise_on_any_failure=False))


def test_a_delegated_signature_may_do_no_more_than_its_user(azure: LocalZure) -> None:
    now = datetime.now(UTC)
    for client, may_read in (("blob-reader", True), ("delegator", False)):
        with blobs(azure, client) as service:
            key = service.get_user_delegation_key(now, now + timedelta(hours=1))
        token = generate_blob_sas(
            ACCOUNT, "box", "blob", user_delegation_key=key, permission="rw", expiry=now + timedelta(hours=1)
        )
        with BlobClient.from_blob_url(f"{azure.endpoints['blob']}/{ACCOUNT}/box/blob?{token}") as blob:
            refused(lambda blob=blob: blob.upload_blob(b"new", overwrite=True))  # type: ignore[misc]  # bound at once
            if may_read:
                assert blob.download_blob().readall() == b"content"
            else:
                refused(lambda blob=blob: blob.download_blob())  # type: ignore[misc]  # as above
    with blobs(azure, "box-reader") as service:
        refused(lambda: service.get_user_delegation_key(now, now + timedelta(hours=1)))


def test_queue_roles(azure: LocalZure) -> None:
    with queues(azure, "queue-sender") as service:
        queue = service.get_queue_client("line")
        queue.send_message("sent")
        refused(queue.peek_messages)
        refused(queue.clear_messages)
        refused(lambda: service.get_queue_client("closed").send_message("sent"))
    with queues(azure, "queue-processor") as service:
        queue = service.get_queue_client("line")
        message = next(iter(queue.receive_messages()))
        queue.delete_message(message)
        refused(lambda: queue.send_message("sent"))
        refused(queue.get_queue_properties)
    with queues(azure, "queue-reader") as service:
        assert service.get_queue_client("line").peek_messages()
        refused(lambda: next(iter(service.get_queue_client("line").receive_messages())))
        refused(lambda: service.create_queue("made"))
    with queues(azure, "queue-contributor") as service:
        service.create_queue("contributed").send_message("sent")
        refused(lambda: service.get_queue_client("contributed").get_queue_access_policy())


def test_table_roles(azure: LocalZure) -> None:
    entity = {"PartitionKey": "p", "RowKey": "made"}
    with tables(azure, "table-reader") as service:
        table = service.get_table_client("People")
        assert table.get_entity("p", "r")
        refused(lambda: table.upsert_entity(entity))
        refused(lambda: table.submit_transaction([("create", entity)]))
        refused(lambda: service.create_table("Made"))
    with tables(azure, "table-contributor") as service:
        service.get_table_client("People").submit_transaction([("create", entity)])
        service.create_table("Contributed")
        refused(service.get_service_properties)


def _send(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("message"))


def _receive(client: ServiceBusClient, queue: str) -> int:
    with client.get_queue_receiver(queue) as receiver:
        return len(receiver.receive_messages(max_wait_time=5))


def test_service_bus_roles(azure: LocalZure) -> None:
    with bus(azure, "bus-sender") as client:
        _send(client, "orders")
        _send(client, "others")
        with pytest.raises(ServiceBusAuthorizationError):
            _receive(client, "orders")
    with bus(azure, "bus-receiver") as client:
        assert _receive(client, "orders") == 1
        for ask in (lambda: _send(client, "orders"), lambda: _receive(client, "others")):
            with pytest.raises(ServiceBusAuthorizationError):
                ask()
    port = urlsplit(azure.endpoints["servicebus"]).port
    for name in ("bus-owner", "bus-sender"):
        credential: Any = Identity(azure, name)
        with ServiceBusAdministrationClient(f"localhost:{port}", credential, **_options(azure)) as administration:
            if name == "bus-owner":
                assert administration.get_queue("orders").name == "orders"
            else:
                with pytest.raises(ClientAuthenticationError):
                    administration.get_queue("orders")
    token = Identity(azure, "bus-sender").get_token("https://servicebus.azure.net/.default").token
    told = {"Authorization": f"Bearer {token}"}
    url = azure.endpoints["servicebus"]
    assert httpx.post(f"{url}/orders/messages", content=b"x", headers=told).status_code == 201
    assert httpx.delete(f"{url}/orders/messages/head", headers=told).status_code == 401


def test_roles_come_and_go_while_the_server_works(azure: LocalZure) -> None:
    calls = f"{azure.endpoints['gateway']}/_localzure/rbac/assignments"
    wanted = {"principal": "newcomer", "role": "storage blob data reader", "scope": f"/{ACCOUNT}/box"}
    with blobs(azure, "newcomer") as client:
        blob = client.get_blob_client("box", "blob")
        refused(blob.download_blob)
        made = httpx.post(calls, json=wanted).json()
        assert blob.download_blob().readall() == b"content"
        told = httpx.get(calls).json()
        assert told["enforced"] is True
        assert made in told["assignments"]
        assert httpx.delete(f"{calls}/{made['id']}").status_code == 204
        assert httpx.delete(f"{calls}/{made['id']}").status_code == 404
        refused(blob.download_blob)
    assert httpx.post(calls, json={**wanted, "role": "none"}).status_code == 400
    assert httpx.delete(calls).status_code == 204
    assert len(httpx.get(calls).json()["assignments"]) == len(ROLES)
