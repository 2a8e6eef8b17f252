"""Commands on a store that no server has: a server of the command's own, on ports that nobody knows, for its length."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from localzure.client import OwnApiClient
from localzure.config.options import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS_MAX = 30.0
"""How long the server may take."""

_POLL_SECONDS = 0.01


@contextmanager
def serve_store(data_dir: str) -> Iterator[OwnApiClient]:
    """Serve the store in `data_dir` for the length of the block. Raises ClickException where it cannot be served."""
    if not (Path(data_dir) / "store").is_dir():
        raise click.ClickException(f"there is no store in {data_dir}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with tempfile.TemporaryDirectory(prefix="localzure-") as folder:
        ready = Path(folder) / "ready.json"
        command = [sys.executable, "-P", "-m", "localzure", "start", "--all-ports", "0", "--ready-file", str(ready)]
        command += ["--data-dir", data_dir, "--log-level", "error"]
        process = subprocess.Popen(  # noqa: S603 - the command is our own
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        try:
            yield OwnApiClient(_await_endpoint(process, ready))
        finally:
            process.terminate()
            process.communicate()


def _await_endpoint(process: subprocess.Popen[bytes], ready: Path) -> str:
    """The gateway's URL, once the server serves."""
    for _ in range(round(START_SECONDS_MAX / _POLL_SECONDS)):
        if ready.exists():
            return str(json.loads(ready.read_bytes())["endpoints"]["gateway"])
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        assert process.stderr is not None, "it is a pipe"
        said = process.stderr.read().decode("utf-8", "replace").strip().removeprefix("localzure: ")
        raise click.ClickException(said or "the store cannot be served")
    raise click.ClickException(f"the store could not be served in {START_SECONDS_MAX:.0f} seconds")
