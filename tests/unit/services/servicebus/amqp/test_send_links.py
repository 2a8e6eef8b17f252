"""Sending over AMQP."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.amqp.sending import CREDIT
from localzure.services.servicebus.model import EntityDescription, EntityStatus
from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Uint, Ulong
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_wire import Wire
from tests.servicebus_world import World, batch, bodies, message

ACCEPTED_CODE, REJECTED_CODE = 0x24, 0x25


@pytest.fixture
def wire() -> Wire:
    world = World(FailingStore(MemoryStore()))
    world.create()
    return Wire(world)


def fail_next_commit(wire: Wire, *, failing: bool = True) -> None:
    assert isinstance(wire.world.store, FailingStore)
    wire.world.store.failing = failing


def test_an_attach_is_answered_with_the_limits_and_credit(wire: Wire) -> None:
    handle = wire.sender("amqps://my.host:5672/Q")
    (attach,) = wire.heard(frames.ATTACH)
    assert attach[6].value[0] == "amqps://my.host:5672/Q"
    assert attach[10] == 262144
    assert attach[13] == {"com.microsoft:max-message-batch-size": 262144}
    assert type(attach[13]["com.microsoft:max-message-batch-size"]) is Ulong
    (flow,) = wire.flows(handle)
    assert flow[6] == CREDIT


def test_a_message_is_accepted_once_it_is_committed(wire: Wire) -> None:
    handle = wire.sender()
    delivery_id = wire.send(handle, message("a"), commit=False)
    wire.read()
    assert wire.sent == {}
    wire.commit()
    assert wire.sent[delivery_id].outcome == ACCEPTED_CODE
    assert wire.sent[delivery_id].settled
    assert bodies(wire.world.lock(wire.world.queue())) == ["a"]


def test_a_batch_is_one_delivery(wire: Wire) -> None:
    handle = wire.sender()
    delivery_id = wire.send(handle, *batch(message("a"), message("b")))
    assert wire.sent[delivery_id].outcome == ACCEPTED_CODE
    assert bodies(wire.world.lock(wire.world.queue(), 9)) == ["a", "b"]


def test_what_is_refused_is_refused_alone(wire: Wire) -> None:
    handle = wire.sender()
    good = wire.send(handle, message("a"), commit=False)
    bad = wire.send(handle, message("b", message_id="x" * 129), commit=False)
    also_good = wire.send(handle, message("c"))
    assert [wire.sent[each].outcome for each in (good, bad, also_good)] == [ACCEPTED_CODE, REJECTED_CODE, ACCEPTED_CODE]
    assert wire.sent[bad].condition == "com.microsoft:argument-out-of-range"
    assert wire.sent[bad].info
    assert bodies(wire.world.lock(wire.world.queue(), 9)) == ["a", "c"]


def test_a_message_beyond_the_limit_is_refused_with_azures_condition(wire: Wire) -> None:
    handle = wire.sender()
    fields = [Uint(handle), Uint(0), b"tag", Uint(0), False, True]
    for _ in range(5):
        wire.say(frames.TRANSFER, fields, b"x" * 60_000)
    wire.say(frames.TRANSFER, [Uint(handle), None, None, None, None, False], b"x")
    answer = wire.sent[0]
    assert (answer.outcome, answer.condition) == (REJECTED_CODE, "amqp:link:message-size-exceeded")
    assert "size:300001 bytes) exceeds the limit (262144 bytes) currently allowed on the link" in answer.text
    assert wire.heard(frames.DETACH) == []
    fields = [Uint(handle), Uint(1), b"tag", Uint(0), True, True]
    for _ in range(5):
        wire.say(frames.TRANSFER, fields, b"x" * 60_000)
    wire.say(frames.TRANSFER, [Uint(handle), None, None, None, None, False], b"x")
    assert wire.detached_with(handle)[0] == "amqp:link:message-size-exceeded"


def test_credit_is_topped_up(wire: Wire) -> None:
    handle = wire.sender()
    wire.flows(handle)
    for _ in range(CREDIT // 2):
        wire.send(handle, message("x"), commit=False)
    wire.commit()
    (flow,) = wire.flows(handle)
    assert flow[6] == CREDIT


def test_a_settled_message_gets_no_answer(wire: Wire) -> None:
    handle = wire.sender()
    wire.send(handle, message("a"), settled=True)
    wire.send(handle, b"\xff", settled=True)
    assert wire.sent == {}
    assert bodies(wire.world.lock(wire.world.queue(), 9)) == ["a"]


def test_when_the_commit_fails_everybody_of_the_tick_is_told(wire: Wire) -> None:
    other = Wire(wire.world)
    mine, theirs = wire.sender(), other.sender()
    fail_next_commit(wire)
    first = wire.send(mine, message("a"), commit=False)
    second = other.send(theirs, message("b"), commit=False)
    wire.commit()
    other.read()
    for answer in (wire.sent[first], other.sent[second]):
        assert (answer.outcome, answer.condition) == (REJECTED_CODE, "amqp:resource-limit-exceeded")
    fail_next_commit(wire, failing=False)
    assert wire.sent[wire.send(mine, message("c"))].outcome == ACCEPTED_CODE
    assert bodies(wire.world.lock(wire.world.queue(), 9)) == ["c"]


def test_when_a_settled_message_is_lost_its_link_is_detached(wire: Wire) -> None:
    handle = wire.sender()
    fail_next_commit(wire)
    wire.send(handle, message("a"), settled=True)
    condition, _ = wire.detached_with(handle)
    assert condition == "amqp:resource-limit-exceeded"


def test_a_message_in_a_transaction_that_is_not_known_is_refused(wire: Wire) -> None:
    handle = wire.sender()
    delivery_id = wire.send(handle, message("a"), state=Described(Ulong(0x34), [b"txn"]))
    assert wire.sent[delivery_id].condition == "amqp:transaction:unknown-id"


@pytest.mark.parametrize(
    ("address", "condition", "text"),
    [
        (
            "nowhere",
            "amqp:not-found",
            "The messaging entity 'sb://my.host/nowhere' could not be found. To know more visit https://aka.ms/",
        ),
        ("q/$DeadLetterQueue", "amqp:not-allowed", "Nothing can be sent to the dead-letter queue"),
        ("off", "com.microsoft:entity-disabled", "Messaging entity 'sb://my.host/off' is currently disabled"),
        ("", "amqp:not-found", "The messaging entity 'sb://my.host/' could not be found"),
    ],
)
def test_a_link_that_cannot_be_is_refused(wire: Wire, address: str, condition: str, text: str) -> None:
    wire.world.create("off", status=EntityStatus.SEND_DISABLED)
    handle = wire.sender(address)
    (attach,) = wire.heard(frames.ATTACH)
    assert (attach[5], attach[6]) == (None, None)
    found, told = wire.detached_with(handle)
    assert found == condition
    assert told.startswith(text)


def test_an_error_can_be_traced(wire: Wire) -> None:
    handle = wire.sender("a/b")
    _, text = wire.detached_with(handle)
    assert "_G0, SystemTracker:my:a/b, Timestamp:2026-01-01T00:00:00" in text


def test_a_queue_that_is_disabled_later_takes_no_more(wire: Wire) -> None:
    handle = wire.sender()
    queue = wire.world.queue()
    entities = wire.world.broker.entities
    with wire.world.transactions.writer() as writer:
        changed = entities.update(writer, queue.record, EntityDescription(status=EntityStatus.DISABLED), 0)
    wire.world.commit()
    entities.apply(changed)
    assert wire.sent[wire.send(handle, message("a"))].condition == "com.microsoft:entity-disabled"
