"""Queues administered with the unmodified azure-servicebus package, asynchronous, over TLS with the local authority."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient
from azure.servicebus.management import EntityStatus

from localzure.testing import LocalZure

PAGED = [f"page-{number:03}" for number in range(250)]

# The AMQP client does not close its sockets on every path.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def administer(azure: LocalZure) -> None:
    connection_string = azure.servicebus_connection_string
    async with ServiceBusAdministrationClient.from_connection_string(
        connection_string, connection_verify=str(azure.ca_file)
    ) as admin:
        await one_queue(admin)
        await what_is_refused(admin)
        await counted(admin, connection_string)
    # With a file to verify by, the client makes a connection for each request: too slow for hundreds.
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(azure.ca_file)))
    async with aiohttp.ClientSession(connector=connector) as session:
        transport = AioHttpTransport(session=session, session_owner=False)
        async with ServiceBusAdministrationClient.from_connection_string(
            connection_string, transport=transport
        ) as admin:
            await page_by_page(admin)


async def one_queue(admin: Any) -> None:
    made = await admin.create_queue("a/B", lock_duration=timedelta(seconds=20), requires_session=True)
    assert (made.lock_duration, made.requires_session) == (timedelta(seconds=20), True)
    made.max_delivery_count = 4
    await admin.update_queue(made, status=EntityStatus.SEND_DISABLED, forward_dead_lettered_messages_to="kept")
    got = await admin.get_queue("A/b")
    assert (got.max_delivery_count, got.status, got.requires_session) == (4, "SendDisabled", True)
    assert got.forward_dead_lettered_messages_to.endswith("/kept")
    await admin.delete_queue("a/b")
    assert (await admin.get_namespace_properties()).messaging_sku == "Standard"


async def what_is_refused(admin: Any) -> None:
    with pytest.raises(ResourceNotFoundError):
        await admin.get_queue("missing")
    with pytest.raises(ResourceNotFoundError):
        await admin.delete_queue("missing")
    with pytest.raises(ResourceExistsError):
        await admin.create_queue("kept")
    with pytest.raises(HttpResponseError, match="The supplied lock time exceeds the allowed maximum"):
        await admin.create_queue("wrong", lock_duration=timedelta(minutes=6))


async def page_by_page(admin: Any) -> None:
    for name in PAGED:
        await admin.create_queue(name)
    assert [queue.name async for queue in admin.list_queues()] == ["kept", *PAGED]
    assert [queue.name async for queue in admin.list_queues_runtime_properties()] == ["kept", *PAGED]
    for name in PAGED:
        await admin.delete_queue(name)


async def counted(admin: Any, connection_string: str) -> None:
    async with ServiceBusClient.from_connection_string(connection_string) as client:
        async with client.get_queue_sender("kept") as sender:
            await sender.send_messages([ServiceBusMessage("one"), ServiceBusMessage("two")])
        async with client.get_queue_receiver("kept") as receiver:
            messages = await receiver.receive_messages(max_message_count=1, max_wait_time=5)
            await receiver.dead_letter_message(messages[0])
    runtime = await admin.get_queue_runtime_properties("kept")
    assert (runtime.active_message_count, runtime.dead_letter_message_count) == (1, 1)
    assert runtime.total_message_count == 2


def test_every_operation() -> None:
    with LocalZure(queues=["kept"]) as azure:
        asyncio.run(administer(azure))
        assert "Traceback" not in azure.logs
