"""Carrying Service Bus namespaces from one store to another: each as a whole, record by record.

What comes in is put into a space of its own, and takes the place of the namespace's in one write (see `generations`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.server.namespaces import DEFAULT, part_of, registered, registry
from localzure.services.porting import Resource, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.server.generations import Generations
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Reader, Writer

KIND = "namespace"


class NamespacePorter:
    """See `localzure.services.porting.Porter`."""

    def __init__(self, generations: Generations, root: Subspace) -> None:
        self._generations = generations
        self._root = root

    def resources(self, reader: Reader, account: str | None) -> Iterator[Resource]:
        """See `Porter.resources`: the namespaces, which are of no storage account."""
        if account is not None:
            return
        for name in [DEFAULT, *registered(reader, self._root)]:
            resource = Resource(KIND, "", (name,) if name else ())
            if self.exists(reader, resource):
                yield resource

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """See `Porter.rows`."""
        space = self._generations.space(reader, part_of(_name(resource)))
        for key, value in reader.scan(*space.range()):
            yield Row("record", (key[len(space.prefix) :].hex(),), value)

    def exists(self, reader: Reader, resource: Resource) -> bool:
        """See `Porter.exists`."""
        space = self._generations.space(reader, part_of(_name(resource)))
        return next(reader.scan(*space.range(), limit=1), None) is not None

    def remove(self, writer: Writer, resource: Resource) -> None:
        """See `Porter.remove`."""
        self._generations.renew(writer, part_of(_name(resource)))

    def begin(self, writer: Writer, resource: Resource) -> _IncomingNamespace:
        """See `Porter.begin`."""
        if resource.kind != KIND:
            raise ValueError(f"Service Bus has no {resource.kind!r}")
        return _IncomingNamespace(self._generations, self._root, writer, _name(resource))


def _name(resource: Resource) -> str:
    return str(resource.name[0]) if resource.name else DEFAULT


class _IncomingNamespace:
    """See `localzure.services.porting.Incoming`."""

    def __init__(self, generations: Generations, root: Subspace, writer: Writer, name: str) -> None:
        self._generations = generations
        self._registry = registry(root)
        self._name = name
        self._number = generations.prepare(writer, part_of(name))
        self._prefix = generations.space_of(part_of(name), self._number).prefix

    def put(self, writer: Writer, row: Row) -> None:
        """See `Incoming.put`."""
        (key,) = row.key
        if row.family != "record" or not isinstance(key, str):
            raise ValueError("a namespace has records")
        writer.put(self._prefix + bytes.fromhex(key), row.value)

    def finish(self, writer: Writer) -> None:
        """See `Incoming.finish`."""
        self._generations.adopt(writer, part_of(self._name), self._number)
        if self._name:
            writer.put(self._registry.pack(self._name), b"")

    def release(self) -> None:
        """See `Incoming.release`: there is nothing."""
