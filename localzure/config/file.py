"""Reading a configuration file, YAML or JSON, into the raw values of settings by path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localzure.config.values import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_BYTES_MAX = 4 * 1024 * 1024
"""A larger configuration file is a mistake; a YAML parser would take minutes over it."""


class ConfigurationError(Exception):
    """The configuration is wrong; the text is one line that says where and what is allowed."""

    def __init__(self, text: str) -> None:
        super().__init__("".join(char if char.isprintable() else "?" for char in text))


def read_file(path: Path, shown: str, known: Iterable[str]) -> dict[str, object]:
    """The values that the file at `path` sets, by setting.

    `shown` is what to call the file in errors, `known` the settings' paths. Raises ConfigurationError, naming the
    file and the place in it, for what cannot be read and for keys that nobody knows.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise ConfigurationError(f"{shown}: larger than {FILE_BYTES_MAX} bytes, which is no configuration file")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{shown}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{shown}: not UTF-8 text (byte {error.start})") from None
    tree = (_parse_json if path.suffix.lower() == ".json" else _parse_yaml)(text, shown)
    found: dict[str, object] = {}
    _collect({} if tree is None else tree, _nest(known), "", shown, found)
    return found


def _parse_json(text: str, shown: str) -> object:
    """The tree of a JSON text."""
    import json  # late: most starts have no configuration file

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if (name := _repeated(name for name, _ in pairs)) is not None:
            raise ConfigurationError(f"{shown}: the key {name!r} is given twice in one mapping")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{shown}: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise ConfigurationError(f"{shown}: {error}") from None


def _parse_yaml(text: str, shown: str) -> object:
    """The tree of a YAML text."""
    import yaml  # late: it costs 15 ms, and most starts have no configuration file

    class UniqueKeyLoader(yaml.SafeLoader):
        """Refuses a mapping that has a key twice, which YAML forbids and PyYAML takes."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            name = _repeated(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            if name is not None:
                text = f"the key {name!r} is given twice in one mapping"
                raise yaml.constructor.ConstructorError(None, None, text, node.start_mark)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, UniqueKeyLoader)  # noqa: S506 -- the loader is a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigurationError(f"{shown}: {where}{error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"{shown}: {' '.join(str(error).split())}") from None


def _repeated(names: Iterable[str]) -> str | None:
    """The first name that comes a second time."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _nest(paths: Iterable[str]) -> dict[str, Any]:
    """The settings' paths as a tree; a leaf is None."""
    root: dict[str, Any] = {}
    for path in paths:
        *parents, leaf = path.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = None
    return root


def _collect(tree: object, schema: dict[str, Any], at: str, shown: str, found: dict[str, object]) -> None:
    """Put the values of `tree` into `found` by path. A value that is null is not set."""
    if not isinstance(tree, Mapping):
        where = f"at {at}: " if at else ""
        raise ConfigurationError(f"{shown}: {where}expected a mapping with the keys {', '.join(schema)}")
    for key, value in tree.items():
        path = f"{at}.{key}" if at else str(key)
        if key not in schema:
            raise ConfigurationError(f"{shown}: at {path}: unknown key; {nearest(str(key), list(schema))}")
        if value is None:
            continue
        if schema[key] is None:
            found[path] = value
        else:
            _collect(value, schema[key], path, shown, found)
