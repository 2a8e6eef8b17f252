"""Which running server a command talks to: `--endpoint`, or what the environment tells."""

from __future__ import annotations

import json
import os
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localzure.client import CALL_SECONDS_MAX, DEFAULT_ENDPOINT, OwnApiClient
from localzure.config.options import ENDPOINT_VARIABLE, PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

READY_FILE_VARIABLE = f"{PREFIX}READY_FILE"
PORT_VARIABLE = f"{PREFIX}PORT"
TOKEN_VARIABLE = f"{PREFIX}ADMIN_TOKEN"


def find_endpoint(environment: Mapping[str, str]) -> str:
    """Return the URL of the server that the environment means.

    `LOCALZURE_ENDPOINT`, the gateway or first HTTP port that the ready-file of `LOCALZURE_READY_FILE` names, the
    port of `LOCALZURE_PORT`, or the default port, in this order. Raises ClickException for a ready-file that is none.
    """
    if endpoint := environment.get(ENDPOINT_VARIABLE):
        return endpoint
    if ready_file := environment.get(READY_FILE_VARIABLE):
        return _told(Path(ready_file))
    port = environment.get(PORT_VARIABLE, "")
    return f"http://127.0.0.1:{port}" if port.isdecimal() and int(port) else DEFAULT_ENDPOINT


def _told(ready_file: Path) -> str:
    try:
        endpoints = json.loads(ready_file.read_bytes())["endpoints"]
        return str(endpoints.get("gateway") or next(url for url in endpoints.values() if url.startswith("http")))
    except FileNotFoundError:
        raise click.ClickException(f"no server serves: there is no ready-file {ready_file}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        raise click.ClickException(f"{ready_file} is no ready-file of a server") from None


def client_of(endpoint: str | None, token: str | None, *, seconds_max: float = CALL_SECONDS_MAX) -> OwnApiClient:
    """Return the client for the server that is meant, which waits so long. Raises ClickException."""
    try:
        return OwnApiClient(endpoint or find_endpoint(os.environ), token, seconds_max=seconds_max)
    except ValueError as error:
        raise click.ClickException(f"--endpoint: {error}") from None


def talks_to_server(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--endpoint` and `--admin-token`; it is called with the client as its first argument."""

    @click.option("--endpoint", metavar="URL", help=f"The running server (default {DEFAULT_ENDPOINT}).")
    @click.option("--admin-token", metavar="TEXT", envvar=TOKEN_VARIABLE, help="The token that the server demands.")
    @wraps(command)
    def with_client(endpoint: str | None, admin_token: str | None, **values: Any) -> Any:
        return command(client_of(endpoint, admin_token), **values)

    return with_client
