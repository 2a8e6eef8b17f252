"""Limits on rates and circuit breakers, as the official SDKs meet them; and host names of the configuration."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusServerBusyError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from localzure.client import OwnApiClient
from localzure.testing import LocalZure


def test_a_limit_answers_as_the_service_does() -> None:
    limits = [
        {"requests_per_second": 0.01, "burst": 2, "service": "blob"},
        {"requests_per_second": 0.01, "burst": 1, "service": "servicebus", "per": "client"},
    ]
    with LocalZure(config={"limits": limits}, queues=["orders"]) as server:
        with BlobServiceClient.from_connection_string(server.blob_connection_string, retry_total=0) as blobs:
            blobs.get_service_properties()
            blobs.get_service_properties()
            with pytest.raises(HttpResponseError) as refused:
                blobs.get_service_properties()
            assert (refused.value.status_code, getattr(refused.value, "error_code", None)) == (503, "ServerBusy")
            assert getattr(refused.value.response, "headers", {})["retry-after"] == "100"
        with QueueServiceClient.from_connection_string(server.queue_connection_string, retry_total=0) as queues:
            assert queues.get_service_properties()
        with (
            ServiceBusClient.from_connection_string(server.servicebus_connection_string, retry_total=0) as client,
            client.get_queue_sender("orders") as sender,
        ):
            sender.send_messages(ServiceBusMessage("first"))
            with pytest.raises(ServiceBusServerBusyError):
                sender.send_messages(ServiceBusMessage("second"))


def test_a_service_that_fails_is_left_alone_and_the_others_go_on() -> None:
    rules = {"enabled": True, "failures": 3, "open_seconds": 600}
    with LocalZure(config={"circuit_breaker": rules}) as server:
        api = OwnApiClient(server.endpoints["gateway"])
        api.call("POST", "faults", {"effect": "status", "service": "blob", "status": 500, "times": 3})
        with (
            BlobServiceClient.from_connection_string(server.blob_connection_string, retry_total=0) as blobs,
            QueueServiceClient.from_connection_string(server.queue_connection_string, retry_total=0) as queues,
        ):
            statuses = []
            for _ in range(5):
                with pytest.raises(HttpResponseError) as refused:
                    blobs.get_service_properties()
                statuses.append(refused.value.status_code)
            assert statuses == [500, 500, 500, 503, 503]
            assert queues.get_service_properties()
        assert "the circuit breaker of blob is open (was closed)" in server.logs


def test_host_names_of_the_configuration_and_of_a_proxy() -> None:
    hosts = {"files.corp.test": {"service": "blob", "account": "devstoreaccount1"}, "storage.corp.test": "queue"}
    with LocalZure(config={"hosts": hosts, "auth": "off"}) as server:
        gateway = server.endpoints["gateway"]
        port = urlsplit(gateway).port
        with httpx.Client() as client:
            made = client.put(f"{gateway}/box?restype=container", headers={"host": f"files.corp.test:{port}"})
            assert made.status_code == 201
            path = f"{gateway}/devstoreaccount1?comp=list"
            listed = client.get(path, headers={"x-original-host": "Storage.corp.test"})
            assert 'ServiceEndpoint="http://Storage.corp.test/devstoreaccount1/"' in listed.text
            listed = client.get(f"{gateway}/?comp=list", headers={"x-original-host": "files.corp.test"})
            assert "<Name>box</Name>" in listed.text
            assert 'ServiceEndpoint="http://files.corp.test/"' in listed.text


def test_a_wrong_configuration_is_refused() -> None:
    for config in (
        {"limits": [{"requests_per_second": 0}]},
        {"circuit_breaker": {"failures": 0}},
        {"hosts": {"a.test": "mail"}},
        {"hosts": {"a.test": {"service": "blob", "account": "No"}}},
    ):
        with pytest.raises(Exception, match="expected"):
            LocalZure(config=config).start()
