"""The grammar of filters and actions, read by lark into a `tree`.

It is LALR(1), and its callbacks build the tree while it reads, so neither long nor deep texts recurse. Conditions and
expressions are one grammar, because both stand in parentheses; the callbacks refuse what is of the other kind.
Importing this module imports lark, some ten milliseconds: import it when the first rule is compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

from lark import Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from localzure.services.grammars import make_parser
from localzure.services.servicebus.rules.model import RuleError
from localzure.services.servicebus.rules.sql.tree import (
    DEPTH_MAX,
    And,
    Chain,
    Comparison,
    Constant,
    Exists,
    In,
    IsNull,
    Like,
    NewId,
    Not,
    Or,
    Parameter,
    Property,
    PropertyOf,
    Remove,
    Set,
    Sign,
)

if TYPE_CHECKING:
    from lark import Token

    from localzure.services.servicebus.rules.sql.tree import Condition, Expression, Operator, Statement

    Node: TypeAlias = Condition | Expression

GRAMMAR = r"""
?condition: both (_OR both)*
?both: negation (_AND negation)*
?negation: _NOT negation -> opposite
         | comparison
?comparison: sum
           | sum COMPARE sum -> compared
           | sum _IS _NULL -> is_null
           | sum _IS _NOT _NULL -> is_not_null
           | sum _IN "(" sum ("," sum)* ")" -> in_
           | sum _NOT _IN "(" sum ("," sum)* ")" -> not_in
           | sum _LIKE sum [_ESCAPE sum] -> like
           | sum _NOT _LIKE sum [_ESCAPE sum] -> not_like

?sum: product (SIGN product)*
?product: signed (TIMES signed)*
?signed: SIGN signed -> sign
       | primary
?primary: NUMBER -> number
        | STRING -> string
        | TRUTH -> truth
        | NULL -> null
        | PARAMETER -> parameter
        | property
        | NAME "(" [sum] ")" -> function
        | _EXISTS "(" property ")" -> exists
        | "(" condition ")"

property: [SCOPE "."] (NAME | BRACKETED | QUOTED)

statements: statement ((";" | ",")* statement)* (";" | ",")*
?statement: _SET property COMPARE sum -> set_
          | _REMOVE property -> remove

COMPARE: "=" | "<>" | "!=" | ">=" | "<=" | ">" | "<"
SIGN: "+" | "-"
TIMES: "*" | "/" | "%"
STRING: /'(?:[^']|'')*'/
NUMBER: /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?(?!\w)/i
PARAMETER: /@\w+/
BRACKETED: /\[(?:[^\]]|\]\])+\]/
QUOTED: /"(?:[^"]|"")+"/
SCOPE.2: /(?:sys|user)(?=\s*\.)/i
_OR.2: /or(?!\w)/i
_AND.2: /and(?!\w)/i
_NOT.2: /not(?!\w)/i
_IS.2: /is(?!\w)/i
_IN.2: /in(?!\w)/i
_LIKE.2: /like(?!\w)/i
_ESCAPE.2: /escape(?!\w)/i
_EXISTS.2: /exists(?!\w)/i
_SET.2: /set(?!\w)/i
_REMOVE.2: /remove(?!\w)/i
_NULL.2: /null(?!\w)/i
NULL.2: /null(?!\w)/i
TRUTH.2: /(?:true|false)(?!\w)/i
NAME: /(?!(?:and|or|not|is|in|like|escape|exists|null|true|false)(?!\w))[^\W\d_]\w*/i

%ignore /\s+/
"""

_OPERATORS: dict[str, Operator] = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def read_condition(text: str) -> Condition:
    """Return what a filter says. Raises RuleError."""
    return cast("Condition", _read(text, "condition"))


def read_statements(text: str) -> list[Statement]:
    """Return what an action says, statement by statement. Raises RuleError."""
    return cast("list[Statement]", _read(text, "statements"))


def refusal(text: str, position: int, token: str, details: str) -> RuleError:
    """An error of a text, in the words of Azure's parser; `token` is what stands at `position`."""
    before = text[:position]
    line, column = before.count("\n") + 1, position - before.rfind("\n")
    return RuleError(
        f"There was an error parsing the SQL expression. [Token line={line}, column={column}, "
        f"Token in error={token}, Additional details={details}]",
        position,
    )


class _Refused(Exception):  # noqa: N818 - not an error of its own: `_read` makes a RuleError of it, knowing the text
    """What a callback does not take."""

    def __init__(self, position: int, details: str) -> None:
        super().__init__(details)
        self.position = position


def _read(text: str, start: str) -> Any:
    try:
        read = _parser.parse(text, start)
        return _condition(cast("Node", read)) if start == "condition" else read
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise refusal(text, len(text), "", "Unexpected end of the expression.") from None
        token = str(error.token)
        raise refusal(text, int(error.token.start_pos or 0), token, f"Unexpected token '{token}'.") from None
    except UnexpectedCharacters as error:
        position = cast("int", error.pos_in_stream)
        raise refusal(text, position, text[position], _unreadable(text[position])) from None
    except _Refused as error:
        rest = text[error.position :].split(maxsplit=1)
        raise refusal(text, error.position, rest[0] if rest else "", str(error)) from None


def _unreadable(character: str) -> str:
    if character in "'\"[":
        return f"What {character} begins does not end."
    return f"Unrecognized character. '{character}'"


class _Tree(Transformer[Any, Any]):
    """What the parser does with each rule: every method takes what the parts of its rule have become."""

    def condition(self, parts: list[Node]) -> Or:
        flat: list[Condition] = []
        for part in map(_condition, parts):
            flat.extend(part.parts if isinstance(part, Or) else (part,))
        return Or(tuple(flat), _depth(*flat))

    def both(self, parts: list[Node]) -> And:
        flat: list[Condition] = []
        for part in map(_condition, parts):
            flat.extend(part.parts if isinstance(part, And) else (part,))
        return And(tuple(flat), _depth(*flat))

    def opposite(self, parts: list[Node]) -> Condition:
        part = _condition(parts[0])
        return part.part if isinstance(part, Not) else Not(part, _depth(part))

    def compared(self, parts: tuple[Node, Token, Node]) -> Comparison:
        left, right = _expression(parts[0]), _expression(parts[2])
        return Comparison(_OPERATORS[parts[1].value], left, right, _depth(left, right))

    def is_null(self, parts: list[Node]) -> IsNull:
        operand = _expression(parts[0])
        return IsNull(operand, _depth(operand))

    def is_not_null(self, parts: list[Node]) -> Not:
        return _negated(self.is_null(parts))

    def in_(self, parts: list[Node]) -> In:
        operand, *choices = map(_expression, parts)
        return In(operand, tuple(choices), _depth(operand, *choices))

    def not_in(self, parts: list[Node]) -> Not:
        return _negated(self.in_(parts))

    def like(self, parts: list[Node | None]) -> Like:
        operand, pattern, *rest = (_expression(part) for part in parts if part is not None)
        return Like(operand, pattern, rest[0] if rest else None, _depth(operand, pattern, *rest))

    def not_like(self, parts: list[Node | None]) -> Not:
        return _negated(self.like(parts))

    def exists(self, parts: list[Property]) -> Exists:
        return Exists(parts[0])

    def sum(self, parts: list[Any]) -> Chain:
        return _chain(parts)

    def product(self, parts: list[Any]) -> Chain:
        return _chain(parts)

    def sign(self, parts: tuple[Token, Node]) -> Expression:
        is_negative, operand = parts[0] == "-", _expression(parts[1])
        if isinstance(operand, Constant) and type(operand.value) in {int, float}:
            return Constant(-operand.value if is_negative else operand.value, _at(parts[0]))
        if isinstance(operand, Sign):
            return Sign(is_negative is not operand.is_negative, operand.operand, operand.depth)
        return Sign(is_negative, operand, _depth(operand))

    def number(self, parts: list[Token]) -> Constant:
        text = str(parts[0])
        value = int(text) if text.isdecimal() else float(text)
        return Constant(value, _at(parts[0]))

    def string(self, parts: list[Token]) -> Constant:
        return Constant(_unquoted(parts[0]), _at(parts[0]))

    def truth(self, parts: list[Token]) -> Constant:
        return Constant(parts[0].lower() == "true", _at(parts[0]))

    def null(self, parts: list[Token]) -> Constant:
        return Constant(None, _at(parts[0]))

    def parameter(self, parts: list[Token]) -> Parameter:
        return Parameter(str(parts[0]), _at(parts[0]))

    def property(self, parts: tuple[Token | None, Token]) -> Property:
        scope, name = parts
        is_system = scope is not None and scope.lower() == "sys"
        text = str(name) if name.type == "NAME" else _unquoted(name)
        return Property(is_system, text, _at(name if scope is None else scope))

    def function(self, parts: tuple[Token, Node | None]) -> Expression:
        name, argument = parts
        match name.lower(), argument:
            case "newid", None:
                return NewId()
            case "property" | "p", argument if argument is not None:
                expression = _expression(argument)
                return PropertyOf(expression, _depth(expression))
            case "newid" | "property" | "p", _:
                raise _Refused(_at(name), f"The function '{name}' does not take these arguments.")
            case _:
                raise _Refused(_at(name), f"The function '{name}' is not known.")

    def statements(self, parts: list[Statement]) -> list[Statement]:
        return parts

    def set_(self, parts: tuple[Property, Token, Node]) -> Set:
        operator = parts[1]
        if operator != "=":
            raise _Refused(_at(operator), f"Unexpected token '{operator}'.")
        return Set(parts[0], _expression(parts[2]))

    def remove(self, parts: list[Property]) -> Remove:
        return Remove(parts[0])


def _chain(parts: list[Any]) -> Chain:
    operands = [_expression(part) for part in parts[::2]]
    operators = [str(part) for part in parts[1::2]]
    return Chain(operands[0], tuple(zip(operators, operands[1:], strict=True)), _depth(*operands))


def _negated(part: Condition) -> Not:
    return Not(part, _depth(part))


def _unquoted(token: Token) -> str:
    """The text of 'a', "a" or [a], in which the closing mark is doubled."""
    mark = token[-1]
    return token[1:-1].replace(mark * 2, mark)


def _condition(node: Node) -> Condition:
    """A node where truth is wanted."""
    if isinstance(node, NewId | Sign | Chain) or (
        isinstance(node, Constant) and not isinstance(node.value, bool | None)
    ):
        raise _Refused(_position(node), "A condition is expected here.")
    return node


def _expression(node: Node) -> Expression:
    """A node where a value is wanted."""
    if isinstance(node, Comparison | IsNull | In | Like | Exists | Not | And | Or):
        raise _Refused(_position(node), "A value is expected here, not a condition.")
    return node


def _depth(*parts: Node) -> int:
    depth = 1 + max(getattr(part, "depth", 0) for part in parts)
    if depth > DEPTH_MAX:
        raise _Refused(_position(parts[0]), f"The expression is nested more than {DEPTH_MAX} deep.")
    return depth


def _position(node: Node) -> int:
    """Where a node, or the first leaf of it that knows its place, begins."""
    while True:
        match node:
            case Constant() | Parameter() | Property():
                return node.position
            case Exists(leaf):
                return leaf.position
            case PropertyOf(part) | Sign(_, part) | Chain(part) | Comparison(_, part) | IsNull(part) | In(part):
                node = part
            case Like(part) | Not(part):
                node = part
            case And(parts) | Or(parts):
                node = parts[0]
            case NewId():
                return 0


def _at(token: Token) -> int:
    return int(token.start_pos or 0)


_parser = make_parser(__package__ or "", GRAMMAR, _Tree(), ("condition", "statements"))
