"""Conditions on the tags of a blob: `"project" = 'x' AND "stage" >= '2'`, read once and asked often.

The language of `x-ms-if-tags` and of Find Blobs by Tags: comparisons of a quoted name (or, in a search, `@container`)
with a text in single quotes, joined by AND, and in `x-ms-if-tags` also by OR, which binds less ("Specifying conditional
headers for Blob service operations", "Find Blobs by Tags"). Texts compare by code unit.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONDITION_CHARS_MAX = 8 * 1024
"""Longest condition."""

CONTAINER = "@container"
"""What a search names the container by."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<name>"[^"]*"|@container\b|[A-Za-z_]\w*)\s*(?P<operator><>|>=|<=|=|<|>)\s*'(?P<value>(?:[^']|'')*)'"""
    r"""|(?P<word>AND|OR)\b)\s*""",
    re.IGNORECASE | re.ASCII,
)

_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class TagConditionError(Exception):
    """The text is no condition."""


class Comparison(Struct, frozen=True):
    """One comparison. A tag that is not there equals nothing and is unlike everything."""

    name: str
    operator: str
    value: str

    def holds(self, tags: Mapping[str, str]) -> bool:
        """Whether tags fulfil it."""
        value = tags.get(self.name)
        if value is None:
            return self.operator == "<>"
        return _OPERATORS[self.operator](value, self.value)


class TagCondition(Struct, frozen=True):
    """A condition: it holds where all comparisons of one of its groups do."""

    groups: tuple[tuple[Comparison, ...], ...]

    def holds(self, tags: Mapping[str, str]) -> bool:
        """Whether tags fulfil it."""
        return any(all(comparison.holds(tags) for comparison in group) for group in self.groups)

    def names(self) -> tuple[str, ...]:
        """The names of the tags that it looks at, each once, in their order."""
        names = (comparison.name for group in self.groups for comparison in group)
        return tuple(dict.fromkeys(name for name in names if name != CONTAINER))


def parse(text: str, *, is_search: bool = False) -> TagCondition:
    """Read a condition; a search has no OR and no `<>`. Raises TagConditionError."""
    if len(text) > CONDITION_CHARS_MAX:
        raise TagConditionError("the condition is too long")
    groups: list[list[Comparison]] = [[]]
    at = 0
    wants_comparison = True
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or (match["word"] is None) != wants_comparison:
            raise TagConditionError(f"unexpected at character {at}")
        if match["word"] is None:
            if is_search and match["operator"] == "<>":
                raise TagConditionError("a search has no <>")
            name = match["name"].strip('"')
            name = CONTAINER if name.lower() == CONTAINER else name
            groups[-1].append(Comparison(name, match["operator"], match["value"].replace("''", "'")))
        elif match["word"].upper() == "OR":
            if is_search:
                raise TagConditionError("a search has no OR")
            groups.append([])
        wants_comparison = not wants_comparison
        at = match.end()
    if wants_comparison:
        raise TagConditionError("the condition is not complete")
    return TagCondition(tuple(map(tuple, groups)))
