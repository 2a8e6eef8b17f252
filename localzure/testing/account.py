"""A storage account of a test's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.testing.server import LocalZure


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """An account that nobody else uses, on a server that others use too."""

    server: LocalZure
    name: str

    @property
    def connection_string(self) -> str:
        """For `BlobServiceClient.from_connection_string`, and the clients of queues and tables."""
        return self.server.account_connection_string(self.name)

    def reset(self) -> None:
        """Empty it, and no other. Raises `localzure.client.ClientError`."""
        self.server.reset(account=self.name)
