"""Service Bus in plain JSON on the gateway, for people with curl."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from tests.servicebus_admin_world import signature
from tests.servicebus_rest_world import Asked, RestWorld


class PlainWorld(RestWorld):
    """One namespace, and a person with curl at its gateway."""

    def curl(self, method: str, path: str, body: Any = None, **headers: str) -> Asked:
        text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"content-type": "application/x-www-form-urlencoded", "accept": "*/*", **headers}
        return self.ask(method, f"/servicebus{path}", text, given, host="localhost:8080", listener=None)

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
        asked = self.curl(method, path, body)
        error = asked.json["error"]
        return asked.status, error["code"], error["message"]


@pytest.fixture
def world() -> PlainWorld:
    return PlainWorld()


# --- messages ----------------------------------------------------------------------------------------------------


def test_a_message_there_and_back(world: PlainWorld) -> None:
    message = {
        "body": "hello",
        "messageId": "m",
        "label": "greeting",
        "timeToLive": "PT1H",
        "properties": {"n": 1, "ok": True, "text": "ü"},
    }
    sent = world.curl("POST", "/kept/messages", message)
    assert (sent.status, sent.json) == (201, {"sent": 1})
    got = world.curl("POST", "/kept/messages/head?timeout=0")
    assert got.status == 200
    assert {name: got.json[name] for name in message} == message
    assert (got.json["sequenceNumber"], got.json["deliveryCount"], got.json["state"]) == (1, 1, "Active")
    assert got.json["lockedUntilUtc"].endswith("Z")
    address = f"/kept/messages/m/{got.json['lockToken']}"
    assert world.curl("POST", address).status == 204
    assert world.curl("PUT", address).status == 204
    again = world.curl("POST", "/kept/messages/head?timeout=0").json
    assert again["deliveryCount"] == 2
    assert world.curl("DELETE", f"/kept/messages/1/{again['lockToken']}").status == 204
    assert world.curl("DELETE", "/kept/messages/head?timeout=0").status == 204


def test_several_messages_at_once(world: PlainWorld) -> None:
    assert world.curl("POST", "/kept/messages", [{"body": "1"}, {"body": {"a": 2}}]).json == {"sent": 2}
    assert world.curl("DELETE", "/kept/messages/head?timeout=0").json["body"] == "1"
    second = world.curl("DELETE", "/kept/messages/head?timeout=0").json
    assert (second["body"], second["contentType"]) == ('{"a":2}', "application/json")


def test_waiting_for_a_message(world: PlainWorld) -> None:
    waiting = world.curl("POST", "/kept/messages/head?timeout=30")
    assert waiting.is_waiting
    world.curl("POST", "/kept/messages", {"body": "at last"})
    assert waiting.json["body"] == "at last"


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b'{"boddy": "x"}', b'[{"body": "x"}, 5]', b"\xff"])
def test_what_is_no_message(world: PlainWorld, body: bytes) -> None:
    status, code, message = world.refusal("POST", "/kept/messages", body)
    assert (status, code) == (400, "BadRequest")
    assert message
    assert world.curl("DELETE", "/kept/messages/head?timeout=0").status == 204


def test_azures_own_form_is_still_there(world: PlainWorld) -> None:
    broker = {"BrokerProperties": '{"Label": "l"}'}
    assert world.curl("POST", "/kept/messages", b"raw", **broker).status == 201
    got = world.curl("DELETE", "/kept/messages/head?timeout=0&api-version=2021-05")
    assert (got.body, got.broker["Label"]) == (b"raw", "l")
    assert world.curl("GET", "/kept?api-version=2021-05").body.startswith(b"<")
    assert world.curl("GET", "/none/messages", api="x").json["error"]["code"] == "MethodNotAllowed"
    assert world.ask("POST", "/kept/messages", b'{"body": 1}').status == 201
    assert world.take().body == b'{"body": 1}'


# --- entities ----------------------------------------------------------------------------------------------------


def test_a_queue_is_made_changed_and_deleted(world: PlainWorld) -> None:
    made = world.curl("PUT", "/orders", {"properties": {"lockDuration": "PT30S", "requiresSession": False}})
    assert made.status == 201
    assert (made.json["name"], made.json["kind"]) == ("orders", "queue")
    assert made.json["properties"]["lockDuration"] == "PT30S"
    assert made.json["properties"]["defaultMessageTimeToLive"] is None
    changed = world.curl("PUT", "/orders", {"properties": {"maxDeliveryCount": 3, "LockDuration": "PT1M"}})
    assert changed.status == 200
    shown = world.curl("GET", "/Orders").json
    assert shown == changed.json
    assert (shown["properties"]["maxDeliveryCount"], shown["properties"]["lockDuration"]) == (3, "PT1M")
    assert world.curl("PUT", "/orders").status == 200
    assert world.curl("DELETE", "/orders").status == 204
    assert world.refusal("GET", "/orders")[:2] == (404, "NotFound")
    assert world.refusal("DELETE", "/orders")[:2] == (404, "NotFound")
    assert world.refusal("POST", "/orders/messages", {"body": "x"})[:2] == (410, "Gone")


def test_a_topic_with_subscriptions_and_rules(world: PlainWorld) -> None:
    assert world.curl("PUT", "/news", {"kind": "topic"}).json["kind"] == "topic"
    made = world.curl("PUT", "/news/subscriptions/large", {"properties": {"maxDeliveryCount": 2}})
    assert (made.status, made.json["name"]) == (201, "news/Subscriptions/large")
    rules = "/news/subscriptions/large/rules"
    assert world.curl("GET", rules).json["value"][0]["name"] == "$Default"
    rule = {
        "filter": {"sqlExpression": "size > @least", "parameters": {"@least": 10}},
        "action": {"sqlExpression": "SET seen = 1"},
    }
    added = world.curl("PUT", f"{rules}/big", rule)
    assert added.status == 201
    assert {name: added.json[name] for name in rule} == rule
    assert world.curl("DELETE", f"{rules}/$Default").status == 204
    world.curl("POST", "/news/messages", [{"properties": {"size": 5}}, {"properties": {"size": 50}}])
    got = world.curl("DELETE", "/news/subscriptions/large/messages/head?timeout=0").json
    assert got["properties"] == {"size": 50, "seen": 1, "RuleName": "big"}
    assert world.curl("DELETE", "/news/subscriptions/large/messages/head?timeout=0").status == 204
    correlation = {"filter": {"label": "l", "correlationId": "c", "properties": {"a": "b"}}}
    assert world.curl("PUT", f"{rules}/big", correlation).status == 200
    assert world.curl("GET", f"{rules}/big").json["filter"] == correlation["filter"]
    assert world.curl("PUT", f"{rules}/all", {}).json["filter"] == {"sqlExpression": "1=1"}
    assert [one["name"] for one in world.curl("GET", rules).json["value"]] == ["all", "big"]
    assert [one["name"] for one in world.curl("GET", "/news/subscriptions").json["value"]] == [made.json["name"]]
    assert world.refusal("GET", f"{rules}/none")[:2] == (404, "NotFound")
    assert world.refusal("DELETE", f"{rules}/none")[0] in {404, 410}
    assert world.curl("DELETE", "/news/subscriptions/large").status == 204
    assert world.refusal("GET", rules)[:2] == (404, "NotFound")
    assert world.refusal("GET", "/kept/subscriptions")[:2] == (404, "NotFound")


def test_entities_are_listed_in_pages(world: PlainWorld) -> None:
    for name in ("a", "b", "z"):
        world.curl("PUT", f"/{name}", {"kind": "topic" if name == "z" else "queue"})
    first = world.curl("GET", "?top=3").json
    assert ([one["name"] for one in first["value"]], first["next"]) == (["a", "b", "kept"], 3)
    assert [one["name"] for one in world.curl("GET", f"/?skip={first['next']}").json["value"]] == ["z"]
    assert world.refusal("GET", "?top=x")[:2] == (400, "BadRequest")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/q", {"propertys": {}}),
        ("/q", {"properties": []}),
        ("/q", {"properties": {"lockDuration": "PT1H"}}),
        ("/q", {"properties": {"lockDuration": "soon"}}),
        ("/q", {"properties": {"lockDuration": 30}}),
        ("/q", {"properties": {"maxDeliveryCount": True}}),
        ("/q", {"properties": {"requiresSession": "yes"}}),
        ("/q", {"properties": {"status": "Asleep"}}),
        ("/q", {"properties": {"supportOrdering": True}}),
        ("/q", {"properties": {"forwardTo": "nobody"}}),
        ("/q", {"properties": {"enableExpress": True, "requiresDuplicateDetection": True}}),
        ("/q", {"kind": "stack"}),
        ("/q", []),
        ("/q", b"<xml/>"),
        ("/-q", {}),
        ("/kept", {"properties": {"requiresSession": True}}),
        ("/news/subscriptions/-s", {}),
        ("/news/subscriptions/s", {"rules": []}),
        ("/news/subscriptions/all/rules/r", {"filter": "1=1"}),
        ("/news/subscriptions/all/rules/r", {"filter": {"sqlExpression": "size >"}}),
        ("/news/subscriptions/all/rules/r", {"filter": {"sqlExpression": 5}}),
        ("/news/subscriptions/all/rules/r", {"filter": {"sqlExpression": "1=1", "label": "x"}}),
        ("/news/subscriptions/all/rules/r", {"filter": {"colour": "x"}}),
        ("/news/subscriptions/all/rules/r", {"filter": {"label": 5}}),
        ("/news/subscriptions/all/rules/r", {"filter": {"properties": {"a": []}}}),
        ("/news/subscriptions/all/rules/r", {"action": 5}),
        ("/news/subscriptions/all/rules/r", {"action": {}}),
        ("/news/subscriptions/all/rules/r?x=1", {"rule": {}}),
    ],
)
def test_what_cannot_be_is_told(world: PlainWorld, path: str, body: Any) -> None:
    world.curl("PUT", "/news", {"kind": "topic"})
    world.curl("PUT", "/news/subscriptions/all")
    before = world.curl("GET", "").json
    status, code, message = world.refusal("PUT", path, body)
    assert (status, code) == (400, "BadRequest")
    assert message
    assert world.curl("GET", "").json == before


def test_what_is_there_as_something_else(world: PlainWorld) -> None:
    assert world.refusal("PUT", "/kept", {"kind": "topic"})[:2] == (409, "Conflict")


def test_tokens_are_asked_for() -> None:
    world = PlainWorld("verify")
    assert world.refusal("GET", "")[:2] == (401, "Unauthorized")
    assert world.refusal("PUT", "/q", {})[:2] == (401, "Unauthorized")
    assert world.refusal("POST", "/kept/messages", {})[:2] == (401, "Unauthorized")
    token = ""
    for resource in ("http://localhost:8080/servicebus/kept", "http://localhost:8080", "http://localhost:8080/kept"):
        token = signature(resource)
        assert world.curl("POST", "/kept/messages", {}, Authorization=token).status == 201
        assert world.curl("DELETE", "/kept/messages/head?timeout=0", Authorization=token).status == 200
    assert (
        world.curl("DELETE", f"/kept/messages/1/{UUID(int=1)}", Authorization=token).json["error"]["code"] == "NotFound"
    )
