"""`localzure storage`: look into, check, carry and clear what a server, or a stopped store, holds."""

from __future__ import annotations

import sys
from contextlib import closing, nullcontext
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localzure.cli.confirming import confirm, yes_option
from localzure.cli.endpoint import TOKEN_VARIABLE, client_of
from localzure.cli.group import CommandGroup
from localzure.cli.stopped_store import serve_store
from localzure.client import DEFAULT_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.client import OwnApiClient

EXIT_PROBLEMS = 1
"""The exit code of `verify` when something cannot be read."""

_CHUNK_BYTES = 256 * 1024


def _on_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--endpoint`, `--data-dir` and `--admin-token`; it is called with a client first."""

    @click.option("--endpoint", metavar="URL", help=f"The running server (default {DEFAULT_ENDPOINT}).")
    @click.option("--data-dir", metavar="DIR", help="A store that no server has, instead.")
    @click.option("--admin-token", metavar="TEXT", envvar=TOKEN_VARIABLE, help="The token that the server demands.")
    @wraps(command)
    def with_client(endpoint: str | None, data_dir: str | None, admin_token: str | None, **values: Any) -> Any:
        if endpoint and data_dir:
            raise click.ClickException("--endpoint and --data-dir contradict each other: choose one")
        with serve_store(data_dir) if data_dir else nullcontext(client_of(endpoint, admin_token)) as client:
            return command(client, **values)

    return with_client


@click.group(cls=CommandGroup)
def storage() -> None:
    """What a server holds: counted, checked, exported, imported, compacted, purged."""


@storage.command("stats")
@_on_store
def stats(client: OwnApiClient) -> None:
    """Count what there is, by service and account."""
    told = client.call("GET", "stats")
    for service, accounts in told["services"].items():
        for account, counted in accounts.items():
            parts = ", ".join(f"{name} {count}" for name, count in counted.items())
            click.echo(f"{service}{' ' + account if account else ''}: {parts}")
    if told["store_bytes"] is not None:
        click.echo(f"store: {told['store_bytes']} bytes")
    if told["snapshots"]:
        click.echo(f"snapshots: {', '.join(told['snapshots'])}")


@storage.command("verify")
@_on_store
def verify(client: OwnApiClient) -> int:
    """Read everything, and tell what cannot be read; then the exit code is 1."""
    told = client.call("GET", "verify")
    for problem in told["problems"]:
        click.echo(problem, err=True)
    click.echo(f"{told['records']} records read, {told['problem_count']} problems")
    return EXIT_PROBLEMS if told["problem_count"] else 0


@storage.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this service (several times).")
@click.option("--account", metavar="NAME", help="Only this storage account.")
@click.option("--since", metavar="SNAPSHOT", help="Only what differs from this snapshot.")
@_on_store
def export(client: OwnApiClient, file: Path, services: tuple[str, ...], account: str | None, since: str | None) -> None:
    """Write what there is to FILE: JSON lines in gzip."""
    wanted = {"services": ",".join(services), "account": account or "", "since": since or ""}
    part = file.with_name(f"{file.name}.part")
    reply = client.open("GET", "export", query={name: value for name, value in wanted.items() if value})
    length = int(reply.headers["content-length"])
    try:
        with closing(reply), part.open("wb") as target, _progress(length, "exporting") as bar:
            while data := reply.read(_CHUNK_BYTES):
                target.write(data)
                bar.update(len(data))
        if part.stat().st_size != length:
            raise click.ClickException("the export broke off")
        part.replace(file)
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{file}: {reply.headers['x-localzure-resources']} resources, {length} bytes")


@storage.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice(["merge", "overwrite", "skip"]),
    default="merge",
    help="What has the same name is replaced (merge, the default) or stays (skip); "
    "overwrite also removes whatever the export does not hold.",
)
@yes_option
@_on_store
def take(client: OwnApiClient, file: Path, mode: str, yes: bool) -> None:
    """Take FILE, an export, in: all of it, or nothing."""
    if mode == "overwrite":
        confirm("what the export does not hold", "overwrite", yes=yes)
    try:
        length = file.stat().st_size
        with file.open("rb") as source, _progress(length, "importing") as bar:
            # urllib asks for the next piece as it sends the last.
            reading = _Reading(source.read, bar.update)
            told = client.call_with_file("POST", "import", reading, length, query={"mode": mode})
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from None
    click.echo(f"{told['imported']} imported, {told['skipped']} skipped, {told['removed']} removed")
    if told["unknown_accounts"]:
        click.echo(f"not in the configuration: account {', '.join(told['unknown_accounts'])}", err=True)


@storage.command("compact")
@_on_store
def compact(client: OwnApiClient) -> None:
    """Write the store anew without its free room; clients must not write meanwhile."""
    told = client.call("POST", "compact")
    if told["before"] is None:
        click.echo("the store is in memory: there is nothing to compact")
    else:
        click.echo(f"{told['before']} bytes before, {told['after']} now")


@storage.command("purge")
@click.option("--snapshots", "with_snapshots", is_flag=True, help="Snapshots too.")
@yes_option
@_on_store
def purge(client: OwnApiClient, with_snapshots: bool, yes: bool) -> None:
    """Destroy everything that there is, keys that signed tokens included."""
    confirm("everything that the store holds" + (", and its snapshots" if with_snapshots else ""), "purge", yes=yes)
    client.call("POST", "reset", {})
    client.call("POST", "reset", {"service": "entra"})
    for each in client.call("GET", "snapshots")["snapshots"] if with_snapshots else ():
        client.call("DELETE", f"snapshots/{each['name']}")
    click.echo("purged")


class _Reading:
    """A file for urllib that tells how far it was read."""

    def __init__(self, read: Callable[[int], bytes], told: Callable[[int], None]) -> None:
        self._read = read
        self._told = told

    def read(self, count: int = -1) -> bytes:
        """The next bytes."""
        data = self._read(count)
        self._told(len(data))
        return data


def _progress(length: int, label: str) -> Any:
    """A bar on stderr; nothing where that is no terminal."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())
