"""The grammar of `$filter`, read by lark into conditions.

It is LALR(1), and its callbacks build the conditions while it reads, so neither long nor deep filters recurse. What
Azure's parser takes and its service then refuses, such as functions and arithmetic, is in the grammar too and answered
`NotImplemented`; all else is `InvalidInput` with the place where reading stopped, in the words of Azure's parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from lark import Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from localzure.services.grammars import make_parser
from localzure.services.table.errors import TableError
from localzure.services.table.filters.conditions import Always, And, Comparison, Constant, Not, Or, Property
from localzure.services.table.filters.literals import NAMED_DOUBLES, read_number, read_prefixed, read_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from lark import Token

    from localzure.services.table.filters.conditions import Condition, Operator, Type

    Node: TypeAlias = Condition | Constant

DEPTH_MAX = 64
"""Deepest nesting of `and` in `or`, `or` in `and`, and `not` in either."""

GRAMMAR = r"""
start: [either]

?either: both (_OR both)*
?both: term (_AND term)*
?term: _NOT term -> negation
     | operand
     | operand OPERATOR operand -> comparison

?operand: primary
        | primary _ARITHMETIC operand -> unsupported

?primary: NAME -> name
        | STRING -> string
        | PREFIXED -> prefixed
        | NUMBER -> number
        | NAME "(" [either ("," either)*] ")" -> unsupported
        | "(" either ")"

_OR: /or(?!\w)/
_AND: /and(?!\w)/
_NOT.2: /not(?!\w)/
_ARITHMETIC: /(?:add|sub|mul|div|mod)(?!\w)/
OPERATOR: /(?:eq|ne|lt|le|gt|ge)(?!\w)/
STRING: /'(?:[^']|'')*'/
PREFIXED.2: /(?:datetime|guid|binary|x)'[^']*'/i
NUMBER: /[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[lLdDfFmM]?(?![\w.])|-INF(?!\w)/
NAME: /[^\W\d]\w*/

%ignore /\s+/
"""

_MIRRORED: dict[str, Operator] = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
"""Operator → what it is with its sides exchanged."""


def read_filter(text: str) -> Condition | None:
    """Return what a filter says; None for an empty one. Raises TableError `InvalidInput`, `NotImplemented`."""
    try:
        return _parser.parse(text)  # type: ignore[return-value]  # what `_Conditions.start` returns
    except UnexpectedToken as error:
        raise _unexpected(text, error) from None
    except UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream) from None  # type: ignore[arg-type]  # lark types only its default


def _unexpected(text: str, error: UnexpectedToken) -> TableError:
    """A token that cannot stand where it does; `$END` is one that stands behind the last."""
    token = error.token
    start = len(text) if token.type == "$END" else int(token.start_pos or 0)
    if "NAME" in error.expected:
        return TableError("InvalidInput", f"Expression expected at position {start} in '{text}'.")
    end = start if token.type == "$END" else start + len(token)
    return TableError("InvalidInput", f"Syntax error at position {end} in '{text}'.")


def _unreadable(text: str, position: int) -> TableError:
    if text[position] == "'":
        return TableError(
            "InvalidInput", f"There is an unterminated string literal at position {len(text)} in '{text}'."
        )
    return TableError(
        "InvalidInput", f"Syntax error: character '{text[position]}' is not valid at position {position} in '{text}'."
    )


class _Conditions(Transformer[Any, Any]):
    """What the parser does with each rule: every method takes what the parts of its rule have become."""

    def start(self, parts: list[Node | None]) -> Condition | None:
        return None if parts[0] is None else _condition(parts[0])

    def either(self, parts: list[Node]) -> Condition:
        flat: list[Condition] = []
        for part in map(_condition, parts):
            flat.extend(part.parts if isinstance(part, Or) else (part,))
        return Or(tuple(flat), _depth_around(flat))

    def both(self, parts: list[Node]) -> Condition:
        flat: list[Condition] = []
        for part in map(_condition, parts):
            flat.extend(part.parts if isinstance(part, And) else (part,))
        return And(tuple(flat), _depth_around(flat))

    def negation(self, parts: list[Node]) -> Condition:
        part = _condition(parts[0])
        return part.part if isinstance(part, Not) else Not(part, _depth_around([part]))

    def comparison(self, parts: tuple[Node, Token, Node]) -> Condition:
        left, operator, right = parts
        if isinstance(left, Property) and isinstance(right, Constant):
            return Comparison(left.name, operator.value, right)
        if isinstance(left, Constant) and isinstance(right, Property):
            return Comparison(right.name, _MIRRORED[operator.value], left)
        raise TableError("NotImplemented")

    def unsupported(self, _parts: list[Node]) -> Node:
        raise TableError("NotImplemented")

    def name(self, parts: list[Token]) -> Node:
        name = str(parts[0])
        if name in {"true", "false"}:
            return Constant("Boolean", name == "true")
        if name in NAMED_DOUBLES:
            return Constant("Double", NAMED_DOUBLES[name])
        if name == "null":
            raise TableError("InvalidInput")
        return Property(name)

    def string(self, parts: list[Token]) -> Node:
        return read_string(parts[0])

    def prefixed(self, parts: list[Token]) -> Node:
        return _literal(parts[0], read_prefixed)

    def number(self, parts: list[Token]) -> Node:
        return _literal(parts[0], read_number)


def _literal(token: Token, read: Callable[[str], tuple[Type, Constant | None]]) -> Constant:
    type_name, constant = read(str(token))
    if constant is None:
        raise TableError(
            "InvalidInput", f"Unrecognized 'Edm.{type_name}' literal '{token}' at position '{token.start_pos}'."
        )
    return constant


def _condition(node: Node) -> Condition:
    """Return a node where a condition is wanted: of the constants only the Booleans are one."""
    if not isinstance(node, Constant):
        return node
    if node.type != "Boolean":
        raise TableError("InvalidInput")
    return Always(node.value)


def _depth_around(parts: list[Condition]) -> int:
    depth = 1 + max(part.depth if isinstance(part, (And, Or, Not)) else 0 for part in parts)
    if depth > DEPTH_MAX:
        raise TableError("InvalidInput", f"The filter is nested more than {DEPTH_MAX} deep.")
    return depth


_parser = make_parser(__package__ or "", GRAMMAR, _Conditions())
