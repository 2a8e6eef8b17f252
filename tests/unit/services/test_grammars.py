"""Parsers made from tables read as those whose tables are worked out on the spot."""

from __future__ import annotations

import pkgutil
from typing import Any

import lark
import pytest
from lark import Transformer

from localzure.services import grammars
from localzure.services.grammars import Tables, make_parser, work_out

GRAMMAR = """
start: "a" /b+/
other: "c"
"""


class Joined(Transformer[Any, Any]):
    def start(self, parts: list[str]) -> str:
        return "".join(parts)

    def other(self, _parts: list[str]) -> str:
        return "other"


@pytest.mark.parametrize("content", ["right", "none", "unreadable", "other grammar", "other lark"])
def test_whatever_stands_beside_a_grammar_its_parser_reads_it(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    starts = ("start", "other")
    kept = {
        "right": work_out(GRAMMAR, starts),
        "none": None,
        "unreadable": b"\xc1",
        "other grammar": work_out('start: "x"\nother: "y"', starts),
        "other lark": work_out(GRAMMAR, starts).replace(lark.__version__.encode(), b"9.9.9"),
    }[content]
    monkeypatch.setattr(pkgutil, "get_data", lambda _package, name: kept if name == grammars.TABLES else None)
    parser = make_parser("some.package", GRAMMAR, Joined(), starts)
    read: list[Any] = [parser.parse("abb", start="start"), parser.parse("c", start="other")]
    assert read == ["bb", "other"]
    assert (parser.source_path == "<deserialized>") is (content == "right")


def test_a_package_without_tables_has_its_grammar_worked_out() -> None:
    read: Any = make_parser("localzure.services", GRAMMAR, Joined(), ("start", "other")).parse("ab", start="start")
    assert read == "b"


def test_the_tables_say_what_they_are_of() -> None:
    tables = grammars._decoder.decode(work_out(GRAMMAR, ("start",)))
    assert isinstance(tables, Tables)
    assert (tables.version, tables.grammar, tables.starts) == (lark.__version__, GRAMMAR, ["start"])
