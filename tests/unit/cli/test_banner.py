"""What people see once the server serves."""

from __future__ import annotations

from pathlib import Path

from localzure import __version__
from localzure.cli.banner import banner
from localzure.config.settings import Settings

ENDPOINTS = {"gateway": "http://127.0.0.1:8080", "amqp": "amqp://127.0.0.1:5672"}
STRINGS = {"storage": "DefaultEndpointsProtocol=http;", "servicebus": "Endpoint=sb://127.0.0.1:5672;"}


def test_version_endpoints_data_and_connection_strings() -> None:
    settings = Settings(data_dir=Path("/data"), durability="process")
    assert banner(ENDPOINTS, STRINGS, settings).splitlines() == [
        f"LocalZure {__version__} is ready",
        "",
        "  Gateway            http://127.0.0.1:8080",
        "  Service Bus, AMQP  amqp://127.0.0.1:5672",
        "  Data               /data (survives the end of the process)",
        "",
        "  Storage      DefaultEndpointsProtocol=http;",
        "  Service Bus  Endpoint=sb://127.0.0.1:5672;",
        "",
        "Ctrl+C stops it.",
    ]


def test_in_memory_and_with_nothing_to_connect_to() -> None:
    assert "  Data     in memory" in banner({"gateway": "http://h:1"}, {}, Settings())


def test_a_listener_without_a_name_for_people_shows_its_own() -> None:
    assert "  other  http://h:1" in banner({"other": "http://h:1"}, {}, Settings())
