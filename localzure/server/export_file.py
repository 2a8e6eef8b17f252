"""Exports: JSON lines in gzip, that say what a store holds without saying how.

    {"format": 1, "services": [...], "account": null or a name, "since": null or a snapshot's name}
    {"resource": [service, kind, account, *name]}          what follows belongs to it
    {"row": [family, *key], "value": base64}               see `localzure.services.porting`
    {"gone": [service, kind, account, *name]}              in an export since a snapshot: it was there then
    {"end": how many lines came before}

The same content gives the same lines. A file whose end is missing, or whose gzip sum is wrong, is refused as a whole.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localzure.services.porting import Resource, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from localzure.services.porting import Porter
    from localzure_storage.store import Reader

FORMAT = 1
"""The version of what is written here. An export of a greater one is refused."""

BATCH_ROWS = 100
BATCH_BYTES = 512 * 1024
"""How much one step of an import takes: some milliseconds of work."""

_LINE_BYTES_MAX = 128 * 1024 * 1024
"""Longest line: a value of the store has 64 MiB at most, and base64 makes a third more of it."""

_LEVEL = 5
"""How hard gzip tries: twice as fast as its default, a few per cent larger."""


class ExportError(ValueError):
    """A file that is no whole export of a version that is known."""


@dataclass(frozen=True, slots=True)
class Head:
    """What an export is of."""

    services: tuple[str, ...]
    account: str | None = None
    """The only account; None for all."""
    since: str | None = None
    """The snapshot after which it begins; None for everything."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of an export: one of its forms."""

    service: str
    resource: Resource
    row: Row | None = None
    is_gone: bool = False


def write_export(
    path: Path, head: Head, porters: Mapping[str, Porter], reader: Reader, before: Reader | None
) -> dict[str, int]:
    """Write an export of what `reader` has, or of what differs from `before`. Returns what was counted."""
    counted = {"resources": 0, "gone": 0, "lines": 1}
    with gzip.GzipFile(path, "wb", compresslevel=_LEVEL, mtime=0) as file:

        def put(line: dict[str, object]) -> None:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

        put({"format": FORMAT, "services": head.services, "account": head.account, "since": head.since})
        for service in head.services:
            porter = porters[service]
            for resource in porter.resources(reader, head.account):
                if before is not None and _is_same(porter, resource, reader, before):
                    continue
                put({"resource": [service, resource.kind, resource.account, *resource.name]})
                counted["resources"] += 1
                for row in porter.rows(reader, resource):
                    put({"row": [row.family, *row.key], "value": b64encode(row.value).decode("ascii")})
                    counted["lines"] += 1
            for resource in () if before is None else porter.resources(before, head.account):
                if not porter.exists(reader, resource):
                    put({"gone": [service, resource.kind, resource.account, *resource.name]})
                    counted["gone"] += 1
        counted["lines"] += counted["resources"] + counted["gone"]
        put({"end": counted["lines"]})
    return counted


def check_export(path: Path) -> Head:
    """Read all of an export. Raises ExportError where it is not whole, OSError."""
    lines = _lines(path)
    head = _head(next(lines, {}))
    count = 1
    for line in lines:
        if "end" in line:
            if line["end"] != count or next(lines, None) is not None:
                raise ExportError("the export is damaged: lines are missing")
            return head
        count += 1
    raise ExportError("the export is cut short: its end is missing")


def read_batches(path: Path) -> Iterator[list[Item]]:
    """Yield the lines of an export that has been checked, as many at a time as an import takes in one step."""
    batch: list[Item] = []
    size = 0
    service, resource = "", Resource("", "", ())
    lines = _lines(path)
    next(lines)
    for line in lines:
        if "row" in line:
            family, *key = line["row"]
            row = Row(family, tuple(key), b64decode(line["value"]))
            size += len(row.value)
            batch.append(Item(service, resource, row))
        elif "end" not in line:
            is_gone = "gone" in line
            service, kind, account, *name = line["gone" if is_gone else "resource"]
            resource = Resource(kind, account, tuple(name))
            batch.append(Item(service, resource, is_gone=is_gone))
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_same(porter: Porter, resource: Resource, reader: Reader, before: Reader) -> bool:
    return porter.exists(before, resource) and _digest(porter, resource, reader) == _digest(porter, resource, before)


def _digest(porter: Porter, resource: Resource, reader: Reader) -> bytes:
    digest = hashlib.blake2b()
    for row in porter.rows(reader, resource):
        digest.update(repr((row.family, row.key, len(row.value))).encode())
        digest.update(row.value)
    return digest.digest()


def _head(line: dict[str, Any]) -> Head:
    with suppress(KeyError, TypeError):
        if line["format"] > FORMAT:
            raise ExportError(f"a newer version of this program made the export (format {line['format']})")
        return Head(tuple(line["services"]), line["account"], line["since"])
    raise ExportError("the file is no export of LocalZure")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rb") as file:
            while text := file.readline(_LINE_BYTES_MAX):
                line = json.loads(text)
                if not isinstance(line, dict):
                    raise ExportError("the file is no export of LocalZure")
                yield line
    except (EOFError, zlib.error) as error:
        raise ExportError("the export is cut short or damaged") from error
    except (gzip.BadGzipFile, ValueError) as error:
        raise error if isinstance(error, ExportError) else ExportError("the file is no export of LocalZure") from error
