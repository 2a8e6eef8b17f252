"""The site has every page, its links hold, and each block of code is what it says: quickly, and without building it."""

from __future__ import annotations

import ast
import itertools
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from localzure.cli.azurite import command
from localzure.cli.main import localzure
from localzure.config.load import load
from localzure.config.options import CONFIG_VARIABLE, ENDPOINT_VARIABLE, OPTIONS
from localzure.services.servicebus.seed import parse_seed
from tests.documents import DOCS, PAGES, README, ROOT, Block, blocks, without_blocks

SITE = ROOT / "mkdocs.yml"

RUN_ELSEWHERE = {"js", "go", "java"}
"""Their programs are run by tests/conformance/test_documented_languages.py."""
NOT_RUN = {"csharp", "powershell", "xml", "text"}
"""What no test runs: there is no .NET where the tests run, and a text is what somebody reads."""
CONFIGURATIONS = {"localzure.yaml", "localzure.json"}
SEEDS = {"seed.yaml", "Config.json"}

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.*)$", re.MULTILINE)
_COMMANDS: dict[str, click.Command] = {
    "localzure": localzure,
    "azurite": command("azurite", ("blob", "queue", "table")),
    **{f"azurite-{service}": command(f"azurite-{service}", (service,)) for service in ("blob", "queue", "table")},
}


def named(items: list[Block]) -> list[object]:
    return [pytest.param(block, id=block.place) for block in items]


def listed(nav: object) -> list[str]:
    """The pages that a part of the navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []
    return [page for part in parts for page in listed(part)]


def test_the_navigation_lists_every_page_once() -> None:
    pages = listed(yaml.safe_load(SITE.read_text("utf-8"))["nav"])
    assert sorted(pages) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def anchors(page: Path) -> set[str]:
    """What links may point at in a page: the site's names of its headings."""
    headings = _HEADING.findall(without_blocks(page.read_text("utf-8")))
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_hold(page: Path) -> None:
    wrong = []
    for target in _LINK.findall(without_blocks(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        inside = page == README or path.is_relative_to(DOCS)
        if not inside or not path.exists() or (anchor and anchor not in anchors(path)):
            wrong.append(target)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_site_shows_what_other_readers_of_markdown_show(page: Path) -> None:
    """It takes a list or a table only after an empty line, and keeps the backslash before a bar within code."""
    lines = without_blocks(page.read_text("utf-8")).splitlines()
    item = re.compile(r" *([-*]|\d+\.) ")
    for before, line in itertools.pairwise(lines):
        within = not before.strip() or before.startswith((" ", "|")) or item.match(before)
        assert within or not (line.startswith("|") or item.match(line)), line
        assert "\\|" not in line, line


@pytest.mark.parametrize("name", ["architecture.md", "hacking.md"])
def test_sources_that_are_named_are_there(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    below = ("", "localzure", "localzure/services/servicebus", "protocols", "protocols/localzure_protocols", "storage")
    folders = [ROOT / folder for folder in below]
    paths = re.findall(r"`([\w./]+/[\w.]+\.py)`", text)
    assert len(paths) > 5
    assert [path for path in paths if not any((folder / path).exists() for folder in folders)] == []


def test_every_block_has_a_language_that_a_test_knows() -> None:
    known = {"python", "yaml", "json", "toml", "sh", "console"} | RUN_ELSEWHERE | NOT_RUN
    assert [block.place for block in blocks() if block.language not in known] == []
    fences = sum(len(re.findall(r"^ *```", page.read_text("utf-8"), re.MULTILINE)) for page in PAGES)
    assert fences == 2 * len(blocks())


def test_no_block_is_hidden_from_the_tests_by_being_indented() -> None:
    for page in PAGES:
        lines = without_blocks(page.read_text("utf-8")).splitlines()
        pairs = itertools.pairwise(lines)
        assert [line for before, line in pairs if not before.strip() and line.startswith("    ")] == [], page.name


@pytest.mark.parametrize("block", named(blocks("python")))
def test_python_is_python(block: Block) -> None:
    if "/" in block.title:
        assert block.text.strip() in (ROOT / block.title).read_text("utf-8"), "no passage of this source"
    else:
        ast.parse(block.text, block.place)


@pytest.mark.parametrize("block", named(blocks("yaml", "json", "toml")))
def test_configurations_and_seeds_are_taken(block: Block, tmp_path: Path) -> None:
    assert block.title, "say by a title which file it is: localzure.yaml, seed.yaml, Config.json, compose.yaml …"
    if block.title in CONFIGURATIONS:
        (tmp_path / block.title).write_text(block.text)
        assert load({"--config": block.title}, {}, tmp_path).warnings == ()
    elif block.title in SEEDS:
        assert parse_seed(block.text, block.title, is_yaml=block.language == "yaml")
    elif block.language == "yaml":
        assert yaml.safe_load(block.text)
    else:
        assert (json if block.language == "json" else tomllib).loads(block.text)


def shell_lines(block: Block) -> str:
    """What somebody types: of a dialogue the lines behind `$`."""
    if block.language == "sh":
        return block.text
    return "\n".join(line[2:] for line in block.text.splitlines() if line.startswith("$ "))


@pytest.mark.parametrize("block", named(blocks("sh", "console")))
def test_shell_lines_are_shell_lines_with_commands_and_flags_that_there_are(block: Block) -> None:
    text = shell_lines(block)
    assert text, "a dialogue has a line that begins with `$ `"
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    for words in simple_commands(text):
        check_command(words)


def test_commands_within_sentences_have_commands_and_flags_that_there_are() -> None:
    for page in PAGES:
        for code in re.findall(r"`(localzure [^`|…\[]+)`", without_blocks(page.read_text("utf-8"))):
            check_command(shlex.split(code))


def options(group: click.Command) -> set[str]:
    """Every option of a command and those below it."""
    own = {name for parameter in group.params for name in (*parameter.opts, *parameter.secondary_opts)}
    below = group.commands.values() if isinstance(group, click.Group) else ()
    return own.union(*map(options, below))


def test_settings_that_are_named_are_there() -> None:
    flags = set().union(*map(options, _COMMANDS.values())) | {"--help"}
    variables = {option.variable for option in OPTIONS} | {CONFIG_VARIABLE, ENDPOINT_VARIABLE}
    for page in PAGES:
        text = page.read_text("utf-8")
        assert {name for name in re.findall(r"`(--[\w-]+)", text) if name not in flags} == set(), page.name
        assert set(re.findall(r"LOCALZURE_[A-Z][A-Z_]*[A-Z]", text)) <= variables, page.name


def test_examples_that_are_files_are_read() -> None:
    for path in [ROOT / "compose.yaml", *DOCS.rglob("*.yaml")]:
        assert all(yaml.safe_load_all(path.read_text("utf-8"))), path


def simple_commands(text: str) -> list[list[str]]:
    """The words of each command, without assignments before it and redirections behind it."""
    found: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for is_end, words in itertools.groupby(lexer, lambda word: bool(re.fullmatch(r"[|&;()]+", word))):
            kept = list(itertools.dropwhile(lambda word: re.match(r"\w+=|sudo$", word), words))
            if not is_end and kept:
                found.append(list(itertools.takewhile(lambda word: not re.fullmatch(r"[<>]+|2?>.*", word), kept)))
    return found


def check_command(words: list[str]) -> None:
    """Hold a command of ours, or a target of make, to what there is. Anything else is left alone."""
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert [word for word in words[1:] if "=" not in word and word not in targets] == []
    used = _COMMANDS.get(words[0])
    rest = words[1:]
    while used is not None:
        context = click.Context(used, info_name=words[0])
        _, rest, _ = used.make_parser(context).parse_args(list(rest))
        used = used.get_command(context, rest[0]) if isinstance(used, click.Group) and rest else None
        if isinstance(context.command, click.Group) and rest:
            assert used is not None, f"{' '.join(words)}: there is no {rest[0]}"
            rest = rest[1:]
