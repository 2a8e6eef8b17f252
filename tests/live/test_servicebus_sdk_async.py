"""Queues with the unmodified azure-servicebus package, asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
)

from localzure.testing import LocalZure

WAIT = 10

Scenario = Callable[[ServiceBusClient, str], Awaitable[None]]


async def send(client: ServiceBusClient, queue: str, *bodies: str) -> None:
    async with client.get_queue_sender(queue) as sender:
        await sender.send_messages([ServiceBusMessage(body) for body in bodies])


async def receive(receiver: ServiceBusReceiver, count: int) -> list[ServiceBusReceivedMessage]:
    """Exactly `count` messages; the client may give them a few at a time."""
    found: list[ServiceBusReceivedMessage] = []
    while len(found) < count:
        batch = await receiver.receive_messages(count - len(found), max_wait_time=WAIT)
        assert batch, f"only {len(found)} of {count} messages came"
        found += batch
    return found


def bodies(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]


async def send_one_and_a_batch_and_complete(client: ServiceBusClient, queue: str) -> None:
    async with client.get_queue_sender(queue) as sender:
        await sender.send_messages(ServiceBusMessage("one"))
        batch = await sender.create_message_batch()
        for number in range(50):
            batch.add_message(ServiceBusMessage(str(number)))
        await sender.send_messages(batch)
    async with client.get_queue_receiver(queue, prefetch_count=20) as receiver:
        messages = await receive(receiver, 51)
        assert bodies(messages) == ["one", *map(str, range(50))]
        assert messages[0].delivery_count == 0
        for message in messages:
            await receiver.complete_message(message)
        assert await receiver.peek_messages(10, sequence_number=1) == []


async def receive_and_delete(client: ServiceBusClient, queue: str) -> None:
    await send(client, queue, "a", "b", "c")
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with client.get_queue_receiver(queue, receive_mode=mode) as receiver:
        assert bodies(await receive(receiver, 3)) == ["a", "b", "c"]
        assert await receiver.peek_messages(10, sequence_number=1) == []


async def abandon(client: ServiceBusClient, queue: str) -> None:
    await send(client, queue, "a")
    async with client.get_queue_receiver(queue) as receiver:
        for count in range(3):
            (message,) = await receive(receiver, 1)
            assert message.delivery_count == count
            await receiver.abandon_message(message)


async def dead_letter(client: ServiceBusClient, queue: str) -> None:
    await send(client, queue, "a")
    async with client.get_queue_receiver(queue) as receiver:
        (message,) = await receive(receiver, 1)
        await receiver.dead_letter_message(message, reason="why", error_description="because")
    async with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (dead,) = await receive(receiver, 1)
        assert str(dead) == "a"
        assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("why", "because")
        await receiver.complete_message(dead)


async def defer(client: ServiceBusClient, queue: str) -> None:
    await send(client, queue, "a")
    async with client.get_queue_receiver(queue) as receiver:
        (message,) = await receive(receiver, 1)
        assert message.sequence_number is not None
        await receiver.defer_message(message)
        (again,) = await receiver.receive_deferred_messages(message.sequence_number)
        await receiver.complete_message(again)


async def renew_a_lock_and_let_it_expire(client: ServiceBusClient, queue: str) -> None:
    await send(client, queue, "a")
    async with client.get_queue_receiver(queue) as receiver:
        (message,) = await receive(receiver, 1)
        until = message.locked_until_utc
        assert until is not None
        assert until - datetime.now(UTC) <= timedelta(seconds=6)
        assert await receiver.receive_messages(1, max_wait_time=2) == []
        assert await receiver.renew_message_lock(message) > until
        (again,) = await receiver.receive_messages(1, max_wait_time=15)
        assert again.delivery_count == 1
        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(message)
        await receiver.complete_message(again)


async def peek(client: ServiceBusClient, queue: str) -> None:
    await send(client, queue, *"abc")
    async with client.get_queue_receiver(queue) as receiver:
        assert bodies(await receiver.peek_messages(2)) == ["a", "b"]
        assert bodies(await receiver.peek_messages(2)) == ["c"]


async def wait_for_a_message_that_comes_later(client: ServiceBusClient, queue: str) -> None:
    async with client.get_queue_receiver(queue) as receiver:
        assert await receiver.receive_messages(1, max_wait_time=1) == []
        started = monotonic()
        received, _ = await asyncio.gather(receiver.receive_messages(1, max_wait_time=15), send(client, queue, "later"))
        assert bodies(received) == ["later"]
        assert monotonic() - started < 10, "it came with the next poll, not when it was sent"


async def large_messages(client: ServiceBusClient, queue: str) -> None:
    content = bytes(range(256)) * 900
    async with client.get_queue_sender(queue) as sender:
        await sender.send_messages(ServiceBusMessage(content))
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(ServiceBusMessage(b"x" * 262144))
    async with client.get_queue_receiver(queue) as receiver:
        (message,) = await receive(receiver, 1)
        assert b"".join(message.body) == content


async def schedule_and_cancel(client: ServiceBusClient, queue: str) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    async with client.get_queue_sender(queue) as sender:
        numbers = await sender.schedule_messages([ServiceBusMessage("soon"), ServiceBusMessage("never")], soon)
        await sender.cancel_scheduled_messages(numbers[1])
    async with client.get_queue_receiver(queue) as receiver:
        (message,) = await receive(receiver, 1)
        assert str(message) == "soon"
        assert message.enqueued_time_utc is not None
        assert message.enqueued_time_utc >= soon - timedelta(milliseconds=1)


async def duplicates_are_dropped(client: ServiceBusClient, queue: str) -> None:
    async with client.get_queue_sender(queue) as sender:
        for body in "ab":
            await sender.send_messages(ServiceBusMessage(body, message_id="1"))
        await sender.send_messages(ServiceBusMessage("c", message_id="2"))
    async with client.get_queue_receiver(queue) as receiver:
        assert bodies(await receive(receiver, 2)) == ["a", "c"]


async def an_unknown_queue_is_not_found(client: ServiceBusClient, queue: str) -> None:
    sender = client.get_queue_sender(f"{queue}-unknown")
    with pytest.raises(ServiceBusAuthenticationError) as caught:
        await sender.send_messages(ServiceBusMessage("a"))
    assert "could not be found" in str(caught.value.inner_exception)
    await sender.close()


SCENARIOS: dict[Scenario, dict[str, object]] = {
    send_one_and_a_batch_and_complete: {},
    receive_and_delete: {},
    abandon: {},
    dead_letter: {},
    defer: {},
    renew_a_lock_and_let_it_expire: {"LockDuration": "PT5S"},
    peek: {},
    wait_for_a_message_that_comes_later: {},
    large_messages: {},
    schedule_and_cancel: {},
    duplicates_are_dropped: {"RequiresDuplicateDetection": True},
    an_unknown_queue_is_not_found: {},
}
"""And the properties of the queue of each."""


def name_of(scenario: Scenario) -> str:
    return getattr(scenario, "__name__", "")


async def run(connection_string: str) -> None:
    """Run all scenarios at once, each with a client of its own. Raises what failed, together."""

    async def one(scenario: Scenario) -> None:
        async with ServiceBusClient.from_connection_string(connection_string) as client:
            await scenario(client, name_of(scenario))

    async def wrong_key() -> None:
        wrong = connection_string.replace("SAS_KEY_VALUE", "WRONG_KEY")
        async with ServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
            with pytest.raises(ServiceBusAuthenticationError):
                await send(client, "peek", "a")

    errors = await asyncio.gather(wrong_key(), *map(one, SCENARIOS), return_exceptions=True)
    failures = []
    for name, error in zip(["wrong_key", *map(name_of, SCENARIOS)], errors, strict=True):
        if error is not None:
            error.add_note(f"in the scenario {name}")
            failures.append(error)
    if failures:
        raise BaseExceptionGroup("scenarios failed", failures)


# The client library does not close its sockets on every path.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_queues_with_the_asynchronous_sdk() -> None:
    with LocalZure(queues={name_of(scenario): properties for scenario, properties in SCENARIOS.items()}) as azure:
        asyncio.run(run(azure.servicebus_connection_string))
        assert "Traceback" not in azure.logs
