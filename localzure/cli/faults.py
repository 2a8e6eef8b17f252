"""`localzure faults`: arm, list and disarm the fault rules of a running server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from localzure.cli.endpoint import talks_to_server
from localzure.cli.group import CommandGroup

if TYPE_CHECKING:
    from localzure.client import OwnApiClient


@click.group(cls=CommandGroup)
def faults() -> None:
    """Let requests and messages go wrong on purpose, to see whether an app stands it."""


@faults.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the rules as JSON.")
@talks_to_server
def list_faults(client: OwnApiClient, as_json: bool) -> None:
    """Print the rules that are armed, and how often each has struck."""
    told = client.call("GET", "faults")["faults"]
    if as_json:
        click.echo(json.dumps(told, indent=2))
    elif not told:
        click.echo("no fault rules are armed")
    for armed in [] if as_json else told:
        click.echo(_line(armed))


@faults.command("add")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@talks_to_server
def add(client: OwnApiClient, fields: tuple[str, ...]) -> None:
    """Arm a rule.

    For example: localzure faults add effect=status service=blob status=503 retry_after=1 rate=0.5
    """
    rule: dict[str, object] = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals or not name:
            raise click.UsageError(f"expected FIELD=VALUE, got {field!r}")
        rule[name] = _value(value)
    (armed,) = client.call("POST", "faults", rule)["faults"]
    click.echo(_line(armed))


@faults.command("remove")
@click.argument("rule_id", metavar="ID")
@talks_to_server
def remove(client: OwnApiClient, rule_id: str) -> None:
    """Disarm the rule ID."""
    client.call("DELETE", f"faults/{rule_id}")


@faults.command("clear")
@talks_to_server
def clear(client: OwnApiClient) -> None:
    """Disarm every rule."""
    client.call("DELETE", "faults")


def _value(text: str) -> object:
    """What a value is in JSON where it is JSON, else the text: `503`, `[500, 503]`, `true`, `orders*`."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _line(armed: dict[str, Any]) -> str:
    fields = " ".join(f"{name}={value}" for name, value in armed["rule"].items())
    return f"{armed['id']}  {armed['hits']} of {armed['seen']}  {fields}"
