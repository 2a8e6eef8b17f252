"""`localzure clock`: read and move the virtual time of a running server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localzure.cli.endpoint import talks_to_server
from localzure.cli.group import CommandGroup

if TYPE_CHECKING:
    from localzure.client import OwnApiClient


@click.group(cls=CommandGroup)
def clock() -> None:
    """The virtual time: locks, lifetimes, leases, visibility, schedules and retention go by it."""


@clock.command("show")
@talks_to_server
def show(client: OwnApiClient) -> None:
    """Print the virtual time, and whether it goes."""
    _print(client.call("GET", "clock"))


@clock.command("freeze")
@click.option("--at", metavar="TIME", help="Set it first, such as 2030-01-01T00:00:00Z.")
@talks_to_server
def freeze(client: OwnApiClient, at: str | None) -> None:
    """Let the virtual time stand still."""
    _print(client.call("POST", "clock", {"frozen": True} | ({"now": at} if at else {})))


@clock.command("set")
@click.argument("time")
@talks_to_server
def set_time(client: OwnApiClient, time: str) -> None:
    """Set the virtual time to TIME, such as 2030-01-01T00:00:00Z, and do what has come due until then."""
    _print(client.call("POST", "clock", {"now": time}))


@clock.command("advance", context_settings={"ignore_unknown_options": True})
@click.argument("duration")
@talks_to_server
def advance(client: OwnApiClient, duration: str) -> None:
    """Move the virtual time by DURATION, such as 90, 5m, 1h30m or PT5M, and do what comes due on the way."""
    _print(client.call("POST", "clock", {"advance": duration}))


@clock.command("resume")
@talks_to_server
def resume(client: OwnApiClient) -> None:
    """Let the virtual time go on from where it stands."""
    _print(client.call("POST", "clock", {"frozen": False}))


@clock.command("reset")
@talks_to_server
def reset(client: OwnApiClient) -> None:
    """Let the virtual time be the machine's again."""
    _print(client.call("POST", "clock", {"reset": True}))


def _print(told: dict[str, Any]) -> None:
    """One line: the time, and what is unusual about it."""
    remarks = ["frozen"] if told["frozen"] else []
    if round(told["ahead_seconds"], 3):
        remarks.append(f"{told['ahead_seconds']:+.3f} s from the machine's time")
    if told["clients"] == "virtual":
        remarks.append("also for the dates of clients")
    click.echo(" ".join([told["now"], *([f"({', '.join(remarks)})"] if remarks else [])]))
