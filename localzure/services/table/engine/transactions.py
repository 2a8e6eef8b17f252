"""Entity group transactions: several changes to one partition, all or none ("Performing entity group transactions")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.table.engine import entities, tables
from localzure.services.table.errors import ChangeError, TableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.table.engine.state import Engine, Moment
    from localzure.services.table.model import Change, Changed
    from localzure_storage.store import Writer


def check(changes: Sequence[Change]) -> None:
    """Raise ChangeError for the first change to another table or partition, or to an entity for the second time."""
    first = changes[0]
    seen: set[str] = set()
    for index, change in enumerate(changes):
        if change.partition_key != first.partition_key or change.table.lower() != first.table.lower():
            raise ChangeError(index, TableError("CommandsInBatchActOnDifferentPartitions"))
        if change.row_key in seen:
            raise ChangeError(index, TableError("InvalidDuplicateRow"))
        seen.add(change.row_key)


def commit(engine: Engine, writer: Writer, changes: Sequence[Change], moment: Moment) -> list[Changed]:
    """Do all changes. Raises ChangeError that names the first that fails: the caller undoes them all."""
    try:
        table = tables.find(engine, writer, changes[0].account, changes[0].table)
    except TableError as error:
        raise ChangeError(0, error) from error
    changed: list[Changed] = []
    for index, change in enumerate(changes):
        try:
            changed.append(entities.apply(engine, writer, table, change, moment))
        except TableError as error:
            raise ChangeError(index, error) from error
    return changed
