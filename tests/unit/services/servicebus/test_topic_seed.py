"""Topics, subscriptions and rules in seeds, in both forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.model import EntityDescription, EntityKind
from localzure.services.servicebus.rules.model import CorrelationFilter, FalseFilter, SqlAction, SqlFilter, TrueFilter
from localzure.services.servicebus.seed import SAMPLE, EntitySeed, parse_seed
from localzure.services.servicebus.seed_rules import RuleSeed
from localzure.services.servicebus.seed_tree import SeedError
from localzure.services.servicebus.service import ServiceBusService
from localzure.services.servicebus.settings import ServiceBusSettings
from tests.servicebus_world import World, bodies

OWN = """
servicebus:
  queues:
    late:
  topics:
    prices:
      default_message_time_to_live: PT5M
      subscriptions:
        audit:
        red:
          lock_duration: PT30S
          forward_dead_lettered_messages_to: late
          rules:
            red: {correlation: {label: red, properties: {size: 3, exact: true}}}
            urgent: {sql: priority > @least, parameters: {'@least': 3}}
            short: priority > 7
            all: true
            none: false
    empty/topic:
"""


def microsofts(*rules: Any, **properties: Any) -> str:
    """A file with one topic and one subscription."""
    subscription = {"Name": "s", "Properties": properties, "Rules": list(rules)}
    topic = {"Name": "t", "Properties": {"RequiresDuplicateDetection": True}, "Subscriptions": [subscription]}
    return json.dumps({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": [], "Topics": [topic]}]}})


def test_our_own_form_has_topics() -> None:
    late, prices, audit, red, empty = parse_seed(OWN, "s", is_yaml=True)
    assert (late.kind, late.name) == (EntityKind.QUEUE, "late")
    assert prices == EntitySeed(
        "prices",
        EntityDescription(default_message_time_to_live=300 * MICROSECONDS),
        "s: servicebus.topics.prices",
        EntityKind.TOPIC,
    )
    assert (audit.name, audit.kind, audit.rules) == ("prices/Subscriptions/audit", EntityKind.SUBSCRIPTION, ())
    assert red.description.lock_duration == 30 * MICROSECONDS
    assert [(rule.name, rule.filter) for rule in red.rules] == [
        ("red", CorrelationFilter(label="red", properties={"size": 3, "exact": True})),
        ("urgent", SqlFilter("priority > @least", {"@least": 3})),
        ("short", SqlFilter("priority > 7")),
        ("all", TrueFilter()),
        ("none", FalseFilter()),
    ]
    assert (empty.name, empty.kind) == ("empty/topic", EntityKind.TOPIC)


def test_microsofts_form_has_rules() -> None:
    correlation = {"FilterType": "Correlation", "CorrelationFilter": {"To": "xyz", "Properties": {"p": "v"}}}
    sql = {
        "FilterType": "Sql",
        "SqlFilter": {"SqlExpression": "sys.MessageId = '1' AND x = 'y'"},
        "Action": {"SqlExpression": "SET sys.To = 'Entity'"},
    }
    idle = {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "a = 1"}, "Action": {"SqlExpression": ""}}
    text = microsofts(
        {"Name": "c", "Properties": correlation}, {"Name": "sql", "Properties": sql}, {"Name": "i", "Properties": idle}
    )
    topic, subscription = parse_seed(text, "s")
    assert topic.description.requires_duplicate_detection
    place = "s: UserConfig.Namespaces[0].Topics[0].Subscriptions[0].Rules"
    assert subscription.rules == (
        RuleSeed("c", CorrelationFilter(to="xyz", properties={"p": "v"}), None, f"{place}[0].Properties"),
        RuleSeed(
            "sql",
            SqlFilter("sys.MessageId = '1' AND x = 'y'"),
            SqlAction("SET sys.To = 'Entity'"),
            f"{place}[1].Properties",
        ),
        RuleSeed("i", SqlFilter("a = 1"), None, f"{place}[2].Properties"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("servicebus: {topics: {t: {lock_duration: PT1M}}}", None),
        (
            "servicebus: {topics: {t: {subscriptions: {a/b: }}}}",
            's: servicebus.topics.t.subscriptions.a/b: "a/b" is not allowed, it must be letters, digits',
        ),
        (
            "servicebus: {queues: {t: }, topics: {T: }}",
            's: servicebus.topics.T: "T" is not allowed, it must be a name that nothing else has',
        ),
        (
            "servicebus: {topics: {t: {subscriptions: {s: {max_delivery_count: 0}}}}}",
            "s: servicebus.topics.t.subscriptions.s.max_delivery_count: 0 is not allowed, it must be a whole number",
        ),
        (
            "servicebus: {topics: {t: {subscriptions: {s: {rules: {r: 3}}}}}}",
            "s: servicebus.topics.t.subscriptions.s.rules.r: 3 is not allowed, it must be an SQL expression, true",
        ),
        (
            "servicebus: {topics: {t: {subscriptions: {s: {rules: {r: {sql: a = 1, correlation: {to: x}}}}}}}}",
            "s: servicebus.topics.t.subscriptions.s.rules.r: ",
        ),
        (
            "servicebus: {topics: {t: {subscriptions: {s: {rules: {r: {correlation: {to: 3}}}}}}}}",
            "s: servicebus.topics.t.subscriptions.s.rules.r.correlation.to: 3 is not allowed, it must be a text",
        ),
        (
            "servicebus: {topics: {t: {subscriptions: {s: {rules: {r: {correlation: {properties: {x: }}}}}}}}}",
            "s: servicebus.topics.t.subscriptions.s.rules.r.correlation.properties.x: null is not allowed, it must be",
        ),
        ("servicebus: {topics: {t: {subscriptions: {s: {rules: {a@b: true}}}}}}", "s: servicebus.topics.t.subscri"),
        (
            "servicebus: {topics: {t: {subscriptions: {s: {rules: {r: true, R: true}}}}}}",
            "s: servicebus.topics.t.subscriptions.s.rules.R: the rule 'R' is given twice",
        ),
    ],
)
def test_wrong_topics_are_refused_with_their_place(
    text: str, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if told is None:
        parse_seed(text, "s", is_yaml=True)
        assert "s: servicebus.topics.t: unknown and left out: 'lock_duration'" in caplog.text
        return
    with pytest.raises(SeedError) as caught:
        parse_seed(text, "s", is_yaml=True)
    assert str(caught.value).startswith(told)


def test_microsofts_filter_types_are_two() -> None:
    with pytest.raises(SeedError, match=r'FilterType: "True" is not allowed, it must be one of Correlation, Sql'):
        parse_seed(microsofts({"Name": "r", "Properties": {"FilterType": "True"}}), "s")
    with pytest.raises(SeedError, match="'SqlFilter' is missing"):
        parse_seed(microsofts({"Name": "r", "Properties": {"FilterType": "Sql"}}), "s")


def start(world: World, *seeds: EntitySeed) -> None:
    ServiceBusService(world.context, ServiceBusSettings()).start(seeds)
    world.commit()


def test_seeded_subscriptions_have_their_rules_and_no_other() -> None:
    world = World()
    start(world, *parse_seed(microsofts({"Name": "r", "Properties": {
        "FilterType": "Correlation", "CorrelationFilter": {"Label": "red"}}}), "s"))  # fmt: skip
    world.send(world.queue("t"), "no", message_id="1")
    world.send(world.queue("t"), "yes", message_id="2", subject="red")
    assert bodies(world.lock(world.queue("t/subscriptions/s"), 10)) == ["yes"]


def test_seeding_again_changes_rules_and_deletes_none() -> None:
    world = World()
    first = "servicebus: {topics: {t: {subscriptions: {s: {rules: {a: false, b: false}}}}}}"
    start(world, *parse_seed(first, "s", is_yaml=True))
    again = world.restart()
    then = "servicebus: {topics: {t: {subscriptions: {s: {max_delivery_count: 3, rules: {a: true}}}}}}"
    start(again, *parse_seed(then, "s", is_yaml=True))
    subscription = again.queue("t/subscriptions/s")
    assert subscription.description.max_delivery_count == 3
    again.send(again.queue("t"), "one")
    assert bodies(again.lock(subscription, 10)) == ["one"]


def test_what_is_there_as_another_kind_stops_the_start() -> None:
    world = World()
    start(world, EntitySeed("x"))
    with pytest.raises(SeedError, match="'x' cannot be made: there is a queue of that name"):
        start(world, EntitySeed("x", kind=EntityKind.TOPIC))


def test_a_rule_that_cannot_be_stops_the_start() -> None:
    world = World()
    text = "servicebus: {topics: {t: {subscriptions: {s: {rules: {r: a >}}}}}}"
    with pytest.raises(SeedError) as caught:
        start(world, *parse_seed(text, "s", is_yaml=True))
    assert str(caught.value).startswith("s: servicebus.topics.t.subscriptions.s.rules.r: ")


def test_the_sample_is_that_of_microsofts_emulator() -> None:
    world = World()
    start(world)
    assert [seed.name for seed in SAMPLE][1:] == [
        "topic.1",
        *(f"topic.1/Subscriptions/subscription.{number}" for number in (1, 2, 3)),
    ]
    world.send(world.queue("topic.1"), "one", application_properties={"prop3": "value3"})
    found = [world.lock(world.queue(f"topic.1/Subscriptions/subscription.{number}"), 9) for number in (1, 2, 3)]
    assert [bodies(each) for each in found] == [[], ["one"], ["one"]]
