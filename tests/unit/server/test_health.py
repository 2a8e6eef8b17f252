"""What the health answers say, and which requests are for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localzure import __version__
from localzure.server.health import Health, Probe, probe
from localzure.services.interface import HttpRequest
from tests.twins import ManualClock


def request(
    method: str = "GET", path: str = "/health", query: str = "", host: str = "127.0.0.1:10000", **headers: str
) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, path, query, named, "http", host, "127.0.0.1", "id")


def body(health: Health, wanted: Probe) -> tuple[int, dict[str, Any]]:
    reply = health.reply(wanted)
    assert isinstance(reply.body, bytes)
    assert ("content-type", "application/json") in reply.headers
    return reply.status, json.loads(reply.body)


def test_ready_only_from_serving_to_stopping() -> None:
    health = Health(["blob"], ManualClock())
    seen = []
    probes: tuple[Probe, ...] = ("health", "live", "ready")
    seen.append([health.reply(wanted).status for wanted in probes])
    health.serve()
    seen.append([health.reply(wanted).status for wanted in probes])
    health.stop()
    seen.append([health.reply(wanted).status for wanted in probes])
    assert seen == [[503, 200, 503], [200, 200, 200], [503, 200, 503]]


def test_what_a_healthy_server_says() -> None:
    clock = ManualClock()
    health = Health(["blob", "servicebus"], clock)
    health.serve()
    clock.advance(1.5)
    assert body(health, "health") == (
        200,
        {
            "status": "healthy",
            "message": "Service is healthy.",
            "version": __version__,
            "services": {"blob": "running", "servicebus": "running"},
            "uptime": 1.5,
            "timestamp": "2026-01-01T00:00:01.500Z",
        },
    )


def test_what_a_server_says_that_does_not_serve_yet() -> None:
    status, said = body(Health(["blob"], ManualClock()), "ready")
    assert status == 503
    assert (said["status"], said["message"]) == (
        "unhealthy",
        "Service not available. Please try after some time.",
    )
    assert said["services"] == {"blob": "unavailable"}


@pytest.mark.parametrize(
    ("path", "wanted"), [("/health", "health"), ("/health/live", "live"), ("/health/ready", "ready")]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:10000", "[::1]:5300", "", "host.docker.internal:5300", "azurite"]
)
def test_a_plain_probe_is_for_us(path: str, wanted: Probe, method: str, host: str) -> None:
    assert probe(request(method, path, host=host, user_agent="curl")) == wanted


@pytest.mark.parametrize(
    "other",
    [
        request(path="/"),
        request(path="/health/"),
        request(path="/Health"),
        request(path="/health%20"),
        request(path="/health/live/"),
        request(path="/health/other"),
        request(path="/devstoreaccount1/health"),
        request("PUT"),
        request("DELETE"),
        request("OPTIONS"),
        request(query="restype=container"),
        request(query="comp=list"),
        request(query="api-version=2021-05"),
        request(authorization="SharedKey health:x"),
        request(x_ms_version="2021-12-02"),
        request(x_ms_date="Thu, 01 Jan 2026 00:00:00 GMT"),
        request(host="devstoreaccount1.blob.localhost:10000"),
        request(host="ACCT.BLOB.core.windows.net"),
        request(host="acct.queue.localhost"),
    ],
    ids=lambda other: f"{other.method} {other.host}{other.raw_path}?{other.raw_query} {' '.join(other.headers)}",
)
def test_what_an_azure_client_asks_of_an_account_or_container_called_health_is_not(other: HttpRequest) -> None:
    assert probe(other) is None
