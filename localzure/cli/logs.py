"""`localzure logs`: the end of the log file, and what comes after it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from localzure.config.load import load
from localzure.config.options import CONFIG_FLAG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES = 64 * 1024

_POLL_SECONDS = 0.2


@click.command("logs")
@click.option("--log-file", metavar="FILE", help="The file (default: the one of the environment or configuration).")
@click.option(CONFIG_FLAG, metavar="FILE", help="The server's configuration file.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=50, help="How many lines to begin with (default 50)."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl+C.")
def logs(log_file: str | None, config: str | None, lines: int, follow: bool) -> None:
    """Print the end of the log file of a server that logs to one (--log-file, LOCALZURE_LOG_FILE, log.file)."""
    path = load({"--log-file": log_file, CONFIG_FLAG: config}, os.environ).log.file
    if path is None:
        raise click.ClickException("no log file is configured: start the server with --log-file, or name one here")
    try:
        text, end = last_lines(path, lines)
        click.echo(text, nl=False)
        for more in following(path, end) if follow else ():
            click.echo(more, nl=False)
    except OSError as error:
        raise click.ClickException(f"the log file {path} cannot be read: {error.strerror or error}") from None


def last_lines(path: Path, count: int) -> tuple[bytes, int]:
    """The last `count` lines of a file, and its size. However long it is, no more than these are read."""
    with path.open("rb") as file:
        end = start = file.seek(0, os.SEEK_END)
        found = b""
        while start and found.count(b"\n") <= count:
            step = min(BLOCK_BYTES, start)
            start -= step
            file.seek(start)
            found = file.read(step) + found
    kept = found.split(b"\n")
    whole = count + (kept[-1] == b"")
    return b"\n".join(kept[-whole:] if count else []), end


def following(path: Path, at: int) -> Iterator[bytes]:
    """What is written behind byte `at`, and after a rotation what the new file holds. Never ends."""
    file = path.open("rb")
    try:
        file.seek(at)
        while True:
            if data := file.read(BLOCK_BYTES):
                yield data
            elif _is_another(path, os.fstat(file.fileno())):
                file.close()
                file = path.open("rb")
            else:
                time.sleep(_POLL_SECONDS)
    finally:
        file.close()


def _is_another(path: Path, opened: os.stat_result) -> bool:
    """Whether another file has taken the place of the one that is open."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino)
