"""The JavaScript SDK of Service Bus over its transports. `make conformance` installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from localzure.testing import LocalZure

FOLDER = Path(__file__).parent / "js"
SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None or not (FOLDER / "node_modules").exists():
        pytest.skip("the JavaScript SDKs are not installed: `make conformance` does it, with Node.js 20 or newer")
    return found


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(queues=["tcp", "tls", "websocket"]) as server:
        yield server


def run(node: str, queue: str, connection_string: str, ca_file: Path | None = None) -> None:
    environment = {**os.environ, "CONNECTION_STRING": connection_string}
    if ca_file is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(ca_file)
    done = subprocess.run(
        [node, "service_bus.mjs", queue, queue],
        cwd=FOLDER,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


def with_tls(azure: LocalZure) -> str:
    """Without the emulator's flag, and with the port, which this SDK takes from the connection string."""
    port = urlsplit(azure.endpoints["amqps"]).port
    parts = azure.tls_connection_strings["servicebus"].split(";")
    return ";".join([f"Endpoint=sb://localhost:{port}", *parts[1:]])


def test_over_tcp(node: str, azure: LocalZure) -> None:
    run(node, "tcp", azure.servicebus_connection_string)


def test_over_tls(node: str, azure: LocalZure) -> None:
    run(node, "tls", with_tls(azure), azure.ca_file)


def test_over_websocket(node: str, azure: LocalZure) -> None:
    run(node, "websocket", with_tls(azure), azure.ca_file)
