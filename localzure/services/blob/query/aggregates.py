"""Aggregates: what a query tells of all rows together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.blob.query.syntax import Apply, Node, QueryError, Star
from localzure.services.blob.query.values import MISSING, Value, compare, to_number, within

if TYPE_CHECKING:
    from localzure.services.blob.query.compiling import Compiler, Evaluate

NAMES = frozenset({"COUNT", "SUM", "AVG", "AVERAGE", "MIN", "MAX"})
"""The aggregates."""


def is_aggregate(node: Node) -> bool:
    """Whether an expression is an aggregate."""
    return isinstance(node, Apply) and node.name in NAMES


class Aggregate:
    """One aggregate in the making. NULL counts for nothing; text is read as numbers, as T-SQL does."""

    def __init__(self, node: Apply, compiler: Compiler) -> None:
        """Raises QueryError."""
        if len(node.arguments) != 1:
            raise QueryError("ParseError", f"{node.name} takes one argument.")
        (argument,) = node.arguments
        self._name = node.name
        self._evaluate: Evaluate | None = None
        if not isinstance(argument, Star):
            self._evaluate = compiler.compile(argument)
        elif node.name != "COUNT":
            raise QueryError("ParseError", "* stands in COUNT(*) only.")
        self._count = 0
        self._sum: int | float = 0
        self._extreme: Value = None

    def add(self, row: Any) -> None:
        """Take a row. Raises RowError."""
        value: Value = True if self._evaluate is None else self._evaluate(row)
        if value is None or value is MISSING:
            return
        if self._name in {"SUM", "AVG", "AVERAGE"}:
            total = self._sum + to_number(value)
            self._sum = within(total) if isinstance(total, int) else total
        elif self._name != "COUNT":
            self._take_extreme(value)
        self._count += 1

    def result(self) -> Value:
        """The value over all rows; NULL over none, but for COUNT."""
        if self._name == "COUNT":
            return self._count
        if not self._count:
            return None
        if self._name == "SUM":
            return self._sum
        return self._extreme if self._name in {"MIN", "MAX"} else self._sum / self._count

    def _take_extreme(self, value: Value) -> None:
        if self._extreme is None:
            self._extreme = value
            return
        order = compare(value, self._extreme)
        if order > 0 if self._name == "MAX" else order < 0:
            self._extreme = value
