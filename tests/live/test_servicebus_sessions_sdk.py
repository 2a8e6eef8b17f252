"""Sessions with the unmodified azure-servicebus package: today's, blocking and asynchronous, and the one before it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import OperationTimeoutError, SessionCannotBeLockedError, SessionLockLostError

from localzure.testing import LocalZure
from tests.live.scenarios import WAIT, run_with_old_sdk
from tests.live.servicebus_session_scenarios import SCENARIOS

# The client library does not close its sockets on every path.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_sessions_with_todays_sdk() -> None:
    with LocalZure(queues=SCENARIOS.queues) as azure:
        SCENARIOS.run_all(azure.servicebus_connection_string)
        assert "Traceback" not in azure.logs


def test_sessions_with_the_sdk_that_indexes_performatives() -> None:
    with LocalZure(queues=SCENARIOS.queues) as azure:
        run_with_old_sdk("tests.live.servicebus_session_scenarios", azure)
        assert "Traceback" not in azure.logs


async def _use_sessions(client: ServiceBusClient) -> None:
    async with client.get_queue_sender("q") as sender:
        await sender.send_messages([ServiceBusMessage(body, session_id="s") for body in ("a", "b")])
    async with client.get_queue_receiver("q", session_id=NEXT_AVAILABLE_SESSION) as receiver:
        assert receiver.session.session_id == "s"
        messages = await receiver.receive_messages(2, max_wait_time=WAIT)
        assert [str(message) for message in messages] == ["a", "b"]
        for message in messages:
            await receiver.complete_message(message)
        await receiver.session.set_state(b"done")
        assert await receiver.session.get_state() == b"done"
        other = client.get_queue_receiver("q", session_id="s")
        with pytest.raises(SessionCannotBeLockedError):
            await other.receive_messages(1, max_wait_time=1)
        await other.close()
        with pytest.raises(OperationTimeoutError):
            async with client.get_queue_receiver("q", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1) as nobody:
                await nobody.receive_messages(1, max_wait_time=1)


async def _lose_a_session(client: ServiceBusClient) -> None:
    async with client.get_queue_receiver("lost", session_id="s") as receiver:
        assert await receiver.session.renew_lock() > datetime.now(UTC)
        with pytest.raises(SessionLockLostError):
            await receiver.receive_messages(1, max_wait_time=WAIT)
            await receiver.session.get_state()


async def _list_sessions(client: ServiceBusClient) -> None:
    for name in ("listed", "listed too"):
        async with client.get_queue_sender("listed") as sender:
            await sender.send_messages(ServiceBusMessage("x", session_id=name))
    async with client.get_queue_receiver("listed", session_id="stated") as receiver:
        await receiver.session.set_state(b"kept")
    found = [name async for name in client.list_queue_sessions("listed")]
    assert found == ["listed", "listed too", "stated"]
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert [name async for name in client.list_queue_sessions("listed", state_updated_after=since)] == ["stated"]


async def _run(connection_string: str) -> None:
    async with ServiceBusClient.from_connection_string(connection_string) as client:
        await asyncio.gather(_use_sessions(client), _lose_a_session(client), _list_sessions(client))


def test_sessions_with_the_asynchronous_sdk() -> None:
    queues: dict[str, dict[str, object]] = {
        "q": {"RequiresSession": True},
        "lost": {"RequiresSession": True, "LockDuration": "PT5S"},
        "listed": {"RequiresSession": True},
    }
    with LocalZure(queues=queues) as azure:
        asyncio.run(_run(azure.servicebus_connection_string))
        assert "Traceback" not in azure.logs
