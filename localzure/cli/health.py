"""`localzure health`: whether a server serves, for health checks of containers and for scripts that wait for it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from localzure.cli.endpoint import READY_FILE_VARIABLE, client_of, find_endpoint
from localzure.client import DEFAULT_ENDPOINT, NoServerError
from localzure.config.load import load
from localzure.config.options import ENDPOINT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_UNHEALTHY = 1

ANSWER_SECONDS_MAX = 5.0


@click.command("health")
@click.option("--endpoint", metavar="URL", help="Any HTTP port of the server (default: the first that answers).")
@click.option("--json", "as_json", is_flag=True, help="Print the server's whole answer.")
def health(endpoint: str | None, as_json: bool) -> int:
    """Ask a server how it is: exit code 0 when it serves, 1 when it does not, 3 when nobody answers."""
    tried = [endpoint] if endpoint else list(endpoints(os.environ))
    for url in tried:
        told = client_of(url, None, seconds_max=ANSWER_SECONDS_MAX).health()
        if told is not None:
            click.echo(json.dumps(told) if as_json else str(told.get("status")))
            return 0 if told.get("status") == "healthy" else EXIT_UNHEALTHY
    raise NoServerError(f"nobody answers at {', '.join(tried)}")


def endpoints(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The URLs at which the server of this environment may answer, the likeliest first."""
    if environment.get(ENDPOINT_VARIABLE) or environment.get(READY_FILE_VARIABLE):
        return (find_endpoint(environment),)
    settings = load({}, environment)
    ports = [listener.port for listener in settings.listeners() if listener.port]
    return tuple(f"http://127.0.0.1:{port}" for port in ports) or (DEFAULT_ENDPOINT,)
