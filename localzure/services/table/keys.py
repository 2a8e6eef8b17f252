"""The key space of the Table service.

| key | value |
| --- | --- |
| `t`, account, name in lower case | `TableRecord` |
| `e`, table id, PartitionKey, RowKey | `EntityRecord`: a query is a scan in the order of the keys |
| `p`, account | `ServiceProperties` |
| `r`, number | the id of a table that is gone, whose entities are to be swept |
| `n` | the last number given to a table or to remains |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure_storage.counter import Counter
from localzure_storage.keys import int_key

if TYPE_CHECKING:
    from localzure_storage.keys import Subspace

_KEYS_OFFSET = 9 + 1
"""Bytes of a packed integer and of the tag of the text behind it."""

_BETWEEN = "\x00\x02"
"""What stands between the two keys of an entity in a key of the store: the end of one text, the tag of the next.
Neither character is allowed in an entity's keys."""


class TableKeys:
    """Makes and takes apart the service's keys."""

    def __init__(self, space: Subspace) -> None:
        """`space` is the service's own."""
        self.tables = space.subspace("t")
        self.entities = space.subspace("e")
        self.properties = space.subspace("p")
        self.remains = space.subspace("r")
        self.next_number = Counter(space.pack("n"))
        self._entity_keys_at = len(self.entities.prefix) + _KEYS_OFFSET

    def table(self, account: str, name: str) -> bytes:
        """The key of a table's record; names are the same in any case."""
        return self.tables.pack(account, name.lower())

    def entity(self, table_id: int, partition_key: str, row_key: str) -> bytes:
        """The key of an entity's record."""
        return self.entities.pack(table_id, partition_key, row_key)

    def entity_keys(self, key: bytes) -> tuple[str, str]:
        """The PartitionKey and RowKey in an entity's key: what `unpack` gives, faster, for pages."""
        partition_key, _, row_key = key[self._entity_keys_at : -1].decode().partition(_BETWEEN)
        return partition_key, row_key

    def entities_of(self, table_id: int) -> bytes:
        """What the keys of a table's entities begin with, before what `filters.ranges` says of their own keys."""
        return int_key(self.entities.prefix, table_id)

    def whole_table(self, table_id: int) -> tuple[bytes, bytes]:
        """The (start, stop) of a table's entities."""
        return self.entities.range(table_id)

    def service_properties(self, account: str) -> bytes:
        """The key of an account's properties of this service."""
        return self.properties.pack(account)

    def remains_of(self, number: int) -> bytes:
        """The key of a note of what is to be swept."""
        return int_key(self.remains.prefix, number)
