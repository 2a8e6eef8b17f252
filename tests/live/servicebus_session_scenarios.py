"""What a program does with sessions (see `scenarios`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic

from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from tests.live.scenarios import WAIT, Scenarios, bodies, receive

SCENARIOS = Scenarios(RequiresSession=True)
scenario = SCENARIOS.scenario


def send(client: ServiceBusClient, queue: str, session: str, *bodies: str) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(body, session_id=session) for body in bodies])


@scenario()
def a_named_session_gives_its_messages_in_order(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "a1", "a2")
    send(client, queue, "b", "b1")
    send(client, queue, "a", "a3")
    with client.get_queue_receiver(queue, session_id="a", prefetch_count=10) as receiver:
        assert receiver.session.session_id == "a"
        assert receiver.session.locked_until_utc is not None
        left = receiver.session.locked_until_utc - datetime.now(UTC)
        assert timedelta(seconds=50) < left <= timedelta(seconds=61)
        messages = receive(receiver, 3)
        assert bodies(messages) == ["a1", "a2", "a3"]
        assert {message.session_id for message in messages} == {"a"}
        receiver.complete_message(messages[0])
        receiver.abandon_message(messages[1])
        (again,) = receive(receiver, 1)
        assert (str(again), again.delivery_count) == ("a2", 1)
        receiver.complete_message(again)
        receiver.complete_message(messages[2])
        assert receiver.peek_messages(10) == []
    with client.get_queue_receiver(queue, session_id="b") as receiver:
        assert bodies(receiver.peek_messages(10)) == ["b1"]


@scenario()
def the_next_session(client: ServiceBusClient, queue: str) -> None:
    for session in ("x", "y"):
        send(client, queue, session, session)
    found = set()
    with (
        client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION) as first,
        client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION) as second,
    ):
        for receiver in (first, second):
            (message,) = receive(receiver, 1)
            assert message.session_id == receiver.session.session_id
            receiver.complete_message(message)
            found.add(message.session_id)
    assert found == {"x", "y"}


@scenario()
def there_is_no_next_session(client: ServiceBusClient, queue: str) -> None:
    started = monotonic()
    try:
        with client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1) as receiver:
            receiver.receive_messages(1, max_wait_time=1)
    except OperationTimeoutError:
        assert monotonic() - started > 0.9
    else:
        raise AssertionError("there was a session")


@scenario()
def a_session_comes_to_who_waits(client: ServiceBusClient, queue: str) -> None:
    with ThreadPoolExecutor(1) as pool, client.get_queue_sender(queue) as sender:
        receiver = client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=WAIT)
        waiting = pool.submit(receive, receiver, 1)
        sender.send_messages(ServiceBusMessage("late", session_id="s"))
        (message,) = waiting.result()
        assert str(message) == "late"
        receiver.complete_message(message)
        receiver.close()


@scenario()
def a_session_that_is_held(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_receiver(queue, session_id="s"):
        second = client.get_queue_receiver(queue, session_id="s")
        try:
            second.receive_messages(1, max_wait_time=1)
        except SessionCannotBeLockedError:
            pass
        else:
            raise AssertionError("two hold one session")
        second.close()
    with client.get_queue_receiver(queue, session_id="s") as again:
        assert again.session.session_id == "s"


@scenario()
def a_closed_receiver_gives_back_what_it_had(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "s", "a", "b")
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        assert bodies(receive(receiver, 2)) == ["a", "b"]
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        messages = receive(receiver, 2)
        assert [(str(message), message.delivery_count) for message in messages] == [("a", 0), ("b", 0)]


@scenario()
def a_session_keeps_a_state(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        assert receiver.session.get_state() is None
        receiver.session.set_state("first")
        assert receiver.session.get_state() == b"first"
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        assert receiver.session.get_state() == b"first"
        receiver.session.set_state(None)
        assert receiver.session.get_state() is None


@scenario(LockDuration="PT5S")
def renew_a_session_and_lose_it(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "s", "a")
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        (message,) = receive(receiver, 1)
        before = receiver.session.locked_until_utc
        renewed = receiver.session.renew_lock()
        assert before is not None
        assert renewed > before
        assert receiver.session.locked_until_utc == renewed
        # Waits for a message that never comes, and is told that the session is gone.
        try:
            receiver.receive_messages(1, max_wait_time=WAIT)
            receiver.complete_message(message)
        except SessionLockLostError:
            pass
        else:
            raise AssertionError("the lock did not end")
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        (message,) = receive(receiver, 1)
        assert (str(message), message.delivery_count) == ("a", 1)
        receiver.complete_message(message)


@scenario()
def defer_in_a_session(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "s", "a", "b")
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        messages = receive(receiver, 2)
        for message in messages:
            receiver.defer_message(message)
        numbers = [message.sequence_number for message in messages]
        assert all(numbers)
        deferred = receiver.receive_deferred_messages([number for number in numbers if number is not None])
        assert bodies(deferred) == ["a", "b"]
        for message in deferred:
            receiver.complete_message(message)
        assert receiver.peek_messages(10) == []


@scenario()
def dead_letters_have_no_sessions(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "s", "a")
    with client.get_queue_receiver(queue, session_id="s") as receiver:
        (message,) = receive(receiver, 1)
        receiver.dead_letter_message(message, reason="why", error_description="what")
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (message,) = receive(receiver, 1)
        assert (message.session_id, message.dead_letter_reason) == ("s", "why")
        receiver.complete_message(message)


@scenario()
def receive_and_delete_in_a_session(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "s", "a", "b")
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_receiver(queue, session_id="s", receive_mode=mode) as receiver:
        assert bodies(receive(receiver, 2)) == ["a", "b"]
        assert receiver.peek_messages(10) == []


@scenario()
def what_does_not_fit_is_refused(client: ServiceBusClient, queue: str) -> None:
    try:
        with client.get_queue_sender(queue) as sender:
            sender.send_messages(ServiceBusMessage("no session"))
    except ServiceBusError as error:
        assert "SessionId was not set" in str(error)
    else:
        raise AssertionError("a message without a session was taken")
    try:
        with client.get_queue_receiver(queue) as receiver:
            receiver.receive_messages(1, max_wait_time=1)
    except ServiceBusError as error:
        assert "requires sessions" in str(error)
    else:
        raise AssertionError("a receiver without a session was taken")


if __name__ == "__main__":
    SCENARIOS.run_as_program()
