"""`localzure service`: list the services of a running server, and start, stop and restart one of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from localzure.cli.endpoint import talks_to_server
from localzure.cli.group import CommandGroup
from localzure.cli.tables import table

if TYPE_CHECKING:
    from localzure.client import OwnApiClient

_COLUMNS = {
    "name": "name",
    "state": "state",
    "kind": "kind",
    "version": "version",
    "needs": "needs",
    "remark": "remark",
    "what": "description",
}


@click.group(cls=CommandGroup)
def service() -> None:
    """The services of a running server, built-in ones and plugins."""


@service.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print an array.")
@talks_to_server
def list_services(client: OwnApiClient, as_json: bool) -> None:
    """List every service and its state."""
    told: list[dict[str, Any]] = client.call("GET", "services")["services"]
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    rows = [each | {"needs": ", ".join(each["dependencies"])} for each in told]
    click.echo(table(_COLUMNS, rows, "no service runs"))


@service.command("start")
@click.argument("name")
@talks_to_server
def start(client: OwnApiClient, name: str) -> None:
    """Start the service NAME, and before it those that it needs."""
    _change(client, name, "start")


@service.command("stop")
@click.argument("name")
@talks_to_server
def stop(client: OwnApiClient, name: str) -> None:
    """Stop the service NAME, and before it those that need it; the others go on."""
    _change(client, name, "stop")


@service.command("restart")
@click.argument("name")
@talks_to_server
def restart(client: OwnApiClient, name: str) -> None:
    """Stop the service NAME and start it again, with those that need it."""
    _change(client, name, "restart")


def _change(client: OwnApiClient, name: str, how: str) -> None:
    """Do it, and say what was done: nothing where all was so already."""
    told = client.call("POST", f"services/{name}/{how}")
    done = "stopped" if how == "stop" else "started"
    for each in told["changed"]:
        click.echo(f"{each} is {done}")
    if not told["changed"]:
        click.echo(f"{name} is {told['state']} already")
