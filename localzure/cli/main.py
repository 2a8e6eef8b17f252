"""The `localzure` command.

Starting must take well under a second and `--version` no time at all, so a command imports what is heavy only when
it runs. Whatever is wrong with flags, configuration, ports, store or seeds ends with exit code 2 and exactly one
line on stderr; a traceback is a bug of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localzure import __version__
from localzure.cli.ca import ca
from localzure.cli.start import start
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


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="localzure", message="%(prog)s %(version)s")
@click.pass_context
def localzure(context: click.Context) -> None:
    """A local emulator of Azure that the official SDKs connect to unmodified."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


localzure.add_command(start)
localzure.add_command(ca)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line `args`, that of the process unless given; returns the exit code."""
    try:
        code = localzure.main(args, prog_name="localzure", standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "localzure"
        return _refuse(f"{error.format_message().rstrip('.')} (see {command} --help)")
    except (click.ClickException, ConfigurationError, StartupError) as error:
        return _refuse(error.format_message() if isinstance(error, click.ClickException) else str(error))
    except NoServerError as error:
        return _refuse(str(error), EXIT_NO_SERVER)
    except ClientError as error:
        return _refuse(str(error))
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0


def _refuse(text: str, code: int = EXIT_REFUSED) -> int:
    """Tell in one line why nothing was done."""
    line = " ".join(text.split())
    click.echo("localzure: " + "".join(char if char.isprintable() else "?" for char in line), err=True)
    return code
