"""`localzure status`, `localzure stop` and `localzure version`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from localzure import __version__
from localzure.cli.endpoint import talks_to_server
from localzure.client import ClientError, NoServerError

if TYPE_CHECKING:
    from localzure.client import OwnApiClient

STOP_SECONDS_MAX = 40.0
"""How long a server may take to stop: it lets what is in flight finish."""

_POLL_SECONDS = 0.05


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@talks_to_server
def status(client: OwnApiClient, as_json: bool) -> None:
    """Tell what a running server serves, and where. Exit code 3 when there is none."""
    told = client.call("GET", "status")
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"LocalZure {told['version']} is {told['status']}, process {told['pid']}, up {told['uptime']:.0f} s")
    for name, url in told["endpoints"].items():
        click.echo(f"  {name:<11} {url}")
    for name, state in told["services"].items():
        click.echo(f"  {name:<11} {state}")


@click.command("stop")
@click.option("--no-wait", is_flag=True, help="Do not wait until it has stopped.")
@talks_to_server
def stop(client: OwnApiClient, no_wait: bool) -> None:
    """Stop a running server in order: what is in flight finishes."""
    client.call("POST", "stop")
    if no_wait:
        click.echo("stopping")
        return
    for _ in range(round(STOP_SECONDS_MAX / _POLL_SECONDS)):
        try:
            client.call("GET", "status")
        except NoServerError:
            click.echo("stopped")
            return
        time.sleep(_POLL_SECONDS)
    raise ClientError(f"the server has not stopped in {STOP_SECONDS_MAX:.0f} s")


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def version(as_json: bool) -> None:
    """Print the version."""
    click.echo(json.dumps({"version": __version__}) if as_json else __version__)
