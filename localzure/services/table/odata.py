"""The JSON of replies at the three levels of metadata, and which level a request asks for.

"Payload format for Table service operations": `nometadata` gives the properties alone; `minimalmetadata` adds the
entity tags and the types that JSON does not tell; `fullmetadata` adds to that what an entity is and where.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from localzure.services.storage_rest.iso8601 import format_ticks
from localzure.services.table.edm import write_value
from localzure.services.table.errors import TableError
from localzure.services.table.etags import format_etag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.table.model import Entity

Level: TypeAlias = Literal["fullmetadata", "minimalmetadata", "nometadata"]

_encode = msgspec.json.Encoder().encode

_LEVELS: dict[str, Level] = {
    "": "minimalmetadata",
    "fullmetadata": "fullmetadata",
    "minimalmetadata": "minimalmetadata",
    "nometadata": "nometadata",
}


@lru_cache(maxsize=128)
def negotiate(accept: str) -> Level:
    """Return the level of the first media type in an `Accept` that is served. Raises TableError: 415 for none.

    Nothing asked for is all accepted.
    """
    refusal = "MediaTypeNotSupported"
    for part in accept.lower().split(",") if accept.strip() else ["*/*"]:
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type in {"application/json", "application/*", "*/*", "json"}:
            odata = next((piece[6:].strip() for piece in parameters if piece.startswith("odata=")), "")
            if odata in _LEVELS:
                return _LEVELS[odata]
            if odata == "verbose":
                refusal = "JsonVerboseFormatNotSupported"
        elif media_type in {"application/atom+xml", "atom"}:
            refusal = "AtomFormatNotSupported"
    raise TableError(refusal)


def content_type(level: Level) -> str:
    """Return the media type of a reply."""
    return f"application/json;odata={level};streaming=true;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Format:
    """How the entities of one reply are written."""

    level: Level
    account: str
    base_url: str
    """What all addresses of the account begin with."""
    select: tuple[str, ...] | None = None
    """The properties that are asked for; None for all."""

    def entities(self, table: str, entities: Iterable[Entity]) -> bytes:
        """Write a page of a query."""
        return self._list(table, [self._entity(table, entity) for entity in entities])

    def entity(self, table: str, entity: Entity) -> bytes:
        """Write one entity."""
        return self._element(table, self._entity(table, entity))

    def tables(self, names: Iterable[str]) -> bytes:
        """Write a page of a listing of tables."""
        return self._list("Tables", [self._table(name) for name in names])

    def table(self, name: str) -> bytes:
        """Write one table."""
        return self._element("Tables", self._table(name))

    def _list(self, name: str, items: list[dict[str, Any]]) -> bytes:
        if self.level == "nometadata":
            return _encode({"value": items})
        return _encode({"odata.metadata": self._metadata(name), "value": items})

    def _element(self, name: str, item: dict[str, Any]) -> bytes:
        if self.level == "nometadata":
            return _encode(item)
        return _encode({"odata.metadata": f"{self._metadata(name)}/@Element", **item})

    def _metadata(self, name: str) -> str:
        select = "" if self.select is None else f"&$select={','.join(self.select)}"
        return f"{self.base_url}/$metadata#{name}{select}"

    def _table(self, name: str) -> dict[str, Any]:
        if self.level != "fullmetadata":
            return {"TableName": name}
        link = f"Tables('{name}')"
        return {
            "odata.type": f"{self.account}.Tables",
            "odata.id": f"{self.base_url}/{link}",
            "odata.editLink": link,
            "TableName": name,
        }

    def _entity(self, table: str, entity: Entity) -> dict[str, Any]:
        record = entity.record
        members: dict[str, Any] = {}
        if self.level == "fullmetadata":
            link = entity_link(table, entity.partition_key, entity.row_key)
            members["odata.type"] = f"{self.account}.{table}"
            members["odata.id"] = f"{self.base_url}/{link}"
            members["odata.etag"] = format_etag(record.ticks)
            members["odata.editLink"] = link
        elif self.level == "minimalmetadata":
            members["odata.etag"] = format_etag(record.ticks)
        if self.select is not None:
            self._add_selected(members, entity, self.select)
            return members
        members["PartitionKey"] = entity.partition_key
        members["RowKey"] = entity.row_key
        self._add_timestamp(members, record.ticks)
        tags = record.tags
        for name, value in record.values.items():
            self._add(members, name, *write_value(value, tags.get(name)))
        return members

    def _add_selected(self, members: dict[str, Any], entity: Entity, select: tuple[str, ...]) -> None:
        """Add the properties that are asked for; those that the entity lacks are null."""
        record = entity.record
        for name in select:
            if name == "PartitionKey":
                members[name] = entity.partition_key
            elif name == "RowKey":
                members[name] = entity.row_key
            elif name == "Timestamp":
                self._add_timestamp(members, record.ticks)
            elif name in record.values:
                self._add(members, name, *write_value(record.values[name], record.tags.get(name)))
            else:
                members[name] = None

    def _add_timestamp(self, members: dict[str, Any], ticks: int) -> None:
        if self.level == "fullmetadata":
            members["Timestamp@odata.type"] = "Edm.DateTime"
        members["Timestamp"] = format_ticks(ticks)

    def _add(self, members: dict[str, Any], name: str, value: Any, type_name: str | None) -> None:
        if type_name is not None and self.level != "nometadata":
            members[f"{name}@odata.type"] = type_name
        members[name] = value


def entity_link(table: str, partition_key: str, row_key: str) -> str:
    """Return the address of an entity below its account."""
    return f"{table}(PartitionKey='{_quote_key(partition_key)}',RowKey='{_quote_key(row_key)}')"


def _quote_key(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")
