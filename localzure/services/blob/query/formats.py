"""What the input and the output of a query may be, and what the two sides of every format have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from localzure.services.blob.query.values import Value  # noqa: TC001 - a NamedTuple's annotations are looked up

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD_BYTES_MAX = 1024 * 1024
"""Longest record of a blob: what a step of a query holds in memory and looks at again as more arrives."""


class Delimited(Struct, frozen=True):
    """Delimited text, such as CSV."""

    column_separator: str = ","
    quote: str = '"'
    record_separator: str = "\n"
    escape: str = ""
    has_headers: bool = False


class JsonText(Struct, frozen=True):
    """JSON objects, one after another."""

    record_separator: str = "\n"


class ArrowField(Struct, frozen=True):
    """A column of an Arrow stream."""

    kind: str
    """One of bool, int64, string, timestamp[ms], double, decimal."""
    name: str
    precision: int = 0
    scale: int = 0


class Arrow(Struct, frozen=True):
    """An Arrow stream; output only."""

    fields: tuple[ArrowField, ...]


Format: TypeAlias = Delimited | JsonText | Arrow


class Row(NamedTuple):
    """A record of the input and where it begins in the blob."""

    position: int
    value: Any


class Result(NamedTuple):
    """A row of the result: names, as many as there are values or more, and values."""

    names: Sequence[str]
    values: Sequence[Value]


class RowReader(Protocol):
    """Takes a blob piece by piece and gives its rows."""

    columns: list[str] | None
    """The names in the header, once it has been read; None where there is none."""

    def feed(self, data: bytes, *, is_last: bool) -> list[Row]:
        """Take the next piece. Raises QueryError."""
        ...


class RowWriter(Protocol):
    """Gives the rows of a result as bytes."""

    def write(self, results: Sequence[Result]) -> bytes:
        """Write some rows. Raises QueryError."""
        ...

    def close(self) -> bytes:
        """What follows the last row."""
        ...
