"""Writes the tables of the grammars beside them: `python -m tests.tidy.grammar_tables`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from localzure.services.grammars import TABLES, work_out

GRAMMARS = {
    "localzure.services.blob.query.grammar": ("start",),
    "localzure.services.servicebus.rules.sql.grammar": ("condition", "statements"),
    "localzure.services.table.filters.grammar": ("start",),
}
"""The modules that have a grammar, and where its texts can begin."""


def files() -> Iterator[tuple[Path, bytes]]:
    """Give each file and what belongs into it."""
    for name, starts in GRAMMARS.items():
        module = importlib.import_module(name)
        assert module.__file__ is not None
        yield Path(module.__file__).parent / TABLES, work_out(module.GRAMMAR, starts)


if __name__ == "__main__":
    for path, content in files():
        path.write_bytes(content)
