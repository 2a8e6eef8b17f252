"""What a SQL expression says, as the grammar reads it.

`depth` counts how many nodes lie within one another, leaves not counted; the parser refuses more than `DEPTH_MAX`, so
whatever walks a tree may recurse. A chain of additions or of ANDs is one node, however long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

DEPTH_MAX = 100
"""Deepest tree. 1,024 characters could nest some 300 deep; what people write is below 10."""

Operator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. A number may still be out of its range, which its sign decides."""

    value: Any
    position: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """`@name`."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the message."""

    is_system: bool
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class PropertyOf:
    """`property(name)`, where the name is worked out for each message."""

    name: Expression
    depth: int


@dataclass(frozen=True, slots=True)
class NewId:
    """`newid()`."""


@dataclass(frozen=True, slots=True)
class Sign:
    """`-operand`, or `+operand`, which only a number can have."""

    is_negative: bool
    operand: Expression
    depth: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands of one precedence, taken from left to right."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]
    """(`+`, `-`, `*`, `/` or `%`, its right operand)."""
    depth: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`."""

    operator: Operator
    left: Expression
    right: Expression
    depth: int


@dataclass(frozen=True, slots=True)
class IsNull:
    """`operand IS NULL`."""

    operand: Expression
    depth: int


@dataclass(frozen=True, slots=True)
class In:
    """`operand IN (choices)`."""

    operand: Expression
    choices: tuple[Expression, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Like:
    """`operand LIKE pattern ESCAPE escape`."""

    operand: Expression
    pattern: Expression
    escape: Expression | None
    depth: int


@dataclass(frozen=True, slots=True)
class Exists:
    """`EXISTS (property)`."""

    property: Property


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; of unknown it is unknown."""

    part: Condition
    depth: int


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    parts: tuple[Condition, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    parts: tuple[Condition, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Set:
    """`SET property = value`."""

    property: Property
    value: Expression


@dataclass(frozen=True, slots=True)
class Remove:
    """`REMOVE property`."""

    property: Property


Expression: TypeAlias = Constant | Parameter | Property | PropertyOf | NewId | Sign | Chain
"""What has a value."""

Predicate: TypeAlias = Comparison | IsNull | In | Like | Exists | Not | And | Or
"""What is true, false or unknown."""

Condition: TypeAlias = Predicate | Constant | Parameter | Property | PropertyOf
"""What can stand where truth is wanted: the expressions among them must have a boolean."""

Statement: TypeAlias = Set | Remove
