"""For tests of programs that use Azure: a real LocalZure server for the length of a block.

from localzure.testing import LocalZure

with LocalZure(queues=["orders"]) as azure:
    client = ServiceBusClient.from_connection_string(azure.servicebus_connection_string)
"""

from localzure.testing.account import StorageAccount
from localzure.testing.server import LocalZure, ServerFailedError

__all__ = ["LocalZure", "ServerFailedError", "StorageAccount"]
