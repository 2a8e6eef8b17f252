"""Receiving over AMQP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.model import EntityStatus
from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, Symbol, Ulong
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_wire import ACCEPTED, RELEASED, Wire, modified, rejected
from tests.servicebus_world import World, body

ACCEPTED_CODE, REJECTED_CODE, RELEASED_CODE, MODIFIED_CODE = 0x24, 0x25, 0x26, 0x27


@pytest.fixture
def world() -> World:
    world = World(FailingStore(MemoryStore()))
    world.create(lock_duration=30 * MICROSECONDS)
    return world


@pytest.fixture
def wire(world: World) -> Wire:
    return Wire(world)


def test_messages_come_as_far_as_credit_goes(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b", "c")
    handle = wire.receiver(credit=2)
    assert wire.bodies() == ["a", "b"]
    wire.flow(handle, 1)
    assert wire.bodies() == ["a", "b", "c"]


def test_a_message_that_comes_later_is_waited_for(wire: Wire, world: World) -> None:
    wire.receiver(credit=1)
    world.send(world.queue(), "later")
    wire.read()
    assert wire.bodies() == ["later"]


def test_a_delivery_under_a_lock(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    (delivery,) = wire.deliveries
    assert not delivery.settled
    assert len(delivery.tag) == 16
    annotations = delivery.message.message_annotations()
    assert annotations["x-opt-locked-until"] == world.clock.now() // 1000 + 30_000
    assert delivery.message.header().delivery_count == 0


@pytest.mark.parametrize(
    ("outcome", "code", "left"),
    [
        (ACCEPTED, ACCEPTED_CODE, (0, 0, 0)),
        (modified(), MODIFIED_CODE, (1, 0, 0)),
        (modified(failed=False), MODIFIED_CODE, (1, 0, 0)),
        (modified(failed=False, undeliverable=True), MODIFIED_CODE, (0, 1, 0)),
        (rejected("com.microsoft:dead-letter", {}), REJECTED_CODE, (0, 0, 1)),
        (RELEASED, RELEASED_CODE, (1, 0, 0)),
    ],
)
def test_an_outcome_is_answered_with_the_same(
    wire: Wire, world: World, outcome: Described, code: int, left: tuple[int, int, int]
) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    wire.settle(wire.deliveries[0], outcome)
    answer = wire.settled[wire.deliveries[0].delivery_id]
    assert (answer.outcome, answer.condition, answer.settled) == (code, None, True)
    counters, dead = world.counters(world.queue()), world.counters(world.queue("q/$DeadLetterQueue"))
    assert (counters.active, counters.deferred, dead.active) == left


def test_only_a_failed_delivery_raises_the_count(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=9)
    wire.settle(wire.deliveries[0], RELEASED)
    wire.settle(wire.deliveries[1], modified(failed=False))
    assert [each.message.header().delivery_count for each in wire.deliveries] == [0, 0, 1]
    assert len({each.tag for each in wire.deliveries}) == 3


def test_abandoning_changes_properties(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", application_properties={"own": 1})
    wire.receiver(credit=2)
    wire.settle(wire.deliveries[0], modified(annotations={Symbol("added"): "x"}))
    assert wire.deliveries[1].message.application_properties() == {"own": 1, "added": "x"}


@pytest.mark.parametrize("key", [Symbol, str])
def test_a_dead_letter_has_its_reasons(wire: Wire, world: World, key: Any) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    info = {key("DeadLetterReason"): "why", key("DeadLetterErrorDescription"): "because", key("more"): 1}
    wire.settle(wire.deliveries[0], rejected("com.microsoft:dead-letter", info))
    dead = wire.receiver("q/$deadletterqueue", credit=1)
    assert wire.bodies(dead) == ["a"]
    assert wire.deliveries[1].message.application_properties() == {
        "DeadLetterReason": "why",
        "DeadLetterErrorDescription": "because",
        "more": 1,
    }


def test_a_plain_rejection_dead_letters_with_its_error_as_the_reason(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b")
    wire.receiver(credit=2)
    wire.settle(wire.deliveries[0], rejected("my:condition", {}, "my description"))
    wire.settle(wire.deliveries[1], Described(Ulong(0x25), []))
    first, second = world.peek(world.queue("q/$DeadLetterQueue"))
    assert first.application_properties() == {
        "DeadLetterReason": "my:condition",
        "DeadLetterErrorDescription": "my description",
    }
    assert second.application_properties() == {}


def test_a_lock_that_was_lost_is_told(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    world.advance(30)
    wire.settle(wire.deliveries[0], ACCEPTED)
    answer = wire.settled[wire.deliveries[0].delivery_id]
    assert (answer.outcome, answer.condition) == (REJECTED_CODE, "com.microsoft:message-lock-lost")
    assert answer.text.startswith("The lock supplied is invalid. Either the lock expired, or the message")
    assert answer.info
    assert world.counters(world.queue()).active == 1


def test_in_a_range_each_delivery_has_its_own_answer(wire: Wire, world: World) -> None:
    world.send(world.queue(), *"abc")
    wire.receiver(credit=3)
    first, second, third = wire.deliveries
    world.queue().locks.take(second.tag)
    wire.settle(first, ACCEPTED, last=third)
    assert [wire.settled[each.delivery_id].condition for each in (first, second, third)] == [
        None,
        "com.microsoft:message-lock-lost",
        None,
    ]


def test_what_the_client_settles_by_itself_is_not_answered(wire: Wire, world: World) -> None:
    world.send(world.queue(), *"abc")
    wire.receiver(credit=3)
    first, second, third = wire.deliveries
    wire.settle(first, ACCEPTED, settled=True)
    wire.settle(second, RELEASED, settled=True)
    world.queue().locks.take(third.tag)
    wire.settle(third, ACCEPTED, settled=True)
    assert wire.settled == {}
    assert world.counters(world.queue()).active == 2
    assert [body(each) for each in world.peek(world.queue())] == ["b", "c"]


def test_a_settlement_without_an_outcome_leaves_the_lock(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    wire.settle(wire.deliveries[0], None, settled=True)
    assert len(world.queue().locks) == 1


def test_a_settlement_in_a_transaction_that_is_not_known_is_refused(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    wire.settle(wire.deliveries[0], Described(Ulong(0x34), [b"txn", ACCEPTED]))
    assert wire.settled[0].condition == "amqp:transaction:unknown-id"
    assert world.counters(world.queue()).active == 1


def test_receiving_and_deleting(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b")
    wire.receiver(credit=1, deletes=True)
    (delivery,) = wire.deliveries
    assert delivery.settled
    assert delivery.tag == b"", "null is what go-amqp refuses"
    assert "x-opt-locked-until" not in delivery.message.message_annotations()
    assert world.counters(world.queue()).active == 1


def test_nothing_is_given_for_good_before_it_is_deleted(wire: Wire, world: World) -> None:
    assert isinstance(world.store, FailingStore)
    world.send(world.queue(), "a")
    world.store.failing = True
    wire.receiver(credit=1, deletes=True)
    assert wire.deliveries == []
    world.store.failing = False
    world.advance(1)
    wire.read()
    assert wire.bodies() == ["a"]


def test_when_the_commit_of_a_settlement_fails_the_client_is_told_and_the_lock_stays(wire: Wire, world: World) -> None:
    assert isinstance(world.store, FailingStore)
    world.send(world.queue(), "a")
    wire.receiver(credit=2)
    world.store.failing = True
    wire.settle(wire.deliveries[0], ACCEPTED)
    world.store.failing = False
    assert wire.settled[0].outcome == REJECTED_CODE
    assert wire.settled[0].condition == "amqp:resource-limit-exceeded"
    assert len(world.queue().locks) == 1
    world.advance(30)
    wire.read()
    assert wire.bodies() == ["a", "a"]


def test_the_locks_of_a_link_that_goes_away_stay_until_they_expire(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b")
    handle = wire.receiver(credit=1)
    wire.detach(handle)
    again = wire.receiver(credit=9)
    assert wire.bodies(again) == ["b"]
    wire.handler.disconnected()
    other = Wire(world)
    other.receiver(credit=9)
    assert other.deliveries == []
    world.advance(30)
    other.read()
    assert other.bodies() == ["a", "b"]
    assert [each.message.header().delivery_count for each in other.deliveries] == [1, 1]


def test_a_drain_uses_up_the_credit(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b")
    handle = wire.receiver()
    wire.flows(handle)
    wire.flow(handle, 5, drain=True)
    assert wire.bodies() == ["a", "b"]
    (flow,) = wire.flows(handle)
    assert (flow[5], flow[6], flow[8]) == (5, 0, True)
    world.send(world.queue(), "c")
    wire.read()
    assert wire.bodies() == ["a", "b"]


def test_a_drain_without_credit_is_answered_too(wire: Wire, world: World) -> None:
    handle = wire.receiver(credit=3)
    wire.flows(handle)
    wire.flow(handle, 0, drain=True)
    (flow,) = wire.flows(handle)
    assert (flow[6], flow[8]) == (0, True)
    world.send(world.queue(), "a")
    wire.read()
    assert wire.deliveries == []


def test_a_drain_of_what_is_deleted_is_answered_after_it(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b")
    handle = wire.receiver(deletes=True)
    wire.flow(handle, 5, drain=True)
    assert wire.bodies() == ["a", "b"]
    flow = wire.flows(handle)[-1]
    assert (flow[5], flow[6]) == (5, 0)


def test_credit_can_be_taken_back(wire: Wire, world: World) -> None:
    handle = wire.receiver(credit=5)
    wire.flow(handle, 1)
    world.send(world.queue(), "a", "b")
    wire.read()
    assert wire.bodies() == ["a"]


def test_the_state_of_a_link_is_told_when_asked(wire: Wire) -> None:
    handle = wire.receiver(credit=5)
    wire.flows(handle)
    wire.flow(handle, 5, echo=True)
    (flow,) = wire.flows(handle)
    assert flow[6] == 5


def test_competing_receivers_are_served_in_the_order_of_their_credit(wire: Wire, world: World) -> None:
    other = Wire(world)
    wire.receiver(credit=1)
    other.receiver(credit=1)
    world.send(world.queue(), "a", "b")
    wire.read()
    other.read()
    assert (wire.bodies(), other.bodies()) == (["a"], ["b"])


def test_a_client_that_takes_nothing_gets_nothing_until_it_does(wire: Wire, world: World) -> None:
    wire.is_writable = False
    wire.receiver(credit=5)
    world.send(world.queue(), "a", "b")
    wire.read()
    assert wire.deliveries == []
    wire.is_writable = True
    wire.handler.writable()
    wire.read()
    assert wire.bodies() == ["a", "b"]


@pytest.mark.parametrize(
    ("address", "condition", "text"),
    [
        ("nowhere", "amqp:not-found", "The messaging entity 'sb://my.host/nowhere' could not be found."),
        ("nowhere/$DeadLetterQueue", "amqp:not-found", "The messaging entity 'sb://my.host/nowhere/$DeadLetterQueue'"),
        ("off", "com.microsoft:entity-disabled", "Messaging entity 'sb://my.host/off' is currently disabled"),
        ("sessions", "amqp:not-allowed", "It is not possible for an entity that requires sessions"),
    ],
)
def test_a_link_that_cannot_be_is_refused(wire: Wire, world: World, address: str, condition: str, text: str) -> None:
    world.create("off", status=EntityStatus.RECEIVE_DISABLED)
    world.create("sessions", requires_session=True)
    found, told = wire.detached_with(wire.receiver(address))
    assert (found, told[: len(text)]) == (condition, text)


def test_a_server_that_stops_says_so(wire: Wire) -> None:
    wire.handler.shutdown()
    wire.read()
    ((error,),) = wire.heard(frames.CLOSE)
    assert error.value[0] == "amqp:connection:forced"
    assert error.value[2]


def test_lock_tokens_are_unique_guids(wire: Wire, world: World) -> None:
    world.send(world.queue(), "a", "b")
    wire.receiver(credit=2)
    tokens = [delivery.lock_token for delivery in wire.deliveries]
    assert all(isinstance(token, UUID) for token in tokens)
    assert len(set(tokens)) == 2
