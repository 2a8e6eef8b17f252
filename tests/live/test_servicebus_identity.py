"""Service Bus with tokens of the mock Entra ID: messages through `$cbs`, administration through a bearer token."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusError
from azure.servicebus.management import ServiceBusAdministrationClient

from localzure.testing import LocalZure

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "99999999-8888-7777-6666-555555555555"
WAIT = 5


class Stale:
    """A credential that shows a token of the authority, with another signature."""

    def __init__(self, credential: ClientSecretCredential) -> None:
        self._credential = credential

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        signed, _, signature = self._credential.get_token(*scopes, **options).token.rpartition(".")
        return AccessToken(f"{signed}.{signature[::-1]}", int(time.time()) + 3600)


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    keys = {"reader": {"key": "only-reads", "rights": ["Listen"]}}
    with LocalZure(queues=["orders"], config={"servicebus": {"keys": keys}}) as server:
        yield server
        assert "Traceback" not in server.logs


@pytest.fixture(scope="module")
def credential(azure: LocalZure) -> Iterator[ClientSecretCredential]:
    asking: dict[str, Any] = {
        "authority": f"https://localhost:{urlsplit(azure.endpoints['gateway']).port}",
        "connection_verify": str(azure.ca_file),
        "disable_instance_discovery": True,
    }
    with ClientSecretCredential(TENANT, CLIENT, "any secret", **asking) as found:
        yield found


def messages(azure: LocalZure, credential: Any) -> ServiceBusClient:
    """A client as for Azure, told only where the server is and whom to trust."""
    return ServiceBusClient(
        "localhost",
        credential,
        custom_endpoint_address=azure.tls_endpoints["amqps"].replace("amqps://", "sb://"),
        connection_verify=str(azure.ca_file),
        retry_total=0,
    )


def administration(azure: LocalZure, credential: Any) -> Any:
    port = urlsplit(azure.endpoints["servicebus"]).port
    return ServiceBusAdministrationClient(
        f"localhost:{port}", credential, connection_verify=str(azure.ca_file), retry_total=0
    )


def test_messages_with_a_token(azure: LocalZure, credential: ClientSecretCredential) -> None:
    with messages(azure, credential) as client:
        with client.get_queue_sender("orders") as sender:
            sender.send_messages(ServiceBusMessage("signed"))
        with client.get_queue_receiver("orders") as receiver:
            (message,) = receiver.receive_messages(max_wait_time=WAIT)
            assert b"".join(message.body) == b"signed"
            assert [str(each) for each in receiver.peek_messages(1, sequence_number=1)] == ["signed"]
            receiver.complete_message(message)


def test_administration_with_a_token(azure: LocalZure, credential: ClientSecretCredential) -> None:
    with administration(azure, credential) as client:
        client.create_queue("by-identity")
        assert {queue.name for queue in client.list_queues()} == {"orders", "by-identity"}
        client.delete_queue("by-identity")


def test_a_forged_token_is_refused(azure: LocalZure, credential: ClientSecretCredential) -> None:
    # With an address of its own the SDK tells every failure to connect as this one.
    with messages(azure, Stale(credential)) as client, pytest.raises(ServiceBusError, match="amqp:client-error"):
        client.get_queue_sender("orders").send_messages(ServiceBusMessage("forged"))
    with administration(azure, Stale(credential)) as client, pytest.raises(ClientAuthenticationError):
        client.create_queue("forged")


def test_a_key_allows_what_its_rights_say(azure: LocalZure) -> None:
    owner = azure.servicebus_connection_string
    reader = owner.replace("RootManageSharedAccessKey", "reader").replace("SAS_KEY_VALUE", "only-reads")
    with ServiceBusClient.from_connection_string(owner) as client, client.get_queue_sender("orders") as sender:
        sender.send_messages(ServiceBusMessage("to be read"))
    with ServiceBusClient.from_connection_string(reader, retry_total=0) as client:
        with client.get_queue_receiver("orders") as receiver:
            (message,) = receiver.receive_messages(max_wait_time=WAIT)
            receiver.complete_message(message)
        with pytest.raises(ServiceBusAuthorizationError, match="'Send' claim"):
            client.get_queue_sender("orders").send_messages(ServiceBusMessage("not allowed"))
