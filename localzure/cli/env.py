"""`localzure env`: what an app needs to know of a running server, as environment variables."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from localzure.cli import surroundings
from localzure.cli.endpoint import talks_to_server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.client import OwnApiClient


def _powershell(name: str, value: str) -> str:
    quoted = value.replace("'", "''")
    return f"$Env:{name} = '{quoted}'"


SHELLS: Mapping[str, Callable[[str, str], str]] = {
    "sh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "fish": lambda name, value: f"set -gx {name} {shlex.quote(value)}",
    "powershell": _powershell,
    "cmd": lambda name, value: f"set {name}={value}",
    "dotenv": lambda name, value: f"{name}={json.dumps(value)}",
}
"""How each shell sets a variable; `dotenv` is for the file `.env`."""


@click.command("env")
@click.option(
    "--shell",
    type=click.Choice(list(SHELLS)),
    default="powershell" if sys.platform == "win32" else "sh",
    help="Whose words to print (default sh; powershell on Windows).",
)
@click.option("--proxy", is_flag=True, help="Also print what lets unchanged programs take the server for Azure.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@talks_to_server
def env(client: OwnApiClient, shell: str, proxy: bool, as_json: bool) -> None:
    """Print every connection string of a running server, as environment variables.

    For example: eval "$(localzure env)"
    """
    told = client.call("GET", "endpoints")
    found = variables(told)
    if proxy:
        gateway = told["endpoints"]["gateway"]
        folder = Path(click.get_app_dir("localzure")) / f"trust-{urlsplit(gateway).port}"
        found |= surroundings.variables(gateway, surroundings.write_trust(client, folder), os.environ)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        click.echo(SHELLS[shell](name, value))


def variables(told: Mapping[str, Any]) -> dict[str, str]:
    """The variables, by the names that Azure's samples, Functions and SDKs have for them."""
    endpoints, strings = told["endpoints"], told["connection_strings"]
    found = {"LOCALZURE_ENDPOINT": endpoints.get("gateway", "")}
    if "storage" in strings:
        parts = dict(part.split("=", 1) for part in strings["storage"].strip(";").split(";"))
        found |= {
            "AZURE_STORAGE_CONNECTION_STRING": strings["storage"],
            "AzureWebJobsStorage": strings["storage"],
            "AZURE_STORAGE_ACCOUNT": parts["AccountName"],
            "AZURE_STORAGE_KEY": parts["AccountKey"],
        }
        for service in ("Blob", "Queue", "Table"):
            if f"{service}Endpoint" in parts:
                found[f"AZURE_STORAGE_{service.upper()}_ENDPOINT"] = parts[f"{service}Endpoint"]
    if "servicebus" in strings:
        found |= {
            "SERVICEBUS_CONNECTION_STRING": strings["servicebus"],
            "AZURE_SERVICEBUS_CONNECTION_STRING": strings["servicebus"],
            "SERVICEBUS_FULLY_QUALIFIED_NAMESPACE": urlsplit(endpoints["amqp"]).netloc,
        }
    return {name: value for name, value in found.items() if value}
