"""Azure Table Storage."""

from localzure.services.table.http import TableService, TableSettings

__all__ = ["TableService", "TableSettings"]
