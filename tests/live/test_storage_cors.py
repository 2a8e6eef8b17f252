"""Browsers and the storage services: rules that an SDK sets, preflight requests, and what replies say of origins."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from azure.data.tables import TableCorsRule, TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.blob import CorsRule as BlobCorsRule
from azure.storage.queue import CorsRule as QueueCorsRule
from azure.storage.queue import QueueServiceClient

from localzure.testing import LocalZure

SITE = "https://site.example"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure() as server:
        yield server


def allow(azure: LocalZure, service: str) -> None:
    """Let pages of one site read."""
    string = azure.connection_strings["storage"]
    said = {"allowed_headers": ["x-ms-*"], "exposed_headers": ["etag", "x-ms-*"], "max_age_in_seconds": 60}
    if service == "blob":
        with BlobServiceClient.from_connection_string(string) as blobs:
            blobs.set_service_properties(cors=[BlobCorsRule([SITE], ["GET", "PUT"], **said)])
    elif service == "queue":
        with QueueServiceClient.from_connection_string(string) as queues:
            queues.set_service_properties(cors=[QueueCorsRule([SITE], ["GET", "PUT"], **said)])
    else:
        with TableServiceClient.from_connection_string(string) as tables:
            tables.set_service_properties(cors=[TableCorsRule([SITE], ["GET", "PUT"], **said)])


def ask(azure: LocalZure, service: str, method: str, **headers: str) -> tuple[int, dict[str, str]]:
    url = urlsplit(azure.endpoints[service])
    connection = HTTPConnection(url.hostname or "", url.port)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, "/devstoreaccount1/thing", headers=sent)
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status, {name.lower(): value for name, value in reply.getheaders()}


@pytest.mark.parametrize("service", ["blob", "queue", "table"])
def test_what_browsers_ask(azure: LocalZure, service: str) -> None:
    preflight = {"origin": SITE, "access_control_request_method": "PUT", "access_control_request_headers": "x-ms-date"}
    status, headers = ask(azure, service, "OPTIONS", **preflight)
    assert (status, headers["x-ms-error-code"]) == (403, "CorsPreflightFailure")
    allow(azure, service)
    status, headers = ask(azure, service, "OPTIONS", **preflight)
    assert (status, headers["access-control-allow-origin"], headers["access-control-max-age"]) == (200, SITE, "60")
    assert (headers["access-control-allow-methods"], headers["access-control-allow-headers"]) == ("PUT", "x-ms-date")
    for name, value in {
        "origin": "https://other.example",
        "access_control_request_method": "DELETE",
        "access_control_request_headers": "authorization",
    }.items():
        assert ask(azure, service, "OPTIONS", **{**preflight, name: value})[0] == 403, name
    assert ask(azure, service, "OPTIONS", origin=SITE)[0] == 400
    status, headers = ask(azure, service, "GET", origin=SITE)
    assert 400 <= status < 500, "an error tells of origins too"
    assert (headers["access-control-allow-origin"], headers["vary"]) == (SITE, "Origin")
    assert "x-ms-request-id" in headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in ask(azure, service, "GET", origin="https://other.example")[1]
    assert "access-control-allow-origin" not in ask(azure, service, "GET")[1]
