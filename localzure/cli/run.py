"""`localzure run`: run a program that was written for Azure, unchanged, against LocalZure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from localzure.cli.endpoint import client_of
from localzure.cli.surroundings import variables, write_trust
from localzure.client import NoServerError, OwnApiClient

if TYPE_CHECKING:
    from types import FrameType

EXIT_NOT_FOUND = 127
EXIT_NOT_RUNNABLE = 126
"""What shells answer for a command that is not there, or cannot be run."""

_PASSED_ON = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--ephemeral", is_flag=True, help="Start a server of its own in memory, also where one runs.")
@click.option("--offline", is_flag=True, help="Let a server of its own refuse what is not for Azure.")
@click.option("--endpoint", metavar="URL", help="The running server.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(ephemeral: bool, offline: bool, endpoint: str | None, command: tuple[str, ...]) -> int:
    """Run COMMAND with LocalZure in Azure's place: as its proxy, trusted, with identities that hold.

    What COMMAND sends to hosts of Azure over HTTPS reaches LocalZure, all else goes where it was sent. Without a
    running server one is started for as long as COMMAND runs. The exit code is that of COMMAND.

    For example: localzure run -- python app.py
    """
    with ExitStack() as stack:
        client = None if ephemeral else _running(endpoint)
        if client is None:
            from localzure.testing.server import LocalZure  # late: only needed without a server

            args = ["--accounts-on-first-use", *(["--offline"] if offline else [])]
            server = stack.enter_context(LocalZure(extra_args=args))
            client = OwnApiClient(server.endpoints["gateway"])
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="localzure-run-")))
        gateway = client.call("GET", "endpoints")["endpoints"]["gateway"]
        environment = os.environ | variables(gateway, write_trust(client, folder), os.environ)
        return _run(command, environment)


def _running(endpoint: str | None) -> OwnApiClient | None:
    """The server that is meant, where it runs. Raises NoServerError for one that was named and does not."""
    client = client_of(endpoint, os.environ.get("LOCALZURE_ADMIN_TOKEN"))
    try:
        client.call("GET", "endpoints")
    except NoServerError:
        if endpoint is not None:
            raise
        return None
    return client


def _run(command: tuple[str, ...], environment: dict[str, str]) -> int:
    """Run the program to its end, passing signals on; returns its exit code, as shells do for one that was killed."""
    try:
        child = subprocess.Popen(command, env=environment)  # noqa: S603 - what the user asked for
    except FileNotFoundError:
        click.echo(f"localzure: {command[0]}: command not found", err=True)
        return EXIT_NOT_FOUND
    except OSError as error:
        click.echo(f"localzure: {command[0]}: {error.strerror}", err=True)
        return EXIT_NOT_RUNNABLE

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 or sys.platform == "win32" else 128 - code
