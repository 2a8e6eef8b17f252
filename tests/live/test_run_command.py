"""`localzure run`, the proxy and managed identities, with an app that knows nothing of them."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest
from azure.identity import ManagedIdentityCredential

from localzure.cli.surroundings import variables, write_trust
from localzure.client import OwnApiClient
from localzure.testing import LocalZure

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCALZURE = str(Path(sys.executable).parent / "localzure")
APP = str(Path(__file__).with_name("production_app.py"))


@pytest.fixture(scope="module")
def server() -> Iterator[LocalZure]:
    """A server for the tests of the proxy."""
    with LocalZure() as running:
        yield running


def _gateway(server: LocalZure) -> tuple[str, int]:
    host, _, port = server.endpoints["gateway"].removeprefix("http://").partition(":")
    return host, int(port)


@contextmanager
def _stand_in(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A host that is not Azure's: keeps what it is sent up to the first silence, and answers always the same."""
    received: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                data = b""
                while not data.endswith(b"<end>"):
                    data += connection.recv(65536)
                received.append(data)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], received
        thread.join(10)


def _read_all(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def test_an_app_for_production_runs_unchanged() -> None:
    done = subprocess.run(
        [LOCALZURE, "run", "--ephemeral", "--", sys.executable, APP, "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == ["blob paid", "queue work", "table Ada", "servicebus order"]


def test_a_running_server_is_used_and_signals_are_passed_on(server: LocalZure) -> None:
    script = "echo $LOCALZURE_ENDPOINT $HTTPS_PROXY; trap 'exit 9' TERM; echo ready; sleep 30 & wait"
    command = [LOCALZURE, "run", "--endpoint", server.endpoints["gateway"], "--", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        gateway = server.endpoints["gateway"]
        assert process.stdout.readline() == f"{gateway} {gateway}\n"
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 9


@pytest.mark.parametrize(("command", "code"), [(["no-such-command"], 127), ([os.devnull], 126)])
def test_what_cannot_be_run_is_told_as_shells_do(server: LocalZure, command: list[str], code: int) -> None:
    run = [LOCALZURE, "run", "--endpoint", server.endpoints["gateway"], "--", *command]
    assert subprocess.run(run, capture_output=True, check=False).returncode == code


def test_what_is_not_azures_goes_through_untouched(server: LocalZure) -> None:
    sent, answer = bytes(range(256)) * 1000 + b"<end>", bytes(reversed(range(256))) * 1000
    with _stand_in(answer) as (port, received), closing(socket.create_connection(_gateway(server))) as client:
        client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert client.recv(65536) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        client.sendall(sent)
        assert _read_all(client) == answer
    assert received == [sent]


def test_a_plain_request_for_another_host_is_forwarded(server: LocalZure) -> None:
    answer = b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\nX-Odd:  kept \r\n\r\nok"
    with _stand_in(answer) as (port, received), closing(socket.create_connection(_gateway(server))) as client:
        head = f"PUT http://127.0.0.1:{port}/a%20b?c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nProxy-Connection: close\r\n"
        client.sendall(f"{head}X-Odd:  as sent\r\nContent-Length: 7\r\n\r\nab".encode())
        client.sendall(b"<end>")
        assert _read_all(client) == answer
    rest = f"Host: 127.0.0.1:{port}\r\nX-Odd:  as sent\r\nContent-Length: 7\r\nconnection: close\r\n\r\nab<end>"
    assert received == [f"PUT /a%20b?c HTTP/1.1\r\n{rest}".encode()]


def test_requests_of_one_connection_go_to_their_hosts(server: LocalZure) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    with _stand_in(answer) as (port, received), httpx.Client(proxy=server.endpoints["gateway"]) as client:
        assert client.get("http://acct.blob.core.windows.net/?comp=list").headers["server"].startswith("LocalZure")
        assert client.get("http://169.254.169.254/metadata/identity/oauth2/token").status_code == 400
        assert client.post(f"http://127.0.0.1:{port}/", content=b"<end>").text == "ok"
    assert received[0].startswith(b"POST / HTTP/1.1\r\n")


def test_a_host_that_cannot_be_reached_is_a_bad_gateway(server: LocalZure) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as busy:
        port = busy.getsockname()[1]
    with closing(socket.create_connection(_gateway(server))) as client:
        client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert _read_all(client).startswith(b"HTTP/1.1 502 ")
    with closing(socket.create_connection(_gateway(server))) as client:
        client.sendall(b"CONNECT nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert _read_all(client).startswith(b"HTTP/1.1 400 ")


def test_offline_nothing_leaves(tmp_path: Path) -> None:
    with LocalZure(extra_args=["--offline"]) as server:
        with closing(socket.create_connection(_gateway(server))) as client:
            client.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
            assert _read_all(client).startswith(b"HTTP/1.1 502 ")
        with httpx.Client(proxy=server.endpoints["gateway"]) as plain:
            assert plain.get("http://example.org/").status_code == 502
        trust = write_trust(OwnApiClient(server.endpoints["gateway"]), tmp_path)
        with httpx.Client(
            proxy=server.endpoints["gateway"], verify=ssl.create_default_context(cafile=trust.pem)
        ) as client_of_azure:
            assert client_of_azure.get("https://acct.blob.core.windows.net/?comp=list").headers["x-ms-request-id"]


def test_managed_identities_have_tokens(server: LocalZure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust = write_trust(OwnApiClient(server.endpoints["gateway"]), tmp_path)
    found = variables(server.endpoints["gateway"], trust, {})
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, found[name])
    user_assigned = "11111111-2222-3333-4444-555555555555"
    credentials = [ManagedIdentityCredential(), ManagedIdentityCredential(client_id=user_assigned)]
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.delenv("IDENTITY_HEADER")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", found["AZURE_POD_IDENTITY_AUTHORITY_HOST"])
    credentials.append(ManagedIdentityCredential())
    tokens = [credential.get_token("https://storage.azure.com/.default").token for credential in credentials]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert {claim["aud"].rstrip("/") for claim in claims} == {"https://storage.azure.com"}
    assert claims[1]["appid"] == user_assigned
    assert claims[0]["oid"] == claims[2]["oid"] != claims[1]["oid"]


def test_command_lines_find_no_subscriptions_after_signing_in(server: LocalZure) -> None:
    """`az login --service-principal … --allow-no-subscriptions` asks for them, and goes on with none."""
    with httpx.Client(proxy=server.endpoints["gateway"]) as client:
        for path in ("subscriptions", "tenants"):
            answer = client.get(f"http://management.azure.com/{path}", params={"api-version": "2022-12-01"})
            assert (answer.status_code, answer.json()) == (200, {"value": []})


def test_a_sitecustomize_of_the_apps_own_runs_too(server: LocalZure, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['OWN'] = 'ran'\n")
    script = "import certifi, os; print(os.environ['OWN'], certifi.where() == os.environ['SSL_CERT_FILE'])"
    command = [LOCALZURE, "run", "--endpoint", server.endpoints["gateway"], "--", sys.executable, "-c", script]
    environment = dict(os.environ) | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout, done.stderr) == ("ran True\n", "")


def test_an_identity_is_named_in_the_answer(server: LocalZure) -> None:
    query = {"api-version": "2018-02-01", "resource": "https://servicebus.azure.net", "object_id": "o-1"}
    url = f"{server.endpoints['gateway']}/metadata/identity/oauth2/token"
    told = httpx.get(url, params=query, headers={"Metadata": "true"}).json()
    assert told["object_id"] == "o-1"
    assert all(isinstance(value, str) for value in told.values())
    assert httpx.get(url, params=query).status_code == 400
    assert httpx.get(f"{server.endpoints['gateway']}/msi/token", params=query).status_code == 401
