"""The rules of the house that no linter knows: length, words and names."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

LONG_FILES: dict[str, str] = {}
"""Files that may be longer, each with the reason."""

LONG_FUNCTIONS: dict[str, str] = {}
"""Functions that may be longer, as file:name, each with the reason."""

SOURCES = sorted(
    path
    for folder in ("localzure", "protocols", "storage", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
TEXTS = sorted(
    [
        *SOURCES,
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*.toml"),
        ROOT / "Makefile",
        *(path for path in ROOT.glob(".ci/*") if path.is_file()),
    ]
)

BANNED = {
    "to do": (r"\b(TODO|FIXME|XXX|HACK)\b", "finish it, or leave it out"),
    "numbers": (
        r"(?i)\bissues? (#|no\. |number )?\d+\b|(?<![\w&])#\d+\b",
        "say the reason, not where it was discussed",
    ),
    "people": (
        r"(?i)/work/|\bthe brief\b|\bcolleagues?\b|\bas (asked|requested|instructed|discussed)\b",
        "no narration",
    ),
    "steps": (r"(?i)\bin (this|the next|a later|an earlier) (phase|iteration|commit)\b", "no narration"),
    "tools": (r"(?i)\b(subagent|language model|chatgpt|claude|copilot)\b", "no narration"),
    "history": (
        r"(?i)\b(previously|formerly|used to be|no longer needed|has been (moved|renamed|refactored))\b",
        "comments tell what is, the history tells what was",
    ),
}

DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {named(path): ast.parse(path.read_text("utf-8")) for path in SOURCES}


def test_there_is_something_to_judge() -> None:
    assert len(SOURCES) > 20


def test_no_file_is_too_long() -> None:
    lengths = {named(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX and name not in LONG_FILES} == {}
    assert all(lengths.get(name, 0) > FILE_LINES_MAX for name in LONG_FILES), (
        "the list has a file that needs it no more"
    )


def test_no_function_is_too_long(trees: dict[str, ast.Module]) -> None:
    lengths = {
        f"{name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    too_long = {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX}
    assert too_long.keys() == LONG_FUNCTIONS.keys(), too_long


def test_every_module_says_in_its_first_line_what_it_is_for(trees: dict[str, ast.Module]) -> None:
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_no_module_is_a_drawer() -> None:
    assert [named(path) for path in SOURCES if DRAWERS & {path.stem, path.parent.name}] == []


@pytest.mark.parametrize(("pattern", "reason"), BANNED.values(), ids=BANNED)
def test_banned_words(pattern: str, reason: str) -> None:
    found = [
        f"{named(path)}:{number}: {line.strip()}"
        for path in TEXTS
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == [], reason


def test_tests_wait_for_things_and_never_for_time(trees: dict[str, ast.Module]) -> None:
    sleeps = [
        f"{name}:{node.lineno}"
        for name, tree in trees.items()
        if name.startswith("tests/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]
    assert sleeps == []


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in SOURCES if path.name.startswith("test_"))
    assert [name for name, times in names.items() if times > 1] == []
