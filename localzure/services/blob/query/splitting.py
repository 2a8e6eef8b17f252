"""`sys.split`: the sizes of batches of whole records, for those who want to read a blob in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.query.formats import Result
from localzure.services.blob.query.syntax import Apply, Literal, QueryError

if TYPE_CHECKING:
    from localzure.services.blob.query.formats import Row
    from localzure.services.blob.query.syntax import Node

NAME = "SYS.SPLIT"

SPLIT_BYTES_MIN = 10 * 1024 * 1024
"""Least size of a batch ("Sys.Split")."""


class Splitting:
    """Tells where batches end: each has the records that begin before it is as large as was asked."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._start = 0

    def take(self, row: Row) -> Result | None:
        """Look at a record; returns the batch that ends before it."""
        if row.position < self._start + self._size:
            return None
        size, self._start = row.position - self._start, row.position
        return Result(["_1"], [size])

    def result(self, total: int) -> list[Result]:
        """The last batch of a blob of `total` bytes."""
        return [Result(["_1"], [total - self._start])] if total > self._start else []


def read_splitting(nodes: list[Node], *, is_json: bool) -> Splitting | None:
    """Return what a query splits by; None for another query. Raises QueryError."""
    node = nodes[0] if len(nodes) == 1 else None
    if not isinstance(node, Apply) or node.name != NAME:
        return None
    size = node.arguments[0] if len(node.arguments) == 1 else None
    if is_json or not isinstance(size, Literal) or type(size.value) is not int or size.value < SPLIT_BYTES_MIN:
        raise QueryError("ParseError", f"sys.split takes a size of at least {SPLIT_BYTES_MIN}, and delimited text.")
    return Splitting(size.value)
