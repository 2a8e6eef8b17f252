"""The pages of the documentation, and the blocks of code in them, as the tests see them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.testing import LocalZure

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]*)"')

PRINTS = "prints"
"""The title of the block behind a program that tells what it prints."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: where it stands, its language, the title it has (a file's name) or none, and its text."""

    place: str
    language: str
    title: str
    text: str
    prints: str | None = None
    """What the program prints, where the page tells."""


def blocks(*languages: str) -> list[Block]:
    """All blocks of the pages, or those in some languages, in their order."""
    return [block for page in PAGES for block in blocks_of(page) if not languages or block.language in languages]


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of one page."""
    text = page.read_text("utf-8")
    found = list(_FENCE.finditer(text))
    for match, following in zip(found, [*found[1:], None], strict=False):
        language, _, rest = match[2].strip().partition(" ")
        titled = _TITLE.search(rest)
        line = text.count("\n", 0, match.start()) + 1
        prints = following[3] if following and f'title="{PRINTS}"' in following[2] else None
        place = f"{page.relative_to(ROOT).as_posix()}:{line}"
        yield Block(place, language, titled[1] if titled else "", match[3], prints)


def without_blocks(text: str) -> str:
    """A page's text without its blocks of code."""
    return _FENCE.sub("", text)


def programs(language: str) -> list[Block]:
    """The blocks that are whole programs, for a test to run: their title is a file's name, not a path."""
    return [block for block in blocks(language) if block.title and "/" not in block.title]


def pointed_at(text: str, azure: LocalZure) -> str:
    """A program with the ports of this server in the place of those that are LocalZure's own."""
    strings, ends = azure.connection_strings, azure.endpoints
    key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    text = text.replace("UseDevelopmentStorage=true", strings["storage"])
    text = text.replace(f"Endpoint=sb://localhost;{key}", strings["servicebus"])
    for port, name in ((10000, "blob"), (10001, "queue"), (10002, "table"), (8080, "gateway"), (5300, "servicebus")):
        text = re.sub(rf"http://(127\.0\.0\.1|localhost):{port}\b", ends[name].rstrip("/"), text)
    return text
