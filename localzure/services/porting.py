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
    from collections.abc import Iterator

    from localzure_storage.keys import Part
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
