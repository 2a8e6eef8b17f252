"""What a query says: its parts, as the grammar reads them and the compiler takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

NODES_MAX = 5000
"""Most parts of a query: compiling them takes some milliseconds, and so does looking at one row."""

DEPTH_MAX = 100
"""Deepest nesting of an expression: each level costs a call when a row is looked at."""


class QueryError(Exception):
    """The query, or the text that it is asked of, cannot be read: nothing more comes of it."""

    def __init__(self, name: str, description: str, position: int = 0) -> None:
        super().__init__(description)
        self.name = name
        self.description = description
        self.position = position
        """Byte of the blob; 0 for what is wrong with the query itself."""


@dataclass(frozen=True, slots=True)
class Name:
    """A step to a field. Only quoted names keep their case."""

    text: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """The step `[*]` to each item of a list."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: bool | int | float | str | None
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Path:
    """A field, by its name, its ordinal (`_1`) or the way to it."""

    steps: tuple[Name | int, ...]
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Star:
    """What `COUNT(*)` counts."""

    depth: int = 1


@dataclass(frozen=True, slots=True)
class Apply:
    """A function or an operator, by its name in upper case, and what it is applied to."""

    name: str
    arguments: tuple[Node, ...]
    depth: int

    @classmethod
    def to(cls, name: str, *arguments: Node) -> Apply:
        """Build one. Raises QueryError where it would be nested too deeply."""
        depth = 1 + max((argument.depth for argument in arguments), default=0)
        if depth > DEPTH_MAX:
            raise QueryError("ParseError", "The expression is nested too deeply.")
        return cls(name.upper(), arguments, depth)


Node: TypeAlias = Literal | Path | Star | Apply


@dataclass(frozen=True, slots=True)
class Projection:
    """One thing that is selected, and what it is called."""

    node: Node
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """A whole query."""

    projections: tuple[Projection, ...]
    """Empty for `*`."""
    table: tuple[Name | int | Every, ...]
    """The way from a JSON record to what the query is about."""
    where: Node | None
    limit: int | None


def size_of(node: Node) -> int:
    """Return how many steps it takes to evaluate an expression; a list of constants costs little."""
    if not isinstance(node, Apply):
        return 1
    if node.name == "IN":
        return 1 + len(node.arguments) // 16 + sum(map(size_of, _unless_constant(node.arguments)))
    return 1 + sum(map(size_of, node.arguments))


def _unless_constant(nodes: tuple[Node, ...]) -> list[Node]:
    return [node for node in nodes if not isinstance(node, Literal)]
