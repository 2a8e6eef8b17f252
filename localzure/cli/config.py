"""`localzure config`: what the settings are that flags, environment and file make, and whether they are right."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localzure.cli.group import CommandGroup
from localzure.cli.start import settings_flags, settings_parameters
from localzure.config.load import load
from localzure.config.options import CONFIG_FLAG

if TYPE_CHECKING:
    from localzure.config.settings import Settings

HIDDEN = "(hidden)"
"""In the place of what is secret."""

_NOT_SHOWN = frozenset({"origins", "warnings"})


@click.group(cls=CommandGroup)
def config() -> None:
    """What a server started here and now would be told to be."""


def _show(as_json: bool, **flags: Any) -> None:
    """Print the settings of a server started with the same flags, environment and configuration file.

    Keys and passwords are not shown. After each value that is no default stands where it comes from.
    """
    settings = load(settings_flags(flags), os.environ)
    shown = {name: value for name, value in plain(settings).items() if name not in _NOT_SHOWN}
    if as_json:
        click.echo(json.dumps({"settings": shown, "origins": dict(settings.origins)}, indent=2))
        return
    import yaml  # late: only needed here

    click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True).rstrip())
    if settings.origins:
        click.echo("\n# set by")
        for path, origin in settings.origins.items():
            click.echo(f"#   {path}: {origin}")


config.add_command(
    click.Command(
        "show",
        params=[click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."), *settings_parameters()],
        callback=_show,
        help=_show.__doc__,
    )
)


@config.command("validate")
@click.argument("file", required=False)
def validate(file: str | None) -> None:
    """Check a configuration FILE, or the one that the environment names, with everything else that counts.

    Exit code 0 when a server would start with it, 2 and the reason when it would not.
    """
    settings = load({CONFIG_FLAG: file}, os.environ)
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo("valid")


def plain(settings: Settings) -> dict[str, Any]:
    """The settings as JSON and YAML have them, without what is secret."""
    shown = _plain(settings)
    assert isinstance(shown, dict), "settings have names"
    return shown


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: (field.repr, getattr(value, field.name)) for field in fields(value)}
        return {name: _plain(item) if is_shown or not item else HIDDEN for name, (is_shown, item) in found.items()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    import msgspec  # late: only rules for faults and limits are its structs

    return msgspec.to_builtins(value)
