"""An app as it is written for production: production host names, DefaultAzureCredential, nothing of LocalZure."""

from __future__ import annotations

import sys

from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType
from azure.servicebus.management import ServiceBusAdministrationClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient


def main() -> int:
    """Use each service once."""
    credential = DefaultAzureCredential()
    with BlobServiceClient("https://contoso.blob.core.windows.net", credential=credential) as blobs:
        container = blobs.create_container("invoices")
        container.upload_blob("1.txt", b"paid")
        print("blob", container.download_blob("1.txt").readall().decode())
    with QueueServiceClient("https://contoso.queue.core.windows.net", credential=credential) as queues:
        queue = queues.create_queue("jobs")
        queue.send_message("work")
        print("queue", next(iter(queue.receive_messages())).content)
    with TableServiceClient("https://contoso.table.core.windows.net", credential=credential) as tables:
        table = tables.create_table("people")
        table.create_entity({"PartitionKey": "a", "RowKey": "b", "name": "Ada"})
        print("table", table.get_entity("a", "b")["name"])
    namespace = "contoso.servicebus.windows.net"
    with ServiceBusAdministrationClient(namespace, credential) as administration:
        administration.create_queue("orders")
    with ServiceBusClient(namespace, credential, transport_type=TransportType.AmqpOverWebsocket) as client:
        with client.get_queue_sender("orders") as sender:
            sender.send_messages(ServiceBusMessage("order"))
        with client.get_queue_receiver("orders", max_wait_time=10) as receiver:
            for message in receiver:
                print("servicebus", message)
                receiver.complete_message(message)
                break
    return int(sys.argv[1]) if len(sys.argv) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
