"""`localzure snapshot`: named snapshots of a running server's state."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from localzure.cli.confirming import confirm, yes_option
from localzure.cli.endpoint import talks_to_server
from localzure.cli.group import CommandGroup

if TYPE_CHECKING:
    from localzure.client import OwnApiClient


@click.group(cls=CommandGroup)
def snapshot() -> None:
    """Named snapshots of everything that a running server holds."""


@snapshot.command("save")
@click.argument("name")
@talks_to_server
def save(client: OwnApiClient, name: str) -> None:
    """Make the snapshot NAME, in place of one that is called so; the server goes on serving."""
    made = client.call("PUT", f"snapshots/{quote(name, safe='')}")
    click.echo(f"saved {made['name']} ({made['bytes']} bytes)")


@snapshot.command("restore")
@click.argument("name")
@yes_option
@talks_to_server
def restore(client: OwnApiClient, name: str, yes: bool) -> None:
    """Go back to the snapshot NAME: what has changed since is gone."""
    confirm("what has changed since", name, yes=yes)
    client.call("POST", f"snapshots/{quote(name, safe='')}/restore")
    click.echo(f"restored {name}")


@snapshot.command("list")
@talks_to_server
def list_all(client: OwnApiClient) -> None:
    """List the snapshots: name, time, bytes."""
    for each in client.call("GET", "snapshots")["snapshots"]:
        click.echo(f"{each['name']}  {each['created']}  {each['bytes']}")


@snapshot.command("delete")
@click.argument("name")
@yes_option
@talks_to_server
def delete(client: OwnApiClient, name: str, yes: bool) -> None:
    """Delete the snapshot NAME."""
    confirm(f"the snapshot {name}", name, yes=yes)
    client.call("DELETE", f"snapshots/{quote(name, safe='')}")
    click.echo(f"deleted {name}")
