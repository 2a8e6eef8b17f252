"""`localzure ca`: where the certificate is that clients have to trust for TLS, and what it says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from localzure.cli.endpoint import client_of
from localzure.cli.group import CommandGroup
from localzure.client import DEFAULT_ENDPOINT, ClientError
from localzure.config.load import load
from localzure.config.options import CONFIG_FLAG, ENDPOINT_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

_CERTIFICATE = (b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----")

_data_dir = click.option("--data-dir", metavar="DIR", help="Folder of the store (default ./.localzure).")
_config = click.option(CONFIG_FLAG, metavar="FILE", help="Configuration file, YAML or JSON.")


@click.group(cls=CommandGroup)
def ca() -> None:
    """The local certificate authority, which clients trust for TLS."""


@ca.command("path")
@_data_dir
@_config
def path(data_dir: str | None, config: str | None) -> None:
    """Print the path of the certificate."""
    click.echo(str(_file(data_dir, config)))


@ca.command("print")
@_data_dir
@_config
@click.option(
    "--endpoint",
    metavar="URL",
    envvar=ENDPOINT_VARIABLE,
    help=f"Ask a running server instead, such as {DEFAULT_ENDPOINT}.",
)
def print_certificate(data_dir: str | None, config: str | None, endpoint: str | None) -> None:
    """Print the certificate (PEM), from the data directory or a running server."""
    asked = click.get_current_context().get_parameter_source("endpoint") is click.core.ParameterSource.COMMANDLINE
    if asked and data_dir is not None:
        raise click.ClickException("--endpoint and --data-dir contradict each other: choose one")
    content = _fetch(endpoint) if endpoint and (asked or data_dir is None) else _read(_file(data_dir, config))
    click.echo(content.strip().decode("ascii"))


def _file(data_dir: str | None, config: str | None) -> Path:
    """The certificate in the data directory that a server with these flags would use."""
    from localzure.server.certificate_files import AUTHORITY_FOLDER, CERTIFICATE_FILE  # late: brings `cryptography`

    settings = load({"--data-dir": data_dir, CONFIG_FLAG: config}, os.environ)
    ask = f"localzure ca print --endpoint {DEFAULT_ENDPOINT}"
    if settings.data_dir is None:
        raise click.ClickException(f"the configuration keeps everything in memory: ask the running server ({ask})")
    found = settings.data_dir / AUTHORITY_FOLDER / CERTIFICATE_FILE
    try:
        found.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise click.ClickException(
            f"there is no {found} yet: start the server once with this data directory, or ask a running one ({ask})"
        ) from None
    except OSError as error:
        raise click.ClickException(f"cannot read {found}: {error.strerror}") from None
    return found


def _read(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from None
    return _certificate(content, str(file))


def _fetch(endpoint: str) -> bytes:
    """What a running server shows to clients as its authority."""
    try:
        content = client_of(endpoint, None).fetch("GET", "ca.pem")
    except ClientError as error:
        raise click.ClickException(str(error)) from None
    return _certificate(content, f"{endpoint.rstrip('/')}/_localzure/ca.pem")


def _certificate(content: bytes, source: str) -> bytes:
    if not all(mark in content for mark in _CERTIFICATE) or not content.isascii():
        raise click.ClickException(f"{source} is no certificate in PEM")
    return content
