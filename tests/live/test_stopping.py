"""How a server stops: what is in flight finishes, nothing new is taken, and a second signal ends it at once."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from localzure.testing import LocalZure

HEADERS = {"x-ms-version": "2025-05-05", "x-ms-blob-type": "BlockBlob"}


@contextmanager
def _half_an_upload(az: LocalZure) -> Iterator[http.client.HTTPConnection]:
    """An upload of which the head and half of the body have been sent."""
    parts = urlsplit(az.endpoints["blob"])
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.request("PUT", "/devstoreaccount1/stopping?restype=container", headers=HEADERS)
    connection.getresponse().read()
    connection.putrequest("PUT", "/devstoreaccount1/stopping/blob")
    for name, value in {**HEADERS, "Content-Length": "10", "Expect": "100-continue"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100 ")
    connection.send(b"12345")
    yield connection
    connection.close()


@pytest.fixture
def az(tmp_path: Path) -> LocalZure:
    return LocalZure(in_memory=False, data_dir=tmp_path, queues=["q"], extra_args=["--auth", "off"])


def test_what_is_in_flight_finishes(az: LocalZure) -> None:
    with az:
        with _half_an_upload(az) as connection:
            os.kill(az.pid, signal.SIGTERM)
            _wait_until_nothing_new_is_taken(az)
            connection.send(b"67890")
            reply = connection.getresponse()
            assert reply.status == 201
            assert reply.getheader("connection") == "close"
        assert az.wait() == 0
        az.start()
        parts = urlsplit(az.endpoints["blob"])
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        connection.request("GET", "/devstoreaccount1/stopping/blob", headers=HEADERS)
        assert connection.getresponse().read() == b"1234567890"
        connection.close()


def _wait_until_nothing_new_is_taken(az: LocalZure) -> None:
    parts = urlsplit(az.endpoints["blob"])
    for _ in range(10_000):
        try:
            socket.create_connection((str(parts.hostname), parts.port or 0), timeout=1).close()
        except OSError:
            return
    raise AssertionError("a stopping server still takes connections")


def test_a_second_signal_ends_it_at_once(az: LocalZure) -> None:
    with az, _half_an_upload(az):
        os.kill(az.pid, signal.SIGTERM)
        _wait_until_nothing_new_is_taken(az)
        assert az.stop() == 128 + signal.SIGTERM
        assert not (Path(str(az.data_dir)) / "ready.json").exists()
        az.start()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("abandoned_sockets")
def test_idle_clients_do_not_hold_it_up(az: LocalZure) -> None:
    with az, ServiceBusClient.from_connection_string(az.servicebus_connection_string, retry_total=0) as client:
        sender = client.get_queue_sender("q")
        sender.send_messages(ServiceBusMessage("before"))
        assert az.stop() == 0
        with pytest.raises(ServiceBusError):
            sender.send_messages(ServiceBusMessage("after"))
