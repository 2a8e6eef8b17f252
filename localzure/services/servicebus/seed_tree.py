"""A seed file as a tree of values that know their place: JSON with comments, or YAML.

In JSON comments and trailing commas are allowed, as in .NET's configuration files. A key that a mapping has twice is
refused: one of the two would be lost without a word.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_log = logging.getLogger(__name__)


class SeedError(Exception):
    """A seed cannot be taken; the text is one line: file, place in it, value, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a file, and where it is."""

    file: str
    path: str
    value: Any

    @property
    def shown(self) -> str:
        """File and place, for texts."""
        return f"{self.file}: {self.path}" if self.path else self.file

    def wrong(self, allowed: str) -> SeedError:
        """The refusal of the value."""
        return SeedError(f"{self.shown}: {_told(self.value)} is not allowed, it must be {allowed}")

    def mapping(self) -> Mapping[str, Any]:
        """Its members. Raises SeedError where it has none."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return {str(key): value for key, value in self.value.items()}

    def members(self) -> Iterator[tuple[str, Place]]:
        """Its members by name. Raises SeedError where it has none."""
        for key, value in self.mapping().items():
            yield key, self._below(key, value)

    def member(self, name: str) -> Place | None:
        """The member called `name`, however it is spelt (see `plain`); None where it is missing or null."""
        wanted = plain(name)
        for key, value in self.mapping().items():
            if plain(key) == wanted and value is not None:
                return self._below(key, value)
        return None

    def required(self, name: str) -> Place:
        """The member called `name`. Raises SeedError where it is missing."""
        found = self.member(name)
        if found is None:
            raise SeedError(f"{self.shown}: {name!r} is missing")
        return found

    def elements(self) -> Iterator[Place]:
        """Its elements. Raises SeedError where it is no array."""
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        for index, value in enumerate(self.value):
            yield Place(self.file, f"{self.path}[{index}]", value)

    def elements_of(self, name: str) -> Iterator[Place]:
        """The elements of a member that may be missing."""
        found = self.member(name)
        if found is not None:
            yield from found.elements()

    def expect(self, names: Iterable[str]) -> None:
        """Tell what nobody knows: a misspelt name would otherwise be lost without a word."""
        known = {plain(name) for name in names}
        for key in self.mapping():
            if plain(key) not in known:
                _log.warning("%s: unknown and left out: %r; known are %s", self.shown, key, ", ".join(sorted(names)))

    def maybe_member(self, name: str) -> Place | None:
        """As `member`, also where it is null itself."""
        return None if self.value is None else self.member(name)

    def members_of(self, name: str) -> Iterator[tuple[str, Place]]:
        """The members of a member that may be missing, by name."""
        found = self.maybe_member(name)
        if found is not None:
            yield from found.members()

    def named(self, name: str) -> Place:
        """The name under which it stands, as a value."""
        return Place(self.file, self.path, name)

    def hidden(self) -> Place:
        """The same place with a value that may be told."""
        return Place(self.file, self.path, "***")

    def _below(self, key: str, value: Any) -> Place:
        return Place(self.file, f"{self.path}.{key}" if self.path else key, value)


def plain(name: str) -> str:
    """What a name comes down to: `LockDuration`, `lockDuration`, `lock_duration` and `lock-duration` are the same."""
    return name.replace("_", "").replace("-", "").lower()


def parse_tree(text: str, shown: str, *, is_yaml: bool) -> Place:
    """Read a file's text; `shown` is what to call the file. Raises SeedError."""
    return Place(shown, "", _parse_yaml(text, shown) if is_yaml else _parse_json(text, shown))


def _parse_json(text: str, shown: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if (name := _repeated(name for name, _ in pairs)) is not None:
            raise SeedError(f"{shown}: the key {name!r} is given twice in one object")
        return dict(pairs)

    try:
        return json.loads(_without_comments(text), object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise SeedError(f"{shown}: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise SeedError(f"{shown}: nested too deep") from None
    except ValueError as error:
        raise SeedError(f"{shown}: {error}") from None


def _parse_yaml(text: str, shown: str) -> Any:
    import yaml  # late: it costs 15 ms, and most starts have no seed in YAML

    class UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the faster, if there
        """Refuses a mapping that has a key twice, which YAML forbids and PyYAML takes."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            name = _repeated(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            if name is not None:
                told = f"the key {name!r} is given twice in one object"
                raise yaml.constructor.ConstructorError(None, None, told, node.start_mark)
            found: dict[Any, Any] = super().construct_mapping(node, deep)
            return found

    try:
        return yaml.load(text, UniqueKeyLoader)  # noqa: S506 - the loader is a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SeedError(f"{shown}: {where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SeedError(f"{shown}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise SeedError(f"{shown}: nested too deep") from None


def _repeated(names: Iterable[str]) -> str | None:
    """The first name that comes a second time."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _told(value: Any) -> str:
    """A value in an error text, on one line. YAML has values that JSON lacks: dates, and keys that are no texts."""
    return f"{json.dumps(value, default=str, skipkeys=True):.200}"


_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[\]}])', re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\n]")


def _without_comments(text: str) -> str:
    """Blank out comments and trailing commas, so that everything else keeps its line and column."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found.startswith('"') else _NOT_NEWLINE.sub(" ", found)

    return _STRING_OR_LAST_COMMA.sub(blank, _STRING_OR_COMMENT.sub(blank, text))
