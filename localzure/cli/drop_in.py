"""What lets LocalZure stand in for Microsoft's own emulators: their words, their mounts, their environment.

Test kits know that an emulator is up by a line in its log, mount its configuration at a fixed place and move a port
with a variable (Testcontainers' Azurite and Service Bus modules for Java, .NET, Node and Go; .NET Aspire).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localzure.config.options import CONFIG_FLAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.config.settings import Settings

SERVICE_BUS_CONFIG = Path("/ServiceBus_Emulator/ConfigFiles/Config.json")
"""Where Microsoft's Service Bus emulator has its entities from."""

SERVICE_BUS_READY = "Emulator Service is Successfully Up!"

HTTP_PORT_VARIABLE = "EMULATOR_HTTP_PORT"
"""Moves the Service Bus emulator's HTTP port."""


@dataclass(frozen=True, slots=True)
class _Words:
    """What Azurite calls a service."""

    name: str
    listener: str


_AZURITE = (_Words("Blob", "blob"), _Words("Queue", "queue"), _Words("Table", "table"))


def announcement(endpoints: Mapping[str, str], settings: Settings) -> str:
    """The lines by which the emulators tell that they are up, for the services that run."""
    lines = []
    for words in _AZURITE:
        if words.listener in endpoints:
            url = _bound(endpoints[words.listener], settings)
            lines.append(f"Azurite {words.name} service is starting at {url}")
            lines.append(f"Azurite {words.name} service is successfully listening at {url}")
    if "amqp" in endpoints:
        lines.append(SERVICE_BUS_READY)
    return "\n".join(lines)


def farewell(settings: Settings) -> str:
    """What Azurite says when it has stopped."""
    served = [words.name for words in _AZURITE if words.listener in settings.services]
    return "\n".join(f"Azurite {name} service successfully closed" for name in served)


def surroundings(
    flags: Mapping[str, object], environment: Mapping[str, str], mounted: Path = SERVICE_BUS_CONFIG
) -> dict[str, object]:
    """`flags`, and what an emulator's mounts and variables say where the flags and our own variables are silent."""
    told = dict(flags)
    port = environment.get(HTTP_PORT_VARIABLE)
    if port and told.get("--servicebus-port") is None and "LOCALZURE_SERVICEBUS_PORT" not in environment:
        told["--servicebus-port"] = port
    is_configured = told.get(CONFIG_FLAG) is not None or "LOCALZURE_CONFIG" in environment
    if not told.get("--seed") and "LOCALZURE_SEED" not in environment and not is_configured and mounted.is_file():
        told["--seed"] = (str(mounted),)
    return told


def _bound(url: str, settings: Settings) -> str:
    """The URL with the address that was bound, as Azurite prints it, instead of one to connect to."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{host}:{urlsplit(url).port}"
