"""`localzure start`: run the server in the foreground."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from localzure.cli.banner import banner
from localzure.cli.drop_in import announcement, surroundings
from localzure.config.load import load
from localzure.config.options import CONFIG_FLAG, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.config.settings import Settings


def settings_parameters() -> list[click.Parameter]:
    """The flags: one for the configuration file, and one for each row of the settings' table that has one.

    Values are taken as text. The configuration reads them, so that errors read the same wherever a value is from.
    """
    rows = [
        click.Option([option.flag], is_flag=True, default=None, help=option.help, hidden=not option.served)
        if option.switch
        else click.Option(
            [option.flag],
            metavar=option.metavar,
            multiple=option.many,
            help=option.help,
            hidden=not option.served,
        )
        for option in OPTIONS
        if option.flag
    ]
    return [click.Option([CONFIG_FLAG], metavar="FILE", help="Configuration file, YAML or JSON."), *rows]


def settings_flags(values: Mapping[str, Any]) -> dict[str, object]:
    """The values of `settings_parameters` by flag, as `load` takes them."""
    return {f"--{name.replace('_', '-')}": value for name, value in values.items()}


def _run(**values: Any) -> int:
    """Run the server in the foreground until Ctrl+C or SIGTERM.

    Every flag is also an environment variable (--blob-port is LOCALZURE_BLOB_PORT) and a key of the configuration
    file. The command line wins over the environment, the environment over the file.
    """
    flags = settings_flags(values)

    def read() -> Settings:
        settings = load(flags, os.environ)
        return load(surroundings(flags, os.environ), os.environ) if settings.drop_in else settings

    settings = read()
    from localzure.server.runtime import run  # late: the server's parts take most of the time to import

    def announce(endpoints: Mapping[str, str], strings: Mapping[str, str]) -> None:
        with suppress(OSError, ValueError):  # nobody reads stdout: a reason not to print, not one to stop
            click.echo(banner(endpoints, strings, settings))
            if settings.drop_in:
                click.echo(announcement(endpoints, settings))

    return run(settings, announce, read)


start = click.Command("start", params=settings_parameters(), callback=_run, help=_run.__doc__)
