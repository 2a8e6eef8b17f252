"""What a service offers so that its content can be carried from one store to another.

Content is carried by resources: a container, a queue, a table, or the properties of an account's service. A resource
is its own record and rows of whatever belongs to it. Numbers that a store gives (ids, extents) mean nothing in another
one, so rows bear numbers of the file: 1, 2, 3, … within a resource, in the order in which they come up. Two stores
with the same content therefore give the same rows.

Going out: `resources`, then `rows` of each. Coming in: `begin`, `put` for each row, and `finish` once everything has
come; until then nobody finds what was put, and what never finishes is swept as the rest of a deleted resource is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from localzure_storage.keys import Part, Subspace
    from localzure_storage.store import Reader, Writer

PROPERTIES = "properties"
"""The kind of the resource that holds the properties of an account's service."""

EXTENT = "extent"
"""The family of rows that are large content: the next bytes of the extent whose number is the key."""

EXTENT_ROW_BYTES = 256 * 1024
"""Bytes of content in one row."""


class Resource(NamedTuple):
    """Something with a name that is carried as a whole."""

    kind: str
    """`container`, `queue`, `table` and their like."""
    account: str
    name: tuple[Part, ...]
    """What tells it from others of its kind and account."""


class Row(NamedTuple):
    """A record of a resource; `value` is in the service's own form."""

    family: str
    key: tuple[Part, ...]
    value: bytes


class Incoming(Protocol):
    """A resource that is coming in."""

    def put(self, writer: Writer, row: Row) -> None:
        """Take the next row. Raises ValueError (or its kin of msgspec) for one that cannot be of this service."""
        ...

    def finish(self, writer: Writer) -> None:
        """Let everybody find the resource, in place of one that has its name."""
        ...

    def release(self) -> None:
        """Let go of what is held in memory, after `finish` or instead of it."""
        ...


class Porter(Protocol):
    """A service's part of exports and imports."""

    def resources(self, reader: Reader, account: str | None) -> Iterator[Resource]:
        """What an account, None for all, has; in the order of kinds and names."""
        ...

    def rows(self, reader: Reader, resource: Resource) -> Iterator[Row]:
        """The rows of a resource, those first on which others depend; the first is its own record."""
        ...

    def exists(self, reader: Reader, resource: Resource) -> bool:
        """Whether there is one of its name."""
        ...

    def remove(self, writer: Writer, resource: Resource) -> None:
        """Take away the one of its name, if there is one; what it held is left to be swept."""
        ...

    def begin(self, writer: Writer, resource: Resource) -> Incoming:
        """A resource comes in."""
        ...


class SpacePorter:
    """The part of a porter that is alike for services whose resources stand by account and name in a space per kind."""

    def __init__(self, spaces: Mapping[str, Subspace], abandon: Callable[[Writer, bytes], object]) -> None:
        """`spaces` are by kind, in the order of exports; `abandon` leaves to be swept what a record stood for."""
        self._spaces = spaces
        self._abandon = abandon

    def resources(self, reader: Reader, account: str | None) -> Iterator[Resource]:
        """See `Porter.resources`."""
        for kind, space in self._spaces.items():
            if kind == PROPERTIES and account is not None:
                if reader.get(space.pack(account)) is not None:
                    yield Resource(kind, account, ())
                continue
            for key, _ in reader.scan(*space.range(*(() if account is None else (account,)))):
                owner, *name = space.unpack(key)
                yield Resource(kind, str(owner), tuple(name))

    def exists(self, reader: Reader, resource: Resource) -> bool:
        """See `Porter.exists`."""
        return reader.get(self.key(resource)) is not None

    def remove(self, writer: Writer, resource: Resource) -> None:
        """See `Porter.remove`."""
        key = self.key(resource)
        value = writer.get(key)
        if value is not None:
            writer.delete(key)
            if resource.kind != PROPERTIES:
                self._abandon(writer, value)

    def empty(self, writer: Writer, account: str | None, budget: int) -> bool:
        """Take up to `budget` of what an account, None for all, has; True while there may be more.

        What it held is gone at once and left to be swept; neither leases nor holds nor retention keep anything.
        """
        for kind, space in self._spaces.items():
            if kind == PROPERTIES and account is not None:
                writer.delete(space.pack(account))
                continue
            for key, value in list(writer.scan(*space.range(*(() if account is None else (account,))), limit=budget)):
                budget -= 1
                writer.delete(key)
                if kind != PROPERTIES:
                    self._abandon(writer, value)
            if not budget:
                return True
        return False

    def key(self, resource: Resource) -> bytes:
        """The key of a resource's own record. Raises KeyError for a kind that the service does not have."""
        return self._spaces[resource.kind].pack(resource.account, *resource.name)

    def record(self, reader: Reader, resource: Resource) -> bytes:
        """The own record of a resource that was listed."""
        value = reader.get(self.key(resource))
        assert value is not None, "it was listed"
        return value


class IncomingResource:
    """What is alike for what comes in to a `SpacePorter`; `put` fills in `own`."""

    def __init__(
        self,
        porter: SpacePorter,
        writer: Writer,
        resource: Resource,
        give_number: Callable[[Writer], int],
        leave: Callable[[Writer, int], bytes],
    ) -> None:
        """`leave` notes what comes in under a new number as remains, and returns the key of the note."""
        self.resource = resource
        self.key = porter.key(resource)
        self.own = b""
        """The record by which the resource is found."""
        self.is_properties = resource.kind == PROPERTIES
        self.number = 0 if self.is_properties else give_number(writer)
        """Under which the store keeps what belongs to it."""
        self._porter = porter
        self._note = b"" if self.is_properties else leave(writer, self.number)

    def finish(self, writer: Writer) -> None:
        """See `Incoming.finish`."""
        self._porter.remove(writer, self.resource)
        writer.put(self.key, self.own)
        if self._note:
            writer.delete(self._note)

    def release(self) -> None:
        """See `Incoming.release`: there is nothing."""


class Numbering:
    """Numbers for numbers: each that comes up for the first time gets the next."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], int] = {}
        self._last: dict[str, int] = {}

    def number(self, kind: str, old: int) -> int:
        """Return the number of `old`, of one `kind` of numbers."""
        found = self._given.get((kind, old))
        if found is None:
            found = self._last.get(kind, 0) + 1
            self._last[kind] = self._given[kind, old] = found
        return found

    def is_new(self, kind: str, old: int) -> bool:
        """Whether it has not come up yet."""
        return (kind, old) not in self._given
