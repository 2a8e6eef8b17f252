"""`add-rule`, `remove-rule` and `enumerate-rules`, in the encodings of the SDKs."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.servicebus import operations
from localzure.services.servicebus.access import Right
from localzure.services.servicebus.errors import ServiceBusError
from localzure.services.servicebus.model import EntityStatus
from localzure.services.servicebus.operation import Request, Response
from localzure_protocols.amqp.codec import Described, Int, Timestamp, Ulong
from tests.servicebus_world import World, body

SUBSCRIPTION = "t/Subscriptions/s"


@pytest.fixture
def world() -> World:
    world = World()
    world.subscribe(world.topic())
    return world


def ask(world: World, name: str, /, path: str = SUBSCRIPTION, **parts: Any) -> Response:
    """Run an operation; underscores in names of `parts` stand for dashes."""
    asked = {key.replace("_", "-"): value for key, value in parts.items()}
    with world.broker.turn() as turn:
        request = Request(world.broker, turn, world.queue(path), asked)
        response = operations.run(operations.operation(f"com.microsoft:{name}"), request)
    world.commit()
    return response


def refusal(world: World, name: str, /, path: str = SUBSCRIPTION, **parts: Any) -> ServiceBusError:
    with pytest.raises(ServiceBusError) as caught:
        ask(world, name, path, **parts)
    world.commit()
    return caught.value


def add(world: World, name: str, **description: Any) -> Response:
    named = {key.replace("_", "-"): value for key, value in description.items()}
    return ask(world, "add-rule", rule_name=name, rule_description=named)


def listed(world: World, skip: int = 0, top: int = 100) -> list[Any]:
    answer = ask(world, "enumerate-rules", skip=Int(skip), top=Int(top))
    return [] if answer.status == 204 else [rule["rule-description"] for rule in answer.body["rules"]]


def test_rules_are_listed_as_they_were_added(world: World) -> None:
    created_at = Timestamp(world.clock.now() // 1000)
    assert add(world, "sql", sql_filter={"expression": "1=1"}, sql_rule_action=None) == Response(200)
    add(world, "act", sql_filter={"expression": "a > 5"}, sql_rule_action={"expression": "SET a = 1"})
    fields = {"correlation-id": "c", "message-id": None, "label": "l", "properties": {"n": Int(5)}}
    add(world, "same", correlation_filter=fields, sql_rule_action={})
    add(world, "none", false_filter={})
    no_action = Described(Ulong(0x13700000005), [])
    assert listed(world) == [
        Described(Ulong(0x13700000004), [Described(Ulong(0x1370000007), []), no_action, "$Default", created_at]),
        Described(
            Ulong(0x13700000004),
            [
                Described(Ulong(0x1370000006), ["a > 5", Int(20)]),
                Described(Ulong(0x13700000006), ["SET a = 1", Int(20)]),
                "act",
                created_at,
            ],
        ),
        Described(Ulong(0x13700000004), [Described(Ulong(0x1370000008), []), no_action, "none", created_at]),
        Described(
            Ulong(0x13700000004),
            [
                Described(Ulong(0x1370000009), ["c", None, None, None, "l", None, None, None, {"n": Int(5)}]),
                no_action,
                "same",
                created_at,
            ],
        ),
        Described(
            Ulong(0x13700000004), [Described(Ulong(0x1370000006), ["1=1", Int(20)]), no_action, "sql", created_at]
        ),
    ]


def test_rules_are_listed_in_pages(world: World) -> None:
    add(world, "a", true_filter={})
    assert [rule.value[2] for rule in listed(world, 0, 1)] == ["$Default"]
    assert [rule.value[2] for rule in listed(world, 1, 5)] == ["a"]
    assert listed(world, 2) == []
    assert (
        refusal(world, "enumerate-rules", skip=Int(-1), top=Int(1)).condition == "com.microsoft:argument-out-of-range"
    )
    assert refusal(world, "enumerate-rules", skip=Int(0), top=Int(0)).status == 400
    assert refusal(world, "enumerate-rules", skip=Int(0)).status == 400


def test_what_a_subscription_gets_follows_its_rules(world: World) -> None:
    ask(world, "remove-rule", rule_name="$default")
    world.send(world.queue("t"), "unseen")
    add(world, "all", sql_filter={"expression": "sys.MessageId IS NOT NULL"})
    world.send(world.queue("t"), "seen")
    assert [body(delivery) for delivery in world.peek(world.queue(SUBSCRIPTION))] == ["seen"]


def test_a_rule_that_is_there_is_not_added_again(world: World) -> None:
    error = refusal(world, "add-rule", rule_name="$DEFAULT", rule_description={"true-filter": {}})
    assert (error.status, error.condition) == (409, "com.microsoft:entity-already-exists")


def test_a_rule_that_is_not_there_is_not_removed(world: World) -> None:
    error = refusal(world, "remove-rule", rule_name="x")
    assert (error.status, error.condition) == (404, "amqp:not-found")


@pytest.mark.parametrize(
    "description",
    [
        None,
        5,
        {},
        {"sql-filter": {"expression": "a ="}},
        {"sql-filter": {"expression": None}},
        {"sql-filter": "a = 1"},
        {"sql-filter": {"expression": "a = @p"}},
        {"correlation-filter": {}},
        {"correlation-filter": {"label": 5}},
        {"correlation-filter": {"properties": [1]}},
        {"sql-filter": {"expression": "1=1"}, "correlation-filter": {"label": "l"}},
        {"true-filter": {}, "sql-rule-action": {"expression": "SET"}},
        {"true-filter": {}, "sql-rule-action": {"expression": 5}},
    ],
)
def test_a_bad_rule_is_refused(world: World, description: Any) -> None:
    assert refusal(world, "add-rule", rule_name="x", rule_description=description).status == 400
    assert len(listed(world)) == 1


@pytest.mark.parametrize("name", [None, "", "a/b", "a#", "x" * 51, 5])
def test_a_bad_name_is_refused(world: World, name: Any) -> None:
    error = refusal(world, "add-rule", rule_name=name, rule_description={"true-filter": {}})
    assert error.condition == "com.microsoft:argument-error"


def test_parameters_are_taken_where_a_client_sends_them(world: World) -> None:
    add(world, "p", sql_filter={"expression": "a = @p", "parameters": {"@p": Int(5)}})
    assert listed(world)[1].value[0].value[0] == "a = @p"


def test_only_subscriptions_have_rules(world: World) -> None:
    for path in ("t", f"{SUBSCRIPTION}/$DeadLetterQueue"):
        assert refusal(world, "enumerate-rules", path, skip=Int(0), top=Int(1)).condition == "amqp:not-allowed"


def test_a_disabled_subscription_keeps_its_rules(world: World) -> None:
    world.subscribe(world.queue("t"), "off", status=EntityStatus.DISABLED)
    parts = {"rule_name": "x", "rule_description": {"true-filter": {}}}
    assert refusal(world, "add-rule", "t/Subscriptions/off", **parts).condition == "com.microsoft:entity-disabled"


@pytest.mark.parametrize("name", ["add-rule", "remove-rule", "enumerate-rules"])
def test_rules_need_the_right_to_listen(name: str) -> None:
    assert operations.operation(f"com.microsoft:{name}").right is Right.LISTEN
