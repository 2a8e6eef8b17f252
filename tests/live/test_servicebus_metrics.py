"""Metrics of Service Bus, the store, connections and services while the SDK works, and the dashboard of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageNotFoundError
from prometheus_client.parser import text_string_to_metric_families

from localzure.testing import LocalZure
from tests.polling import wait_until

ROOT = Path(__file__).parents[2]

Samples = dict[tuple[str, tuple[str, ...]], float]


def scrape(server: LocalZure) -> Samples:
    text = httpx.get(f"{server.endpoints['gateway']}/_localzure/metrics").text
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_messages_are_counted_and_the_dashboard_shows_what_there_is() -> None:
    with LocalZure(in_memory=False, queues=["orders"]) as server:
        before = scrape(server)
        assert before["servicebus_messages_sent_total", ()] == 0
        with (
            ServiceBusClient.from_connection_string(server.servicebus_connection_string, retry_total=0) as client,
            client.get_queue_sender("orders") as sender,
            client.get_queue_receiver("orders") as receiver,
        ):
            sender.send_messages([ServiceBusMessage(b"x") for _ in range(5)])
            sender.schedule_messages(ServiceBusMessage(b"x"), datetime.now(UTC) + timedelta(hours=1))
            found = receiver.receive_messages(5, max_wait_time=10)
            while len(found) < 5:
                found += receiver.receive_messages(5 - len(found), max_wait_time=10)
            locked = scrape(server)
            for message, settle in zip(
                found,
                (
                    receiver.complete_message,
                    receiver.complete_message,
                    receiver.abandon_message,
                    receiver.dead_letter_message,
                    receiver.defer_message,
                ),
                strict=True,
            ):
                settle(message)
            (again,) = receiver.receive_messages(1, max_wait_time=10)
            receiver.complete_message(again)
            number = found[4].sequence_number
            assert number is not None
            (deferred,) = receiver.receive_deferred_messages([number])
            receiver.complete_message(deferred)
            with pytest.raises(MessageNotFoundError):
                receiver.receive_deferred_messages([number])
            wait_until(lambda: scrape(server)["servicebus_messages_completed_total", ()] == 4, lambda: "completed")
            after = scrape(server)
        assert locked["servicebus_locks", ("orders",)] == 5
        assert locked["servicebus_active_messages", ("orders",)] == 5
        assert locked["localzure_connections", ("amqp",)] == 2
        counted = {name: value for (name, _), value in after.items() if name.startswith("servicebus_messages_")}
        assert {name: value for name, value in counted.items() if name.endswith("_total")} == {
            "servicebus_messages_sent_total": 6,
            "servicebus_messages_received_total": 7,
            "servicebus_messages_completed_total": 4,
            "servicebus_messages_abandoned_total": 1,
            "servicebus_messages_dead_lettered_total": 1,
        }
        assert after["servicebus_active_messages", ("orders",)] == 0
        assert after["servicebus_dead_letter_messages", ("orders",)] == 1
        assert after["servicebus_scheduled_messages", ("orders",)] == 1
        assert after["servicebus_locks", ("orders",)] == 0
        assert after["servicebus_entities", ("queue",)] == 1
        assert after["servicebus_errors_total", ("com.microsoft:message-not-found",)] == 1
        assert after["localzure_store_commit_duration_seconds_count", ()] > 5
        assert after["localzure_store_committed_bytes_total", ()] > before["localzure_store_committed_bytes_total", ()]
        assert after["localzure_store_bytes", ()] > 0
        assert after["localzure_service_state", ("servicebus", "running")] == 1
        wait_until(
            lambda: scrape(server).get(("localzure_store_checkpoint_age_seconds", ()), 99) < 5, lambda: "a checkpoint"
        )
        text = httpx.get(f"{server.endpoints['gateway']}/_localzure/metrics").text
        httpx.post(f"{server.endpoints['gateway']}/_localzure/services/servicebus/restart").raise_for_status()
        assert scrape(server)["servicebus_messages_sent_total", ()] == 6
    told = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    _compare_with_the_dashboard(told)


def _compare_with_the_dashboard(told: set[str]) -> None:
    """Everything that the dashboard asks for is told, and everything of ours that is told is shown and described."""
    dashboard = json.loads((ROOT / "docs" / "examples" / "grafana-dashboard.json").read_text("utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {
        name.removesuffix("_bucket")
        for query in queries
        for name in re.findall(r"(?:gateway|servicebus|localzure|process)_\w+", query)
    }
    assert asked - told == set()
    ours = {name for name in told if name.startswith(("gateway_", "servicebus_", "localzure_"))}
    assert ours - asked == set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    page = (ROOT / "docs" / "observability.md").read_text("utf-8").replace("…_", "servicebus_messages_")
    assert [name for name in sorted(ours) if f"`{name}`" not in page] == []
