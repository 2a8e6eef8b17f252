"""From a topic to its subscriptions: who gets what, how it is stored, and what a crash leaves."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.interface import SECOND
from localzure.services.servicebus.engine import entities, fan_out
from localzure.services.servicebus.engine.contents import SHARED_BYTES_MIN
from localzure.services.servicebus.engine.deleting import delete_batch
from localzure.services.servicebus.engine.expiry import run_due
from localzure.services.servicebus.engine.lifecycle import delete_entity, update_entity
from localzure.services.servicebus.engine.limits import require_sendable
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.receiving import require_receivable
from localzure.services.servicebus.engine.remains import sweep
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.engine.view import TIMESPAN
from localzure.services.servicebus.errors import ServiceBusError
from localzure.services.servicebus.model import EntityDescription, EntityStatus
from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from localzure_protocols.amqp.message import encode_message_annotations
from localzure_protocols.amqp.types import Described, Symbol, Timestamp
from tests.servicebus_world import World, batch, bodies, body, message, sections

LARGE = "x" * SHARED_BYTES_MIN


def rule(wanted: Any, name: str = "r") -> Rule:
    return Rule(name, wanted, None, 0)


def stored(world: World) -> dict[bytes, bytes]:
    with world.broker.reader() as reader:
        return dict(reader.scan(b"\x00", b"\xff" * 8))


def contents(world: World) -> list[bytes]:
    """What is stored once for many."""
    return [value for value in stored(world).values() if LARGE.encode() in value]


def test_every_subscription_gets_every_message_under_numbers_of_its_own() -> None:
    world = World()
    topic = world.topic()
    first = world.subscribe(topic, "first")
    world.send(topic, "one")
    second = world.subscribe(topic, "second")
    world.send(topic, "two", "three")
    of_first, of_second = world.lock(first, 10), world.lock(second, 10)
    assert bodies(of_first) == ["one", "two", "three"]
    assert bodies(of_second) == ["two", "three"]
    assert [delivery.sequence_number for delivery in of_second] == [1, 2]
    numbers = [sections(each).message_annotations()["x-opt-enqueue-sequence-number"] for each in of_second]
    assert numbers == [2, 3]


def test_a_message_that_no_subscription_takes_is_gone() -> None:
    world = World()
    topic = world.topic()
    before = len(stored(world))
    world.send(topic, "nobody")
    never = world.subscribe(topic, "never", rule(FalseFilter()))
    world.send(topic, "also nobody")
    assert world.lock(never, 10) == []
    assert world.counters(topic).bytes == 0
    assert not [value for value in stored(world).values() if b"nobody" in value]
    assert before


def test_several_rules_without_actions_make_one_copy() -> None:
    world = World()
    topic = world.topic()
    both = world.subscribe(
        topic, "both", rule(TrueFilter(), "a"), rule(CorrelationFilter(label="red"), "b"), rule(FalseFilter(), "c")
    )
    world.send(topic, "one", subject="red")
    assert bodies(world.lock(both, 10)) == ["one"]


def test_correlation_filters_choose() -> None:
    world = World()
    topic = world.topic()
    red = world.subscribe(topic, "red", rule(CorrelationFilter(label="red")))
    sized = world.subscribe(topic, "sized", rule(CorrelationFilter(properties={"size": 3})))
    world.send(topic, "r", subject="red")
    world.send(topic, "b", subject="blue", application_properties={"size": 3})
    assert bodies(world.lock(red, 10)) == ["r"]
    assert bodies(world.lock(sized, 10)) == ["b"]


def test_a_large_body_is_stored_once_until_the_last_copy_is_settled() -> None:
    world = World()
    topic = world.topic()
    subscriptions = [world.subscribe(topic, f"s{number}") for number in range(3)]
    world.send(topic, LARGE)
    assert len(contents(world)) == 1
    for subscription in subscriptions[:2]:
        (delivery,) = world.lock(subscription)
        assert bodies([delivery]) == [LARGE]
        world.settle(subscription, delivery, Disposition.COMPLETED)
    assert len(contents(world)) == 1
    assert [body(each) for each in world.peek(subscriptions[2])] == [LARGE]
    assert bodies(world.take(subscriptions[2])) == [LARGE]
    assert contents(world) == []
    assert world.counters(topic).bytes == 0


def test_one_taker_needs_no_sharing() -> None:
    world = World()
    topic = world.topic()
    only = world.subscribe(topic)
    world.send(topic, LARGE)
    assert world.counters(topic).bytes == world.counters(only).bytes > len(LARGE)


def test_dead_letters_keep_what_they_share() -> None:
    world = World()
    topic = world.topic()
    one, other = world.subscribe(topic, "one"), world.subscribe(topic, "other")
    world.send(topic, LARGE)
    (delivery,) = world.lock(one)
    world.settle(one, delivery, Disposition.DEAD_LETTERED, {"DeadLetterReason": "because"})
    assert bodies(world.take(other)) == [LARGE]
    (dead,) = world.take(world.queue("t/subscriptions/one/$deadletterqueue"))
    assert bodies([dead]) == [LARGE]
    assert sections(dead).application_properties()["DeadLetterReason"] == "because"
    assert contents(world) == []


def test_deferring_abandoning_and_expiring_keep_what_is_shared() -> None:
    world = World()
    topic = world.topic()
    one, other = world.subscribe(topic, "one"), world.subscribe(topic, "other", max_delivery_count=1)
    world.send(topic, LARGE)
    (delivery,) = world.lock(one)
    world.settle(one, delivery, Disposition.ABANDONED, {"tries": 1})
    (delivery,) = world.lock(one)
    assert sections(delivery).application_properties() == {"tries": 1}
    world.settle(one, delivery, Disposition.DEFERRED)
    (delivery,) = world.lock(other)
    world.advance(61)
    assert bodies(world.take(world.queue("t/Subscriptions/other/$DeadLetterQueue"))) == [LARGE]
    assert [body(each) for each in world.peek(one)] == [LARGE]
    assert len(contents(world)) == 1


def test_what_a_client_did_not_take_is_put_back_whole() -> None:
    world = World()
    topic = world.topic()
    one = world.subscribe(topic, "one")
    world.subscribe(topic, "other")
    world.send(topic, LARGE)

    class Gone:
        is_destructive, queued = True, 0

        def wanted(self) -> int:
            return 1

        def reserve(self, count: int) -> None: ...

        def deliver(self, deliveries: Any) -> Any:
            return deliveries

    gone = Gone()
    world.dispatch.join(one, gone, 1)
    world.dispatch.leave(one, gone)
    world.commit()
    assert bodies(world.take(one)) == [LARGE]
    assert bodies(world.take(world.queue("t/Subscriptions/other"))) == [LARGE]
    assert contents(world) == []
    assert world.counters(topic).bytes == 0


def test_time_to_live_is_the_shortest_of_three() -> None:
    world = World()
    topic = world.topic(default_message_time_to_live=30 * SECOND)
    short = world.subscribe(
        topic, "short", default_message_time_to_live=10 * SECOND, dead_lettering_on_message_expiration=True
    )
    long = world.subscribe(topic, "long", default_message_time_to_live=100 * SECOND)
    world.send(topic, "plain")
    world.send(topic, "brief", ttl=5000)
    plain, brief = world.peek(short)
    assert (plain.header().ttl, brief.header().ttl) == (10_000, 5_000)
    assert plain.property("absolute_expiry_time") == world.clock.now() // 1000 + 10_000
    assert [each.header().ttl for each in world.peek(long)] == [30_000, 5_000]
    world.advance(11)
    assert world.counters(short).active == 0
    assert bodies(world.take(world.queue("t/subscriptions/short/$DeadLetterQueue"), 10)) == ["brief", "plain"]
    assert bodies(world.take(long, 10)) == ["plain"]


def test_a_message_without_a_session_becomes_a_dead_letter_of_a_subscription_with_sessions() -> None:
    world = World()
    topic = world.topic()
    world.subscribe(topic, "s", requires_session=True)
    plain = world.subscribe(topic, "plain")
    world.send(topic, "in session", group_id="a")
    world.send(topic, "alone")
    assert [body(each) for each in world.peek(world.queue("t/Subscriptions/s"))] == ["in session"]
    (dead,) = world.take(world.queue("t/Subscriptions/s/$DeadLetterQueue"), 10)
    assert bodies([dead]) == ["alone"]
    assert sections(dead).application_properties()["DeadLetterReason"] == "Session id is null."
    assert bodies(world.lock(plain, 10)) == ["in session", "alone"]


def test_scheduled_messages_fan_out_when_they_are_due() -> None:
    world = World()
    topic = world.topic()
    early = world.subscribe(topic, "early")
    at = Timestamp(world.clock.now() // 1000 + 60_000)
    payload = encode_message_annotations({Symbol("x-opt-scheduled-enqueue-time"): at}) + message("later")
    world.send_raw(topic, payload)
    assert world.lock(early) == []
    assert world.counters(topic).scheduled == 1
    late = world.subscribe(topic, "late")
    world.advance(61)
    assert bodies(world.lock(early)) == bodies(world.lock(late)) == ["later"]
    assert world.counters(topic).scheduled == 0


def test_a_scheduled_message_goes_out_although_its_topic_takes_only_smaller_ones_by_now() -> None:
    world = World()
    topic = world.topic(max_message_size_kilobytes=1024)
    subscription = world.subscribe(topic)
    at = Timestamp(world.clock.now() // 1000 + 60_000)
    large = "x" * 300_000
    world.send_raw(topic, encode_message_annotations({Symbol("x-opt-scheduled-enqueue-time"): at}) + message(large))
    with world.transactions.writer() as writer:
        update_entity(world.broker, writer, topic.record, EntityDescription(max_message_size_kilobytes=256))
    world.commit()
    world.advance(61)
    assert bodies(world.lock(subscription)) == [large]


def test_a_rule_that_fails_on_a_message_makes_it_a_dead_letter_or_leaves_it_out() -> None:
    world = World()
    topic = world.topic()
    failing = Rule("half", SqlFilter("10 / size > 1"), None, 0)
    kept = world.subscribe(topic, "kept", failing)
    world.subscribe(topic, "dropped", failing, dead_lettering_on_filter_evaluation_exceptions=False)
    acting = Rule("acting", TrueFilter(), SqlAction("SET half = 10 / size"), 0)
    world.subscribe(topic, "acting", acting)
    world.send(topic, "good", application_properties={"size": 2})
    world.send(topic, "bad", ttl=5000, application_properties={"size": 0})
    assert bodies(world.lock(kept, 10)) == ["good"]
    assert [body(each) for each in world.peek(world.queue("t/subscriptions/dropped"))] == ["good"]
    assert world.peek(world.queue("t/subscriptions/dropped/$DeadLetterQueue")) == []
    (good,) = world.peek(world.queue("t/subscriptions/acting"))
    assert good.application_properties() == {"size": 2, "half": 5, "RuleName": "acting"}
    world.advance(10)
    for name, reason in (("kept", "FilterException"), ("acting", "RuleActionException")):
        (dead,) = world.peek(world.queue(f"t/subscriptions/{name}/$DeadLetterQueue"))
        assert body(dead) == "bad"
        assert dead.application_properties() == {
            "size": 0,
            "DeadLetterReason": reason,
            "DeadLetterErrorDescription": "Attempted to divide by zero.",
        }


def test_each_matching_rule_with_an_action_makes_a_copy() -> None:
    """The case of "Topic filters and actions": two rules with actions and three without, three messages."""
    world = World()
    topic = world.topic()
    rules = [rule(TrueFilter(), name) for name in ("plain", "also plain")]
    rules.append(rule(CorrelationFilter(label="x"), "third"))
    rules += [
        Rule("a", SqlFilter("1 = 1"), SqlAction("SET sys.Label = 'a'; SET sys.To = 'there'; REMOVE size"), 0),
        Rule("b", TrueFilter(), SqlAction("SET sys.TimeToLive = @ttl", {"@ttl": Described(TIMESPAN, 30_000_000)}), 0),
    ]
    subscription = world.subscribe(topic, "s", *rules)
    world.send(topic, LARGE, subject="x", application_properties={"size": 1})
    plain, a, b = world.peek(subscription)
    assert [body(each) for each in (plain, a, b)] == [LARGE] * 3
    assert len(contents(world)) == 1
    assert plain.application_properties() == {"size": 1}
    assert (a.application_properties(), a.property("subject"), a.property("to")) == ({"RuleName": "a"}, "a", "there")
    assert b.application_properties() == {"size": 1, "RuleName": "b"}
    assert b.header().ttl == 3000
    assert b.property("absolute_expiry_time") == world.clock.now() // 1000 + 3000
    world.advance(4)
    assert [body(each) for each in world.peek(subscription)] == [LARGE] * 2


def test_topics_are_deleted_when_neither_they_nor_their_subscriptions_are_used() -> None:
    world = World()
    topic = world.topic(auto_delete_on_idle=300 * SECOND)
    subscription = world.subscribe(topic, "s")
    other = world.subscribe(topic, "other", auto_delete_on_idle=300 * SECOND)
    world.advance(200)
    world.send(topic, "used")
    topic.accessed_at = other.accessed_at = world.clock.now()
    world.advance(200)
    subscription.accessed_at = world.clock.now()
    world.advance(150)
    assert bodies(world.lock(subscription)) == ["used"]
    with pytest.raises(AssertionError):
        world.queue("t/subscriptions/other")
    world.advance(301)
    for gone in ("t", "t/subscriptions/s"):
        with pytest.raises(AssertionError):
            world.queue(gone)


def test_nothing_is_received_from_a_topic_or_sent_to_a_subscription() -> None:
    world = World()
    topic = world.topic()
    subscription = world.subscribe(topic, status=EntityStatus.DISABLED)
    with pytest.raises(ServiceBusError, match="are received from its subscriptions"):
        require_receivable(topic, "t")
    with pytest.raises(ServiceBusError, match="Nothing can be sent to the subscription"):
        require_sendable(subscription, "s")
    with pytest.raises(ServiceBusError, match="currently disabled"):
        require_receivable(subscription, "s")
    world.send(topic, "kept for later")
    assert world.counters(subscription).active == 1
    with pytest.raises(ServiceBusError, match="deleted from its subscriptions"), world.broker.turn() as turn:
        delete_batch(turn, topic, 1, world.clock.now())
    with pytest.raises(AssertionError):
        world.queue("t/$DeadLetterQueue")


def test_duplicates_are_found_before_the_fan_out() -> None:
    world = World()
    topic = world.topic(requires_duplicate_detection=True)
    subscription = world.subscribe(topic)
    world.send(topic, "first", "again", message_id="same")
    assert bodies(world.lock(subscription, 10)) == ["first"]


def test_subscriptions_forward_and_topics_take_what_is_forwarded() -> None:
    world = World()
    world.create("q")
    topic, next_topic = world.topic("t"), world.topic("next")
    world.subscribe(topic, "to-queue", forward_to="q")
    world.subscribe(topic, "to-topic", forward_to="next")
    last = world.subscribe(next_topic, "last")
    world.send(topic, LARGE)
    assert bodies(world.lock(world.queue("q"), 10)) == [LARGE]
    (delivery,) = world.lock(last, 10)
    assert bodies([delivery]) == [LARGE]
    assert sections(delivery).message_annotations()["x-opt-enqueue-sequence-number"] == 1
    world.settle(last, delivery, Disposition.COMPLETED)
    assert world.counters(topic).bytes == world.counters(next_topic).bytes == 0


def test_topics_that_forward_in_a_circle_end_in_dead_letters() -> None:
    world = World()
    one, other = world.topic("one"), world.topic("other")
    world.subscribe(one, "s", forward_to="other")
    world.subscribe(other, "s", forward_to="one")
    world.send(one, "round")
    dead = [world.queue(f"{name}/subscriptions/s/$DeadLetterQueue") for name in ("one", "other")]
    (found,) = [each for queue in dead for each in world.take(queue, 10)]
    assert sections(found).application_properties()["DeadLetterReason"] == "MaxTransferHopCountExceeded"


@pytest.fixture
def few_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step makes three copies."""
    monkeypatch.setattr(fan_out, "COPIES_MAX", 3)


@pytest.mark.usefixtures("few_copies")
def test_many_copies_are_made_in_steps_and_in_order() -> None:
    world = World()
    topic = world.topic()
    subscriptions = [world.subscribe(topic, f"s{number}") for number in range(7)]
    world.send_raw(topic, *batch(message("one"), message(LARGE), message("three")))
    assert world.counters(topic).active == 3
    world.ring()
    world.send(topic, "four")
    world.ring()
    for subscription in subscriptions:
        assert bodies(world.take(subscription, 10)) == ["one", LARGE, "three", "four"]
    assert world.counters(topic).active == world.counters(topic).bytes == 0
    assert contents(world) == []


@pytest.mark.usefixtures("few_copies")
def test_a_crash_between_steps_loses_nothing_and_gives_nothing_twice() -> None:
    world = World()
    topic = world.topic()
    for number in range(8):
        world.subscribe(topic, f"s{number}")
    world.send(topic, "one", LARGE)
    for _ in range(4):
        world.alarm.at = None
        fan_out_step(world)
        world = world.restart()
    world.subscribe(world.queue("t"), "too late")
    world.broker.arm_next()
    world.ring()
    for number in range(8):
        assert bodies(world.take(world.queue(f"t/subscriptions/s{number}"), 10)) == ["one", LARGE]
    assert bodies(world.take(world.queue("t/subscriptions/too late"), 10)) == []
    assert contents(world) == []


def test_a_topic_with_many_subscriptions_is_made_ready_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    topic = world.topic()
    for number in range(7):
        world.subscribe(topic, f"s{number}", rule(CorrelationFilter(label="red")))
    world = world.restart()
    monkeypatch.setattr(entities, "LOAD_STEP", 2)
    world.send(world.queue("t"), "one", "two", subject="red")
    assert world.counters(world.queue("t")).active == 2
    world.ring()
    for number in range(7):
        assert bodies(world.take(world.queue(f"t/subscriptions/s{number}"), 10)) == ["one", "two"]


def fan_out_step(world: World) -> None:
    """One step of what is due, and its commit."""
    run_due(world.broker)
    world.commit()
    world.clock.advance(0.001)


def test_a_deleted_subscription_lets_go_of_what_it_shares() -> None:
    world = World()
    topic = world.topic()
    gone, stays = world.subscribe(topic, "gone"), world.subscribe(topic, "stays")
    world.send(topic, LARGE, LARGE)
    delete(world, gone)
    assert bodies(world.take(stays)) == [LARGE]
    swept(world)
    assert len(contents(world)) == 1
    assert bodies(world.take(stays)) == [LARGE]
    assert contents(world) == []
    assert world.counters(topic).bytes == 0
    world.send(topic, "only one")
    with pytest.raises(AssertionError):
        world.queue("t/subscriptions/gone")


def test_a_deleted_topic_leaves_nothing() -> None:
    world = World()
    empty = stored(world).keys()
    topic = world.topic()
    for name in ("a", "b", "c"):
        world.subscribe(topic, name, dead_lettering_on_message_expiration=True)
    world.send(topic, LARGE, "y")
    world.send(topic, "z", ttl=1000)
    delete(world, topic)
    again = world.topic()
    fresh = world.subscribe(again, "a")
    swept(world)
    world.advance(2)
    assert world.take(fresh, 10) == []
    delete(world, again)
    swept(world)
    assert {key for key in stored(world) if key not in empty and b"entity-id" not in key} == set()


def delete(world: World, queue: Queue) -> None:
    with world.transactions.writer() as writer:
        delete_entity(world.broker, writer, queue.record)
    world.commit()


def swept(world: World) -> None:
    """Sweep in steps as small as they can be."""
    has_more = True
    while has_more:
        with world.transactions.writer() as writer:
            has_more = sweep(world.broker.keys, writer, 3)
        world.commit()


def test_a_topic_that_filters_before_publishing_refuses_what_nobody_takes() -> None:
    world = World()
    topic = world.topic(filtering_messages_before_publishing=True)
    red = world.subscribe(topic, "red", rule(CorrelationFilter(label="red")))
    world.send(topic, "r", subject="red")
    with pytest.raises(ServiceBusError) as refused:
        world.send(topic, "b", subject="blue")
    assert refused.value.condition == "com.microsoft:no-matching-subscription"
    assert bodies(world.lock(red, 10)) == ["r"]
