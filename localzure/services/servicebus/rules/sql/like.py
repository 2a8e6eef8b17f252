"""LIKE: `%` is any run of characters, `_` any one, and the whole text must fit, in its case.

A pattern is cut at its `%`, and the pieces are looked for from left to right, each at the first place behind the one
before it. That is right because a `%` takes what is between, and it takes time in proportion to text and pattern, where
a regular expression would try every combination of places.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Search: TypeAlias = Callable[[str, int], tuple[int, int] | None]
    """(text, from where) → where a piece begins and ends."""


def like(pattern: str, escape: str | None) -> Callable[[str], bool]:
    """What tells whether a text is like a pattern. `escape` is one character, or None."""
    pieces = _pieces(pattern, escape)
    if len(pieces) == 1:
        whole = re.compile(_regular(pieces[0]), re.DOTALL).fullmatch
        return lambda text: whole(text) is not None
    first, *inner, last = pieces
    begins = re.compile(_regular(first), re.DOTALL).match
    ends = re.compile(_regular(last), re.DOTALL).fullmatch
    searches = [_search(piece) for piece in inner if piece]

    def test(text: str) -> bool:
        end_at = len(text) - len(last)
        if end_at < len(first) or begins(text) is None or ends(text, end_at) is None:
            return False
        at = len(first)
        for search in searches:
            found = search(text, at)
            if found is None:
                return False
            at = found[1]
        return at <= end_at

    return test


def _pieces(pattern: str, escape: str | None) -> list[list[str | None]]:
    """The characters between the `%`, None for any; an escaped one is itself, and so is an escape at the end."""
    pieces: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            pieces[-1].append(next(characters, character))
        elif character == "%":
            pieces.append([])
        else:
            pieces[-1].append(None if character == "_" else character)
    return pieces


def _search(piece: list[str | None]) -> Search:
    if None in piece:
        search = re.compile(_regular(piece), re.DOTALL).search
        return lambda text, at: None if (found := search(text, at)) is None else found.span()
    wanted = "".join(character for character in piece if character is not None)

    def find(text: str, at: int) -> tuple[int, int] | None:
        start = text.find(wanted, at)
        return None if start < 0 else (start, start + len(wanted))

    return find


def _regular(piece: list[str | None]) -> str:
    return "".join("." if character is None else re.escape(character) for character in piece)
