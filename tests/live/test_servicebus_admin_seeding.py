"""Queues from seed files, as the administration client then finds them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.management import ServiceBusAdministrationClient

from localzure.testing import LocalZure, ServerFailedError

# The AMQP client does not close its sockets on every path.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FIRST = """
servicebus:
  queues:
    orders: {lock_duration: PT30S, max_delivery_count: 5}
    others:
"""
SECOND = """
servicebus:
  queues:
    orders: {lock_duration: PT40S, status: ReceiveDisabled}
    third:
"""
MICROSOFTS = """
{
  // As it is mounted into Microsoft's emulator.
  "UserConfig": {
    "Namespaces": [{"Name": "sbemulatorns", "Queues": [
      {"Name": "queue.1", "Properties": {"LockDuration": "PT1M", "MaxDeliveryCount": 3, "ForwardTo": ""}},
    ], "Topics": []}],
    "Logging": {"Type": "File"}
  }
}
"""


def queues(azure: LocalZure) -> dict[str, Any]:
    with ServiceBusAdministrationClient.from_connection_string(
        azure.servicebus_connection_string, connection_verify=str(azure.ca_file)
    ) as admin:
        return {queue.name: queue for queue in admin.list_queues()}


def test_seeding_again_changes_what_differs_and_deletes_nothing(tmp_path: Path) -> None:
    seed, config = tmp_path / "seed.yaml", tmp_path / "Config.json"
    seed.write_text(FIRST)
    config.write_text(MICROSOFTS)
    with LocalZure(in_memory=False, seed=[seed, config]) as azure:
        found = queues(azure)
        assert list(found) == ["orders", "others", "queue.1"]
        assert (found["orders"].lock_duration, found["orders"].max_delivery_count) == (timedelta(seconds=30), 5)
        assert found["queue.1"].max_delivery_count == 3
        with (
            ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client,
            client.get_queue_sender("orders") as sender,
        ):
            sender.send_messages(ServiceBusMessage("kept"))
        seed.write_text(SECOND)
        azure.restart()
        found = queues(azure)
        assert list(found) == ["orders", "others", "queue.1", "third"]
        assert (found["orders"].lock_duration, found["orders"].max_delivery_count) == (timedelta(seconds=40), 10)
        assert found["orders"].status == "ReceiveDisabled"
        with ServiceBusAdministrationClient.from_connection_string(
            azure.servicebus_connection_string, connection_verify=str(azure.ca_file)
        ) as admin:
            assert admin.get_queue_runtime_properties("orders").active_message_count == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "servicebus: {queues: {orders: {lock_duration: PT6M}}}",
            'seed.yaml: servicebus.queues.orders.lock_duration: "PT6M" is not allowed, it must be an ISO 8601 duration',
        ),
        (
            "servicebus: {queues: {not a name: }}",
            'seed.yaml: servicebus.queues.not a name: "not a name" is not allowed, it must be letters, digits,',
        ),
    ],
    ids=["value", "name"],
)
def test_a_wrong_value_stops_the_start_with_one_line(tmp_path: Path, text: str, told: str) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text(text)
    azure = LocalZure(seed=seed)
    with pytest.raises(ServerFailedError, match="exit code 2"):
        azure.start()
    assert f"{tmp_path}/{told}" in azure.logs
    assert len(azure.logs.splitlines()) == 1
    azure.close()
