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
from localzure.cli.clock import clock
from localzure.cli.completion import completion
from localzure.cli.config import config
from localzure.cli.env import env
from localzure.cli.exits import run_command
from localzure.cli.faults import faults
from localzure.cli.group import CommandGroup
from localzure.cli.health import health
from localzure.cli.logs import logs
from localzure.cli.reset import reset
from localzure.cli.run import run
from localzure.cli.server import status, stop, version
from localzure.cli.service import service
from localzure.cli.servicebus import servicebus
from localzure.cli.snapshot import snapshot
from localzure.cli.start import start
from localzure.cli.storage import storage

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="localzure", message="%(prog)s %(version)s")
def localzure() -> None:
    """A local emulator of Azure that the official SDKs connect to unmodified."""


COMMANDS = (
    start,
    run,
    stop,
    status,
    health,
    env,
    config,
    version,
    completion,
    ca,
    clock,
    faults,
    logs,
    reset,
    service,
    servicebus,
    snapshot,
    storage,
)
for _command in COMMANDS:
    localzure.add_command(_command)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line `args`, that of the process unless given; returns the exit code."""
    return run_command(localzure, args)
