"""Parsers of grammars, made from tables that were worked out before.

Working out the tables of a grammar takes lark 30 to 50 ms, for which nobody else would be served; reading them takes 1
to 5. They stand beside the grammar's module as `grammar.tables` (`make grammars` writes them, a test tells when they
are out of date), and count only for the very same grammar and version of lark: else they are worked out on the spot.
Making a parser still imports lark: have the module imported when the first text of its language comes.
"""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any

import lark
import msgspec
from lark import Lark, Transformer
from lark.grammar import Rule
from lark.lexer import TerminalDef

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLES = "grammar.tables"
"""The file of a package's grammar."""


class Tables(msgspec.Struct):
    """What lark works out of a grammar."""

    version: str
    """Of lark: the form of the rest is its own."""
    grammar: str
    starts: list[str]
    data: dict[str, Any]
    memo: dict[int, Any]


_decoder = msgspec.msgpack.Decoder(Tables)


def make_parser(
    package: str, grammar: str, transformer: Transformer[Any, Any], starts: Sequence[str] = ("start",)
) -> Lark:
    """Make the LALR(1) parser of a package's grammar; `transformer` builds while it reads."""
    tables = _read(package)
    if (
        tables is not None
        and tables.version == lark.__version__
        and tables.grammar == grammar
        and tables.starts == list(starts)
    ):
        made: Lark = Lark._load_from_dict(  # type: ignore[no-untyped-call]  # what lark's own stand-alone parsers call
            tables.data, tables.memo, transformer=transformer
        )
        return made
    return Lark(grammar, parser="lalr", lexer="contextual", start=list(starts), transformer=transformer)


def work_out(grammar: str, starts: Sequence[str] = ("start",)) -> bytes:
    """Return the content of the file of a grammar."""
    parser = Lark(grammar, parser="lalr", lexer="contextual", start=list(starts))
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    return msgspec.msgpack.encode(Tables(lark.__version__, grammar, list(starts), _bounded(data), _bounded(memo)))


def _bounded(value: Any) -> Any:
    """Bring what lark takes for an endless width, 2**64, into the range of MessagePack: it orders terminals by it."""
    if isinstance(value, dict):
        return {key: _bounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bounded(part) for part in value]
    return min(value, 2**64 - 1) if isinstance(value, int) and not isinstance(value, bool) else value


def _read(package: str) -> Tables | None:
    try:
        content = pkgutil.get_data(package, TABLES)
        return None if content is None else _decoder.decode(content)
    except (OSError, msgspec.DecodeError):
        return None
