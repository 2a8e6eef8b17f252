"""The grammar of queries ("Query acceleration SQL language reference"), read by lark.

LALR(1), its callbacks build the query while it reads: reading does not recurse, whatever the length. Which functions
there are is for the compiler to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lark import Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError

from localzure.services.blob.query.syntax import (
    Apply,
    Every,
    Literal,
    Name,
    Path,
    Projection,
    QueryError,
    Select,
    Star,
)
from localzure.services.grammars import make_parser

if TYPE_CHECKING:
    from lark import Token

    from localzure.services.blob.query.syntax import Node

PROJECTIONS_MAX = 49
"""Most columns that a query may name."""

STEP_TOKENS = 500
"""Tokens that one step reads: five milliseconds of work."""

TABLE = "blobstorage"
"""What the table of every query is called."""

RESERVED = (
    "select|from|where|limit|as|between|in|like|escape|is|cast|and|or|not|null|missing|true|false|both|leading|trailing"
)
"""Words that name no field unless they are quoted."""

GRAMMAR = r"""
start: _SELECT projections _FROM table [_WHERE either] [_LIMIT INT] ";"?

projections: "*" -> everything
           | projection ("," projection)* -> some
projection: either [_AS? name]

table: name table_step*
table_step: "." name -> step
          | "[" "*" "]" -> every
          | "[" INT "]" -> position

?either: both
       | either OR both -> binary
?both: negated
     | both AND negated -> binary
?negated: predicate
        | NOT negated -> prefix
?predicate: sum
          | sum COMPARISON sum -> binary
          | sum [NOT] _BETWEEN sum AND sum -> between
          | sum [NOT] _IN "(" either ("," either)* ")" -> among
          | sum [NOT] _LIKE sum [_ESCAPE sum] -> like
          | sum _IS [NOT] STATE -> state
?sum: product
    | sum SIGN product -> binary
?product: unary
        | product FACTOR unary -> binary
        | product STAR unary -> binary
?unary: primary
      | SIGN unary -> prefix

?primary: (NUMBER | INT) -> number
        | STRING -> string
        | (TRUE | FALSE) -> boolean
        | STATE -> null
        | path
        | IDENTIFIER "(" "*" ")" -> star_call
        | (IDENTIFIER | SYS_SPLIT) "(" [either ("," either)*] ")" -> call
        | IDENTIFIER "(" either _FROM either ")" -> from_call
        | IDENTIFIER "(" SIDE [either] _FROM either ")" -> trim
        | _CAST "(" either _AS IDENTIFIER ")" -> cast
        | "(" either ")"

path: name path_step*
path_step: "." name -> step
         | "[" INT "]" -> position
name: IDENTIFIER -> plain
    | QUOTED -> quoted

STAR: "*"
COMPARISON: "<=" | ">=" | "<>" | "!=" | "<" | ">" | "="
SIGN: "+" | "-"
FACTOR: "/" | "%"
_SELECT: /select(?!\w)/i
_FROM: /from(?!\w)/i
_WHERE: /where(?!\w)/i
_LIMIT: /limit(?!\w)/i
_AS: /as(?!\w)/i
_BETWEEN: /between(?!\w)/i
_IN: /in(?!\w)/i
_LIKE: /like(?!\w)/i
_ESCAPE: /escape(?!\w)/i
_IS: /is(?!\w)/i
_CAST: /cast(?!\w)/i
AND: /and(?!\w)/i
OR: /or(?!\w)/i
NOT: /not(?!\w)/i
STATE: /(?:null|missing)(?!\w)/i
TRUE: /true(?!\w)/i
FALSE: /false(?!\w)/i
SIDE: /(?:both|leading|trailing)(?!\w)/i
SYS_SPLIT.2: /sys\s*\.\s*split(?!\w)/i
NUMBER: /(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[0-9]+e[+-]?[0-9]+/i
INT: /[0-9]+/
STRING: /'(?:[^']|'')*'/
QUOTED: /"(?:[^"]|"")*"/
IDENTIFIER: /(?!(?:RESERVED)(?!\w))[^\W\d]\w*/i

%ignore /\s+/
""".replace("RESERVED", RESERVED)


def read_query(text: str) -> Select:
    """Return what a query says, at once. Raises QueryError."""
    reading = Reading(text)
    while (found := reading.step()) is None:
        pass
    return found


class Reading:
    """Reads a query in bounded steps: a long one takes most of a second."""

    def __init__(self, text: str) -> None:
        self._parser = _parser.parse_interactive(text)
        self._tokens = self._parser.iter_parse()
        self._last: Token | None = None

    def step(self) -> Select | None:
        """Read on; returns the query once it is whole. Raises QueryError."""
        try:
            for _ in range(STEP_TOKENS):
                token = next(self._tokens, None)
                if token is None:
                    found: Select = self._parser.feed_eof(self._last)  # type: ignore[no-untyped-call]  # lark does not type it
                    return found
                self._last = token
        except UnexpectedInput as error:
            raise QueryError("ParseError", f"Unexpected input at character {error.pos_in_stream}.") from None
        except VisitError as error:
            if isinstance(error.orig_exc, QueryError):
                raise error.orig_exc from None
            raise
        return None


@v_args(inline=True)
class _Builder(Transformer[Any, Any]):
    """Makes the parts of a query, the innermost first."""

    def start(self, projections: tuple[Projection, ...], table: Any, where: Node | None, limit: Token | None) -> Select:
        return Select(projections, table, where, None if limit is None else _integer(limit))

    def everything(self) -> tuple[Projection, ...]:
        return ()

    def some(self, *projections: Projection) -> tuple[Projection, ...]:
        if len(projections) > PROJECTIONS_MAX:
            raise QueryError("ParseError", f"A query names {PROJECTIONS_MAX} columns at most.")
        return projections

    def projection(self, node: Node, alias: Name | None) -> Projection:
        return Projection(node, None if alias is None else alias.text)

    def table(self, name: Name, *steps: Name | int | Every) -> tuple[Name | int | Every, ...]:
        if name.text.lower() != TABLE:
            raise QueryError("ParseError", "The table of a query is BlobStorage.")
        return steps[1:] if steps[:1] == (Every(),) else steps

    def step(self, name: Name) -> Name:
        return name

    def every(self) -> Every:
        return Every()

    def position(self, number: Token) -> int:
        return _integer(number)

    def plain(self, token: Token) -> Name:
        return Name(str(token))

    def quoted(self, token: Token) -> Name:
        return Name(token[1:-1].replace('""', '"'), is_quoted=True)

    def path(self, *steps: Name | int) -> Path:
        return Path(steps)

    def number(self, token: Token) -> Literal:
        return Literal(_integer(token) if token.isdecimal() else float(token))

    def string(self, token: Token) -> Literal:
        return Literal(token[1:-1].replace("''", "'"))

    def boolean(self, token: Token) -> Literal:
        return Literal(token.lower() == "true")

    def null(self, token: Token) -> Literal:
        if token.lower() != "null":
            raise QueryError("ParseError", "MISSING stands behind IS only.")
        return Literal(None)

    def binary(self, left: Node, operator: Token, right: Node) -> Node:
        return Apply.to("<>" if operator == "!=" else operator, left, right)

    def prefix(self, operator: Token, node: Node) -> Node:
        return Apply.to("NEGATE" if operator == "-" else "POSITIVE" if operator == "+" else operator, node)

    def between(self, node: Node, negation: Token | None, low: Node, _and: Token, high: Node) -> Node:
        return _maybe_not(negation, Apply.to("BETWEEN", node, low, high))

    def among(self, node: Node, negation: Token | None, *items: Node) -> Node:
        return _maybe_not(negation, Apply.to("IN", node, *items))

    def like(self, node: Node, negation: Token | None, pattern: Node, escape: Node | None) -> Node:
        return _maybe_not(negation, Apply.to("LIKE", node, pattern, *(() if escape is None else (escape,))))

    def state(self, node: Node, negation: Token | None, state: Token) -> Node:
        return _maybe_not(negation, Apply.to(f"IS {state}", node))

    def star_call(self, name: Token) -> Node:
        return Apply.to(name, Star())

    def call(self, name: Token, *arguments: Node | None) -> Node:
        return Apply.to("".join(name.split()), *(argument for argument in arguments if argument is not None))

    def from_call(self, name: Token, first: Node, second: Node) -> Node:
        if name.upper() == "TRIM":
            return Apply.to("TRIM", Literal("BOTH"), first, second)
        return Apply.to(name, first, second)

    def trim(self, name: Token, side: Token, characters: Node | None, node: Node) -> Node:
        if name.upper() != "TRIM":
            raise QueryError("ParseError", f"{side.upper()} stands in TRIM only.")
        return Apply.to("TRIM", Literal(side.upper()), characters or Literal(" "), node)

    def cast(self, node: Node, kind: Token) -> Node:
        return Apply.to("CAST", node, Literal(kind.upper()))


def _maybe_not(negation: Token | None, node: Node) -> Node:
    return node if negation is None else Apply.to("NOT", node)


def _integer(token: Token) -> int:
    """Read digits. Raises QueryError beyond 64 bits."""
    value = int(token) if len(token) < 20 else 2**63
    if value >= 2**63:
        raise QueryError("ParseError", "A number is beyond 64 bits.")
    return value


_parser = make_parser(__package__ or "", GRAMMAR, _Builder())
