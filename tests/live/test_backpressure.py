"""Memory stays bounded, whatever a client sends or does not take."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from localzure.testing import LocalZure

GIB = 1024 * 1024 * 1024
GROWTH_BYTES_MAX = 48 * 1024 * 1024
"""What the server's own memory may grow by: buffers of a few connections, one tick of writes, and slack."""

PIECE = bytes(range(256)) * 4096


def anonymous_bytes(pid: int) -> int:
    """The process's own memory, without the pages of the store's map."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    pytest.skip("this system does not tell a process's anonymous memory")


def _connect(az: LocalZure) -> http.client.HTTPConnection:
    parts = urlsplit(az.endpoints["blob"])
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)


def _request(az: LocalZure, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    connection = _connect(az)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"x-ms-version": "2025-05-05", **named})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture
def az(tmp_path: Path) -> LocalZure:
    return LocalZure(in_memory=False, data_dir=tmp_path, queues=["large"], extra_args=["--auth", "off"])


def test_a_gibibyte_up_and_a_trickle_down(az: LocalZure) -> None:
    with az:
        assert _request(az, "PUT", "/devstoreaccount1/large?restype=container") == 201
        before = anonymous_bytes(az.pid)
        connection = _connect(az)
        connection.putrequest("PUT", "/devstoreaccount1/large/huge")
        for name, value in {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2025-05-05"}.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(GIB))
        connection.endheaders()
        peak = 0
        for number in range(GIB // len(PIECE)):
            connection.send(PIECE)
            if number % 32 == 0:
                peak = max(peak, anonymous_bytes(az.pid))
        assert connection.getresponse().status == 201
        connection.close()
        assert peak - before < GROWTH_BYTES_MAX

        parts = urlsplit(az.endpoints["blob"])
        with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=60) as slow:
            slow.sendall(b"GET /devstoreaccount1/large/huge HTTP/1.1\r\nHost: x\r\nx-ms-version: 2025-05-05\r\n\r\n")
            received = sum(len(slow.recv(1024)) for _ in range(64))
            assert received > 0
            assert _request(az, "HEAD", "/devstoreaccount1/large/huge") == 200
            assert anonymous_bytes(az.pid) - before < GROWTH_BYTES_MAX
            assert _request(az, "DELETE", "/devstoreaccount1/large/huge") == 202
            rest = _read_rest(slow, received)
        assert rest


def _read_rest(slow: socket.socket, received: int) -> bool:
    """Read a few more megabytes of a blob that was deleted meanwhile: the download keeps its bytes."""
    wanted = received + 8 * len(PIECE)
    while received < wanted:
        data = slow.recv(1 << 20)
        if not data:
            return False
        received += len(data)
    return True


def test_messages_wait_in_the_store_not_in_memory(az: LocalZure) -> None:
    """Far more credit than a client takes bytes: the rest stays in the store."""
    with az, ServiceBusClient.from_connection_string(az.servicebus_connection_string) as client:
        body = b"x" * 200_000
        with client.get_queue_sender("large") as sender:
            for _ in range(300):
                sender.send_messages(ServiceBusMessage(body))
        before = anonymous_bytes(az.pid)
        with client.get_queue_receiver("large", prefetch_count=1000) as receiver:
            assert receiver.receive_messages(1, max_wait_time=10)
            assert anonymous_bytes(az.pid) - before < GROWTH_BYTES_MAX
