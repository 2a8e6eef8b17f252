"""The operations of `$management`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus import operations
from localzure.services.servicebus.access import Right
from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.receiving import Delivery
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityStatus
from localzure.services.servicebus.operation import Request, Response
from localzure.services.servicebus.operations import OPERATIONS
from localzure_protocols.amqp.codec import Array, Int, Timestamp, Ubyte, Uint, encode
from localzure_protocols.amqp.message import encode_message_annotations, split
from tests.servicebus_world import World, body, message, sections


@pytest.fixture
def world() -> World:
    world = World()
    world.create(lock_duration=30 * MICROSECONDS)
    world.send(world.queue(), "a", "b", "c")
    return world


def ask(world: World, name: str, /, **parts: Any) -> Response:
    """Run an operation; underscores in names of `parts` stand for dashes."""
    asked = {key.replace("_", "-"): value for key, value in parts.items()}
    row = operations.operation(f"com.microsoft:{name}")
    with world.broker.turn() as turn:
        response = operations.run(row, Request(world.broker, turn, world.queue(), asked))
    world.commit()
    return response


def refusal(world: World, name: str, /, **parts: Any) -> ServiceBusError:
    with pytest.raises(ServiceBusError) as caught:
        ask(world, name, **parts)
    return caught.value


def token(delivery: Delivery) -> UUID:
    """A lock token as clients send it: they read the delivery tag as a GUID of .NET's."""
    return UUID(bytes_le=delivery.token)


def test_peek(world: World) -> None:
    response = ask(world, "peek-message", from_sequence_number=2, message_count=Uint(5))
    assert response.status == 200
    assert [body(split(entry["message"])) for entry in response.body["messages"]] == ["b", "c"]
    assert ask(world, "peek-message", from_sequence_number=4, message_count=5) == Response(204)


def test_renew(world: World) -> None:
    first, second = world.lock(world.queue(), 2)
    world.advance(10)
    response = ask(world, "renew-lock", lock_tokens=Array([token(first), token(second)], UUID))
    expirations = response.body["expirations"]
    assert encode(expirations)[:1] == b"\xe0"
    assert expirations.element is Timestamp
    assert list(expirations) == [world.clock.now() // 1000 + 30_000] * 2


def test_renewing_is_all_or_nothing(world: World) -> None:
    (delivery,) = world.lock(world.queue())
    world.advance(10)
    error = refusal(world, "renew-lock", lock_tokens=Array([token(delivery), UUID(int=1)], UUID))
    assert (error.status, error.condition) == (410, "com.microsoft:message-lock-lost")
    lock = world.queue().locks.get(delivery.token)
    assert lock is not None
    assert lock.deadline == world.clock.now() + 20 * MICROSECONDS


def test_lock_tokens_may_be_a_list_and_texts(world: World) -> None:
    (delivery,) = world.lock(world.queue())
    assert ask(world, "renew-lock", lock_tokens=[str(token(delivery))]).status == 200


@pytest.mark.parametrize(
    ("status", "active", "deferred", "dead"),
    [("completed", 1, 0, 0), ("abandoned", 3, 0, 0), ("defered", 1, 2, 0), ("suspended", 1, 0, 2)],
)
def test_update_disposition(world: World, status: str, active: int, deferred: int, dead: int) -> None:
    tokens = [token(delivery) for delivery in world.lock(world.queue(), 2)]
    response = ask(
        world, "update-disposition", disposition_status=status, lock_tokens=Array([*tokens, tokens[0]], UUID)
    )
    assert response == Response(200)
    counters = world.counters(world.queue())
    assert (counters.active, counters.deferred) == (active, deferred)
    assert world.counters(world.queue("q/$DeadLetterQueue")).active == dead


def test_update_disposition_takes_reasons_and_properties(world: World) -> None:
    tokens = [token(delivery) for delivery in world.lock(world.queue())]
    ask(
        world,
        "update-disposition",
        disposition_status="suspended",
        lock_tokens=Array(tokens, UUID),
        deadletter_reason="why",
        deadletter_description="because",
        properties_to_modify={"extra": 1},
    )
    (dead,) = world.peek(world.queue("q/$DeadLetterQueue"))
    assert dead.application_properties() == {
        "extra": 1,
        "DeadLetterReason": "why",
        "DeadLetterErrorDescription": "because",
    }


def test_update_disposition_settles_all_or_nothing(world: World) -> None:
    (delivery,) = world.lock(world.queue())
    error = refusal(
        world,
        "update-disposition",
        disposition_status="completed",
        lock_tokens=Array([token(delivery), UUID(int=1)], UUID),
    )
    assert error.code is ErrorCode.LOCK_LOST
    assert world.counters(world.queue()).active == 3


def test_receive_by_sequence_number(world: World) -> None:
    tokens = [token(delivery) for delivery in world.lock(world.queue(), 2)]
    ask(world, "update-disposition", disposition_status="defered", lock_tokens=tokens)
    response = ask(world, "receive-by-sequence-number", sequence_numbers=Array([2], int), receiver_settle_mode=Uint(1))
    (entry,) = response.body["messages"]
    assert body(split(entry["message"])) == "b"
    ask(world, "update-disposition", disposition_status="completed", lock_tokens=[entry["lock-token"]])
    gone = ask(world, "receive-by-sequence-number", sequence_numbers=[1], receiver_settle_mode=Ubyte(0))
    assert list(gone.body["messages"][0]) == ["message"]
    error = refusal(world, "receive-by-sequence-number", sequence_numbers=[1], receiver_settle_mode=Uint(1))
    assert (error.status, error.condition) == (404, "com.microsoft:message-not-found")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("peek-message", {}),
        ("peek-message", {"from_sequence_number": "1", "message_count": 1}),
        ("peek-message", {"from_sequence_number": 1, "message_count": True}),
        ("peek-message", {"from_sequence_number": 1, "message_count": 0}),
        ("renew-lock", {}),
        ("renew-lock", {"lock_tokens": []}),
        ("renew-lock", {"lock_tokens": [5]}),
        ("renew-lock", {"lock_tokens": ["no guid"]}),
        ("renew-lock", {"lock_tokens": [UUID(int=1)] * 1001}),
        ("update-disposition", {"lock_tokens": [UUID(int=1)]}),
        ("update-disposition", {"disposition_status": "unlocked", "lock_tokens": [UUID(int=1)]}),
        ("update-disposition", {"disposition_status": [], "lock_tokens": [UUID(int=1)]}),
        (
            "update-disposition",
            {"disposition_status": "completed", "lock_tokens": [UUID(int=1)], "properties_to_modify": 5},
        ),
        ("receive-by-sequence-number", {"sequence_numbers": [-1], "receiver_settle_mode": 1}),
        ("receive-by-sequence-number", {"sequence_numbers": ["1"], "receiver_settle_mode": 1}),
        ("receive-by-sequence-number", {"sequence_numbers": [1]}),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, name: str, parts: dict[str, Any]) -> None:
    error = refusal(world, name, **parts)
    assert error.status == 400
    assert error.condition in {"com.microsoft:argument-error", "com.microsoft:argument-out-of-range"}


@pytest.mark.parametrize("name", ["com.microsoft:fly", "peek-message", "", "None"])
def test_what_nobody_knows_says_so(name: str) -> None:
    with pytest.raises(ServiceBusError) as caught:
        operations.operation(name)
    assert caught.value.status == 501
    assert repr(name) in caught.value.text


def test_a_queue_without_sessions_refuses_what_asks_for_one(world: World) -> None:
    error = refusal(world, "peek-message", from_sequence_number=1, message_count=1, session_id="s")
    assert error.code is ErrorCode.SESSION_NOT_SUPPORTED
    for name in ("renew-session-lock", "get-session-state", "set-session-state"):
        assert refusal(world, name, session_id="s").code is ErrorCode.SESSION_NOT_SUPPORTED
        assert refusal(world, name).code is ErrorCode.ARGUMENT


def test_operations_need_the_right_that_azure_asks_for() -> None:
    assert {row.name: row.right for row in OPERATIONS.values()} == {
        "peek-message": Right.LISTEN,
        "renew-lock": Right.LISTEN,
        "update-disposition": Right.LISTEN,
        "receive-by-sequence-number": Right.LISTEN,
        "batch-delete-messages": Right.LISTEN,
        "schedule-message": Right.SEND,
        "cancel-scheduled-message": Right.SEND,
        "renew-session-lock": Right.LISTEN,
        "get-session-state": Right.LISTEN,
        "set-session-state": Right.LISTEN,
        "get-message-sessions": Right.LISTEN,
        "add-rule": Right.LISTEN,
        "remove-rule": Right.LISTEN,
        "enumerate-rules": Right.LISTEN,
    }


def test_schedule_and_cancel(world: World) -> None:
    at = Timestamp(world.clock.now() // 1000 + 10_000)
    encoded = encode_message_annotations({"x-opt-scheduled-enqueue-time": at}) + message("later")
    response = ask(world, "schedule-message", messages=[{"message-id": "1", "message": encoded}] * 2)
    assert response.status == 200
    assert encode(response.body["sequence-numbers"])[:1] == b"\xe0"
    assert list(response.body["sequence-numbers"]) == [4, 5]
    assert ask(world, "cancel-scheduled-message", sequence_numbers=Array([4], int)) == Response(200)
    error = refusal(world, "cancel-scheduled-message", sequence_numbers=Array([5, 4], int))
    assert (error.status, error.condition) == (404, "com.microsoft:message-not-found")
    assert world.counters(world.queue()).scheduled == 1


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("schedule-message", {}),
        ("schedule-message", {"messages": []}),
        ("schedule-message", {"messages": [{}]}),
        ("schedule-message", {"messages": [{"message": "text"}]}),
        ("schedule-message", {"messages": [{"message": b"\xff"}]}),
        ("cancel-scheduled-message", {"sequence-numbers": []}),
        ("cancel-scheduled-message", {"sequence-numbers": [-1]}),
        ("batch-delete-messages", {"message-count": 1}),
        ("batch-delete-messages", {"message-count": 0, "enqueued-time-utc": Timestamp(1)}),
    ],
)
def test_nonsense_about_many_messages_is_refused(world: World, name: str, parts: dict[str, Any]) -> None:
    assert refusal(world, name, **parts).status == 400
    assert world.counters(world.queue()).active == 3


def test_nothing_is_scheduled_where_nothing_can_be_sent(world: World) -> None:
    queue = world.create("closed", status=EntityStatus.SEND_DISABLED)
    row = operations.operation("com.microsoft:schedule-message")
    with world.broker.turn() as turn, pytest.raises(ServiceBusError) as caught:
        operations.run(row, Request(world.broker, turn, queue, {"messages": [{"message": message("a")}]}))
    assert (caught.value.status, caught.value.condition) == (400, "com.microsoft:entity-disabled")


def test_batch_delete_takes_the_oldest_that_are_not_locked(world: World) -> None:
    queue = world.queue()
    (locked,) = world.lock(queue)
    world.clock.advance(1)
    before = Timestamp(world.clock.now() // 1000)
    world.send(queue, "new")
    deleted = ask(world, "batch-delete-messages", message_count=Int(1), enqueued_time_utc=before)
    assert deleted == Response(200, {"message-count": 1})
    assert encode(deleted.body["message-count"])[:1] in {b"\x54", b"\x71"}
    assert ask(world, "batch-delete-messages", message_count=Int(9), enqueued_time_utc=before).body == {
        "message-count": 1
    }
    assert ask(world, "batch-delete-messages", message_count=Int(9), enqueued_time_utc=before) == Response(
        204, {"message-count": 0}
    )
    assert [body(found) for found in world.peek(queue)] == ["a", "new"]
    world.settle(queue, locked, Disposition.COMPLETED)
    assert [body(sections(delivery)) for delivery in world.lock(queue, 9)] == ["new"]
