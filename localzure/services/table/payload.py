"""Reading the JSON of requests: the entity or the table that a body describes.

Members are properties, each with its type in the annotation `name@odata.type` where JSON does not tell it. Other
annotations, nulls and the Timestamp are passed over ("Payload format for Table service operations").
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

from localzure.services.table.edm import Value, read_value
from localzure.services.table.errors import TableError, out_of_range
from localzure.services.table.model import PROPERTIES_MAX, PROPERTY_NAME_CHARS_MAX

TYPE_ANNOTATION = "@odata.type"

_decode = msgspec.json.Decoder().decode

_KEYS = frozenset({"PartitionKey", "RowKey"})

_SPACED_NAME = re.compile(rb'"[ \t\r\n]')
"""What a body holds where a name may stand apart from its colon, so that names cannot be counted."""

_CONTROLS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_KEY_EXCLUDED = frozenset("/\\#?") | _CONTROLS


class Payload(NamedTuple):
    """An entity as a body gives it."""

    keys: dict[str, Value]
    """What it says of PartitionKey and RowKey."""
    values: dict[str, Value]
    tags: dict[str, int]


def read_table_name(body: bytes) -> str:
    """Return the name in the body of Create Table. Raises TableError."""
    name = _read_object(body).get("TableName")
    if name is None:
        raise TableError("PropertiesNeedValue")
    if type(name) is not str:
        raise TableError("InvalidInput")
    return name


def read_entity(body: bytes) -> Payload:
    """Read an entity. Raises TableError for whatever Azure does not take."""
    members = _read_object(body)
    keys: dict[str, Value] = {}
    values: dict[str, Value] = {}
    tags: dict[str, int] = {}
    is_annotated = b"@" in body
    for name, value in members.items():
        if value is None or name == "Timestamp" or (is_annotated and "@" in name) or name.startswith("odata."):
            continue
        type_name = members.get(name + TYPE_ANNOTATION) if is_annotated else None
        if type_name is not None and type(type_name) is not str:
            raise TableError("InvalidInput")
        kept, tag = read_value(name, value, type_name)
        if name in _KEYS:
            keys[name] = kept
            continue
        _check_name(name)
        values[name] = kept
        if tag is not None:
            tags[name] = tag
    if len(values) > PROPERTIES_MAX:
        raise TableError("TooManyProperties")
    return Payload(keys, values, tags)


def inserted_keys(payload: Payload) -> tuple[str, str]:
    """Return the PartitionKey and RowKey of an entity that its body must name. Raises TableError."""
    return _inserted_key(payload, "PartitionKey"), _inserted_key(payload, "RowKey")


def is_key_text(text: str) -> bool:
    """Whether a PartitionKey or RowKey has no character that neither may have."""
    return _KEY_EXCLUDED.isdisjoint(text)


def _inserted_key(payload: Payload, name: str) -> str:
    key = payload.keys.get(name)
    if key is None:
        raise TableError("PropertiesNeedValue")
    if type(key) is not str:
        raise TableError("InvalidInput")
    if not is_key_text(key):
        raise out_of_range(name, key)
    return key


def _check_name(name: str) -> None:
    if len(name) > PROPERTY_NAME_CHARS_MAX:
        raise TableError("PropertyNameTooLong")
    if not name.isidentifier():
        raise TableError("PropertyNameInvalid")


def _read_object(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object. Raises TableError `InvalidInput`, `DuplicatePropertiesSpecified`."""
    try:
        members = _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise TableError("InvalidInput") from None
    if type(members) is not dict:
        raise TableError("InvalidInput")
    if body.count(b'":') != len(members) or _SPACED_NAME.search(body) is not None:
        _check_names(body)
    return members


def _check_names(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError):
        raise TableError("InvalidInput") from None


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise TableError("DuplicatePropertiesSpecified")
