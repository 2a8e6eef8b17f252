"""The tables of the grammars are those of this lark, and all grammars have some."""

from __future__ import annotations

import msgspec

from localzure.services.grammars import Tables
from tests.tidy.grammar_tables import GRAMMARS, files
from tests.tidy.test_source_rules import ROOT


def test_the_tables_are_up_to_date() -> None:
    for path, content in files():
        kept, fresh = (msgspec.msgpack.decode(each, type=Tables) for each in (path.read_bytes(), content))
        told = [(each.version, each.grammar, each.starts) for each in (kept, fresh)]
        assert told[0] == told[1], f"{path} is old: run `make grammars`"
        # What lark works out is the same, but for the order in which it numbers the states.
        assert len(kept.data["parser"]["parser"]["states"]) == len(fresh.data["parser"]["parser"]["states"])


def test_every_parser_is_made_from_tables() -> None:
    modules = [path for path in (ROOT / "localzure").rglob("*.py") if "Transformer[" in path.read_text()]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules}
    assert names - {"localzure.services.grammars"} == set(GRAMMARS)
