"""What a path names: the service, its tables, one of them, its entities, one of those, or a batch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from localzure.services.storage_rest.query import UriError, decode_path
from localzure.services.table.errors import KEY_COUNT, NAME_LENGTH, TableError
from localzure.services.table.payload import is_key_text

Resource: TypeAlias = Literal["service", "batch", "tables", "table", "entities", "entity", "below"]

NAME_CHARS = range(3, 64)
"""How many characters the name of a table may have."""

_SEGMENT = re.compile(r"([^/()]*)(?:\((.*)\))?/?", re.DOTALL)
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_TEXT = r"'((?:[^']|'')*+)'"
_NAMED_TEXT = rf"\s*(PartitionKey|RowKey)\s*=\s*{_TEXT}\s*"
_ONE_KEY = re.compile(rf"\s*{_TEXT}\s*", re.DOTALL)
_TWO_KEYS = re.compile(f"{_NAMED_TEXT},{_NAMED_TEXT}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for."""

    resource: Resource
    table: str = ""
    """The table's name as the path has it; empty where the resource has none."""
    partition_key: str = ""
    row_key: str = ""
    rest: str = ""
    """What follows the table in a path that goes on below one, where nothing is."""


def parse_target(path: str, account: str) -> Target:
    """Read a path below the account, as sent. Raises TableError."""
    try:
        text = decode_path(path)
    except UriError:
        raise _syntax_error() from None
    if not text:
        return Target("service")
    match = _SEGMENT.fullmatch(text)
    if match is None:
        return _below(text)
    name, keys = match.groups()
    if name == "$batch" and keys is None:
        return Target("batch")
    if name == "Tables":
        return _tables(account, keys)
    if not keys or not keys.strip():
        return Target("entities", check_name(name))
    return _entity(account, name, keys)


def check_name(name: str) -> str:
    """Return the name of a table. Raises TableError where none can have it."""
    if _TABLE_NAME.fullmatch(name) is None:
        raise TableError("InvalidResourceName")
    if len(name) not in NAME_CHARS:
        raise TableError("OutOfRangeInput", NAME_LENGTH)
    return name


def _tables(account: str, keys: str | None) -> Target:
    if not keys or not keys.strip():
        return Target("tables")
    match = _ONE_KEY.fullmatch(keys)
    if match is None:
        raise _syntax_error() if keys.count("'") % 2 else _key_count(account, "Tables")
    return Target("table", match[1].replace("''", "'"))


def _entity(account: str, name: str, keys: str) -> Target:
    table = check_name(name)
    match = _TWO_KEYS.fullmatch(keys)
    if match is None:
        raise _key_count(account, table) if _ONE_KEY.fullmatch(keys) else _syntax_error()
    first, first_text, second, second_text = match.groups()
    if first == second:
        raise _syntax_error()
    partition_key, row_key = (first_text, second_text) if first == "PartitionKey" else (second_text, first_text)
    return Target("entity", table, _key(partition_key), _key(row_key))


def _key(quoted: str) -> str:
    key = quoted.replace("''", "'")
    if not is_key_text(key):
        raise _syntax_error() if "/" in key or "\\" in key else TableError("OutOfRangeInput")
    return key


def _below(text: str) -> Target:
    """Read a path with several segments: only what stands below a table is told from other nonsense."""
    name, slash, rest = text.partition("/")
    if not slash or not _TABLE_NAME.fullmatch(name):
        raise _syntax_error()
    return Target("below", check_name(name), rest=rest)


def _syntax_error() -> TableError:
    return TableError("InvalidInput", "Bad Request - Error in query syntax.")


def _key_count(account: str, name: str) -> TableError:
    return TableError("InvalidInput", KEY_COUNT.format(account=account, name=name))
