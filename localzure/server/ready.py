"""Telling that the server serves: the connection strings, and the ready-file that programs wait for."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localzure.config.settings import Settings

_STORAGE_ENDPOINTS = {"blob": "BlobEndpoint", "queue": "QueueEndpoint", "table": "TableEndpoint"}


def connection_strings(endpoints: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The connection strings, `storage` (of the first account) and `servicebus`, of what `endpoints` serve.

    `endpoints` holds a URL by listener name, such as `{"blob": "http://127.0.0.1:10000"}`.
    """
    found = {}
    account = settings.accounts[0]
    served = [name for name in _STORAGE_ENDPOINTS if name in endpoints]
    if served:
        parts = [f"DefaultEndpointsProtocol=http;AccountName={account.name};AccountKey={account.keys[0]}"]
        parts += [f"{_STORAGE_ENDPOINTS[name]}={endpoints[name].rstrip('/')}/{account.name}" for name in served]
        found["storage"] = ";".join(parts) + ";"
    if "amqp" in endpoints:
        key = settings.servicebus_key
        found["servicebus"] = (
            f"Endpoint=sb://{urlsplit(endpoints['amqp']).netloc};SharedAccessKeyName={key.name};"
            f"SharedAccessKey={key.key};UseDevelopmentEmulator=true;"
        )
    return found


class ReadyFile:
    """The file of `--ready-file`: there exactly while the server serves, and whole whenever it is there."""

    __slots__ = ("_part", "_path", "_written")

    def __init__(self, path: Path | None) -> None:
        """Removes what an earlier run left at `path`; None is no file. Raises StartupError where none can be."""
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}") if path else None
        self._written: bytes | None = None
        if path is None or self._part is None:
            return
        try:
            if _is_foreign(path):
                raise StartupError(f"the ready-file {path} is no plain file: choose another with --ready-file")
            path.unlink(missing_ok=True)
            self._part.touch()
            self._part.unlink()
        except OSError as error:
            raise _refusal(path, error) from None

    def write(self, endpoints: Mapping[str, str], strings: Mapping[str, str]) -> None:
        """Tell that every listener serves: process id, endpoints and connection strings in one JSON object.

        Raises StartupError when there is no room for it any more.
        """
        if self._path is None or self._part is None:
            return
        told = {"pid": os.getpid(), "endpoints": dict(endpoints), "connection_strings": dict(strings)}
        self._written = json.dumps(told, indent=2).encode() + b"\n"
        try:
            self._part.write_bytes(self._written)
            self._part.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
            raise _refusal(self._path, error) from None

    def remove(self) -> None:
        """The server does not serve any more. Leaves alone what is not the file that was written here."""
        if self._path is None or self._written is None:
            return
        with suppress(OSError):
            if self._path.read_bytes() == self._written:
                self._path.unlink()


def _refusal(path: Path, error: OSError) -> StartupError:
    """Why there can be no ready-file at `path`."""
    reason = (error.strerror or str(error)).lower()
    return StartupError(f"the ready-file {path} cannot be written ({reason}): choose another with --ready-file")


def _is_foreign(path: Path) -> bool:
    """Whether something is there that no server wrote, such as /dev/stdout."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
