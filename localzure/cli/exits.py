"""How a command ends: its exit code, and the one line on stderr that says why nothing was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localzure.client import ClientError, NoServerError
from localzure.config.file import ConfigurationError
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_REFUSED = 2
"""The exit code when what was asked for cannot be done as it was asked."""

EXIT_NO_SERVER = 3
"""The exit code when no server answers."""

EXIT_INTERRUPTED = 130
"""The exit code after Ctrl+C outside of a running server, as shells have it."""


def run_command(command: click.Command, args: Sequence[str] | None = None) -> int:
    """Run `command` with `args`, those of the process unless given; returns the exit code."""
    name = str(command.name)
    try:
        code = command.main(args, prog_name=name, standalone_mode=False)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else name
        return _refuse(name, f"{error.format_message().rstrip('.')} (see {path} --help)")
    except (click.ClickException, ConfigurationError, StartupError) as error:
        return _refuse(name, error.format_message() if isinstance(error, click.ClickException) else str(error))
    except NoServerError as error:
        return _refuse(name, str(error), EXIT_NO_SERVER)
    except ClientError as error:
        return _refuse(name, str(error))
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0


def _refuse(name: str, text: str, code: int = EXIT_REFUSED) -> int:
    """Tell in one line why nothing was done."""
    line = " ".join(text.split())
    click.echo(f"{name}: " + "".join(char if char.isprintable() else "?" for char in line), err=True)
    return code
