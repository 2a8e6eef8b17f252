"""Carrying the Service Bus namespace from one store to another: as a whole, record by record.

What comes in is put into a space of its own, and takes the place of the namespace's in one write (see `generations`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.porting import Resource, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.server.generations import Generations
    from localzure_storage.store import Reader, Writer

NAME = "servicebus"

_NAMESPACE = Resource("namespace", "", ())


class NamespacePorter:
    """See `localzure.services.porting.Porter`."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    def resources(self, reader: Reader, account: str | None) -> Iterator[Resource]:
        """See `Porter.resources`: the namespace, which is of no storage account."""
        if account is None and next(reader.scan(*self._generations.space(reader, NAME).range(), limit=1), None):
            yield _NAMESPACE

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """See `Porter.rows`."""
        del resource
        space = self._generations.space(reader, NAME)
        for key, value in reader.scan(*space.range()):
            yield Row("record", (key[len(space.prefix) :].hex(),), value)

    def exists(self, reader: Reader, resource: Resource) -> bool:
        """See `Porter.exists`."""
        return resource in self.resources(reader, None)

    def remove(self, writer: Writer, resource: Resource) -> None:
        """See `Porter.remove`."""
        if resource == _NAMESPACE:
            self._generations.renew(writer, NAME)

    def begin(self, writer: Writer, resource: Resource) -> _IncomingNamespace:
        """See `Porter.begin`."""
        if resource != _NAMESPACE:
            raise ValueError(f"Service Bus has no {resource.kind!r}")
        return _IncomingNamespace(self._generations, writer)


class _IncomingNamespace:
    """See `localzure.services.porting.Incoming`."""

    def __init__(self, generations: Generations, writer: Writer) -> None:
        self._generations = generations
        self._number = generations.prepare(writer, NAME)
        self._prefix = generations.space_of(NAME, self._number).prefix

    def put(self, writer: Writer, row: Row) -> None:
        """See `Incoming.put`."""
        (key,) = row.key
        if row.family != "record" or not isinstance(key, str):
            raise ValueError("a namespace has records")
        writer.put(self._prefix + bytes.fromhex(key), row.value)

    def finish(self, writer: Writer) -> None:
        """See `Incoming.finish`."""
        self._generations.adopt(writer, NAME, self._number)

    def release(self) -> None:
        """See `Incoming.release`: there is nothing."""
