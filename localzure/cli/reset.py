"""`localzure reset`: empty a running server, and seed it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localzure.cli.confirming import confirm, yes_option
from localzure.cli.endpoint import talks_to_server

if TYPE_CHECKING:
    from localzure.client import OwnApiClient


@click.command("reset")
@click.option("--service", metavar="NAME", help="Only blob, queue, table, servicebus or entra.")
@click.option("--account", metavar="NAME", help="Only this storage account.")
@click.option("--namespace", metavar="NAME", help="Only this Service Bus namespace, made on first use.")
@yes_option
@talks_to_server
def reset(client: OwnApiClient, service: str | None, account: str | None, namespace: str | None, yes: bool) -> None:
    """Empty a running server, and apply its seeds again.

    Without options that is all that the storage accounts and Service Bus hold. Keys and settings stay.
    """
    parts = [part for part in (service, account and f"account {account}") if part]
    parts += [f"namespace {namespace}"] if namespace else []
    what = f"what is in {' of '.join(parts)}" if parts else "all that the server holds"
    confirm(what, account or namespace or service or "reset", yes=yes)
    wanted = {"service": service, "account": account, "namespace": namespace}
    done = client.call("POST", "reset", {name: value for name, value in wanted.items() if value is not None})
    click.echo(f"reset: {', '.join(done['reset'])}" + (f" of {account}" if account else ""))
