"""azure-identity against the mock Entra ID over HTTPS, and the SDKs with its tokens."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
    EnvironmentCredential,
    WorkloadIdentityCredential,
)
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusConnectionError
from azure.storage.blob import BlobServiceClient, ContainerClient, generate_container_sas
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from localzure.auth.tokens import read_claims
from localzure.testing import LocalZure

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "99999999-8888-7777-6666-555555555555"
STORAGE = "https://storage.azure.com/.default"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    config = {"entra": {"secrets": {"known-client": "right"}, "claims": {"roles": ["tester"]}}}
    with LocalZure(config=config, queues=["tokens"]) as server:
        yield server


@pytest.fixture(scope="module")
def authority(azure: LocalZure) -> str:
    """The gateway as an authority: over HTTPS, as identity libraries insist."""
    return f"https://localhost:{urlsplit(azure.endpoints['gateway']).port}"


@pytest.fixture(scope="module")
def trust(azure: LocalZure, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of the local CA."""
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    with urlopen(f"{azure.endpoints['gateway']}/_localzure/ca.pem") as reply:
        path.write_bytes(reply.read())
    return str(path)


@pytest.fixture
def asking(authority: str, trust: str) -> dict[str, Any]:
    """What a credential needs to find the authority and to trust it."""
    return {"authority": authority, "connection_verify": trust, "disable_instance_discovery": True, "retry_total": 0}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a certificate and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    start = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=9))
    made = builder.sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("client") / "client.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return str(path)


def blobs(azure: LocalZure, credential: Any, trust: str) -> BlobServiceClient:
    """A client over HTTPS, without which the SDK shows no token."""
    port = urlsplit(azure.endpoints["blob"]).port
    url = f"https://localhost:{port}/devstoreaccount1"
    return BlobServiceClient(url, credential=credential, connection_verify=trust, retry_total=0)


def test_a_secret(azure: LocalZure, asking: dict[str, Any], trust: str) -> None:
    with (
        ClientSecretCredential(TENANT, CLIENT, "any secret", **asking) as credential,
        blobs(azure, credential, trust) as client,
    ):
        container = client.create_container("by-secret")
        container.upload_blob("blob", b"content")
        assert container.download_blob("blob").readall() == b"content"
        claims = read_claims(credential.get_token(STORAGE).token)
        assert (claims.tid, claims.raw["appid"], claims.raw["roles"]) == (TENANT, CLIENT, ["tester"])


def test_a_configured_secret(asking: dict[str, Any]) -> None:
    with ClientSecretCredential(TENANT, "known-client", "right", **asking) as credential:
        assert credential.get_token(STORAGE).token
    with (
        ClientSecretCredential(TENANT, "known-client", "wrong", **asking) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token(STORAGE)


@pytest.mark.parametrize("send_chain", [False, True])
def test_a_certificate(
    azure: LocalZure, asking: dict[str, Any], trust: str, certificate: str, send_chain: bool
) -> None:
    with (
        CertificateCredential(TENANT, CLIENT, certificate, send_certificate_chain=send_chain, **asking) as credential,
        blobs(azure, credential, trust) as client,
    ):
        assert isinstance(list(client.list_containers()), list)


def test_a_workload(azure: LocalZure, asking: dict[str, Any], trust: str, tmp_path: Path, authority: str) -> None:
    with urlopen(f"{azure.endpoints['gateway']}/.localzure/oauth/token?resource=api://AzureADTokenExchange") as reply:
        elsewhere = reply.read().decode().partition('"access_token": "')[2].partition('"')[0]
    file = tmp_path / "token"
    file.write_text(elsewhere)
    with (
        WorkloadIdentityCredential(
            tenant_id=TENANT, client_id=CLIENT, token_file_path=str(file), **asking
        ) as credential,
        blobs(azure, credential, trust) as client,
    ):
        assert isinstance(list(client.list_containers()), list)


@pytest.mark.parametrize("kind", ["secret", "certificate", "workload"])
def test_service_bus(
    azure: LocalZure, asking: dict[str, Any], trust: str, certificate: str, tmp_path: Path, kind: str
) -> None:
    """A token that the SDK gets for Service Bus and puts to `$cbs`, in AMQP over TLS."""
    file = tmp_path / "token"
    file.write_text(local_token(azure, "resource=api://AzureADTokenExchange"))
    makers: dict[str, Callable[[], Any]] = {
        "secret": lambda: ClientSecretCredential(TENANT, CLIENT, "any", **asking),
        "certificate": lambda: CertificateCredential(TENANT, CLIENT, certificate, **asking),
        "workload": lambda: WorkloadIdentityCredential(
            tenant_id=TENANT, client_id=CLIENT, token_file_path=str(file), **asking
        ),
    }
    credential = makers[kind]()
    # The SDK takes the port of another address alone.
    port = urlsplit(azure.endpoints["amqps"]).port
    named: dict[str, Any] = {
        "custom_endpoint_address": f"sb://localhost:{port}",
        "connection_verify": trust,
        "retry_total": 0,
    }
    with credential, ServiceBusClient("localhost", credential, **named) as client:
        with client.get_queue_sender("tokens") as sender:
            sender.send_messages(ServiceBusMessage(kind))
        with client.get_queue_receiver("tokens", max_wait_time=10) as receiver:
            [message] = receiver.receive_messages()
            assert str(message) == kind
            receiver.complete_message(message)


def test_service_bus_refuses_a_token_for_something_else(azure: LocalZure, trust: str) -> None:
    port = urlsplit(azure.endpoints["amqps"]).port
    named: dict[str, Any] = {
        "custom_endpoint_address": f"sb://localhost:{port}",
        "connection_verify": trust,
        "retry_total": 0,
    }
    credential: Any = Wrong(local_token(azure, "resource=https://storage.azure.com"))
    with (
        ServiceBusClient("localhost", credential, **named) as client,
        # So the SDK tells of a token that `$cbs` has refused.
        pytest.raises(ServiceBusConnectionError, match="amqp:client-error"),
        client.get_queue_sender("tokens") as sender,
    ):
        sender.send_messages(ServiceBusMessage("x"))


def test_the_environment(
    azure: LocalZure, asking: dict[str, Any], authority: str, trust: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_CLIENT_SECRET": "any",
        "AZURE_AUTHORITY_HOST": authority,
    }.items():
        monkeypatch.setenv(name, value)
    more = {name: value for name, value in asking.items() if name != "authority"}
    with EnvironmentCredential(**more) as credential, blobs(azure, credential, trust) as client:
        assert isinstance(list(client.list_containers()), list)


def test_a_device(asking: dict[str, Any]) -> None:
    prompts: list[tuple[str, str]] = []
    with DeviceCodeCredential(
        CLIENT, tenant_id=TENANT, prompt_callback=lambda uri, code, _expires: prompts.append((uri, code)), **asking
    ) as credential:
        assert read_claims(credential.get_token(STORAGE).token).raw["scp"] == "user_impersonation"
    assert prompts[0][0].endswith("/devicelogin")


def test_the_public_clouds_name(azure: LocalZure, trust: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that knows nothing of us: only its names are resolved to this machine, as by a hosts file."""
    resolve = socket.getaddrinfo
    port = urlsplit(azure.endpoints["blob"]).port

    def resolve_here(host: Any, asked: Any, *more: Any, **named: Any) -> Any:
        return (
            resolve("127.0.0.1", port, *more, **named)
            if host == "login.microsoftonline.com"
            else resolve(host, asked, *more, **named)
        )

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    with ClientSecretCredential(TENANT, CLIENT, "any", connection_verify=trust) as credential:
        assert read_claims(credential.get_token(STORAGE).token).issuer == f"https://sts.windows.net/{TENANT}/"


class Wrong:
    """A credential that has one token."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_scopes: str, **_more: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(self.token, 4_000_000_000)


def local_token(azure: LocalZure, query: str) -> str:
    with urlopen(f"{azure.endpoints['gateway']}/.localzure/oauth/token?{query}") as reply:
        return str(reply.read().decode().partition('"access_token": "')[2].partition('"')[0])


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("lifetime=-1000", "expired"),
        ("resource=https://vault.azure.net", "Audience"),
        ("claims=%7B%22iss%22%3A%22https%3A//elsewhere/%22%7D", "Issuer"),
        ("claims=%7B%22nbf%22%3A4000000000%7D", "not yet valid"),
    ],
)
def test_tokens_that_do_not_hold(azure: LocalZure, trust: str, query: str, detail: str) -> None:
    with (
        blobs(azure, Wrong(local_token(azure, query)), trust) as client,
        pytest.raises(ClientAuthenticationError) as caught,
    ):
        list(client.list_containers())
    assert caught.value.status_code == 401
    response: Any = caught.value.response
    assert response.headers["x-ms-error-code"] == "InvalidAuthenticationInfo"
    assert detail in str(caught.value)
    challenge = response.headers["www-authenticate"]
    assert challenge.endswith("resource_id=https://storage.azure.com")


def test_user_delegation(azure: LocalZure, asking: dict[str, Any], trust: str) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5)
    with (
        ClientSecretCredential(TENANT, CLIENT, "any", **asking) as credential,
        blobs(azure, credential, trust) as client,
    ):
        container = client.create_container("delegated")
        container.upload_blob("blob", b"content")
        key = client.get_user_delegation_key(start, start + timedelta(hours=1))
        assert key.signed_tid == TENANT
        token = generate_container_sas(
            "devstoreaccount1", "delegated", user_delegation_key=key, permission="r", expiry=start + timedelta(hours=1)
        )
        with ContainerClient(
            client.url, "delegated", credential=token, connection_verify=trust, retry_total=0
        ) as reader:
            assert reader.download_blob("blob").readall() == b"content"
            with pytest.raises(HttpResponseError) as caught:
                reader.upload_blob("other", b"x")
            assert caught.value.status_code == 403
            assert "AuthorizationPermissionMismatch" in str(caught.value)
    with (
        BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as owner,
        pytest.raises(HttpResponseError) as caught,
    ):
        owner.get_user_delegation_key(start, start + timedelta(hours=1))
    assert caught.value.status_code == 403
