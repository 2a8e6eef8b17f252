"""The errors that docs/troubleshooting.md explains are errors of the sources, in their words."""

from __future__ import annotations

import ast
import re

import pytest

from tests.documents import DOCS, ROOT, Block, blocks_of

PAGE = DOCS / "troubleshooting.md"
OURS = [block for block in blocks_of(PAGE) if block.title == "error"]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Every text of the sources, with `…` for what is put in."""
    paths = [path for folder in ("localzure", "storage", "protocols") for path in (ROOT / folder).rglob("*.py")]
    return [text for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8"))) if (text := told(node))]


def told(node: ast.AST) -> str:
    """The text that a node stands for, empty for other nodes."""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"…{spoken(part)}…" for part in node.values
        )
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w*\}", "…", node.value)
    return ""


def spoken(part: ast.expr) -> str:
    """Texts within a hole, such as those of a choice between two."""
    return "".join(told(node) for node in ast.walk(part) if isinstance(node, ast.Constant))


def test_there_are_errors_to_look_up() -> None:
    assert len(OURS) > 15


@pytest.mark.parametrize("block", OURS, ids=lambda block: block.place)
def test_the_error_is_one_of_the_sources(block: Block, texts: list[str]) -> None:
    parts = [part for part in block.text.strip().split("…") if part.strip()]
    assert any(all(part in text for part in parts) for text in texts), block.text
