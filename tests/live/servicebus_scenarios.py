"""What a program does with queues (see `scenarios`)."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
    __version__,
)
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

from tests.live.scenarios import WAIT, Scenarios, bodies, receive

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario


def send(client: ServiceBusClient, queue: str, *bodies: str, **parts: Any) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(body, **parts) for body in bodies])


def nothing_left(client: ServiceBusClient, queue: str, **options: Any) -> None:
    with client.get_queue_receiver(queue, **options) as receiver:
        assert receiver.peek_messages(10) == []


@scenario()
def send_one_and_receive_it(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("one"))
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receive(receiver, 1)
        assert str(message) == "one"
        assert message.sequence_number == 1
        assert message.delivery_count == 0
        assert message.enqueued_sequence_number is None
        assert message.enqueued_time_utc is not None
        assert message.locked_until_utc is not None
        assert abs(message.enqueued_time_utc - datetime.now(UTC)) < timedelta(minutes=1)
        assert timedelta(seconds=50) < message.locked_until_utc - datetime.now(UTC) <= timedelta(seconds=61)
        assert isinstance(message.lock_token, uuid.UUID)
        receiver.complete_message(message)
    nothing_left(client, queue)


@scenario()
def send_batches(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender:
        batch = sender.create_message_batch()
        assert batch.max_size_in_bytes == 262144
        for number in range(100):
            batch.add_message(ServiceBusMessage(str(number)))
        sender.send_messages(batch)
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(100, 150)])
    with client.get_queue_receiver(queue, prefetch_count=50) as receiver:
        messages = receive(receiver, 150)
        assert bodies(messages) == [str(number) for number in range(150)]
        assert [message.sequence_number for message in messages] == list(range(1, 151))
        for message in messages:
            receiver.complete_message(message)
    nothing_left(client, queue)


@scenario()
def receive_and_delete(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b", "c")
    with client.get_queue_receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        assert bodies(receive(receiver, 3)) == ["a", "b", "c"]
    nothing_left(client, queue)


@scenario()
def iterate_over_messages(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b", "c")
    with client.get_queue_receiver(queue, max_wait_time=1) as receiver:
        found = []
        for message in receiver:
            found.append(str(message))
            receiver.complete_message(message)
    assert found == ["a", "b", "c"]


@scenario(MaxDeliveryCount=3)
def abandon_until_it_is_a_dead_letter(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        for count in range(3):
            (message,) = receive(receiver, 1)
            assert message.delivery_count == count
            receiver.abandon_message(message)
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (dead,) = receive(receiver, 1)
        assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
        assert dead.dead_letter_error_description == "Message could not be consumed after 3 delivery attempts."
        assert dead.delivery_count == 3
        receiver.complete_message(dead)
    nothing_left(client, queue)
    nothing_left(client, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)


@scenario()
def dead_letter_with_reason_and_description(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", application_properties={"mine": 1})
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receive(receiver, 1)
        receiver.dead_letter_message(message, reason="why", error_description="because")
    nothing_left(client, queue)
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (dead,) = receive(receiver, 1)
        assert str(dead) == "a"
        assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("why", "because")
        assert (dead.application_properties or {})[b"mine"] == 1
        assert dead.message_id == message.message_id
        receiver.complete_message(dead)


@scenario()
def defer_and_receive_by_number(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue) as receiver:
        first, second = receive(receiver, 2)
        assert first.sequence_number is not None
        receiver.defer_message(first)
        receiver.complete_message(second)
        (again,) = receiver.receive_deferred_messages([first.sequence_number])
        assert str(again) == "a"
        receiver.renew_message_lock(again)
        receiver.complete_message(again)
        try:
            receiver.receive_deferred_messages([first.sequence_number])
        except MessageNotFoundError:
            pass
        else:
            raise AssertionError("a message was found that is gone")
    nothing_left(client, queue)


@scenario(LockDuration="PT5S")
def renew_a_lock(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receive(receiver, 1)
        until = message.locked_until_utc
        assert until is not None
        # Longer than the lock would have lasted, in the client's own way of waiting.
        deadline = monotonic() + 7
        while monotonic() < deadline:
            assert receiver.receive_messages(1, max_wait_time=2) == []
            renewed = receiver.renew_message_lock(message)
            assert renewed > until
        receiver.complete_message(message)
    nothing_left(client, queue)


@scenario(LockDuration="PT5S")
def let_a_lock_expire(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receive(receiver, 1)
        (again,) = receiver.receive_messages(1, max_wait_time=15)
        assert again.sequence_number == message.sequence_number
        assert again.delivery_count == 1
        assert again.lock_token != message.lock_token
        for attempt in (receiver.complete_message, receiver.renew_message_lock):
            try:
                attempt(message)
            except MessageLockLostError:
                pass
            else:
                raise AssertionError("a lock was good that had expired")
        receiver.complete_message(again)
    nothing_left(client, queue)


@scenario()
def peek(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *"abcd")
    with client.get_queue_receiver(queue) as receiver:
        (locked,) = receive(receiver, 1)
    with client.get_queue_receiver(queue) as receiver:
        assert bodies(receiver.peek_messages(2)) == ["a", "b"]
        assert bodies(receiver.peek_messages(10)) == ["c", "d"]
        peeked = receiver.peek_messages(10, sequence_number=1)
        assert bodies(peeked) == ["a", "b", "c", "d"]
        assert peeked[0].locked_until_utc is None
        assert receiver.peek_messages(10, sequence_number=5) == []
        assert locked.sequence_number == 1


@scenario()
def wait_for_a_message_that_comes_later(client: ServiceBusClient, queue: str) -> None:
    def later() -> None:
        with client.get_queue_sender(queue) as sender:
            sender.send_messages(ServiceBusMessage("later"))

    with client.get_queue_receiver(queue) as receiver:
        assert receiver.receive_messages(1, max_wait_time=1) == []
        timer = threading.Timer(1, later)
        timer.start()
        started = monotonic()
        (message,) = receiver.receive_messages(1, max_wait_time=15)
        assert monotonic() - started < 10, "it came with the next poll, not when it was sent"
        assert str(message) == "later"
        receiver.complete_message(message)
        timer.join()


@scenario(LockDuration="PT5S")
def what_a_closed_receiver_had_prefetched_comes_back(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *map(str, range(20)))
    with client.get_queue_receiver(queue, prefetch_count=20) as receiver:
        receiver.complete_message(receive(receiver, 1)[0])
    with client.get_queue_receiver(queue) as receiver:
        messages = receive(receiver, 19)
    # Released when the receiver closes; version 7.14 leaves the messages locked until that expires.
    assert {message.delivery_count for message in messages} == {0 if __version__ >= "7.15" else 1}


@scenario(DeadLetteringOnMessageExpiration=True)
def a_message_expires(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", time_to_live=timedelta(seconds=2))
    send(client, queue, "b")
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (dead,) = receive(receiver, 1)
        assert str(dead) == "a"
        assert dead.dead_letter_reason == "TTLExpiredException"
    with client.get_queue_receiver(queue) as receiver:
        assert bodies(receive(receiver, 1)) == ["b"]


@scenario(DefaultMessageTimeToLive="PT1H")
def everything_of_a_message_comes_back(client: ServiceBusClient, queue: str) -> None:
    sent = ServiceBusMessage(
        b"\x00body\xff",
        application_properties={"text": "ä", "number": 2**31 - 1, "yes": True, "half": 0.5, "id": uuid.UUID(int=3)},
        message_id="id",
        session_id="group",
        subject="subject",
        content_type="application/x",
        correlation_id="correlation",
        to="to",
        reply_to="reply",
        reply_to_session_id="reply group",
        partition_key="group",
        time_to_live=timedelta(minutes=5),
    )
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(sent)
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receive(receiver, 1)
    assert b"".join(message.body) == b"\x00body\xff"
    assert message.application_properties == {
        b"text": "ä".encode(),
        b"number": 2**31 - 1,
        b"yes": True,
        b"half": 0.5,
        b"id": uuid.UUID(int=3),
    }
    for name in (
        "message_id", "session_id", "subject", "content_type", "correlation_id", "to", "reply_to",
        "reply_to_session_id", "partition_key", "time_to_live",
    ):  # fmt: skip
        assert getattr(message, name) == getattr(sent, name), name
    assert message.enqueued_time_utc is not None
    assert message.expires_at_utc == message.enqueued_time_utc + timedelta(minutes=5)


@scenario()
def large_messages(client: ServiceBusClient, queue: str) -> None:
    content = bytes(range(256)) * 900
    with client.get_queue_sender(queue) as sender:
        for _ in range(3):
            sender.send_messages(ServiceBusMessage(content))
        try:
            sender.send_messages(ServiceBusMessage(b"x" * 262144))
        except MessageSizeExceededError:
            pass
        else:
            raise AssertionError("a message was taken that is too large")
    with client.get_queue_receiver(queue) as receiver:
        for message in receive(receiver, 3):
            assert b"".join(message.body) == content
            receiver.complete_message(message)


@scenario()
def competing_receivers_get_each_message_once(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *map(str, range(60)))
    found: list[str] = []

    def consume() -> None:
        with client.get_queue_receiver(queue, max_wait_time=2) as receiver:
            for message in receiver:
                found.append(str(message))
                receiver.complete_message(message)

    with ThreadPoolExecutor(3) as pool:
        for consumer in [pool.submit(consume) for _ in range(3)]:
            consumer.result()
    assert sorted(found, key=int) == [str(number) for number in range(60)]


@scenario()
def schedule_and_cancel(client: ServiceBusClient, queue: str) -> None:
    soon, later = datetime.now(UTC) + timedelta(seconds=5), datetime.now(UTC) + timedelta(hours=1)
    with client.get_queue_sender(queue) as sender:
        first, second = sender.schedule_messages([ServiceBusMessage("soon"), ServiceBusMessage("too")], soon)
        (cancelled,) = sender.schedule_messages(ServiceBusMessage("never"), later)
        sender.send_messages(ServiceBusMessage("annotated", scheduled_enqueue_time_utc=soon))
        sender.cancel_scheduled_messages(cancelled)
    assert (first, second, cancelled) == (1, 2, 3)
    with client.get_queue_receiver(queue) as receiver:
        assert [message.state.value for message in receiver.peek_messages(9)] == [2, 2, 2]
        messages = receive(receiver, 3)
        assert sorted(bodies(messages)) == ["annotated", "soon", "too"]
        for message in messages:
            scheduled, enqueued = message.scheduled_enqueue_time_utc, message.enqueued_time_utc
            assert scheduled is not None
            assert enqueued is not None
            assert abs(scheduled - soon) < timedelta(milliseconds=1)
            assert timedelta() <= enqueued - scheduled < timedelta(seconds=5)
            receiver.complete_message(message)
    with client.get_queue_sender(queue) as sender:
        try:
            sender.cancel_scheduled_messages(cancelled)
        except MessageNotFoundError:
            pass
        else:
            raise AssertionError("a message was cancelled twice")


@scenario(RequiresDuplicateDetection=True)
def duplicates_are_dropped(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b", message_id="1")
    send(client, queue, "c", message_id="2")
    with client.get_queue_receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        assert bodies(receive(receiver, 2)) == ["a", "c"]
    nothing_left(client, queue)


@scenario(ForwardTo="peek_what_was_forwarded")
def forward(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver("peek_what_was_forwarded") as receiver:
        (message,) = receive(receiver, 1)
        assert str(message) == "a"
        assert message.enqueued_sequence_number == 1
        receiver.complete_message(message)
    try:
        with client.get_queue_receiver(queue) as receiver:
            receiver.receive_messages(1, max_wait_time=1)
    except ServiceBusError as error:
        assert "forwards its messages" in str(error)
    else:
        raise AssertionError("a receiver was let in at a queue that forwards")


@scenario()
def peek_what_was_forwarded(client: ServiceBusClient, queue: str) -> None:
    """Where the scenario `forward` sends its messages."""
    del client, queue


@scenario()
def an_unknown_queue_is_not_found(client: ServiceBusClient, queue: str) -> None:
    sender = client.get_queue_sender(f"{queue}-unknown")
    receiver = client.get_queue_receiver(f"{queue}-unknown")
    for attempt in (
        lambda: sender.send_messages(ServiceBusMessage("a")),
        lambda: receiver.receive_messages(1, max_wait_time=WAIT),
    ):
        try:
            attempt()
        except ServiceBusAuthenticationError as error:
            # Where the entity's token is put, so the SDK takes it for a failure to authenticate, as with Azure.
            told = str(error.inner_exception)
            assert "The messaging entity 'sb://" in told
            assert "could not be found" in told
            assert "TrackingId:" in told
        else:
            raise AssertionError("an unknown queue was found")
    sender.close()
    receiver.close()


@SCENARIOS.without_client
def a_wrong_key_is_refused(connection_string: str) -> None:
    """Not one of the scenarios: it has a client of its own."""
    wrong = connection_string.replace("SAS_KEY_VALUE", "WRONG_KEY")
    assert wrong != connection_string
    with ServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
        try:
            send(client, "peek", "a")
        except ServiceBusAuthenticationError:
            pass
        else:
            raise AssertionError("a wrong key was good")


if __name__ == "__main__":
    SCENARIOS.run_as_program()
