"""What the Table service keeps, is asked and answers.

Records are MessagePack arrays: a field may be appended with a default, never moved or removed. Ticks are those of
`storage_rest.times`; property values and their tags those of `edm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from localzure.services.storage_rest.access_policies import AccessPolicy  # noqa: TC001 - msgspec reads the annotations
from localzure.services.storage_rest.times import Ticks  # noqa: TC001 - as above

if TYPE_CHECKING:
    from localzure.services.table.filters.plan import Plan

PROPERTIES_MAX = 252
"""Properties of an entity beside its keys and its Timestamp."""

PROPERTY_NAME_CHARS_MAX = 255

ENTITY_BYTES_MAX = 1024 * 1024

KEY_UNITS_MAX = 1024
"""UTF-16 code units in a PartitionKey or a RowKey."""

PAGE_MAX = 1000
"""Entities or tables in a page, and the number in one that asks for no fewer."""

CHANGES_MAX = 100
"""Changes in an entity group transaction."""


# --- records ------------------------------------------------------------------------------------------------------


class TableRecord(Struct, array_like=True):
    """A table. Each incarnation of a name has an id of its own, under which its entities are kept."""

    id: int
    name: str
    """As it was created: names keep their case, and are the same in any."""
    policies: list[AccessPolicy] = field(default_factory=list)


class EntityRecord(Struct, array_like=True):
    """An entity without its keys, which are its key in the store."""

    ticks: Ticks
    """Its Timestamp, which is its entity tag as well."""
    values: dict[str, Any]
    """Name → value, in the order in which they were written."""
    tags: dict[str, int]
    """Name → tag, for the values whose Python type does not say their type (see `edm`)."""


# --- what is asked ------------------------------------------------------------------------------------------------


class OnTable(Struct):
    """An operation that needs no more than its table."""

    account: str
    table: str


class SetPolicies(Struct):
    """Set Table ACL."""

    account: str
    table: str
    policies: list[AccessPolicy]


class ListTables(Struct):
    """Query Tables."""

    account: str
    plan: Plan
    start: str
    """The first name of the page, in lower case, from its continuation."""
    limit: int


class OnEntity(Struct):
    """An operation that needs no more than its entity."""

    account: str
    table: str
    partition_key: str
    row_key: str


class QueryEntities(Struct):
    """Query Entities."""

    account: str
    table: str
    plan: Plan
    start: tuple[str, str] | None
    """PartitionKey and RowKey where the page begins, from its continuation."""
    limit: int


class InsertEntity(Struct):
    """Insert Entity."""

    account: str
    table: str
    partition_key: str
    row_key: str
    values: dict[str, Any]
    tags: dict[str, int]


class WriteEntity(Struct):
    """Update, Merge, Insert Or Replace and Insert Or Merge Entity."""

    account: str
    table: str
    partition_key: str
    row_key: str
    values: dict[str, Any]
    tags: dict[str, int]
    is_merge: bool
    condition: str | None
    """`*`, or the entity tag that the entity must have; None where there need be no entity."""


class DeleteEntity(Struct):
    """Delete Entity."""

    account: str
    table: str
    partition_key: str
    row_key: str
    condition: str
    """`*`, or the entity tag that the entity must have."""


Change = InsertEntity | WriteEntity | DeleteEntity
"""What may stand in an entity group transaction."""


# --- what is answered ---------------------------------------------------------------------------------------------


class TablePage(Struct):
    """A page of a listing of tables."""

    names: list[str]
    next_start: str | None
    """Where the next page begins; None at the end."""


class Entity(Struct):
    """An entity with its keys."""

    partition_key: str
    row_key: str
    record: EntityRecord


class ReadEntity(Struct):
    """An entity, and the name of its table as it was created."""

    table: str
    entity: Entity


class EntityPage(Struct):
    """A page of a query, in the order of the keys."""

    table: str
    """The table's name as it was created."""
    entities: list[Entity]
    next_start: tuple[str, str] | None
    """PartitionKey and RowKey where the next page begins; None at the end."""


class Changed(Struct):
    """What a change made."""

    table: str
    """The table's name as it was created."""
    record: EntityRecord | None
    """The entity as it is now; None where it was deleted."""
