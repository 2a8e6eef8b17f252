"""`azurite`, `azurite-blob`, `azurite-queue` and `azurite-table`: LocalZure by the names and flags of Azurite.

What starts Azurite today (a script, a task of an editor, Testcontainers' entry point) starts LocalZure with these.
Flags that tell Azurite to be more lenient than LocalZure is by nature, or to send no telemetry, are taken and change
nothing. Flags: https://learn.microsoft.com/azure/storage/common/storage-install-azurite.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localzure import __version__
from localzure.cli.drop_in import announcement, farewell
from localzure.cli.exits import run_command
from localzure.config.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVICES = ("blob", "queue", "table")

DATA_FOLDER = ".localzure"
"""Where in Azurite's workspace the store is; Azurite's own files beside it are left alone."""

ANY_HOST = "0.0.0.0"  # noqa: S104 - compared, and bound only when a flag says so

_TAKEN = {
    "--loose": "LocalZure ignores what it does not know by nature.",
    "--skipApiVersionCheck": "LocalZure takes every version by nature.",
    "--disableTelemetry": "LocalZure has no telemetry.",
    "--disableProductStyleUrl": "LocalZure tells the two styles apart.",
}
"""Switches that change nothing here, and why."""


def _parameters(services: tuple[str, ...]) -> list[click.Parameter]:
    """Azurite's flags, for the services that the command starts."""
    found: list[click.Parameter] = []
    for service in services:
        found += [
            click.Option([f"--{service}Host", f"{service}_host"], metavar="HOST", help="Address to listen on."),
            click.Option([f"--{service}Port", f"{service}_port"], metavar="PORT", help="Port; 0 is an ephemeral one."),
            click.Option([f"--{service}KeepAliveTimeout", f"{service}_keep_alive"], metavar="SECONDS", hidden=True),
        ]
    found += [
        click.Option(["-l", "--location"], metavar="DIR", help="Folder of the workspace (default: this one)."),
        click.Option(["-s", "--silent"], is_flag=True, help="Log nothing but errors."),
        click.Option(["-d", "--debug"], metavar="FILE", help="Log everything to this file."),
        click.Option(["--cert"], metavar="FILE", help="Certificate, PEM or PFX."),
        click.Option(["--key"], metavar="FILE", help="Its private key in PEM."),
        click.Option(["--pwd"], metavar="TEXT", help="The password of a PFX."),
        click.Option(["--oauth"], type=click.Choice(["basic"]), help="Tokens are always taken."),
        click.Option(["--inMemoryPersistence", "in_memory"], is_flag=True, help="Keep everything in memory."),
        click.Option(["--extentMemoryLimit", "extent_memory"], metavar="MEGABYTES", hidden=True),
        *(click.Option([flag], is_flag=True, help=why) for flag, why in _TAKEN.items()),
    ]
    found[-len(_TAKEN)] = click.Option(["-L", "--loose"], is_flag=True, help=_TAKEN["--loose"])
    return found


def flags_for(services: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, object]:
    """What `given` of Azurite's flags are in LocalZure's. Raises click.UsageError."""
    flags: dict[str, object] = {
        "--services": ",".join(services),
        "--port": "off",
        "--host": _host([host for service in services if (host := given[f"{service}_host"])]),
        "--tls-cert": given["cert"],
        "--tls-key": given["key"],
        "--tls-password": given["pwd"],
        **{f"--{service}-port": given[f"{service}_port"] for service in services},
    }
    if given["in_memory"]:
        flags["--in-memory"] = True
    elif given["location"]:
        flags["--data-dir"] = str(Path(given["location"]) / DATA_FOLDER)
    if given["debug"]:
        flags |= {"--log-file": given["debug"], "--log-level": "debug"}
    elif given["silent"]:
        flags["--log-level"] = "error"
    return flags


def _host(hosts: list[str]) -> str | None:
    """The address for all services: that of each, or every address where one of them asks for that."""
    if ANY_HOST in hosts:
        return ANY_HOST
    if len(set(hosts)) > 1:
        raise click.UsageError(f"all services listen on one address, not on {' and '.join(sorted(set(hosts)))}")
    return hosts[0] if hosts else None


def _starter(services: tuple[str, ...]) -> Callable[..., int]:
    """What a command of this module does."""

    def start(**given: Any) -> int:
        flags = flags_for(services, given)
        settings = load(flags, os.environ)
        from localzure.server.runtime import run  # late: the server's parts take most of the time to import

        def announce(endpoints: Mapping[str, str], _strings: Mapping[str, str]) -> None:
            _tell(announcement(endpoints, settings))

        code = run(settings, announce, lambda: load(flags, os.environ))
        _tell(farewell(settings))
        return code

    return start


def _tell(text: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads stdout: a reason not to print, not one to stop
        click.echo(text)


def command(name: str, services: tuple[str, ...]) -> click.Command:
    """The command `name`, which starts `services`."""
    made = click.Command(
        name,
        params=_parameters(services),
        callback=_starter(services),
        help=f"Start LocalZure's {' and '.join(services)} storage in Azurite's place.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    message = f"%(prog)s of LocalZure {__version__}"
    return click.version_option(__version__, "-v", "--version", prog_name=name, message=message)(made)


def azurite() -> int:
    """`azurite`: blob, queue and table storage."""
    return run_command(command("azurite", SERVICES))


def azurite_blob() -> int:
    """`azurite-blob`."""
    return run_command(command("azurite-blob", ("blob",)))


def azurite_queue() -> int:
    """`azurite-queue`."""
    return run_command(command("azurite-queue", ("queue",)))


def azurite_table() -> int:
    """`azurite-table`."""
    return run_command(command("azurite-table", ("table",)))
