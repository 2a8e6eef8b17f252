"""The other wires with real clients: the official SDKs over HTTPS, AMQPS and WebSocket, httpx and curl over HTTP/2."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import websocket
from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.exceptions import ServiceBusError
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from localzure.testing import LocalZure
from localzure_protocols.websocket import FRAME_BYTES_MAX
from tests.live.wire_clients import SASL_HEADER, SECONDS_MAX

PATHS = ("/$servicebus/websocket", "/$servicebus/websocket/")
LARGE = bytes(range(256)) * 20_000
"""5 MB: many TLS records, HTTP/2 windows and WebSocket frames."""


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(queues=["orders"]) as server:
        yield server
        assert "Traceback" not in server.logs


def options(azure: LocalZure, transport: TransportType, *, name: str = "amqps") -> dict[str, Any]:
    """What a client that is told nothing of an emulator needs to find and to trust the server."""
    return {
        "transport_type": transport,
        "custom_endpoint_address": azure.tls_endpoints[name].replace("amqps://", "sb://").replace("https://", "sb://"),
        "connection_verify": str(azure.ca_file),
    }


def exchange(client: ServiceBusClient, body: bytes) -> None:
    """Send, receive and complete a message."""
    with client, client.get_queue_sender("orders") as sender, client.get_queue_receiver("orders") as receiver:
        sender.send_messages(ServiceBusMessage(body))
        (message,) = receiver.receive_messages(max_wait_time=SECONDS_MAX)
        assert b"".join(message.body) == body
        receiver.complete_message(message)


async def exchange_async(client: AsyncServiceBusClient, body: bytes) -> None:
    """The same with the client of `aio`."""
    async with client, client.get_queue_sender("orders") as sender, client.get_queue_receiver("orders") as receiver:
        await sender.send_messages(ServiceBusMessage(body))
        (message,) = await receiver.receive_messages(max_wait_time=SECONDS_MAX)
        assert b"".join(message.body) == body
        await receiver.complete_message(message)


def test_blobs_over_https(azure: LocalZure) -> None:
    string = azure.tls_connection_strings["storage"]
    with BlobServiceClient.from_connection_string(string, connection_verify=str(azure.ca_file)) as client:
        container = client.create_container("https")
        container.upload_blob("large", LARGE)
        assert container.download_blob("large").readall() == LARGE
        assert container.get_blob_client("large").url.startswith("https://")


def test_blobs_over_https_async(azure: LocalZure) -> None:
    async def run() -> None:
        string = azure.tls_connection_strings["storage"]
        verify = str(azure.ca_file)
        # In blocks: aiohttp warns of a body that is sent as one piece of bytes.
        sizes: dict[str, Any] = {"max_single_put_size": 65536, "max_block_size": 1_000_000}
        async with AsyncBlobServiceClient.from_connection_string(string, connection_verify=verify, **sizes) as client:
            container = await client.create_container("https-async")
            await container.upload_blob("large", BytesIO(LARGE))
            assert await (await container.download_blob("large")).readall() == LARGE

    asyncio.run(run())


@pytest.mark.parametrize(
    ("transport", "name"),
    [
        (TransportType.Amqp, "amqps"),
        (TransportType.Amqp, "blob"),
        (TransportType.AmqpOverWebsocket, "gateway"),
        (TransportType.AmqpOverWebsocket, "amqp"),
    ],
)
def test_service_bus_with_tls_on_every_port(azure: LocalZure, transport: TransportType, name: str) -> None:
    string = azure.tls_connection_strings["servicebus"]
    client = ServiceBusClient.from_connection_string(string, **options(azure, transport, name=name))
    exchange(client, LARGE[:250_000])


@pytest.mark.parametrize("transport", TransportType)
def test_service_bus_with_tls_async(azure: LocalZure, transport: TransportType) -> None:
    async def run() -> None:
        string = azure.tls_connection_strings["servicebus"]
        await exchange_async(AsyncServiceBusClient.from_connection_string(string, **options(azure, transport)), b"x")

    asyncio.run(run())


@pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")  # the SDK's call of aiohttp
def test_service_bus_over_plain_websocket(azure: LocalZure) -> None:
    place = urlsplit(azure.endpoints["servicebus"]).netloc
    more: dict[str, Any] = {
        "transport_type": TransportType.AmqpOverWebsocket,
        "custom_endpoint_address": f"sb://{place}",
    }
    exchange(ServiceBusClient.from_connection_string(azure.servicebus_connection_string, **more), b"plain")
    client = AsyncServiceBusClient.from_connection_string(azure.servicebus_connection_string, **more)
    asyncio.run(exchange_async(client, b"plain"))


def test_a_client_that_does_not_trust_the_authority_is_told(azure: LocalZure) -> None:
    more = options(azure, TransportType.Amqp)
    del more["connection_verify"]
    client = ServiceBusClient.from_connection_string(azure.tls_connection_strings["servicebus"], retry_total=0, **more)
    with client, pytest.raises(ServiceBusError, match="CERTIFICATE_VERIFY_FAILED"), client.get_queue_sender("orders"):
        pass


@pytest.mark.parametrize("secure", [False, True])
def test_httpx_over_http_2(azure: LocalZure, secure: bool) -> None:
    base = (azure.tls_endpoints if secure else azure.endpoints)["blob"]
    context = ssl.create_default_context(cafile=azure.ca_file)
    # Over plain TCP only a client that speaks nothing else takes HTTP/2 for granted.
    with httpx.Client(http1=secure, http2=True, verify=context, base_url=base, timeout=SECONDS_MAX) as client:
        for _ in range(3):
            reply = client.get("/health")
            assert (reply.http_version, reply.status_code) == ("HTTP/2", 200)
        head = {"x-ms-blob-type": "BlockBlob"}
        refused = client.put("/devstoreaccount1/container/blob", content=LARGE, headers=head)
        assert (refused.http_version, refused.status_code) == ("HTTP/2", 404)  # who asks anonymously is told no more


def test_a_large_blob_over_http_2(azure: LocalZure) -> None:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string) as owner:
        container = owner.create_container("public", public_access="blob")
        container.upload_blob("large", LARGE)
    context = ssl.create_default_context(cafile=azure.ca_file)
    with httpx.Client(http2=True, verify=context, base_url=azure.tls_endpoints["blob"], timeout=SECONDS_MAX) as client:
        reply = client.get("/devstoreaccount1/public/large")
        assert (reply.http_version, reply.status_code) == ("HTTP/2", 200)
        assert reply.content == LARGE


def test_httpx_over_http_2_many_at_once(azure: LocalZure) -> None:
    async def run() -> None:
        context = ssl.create_default_context(cafile=azure.ca_file)
        async with httpx.AsyncClient(http2=True, verify=context, base_url=azure.tls_endpoints["blob"]) as client:
            replies = await asyncio.gather(*(client.get("/health", timeout=SECONDS_MAX) for _ in range(50)))
        assert {(reply.http_version, reply.status_code) for reply in replies} == {("HTTP/2", 200)}

    asyncio.run(run())


CURL_FLAGS = {"tls": ["--http2"], "prior knowledge": ["--http2-prior-knowledge"], "upgrade": ["--http2"]}


@pytest.mark.parametrize("way", CURL_FLAGS)
def test_curl_over_http_2(azure: LocalZure, way: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    features = subprocess.run([curl, "--version"], capture_output=True, text=True, check=True).stdout
    if "HTTP2" not in features:
        pytest.skip("this curl was built without HTTP/2")
    base = (azure.tls_endpoints if way == "tls" else azure.endpoints)["blob"]
    command = [curl, "--silent", "--show-error", "--cacert", str(azure.ca_file), *CURL_FLAGS[way]]
    command += ["--write-out", "%{http_version} %{http_code}", "--output", "/dev/null", f"{base}/health"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2 200"


@contextmanager
def opened(azure: LocalZure, path: str = PATHS[0], *, secure: bool = True) -> Iterator[websocket.WebSocket]:
    """A WebSocket of the library that the SDK uses, without the SDK."""
    url = (azure.tls_endpoints if secure else azure.endpoints)["gateway"].replace("http", "ws", 1)
    client = websocket.create_connection(
        url + path, timeout=SECONDS_MAX, subprotocols=["AMQPWSB10"], sslopt={"ca_certs": str(azure.ca_file)}
    )
    try:
        yield client
    finally:
        client.shutdown()  # type: ignore[no-untyped-call]  # the library types the others


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("secure", [False, True])
def test_websocket_with_and_without_the_closing_slash(azure: LocalZure, path: str, secure: bool) -> None:
    with opened(azure, path, secure=secure) as client:
        # As the server sent it: `getsubprotocol` has it in lower case.
        assert client.handshake_response is not None
        assert client.handshake_response.headers["sec-websocket-protocol"] == "AMQPWSB10"
        client.send_binary(SASL_HEADER)
        assert client.recv_data()[1].startswith(SASL_HEADER)


def test_a_ping_between_two_fragments_is_answered(azure: LocalZure) -> None:
    with opened(azure) as client:
        client.send_frame(websocket.ABNF.create_frame(SASL_HEADER[:4], websocket.ABNF.OPCODE_BINARY, 0))
        client.ping(b"still there?")
        opcode, payload = client.recv_data(control_frame=True)
        assert (opcode, payload) == (websocket.ABNF.OPCODE_PONG, b"still there?")
        client.send_frame(websocket.ABNF.create_frame(SASL_HEADER[4:], websocket.ABNF.OPCODE_CONT, 1))
        assert client.recv_data()[1].startswith(SASL_HEADER)


def closed_with(client: websocket.WebSocket) -> int:
    """The code of the close frame that comes next."""
    opcode, payload = client.recv_data(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    return int.from_bytes(payload[:2], "big")


def test_a_close_is_answered_and_ends_the_connection(azure: LocalZure) -> None:
    with opened(azure) as client:
        client.send_close(1000, b"")
        assert closed_with(client) == 1000
        assert client.sock is not None
        assert client.sock.recv(1) == b""


def test_text_is_refused(azure: LocalZure) -> None:
    with opened(azure) as client:
        client.send("AMQP")
        assert closed_with(client) == 1003


def test_an_oversize_frame_is_refused_by_its_head(azure: LocalZure) -> None:
    with opened(azure) as client:
        assert client.sock is not None
        client.sock.sendall(b"\x82\xff" + (FRAME_BYTES_MAX + 1).to_bytes(8, "big") + b"\0\0\0\0")
        assert closed_with(client) == 1009


def own_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate of the user's own: certificate and key in PEM, and both in a PFX with the password `secret`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "my own")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    start = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    password = BestAvailableEncryption(b"secret")
    pem, key_file, pfx = folder / "own.pem", folder / "own.key", folder / "own.pfx"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pfx.write_bytes(pkcs12.serialize_key_and_certificates(b"own", key, certificate, None, password))
    return pem, key_file, pfx


@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_a_certificate_of_the_users_own(form: str, tmp_path: Path) -> None:
    pem, key, pfx = own_certificate(tmp_path)
    flags = {
        "pem": ["--tls-cert", str(pem), "--tls-key", str(key)],
        "pfx": ["--tls-cert", str(pfx), "--tls-password", "secret"],
    }[form]
    with LocalZure(queues=["orders"], extra_args=flags) as server:
        string = server.tls_connection_strings["storage"]
        with BlobServiceClient.from_connection_string(string, connection_verify=str(pem)) as client:
            client.create_container("own")
        more = options(server, TransportType.Amqp) | {"connection_verify": str(pem)}
        exchange(ServiceBusClient.from_connection_string(server.tls_connection_strings["servicebus"], **more), b"own")
        assert "secret" not in server.logs
