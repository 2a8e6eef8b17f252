"""Messages over HTTP: sent, received, settled, waited for."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus.access import AccessKey, Right
from localzure.services.servicebus.seed import EntitySeed
from localzure_protocols.amqp.message import Properties as AmqpProperties
from localzure_protocols.amqp.message import encode_properties, encode_value
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_admin_world import entry, signature
from tests.servicebus_rest_world import RestWorld

BATCH = {"Content-Type": "application/vnd.microsoft.servicebus.json"}


@pytest.fixture
def world() -> RestWorld:
    return RestWorld()


# --- sending and receiving ---------------------------------------------------------------------------------------


def test_a_message_goes_through_with_all_that_it_has(world: RestWorld) -> None:
    broker = {
        "MessageId": "m1",
        "Label": "a label",
        "CorrelationId": "c",
        "SessionId": "s",
        "PartitionKey": "s",
        "ReplyTo": "r",
        "ReplyToSessionId": "rs",
        "To": "t",
        "TimeToLive": 90,
        "Unknown": {"is": "ignored"},
    }
    own = {"Priority": '"High"', "Customer": "12345,ABC", "count": "3", "ratio": "-1.5e2", "Flag": "true", "Odd": '"x'}
    sent = world.ask(
        "POST", "/kept/messages", "hällo", {"Content-Type": "text/plain", "BrokerProperties": json.dumps(broker), **own}
    )
    assert (sent.status, sent.body) == (201, b"")
    got = world.peek_lock()
    assert (got.status, got.body.decode()) == (201, "hällo")
    for name, value in broker.items():
        assert got.broker.get(name) == (None if name == "Unknown" else value)
    assert got.headers["content-type"] == got.broker["ContentType"] == "text/plain"
    assert got.headers["Priority"] == '"High"'
    assert got.headers["Customer"] == '"12345,ABC"'
    assert (got.headers["count"], got.headers["ratio"], got.headers["Flag"]) == ("3", "-150.0", "true")
    assert got.headers["Odd"] == '"\\"x"'
    assert (got.broker["DeliveryCount"], got.broker["SequenceNumber"], got.broker["State"]) == (1, 1, "Active")
    assert str(UUID(got.broker["LockToken"])) == got.broker["LockToken"]
    assert got.broker["LockedUntilUtc"].endswith(" GMT")
    assert got.headers["location"] == f"http://localhost:5300/kept/messages/m1/{got.broker['LockToken']}"


def test_a_message_without_anything(world: RestWorld) -> None:
    assert world.ask("POST", "/kept/messages").status == 201
    got = world.take()
    assert (got.status, got.body) == (200, b"")
    assert "content-type" not in got.headers
    assert got.broker["TimeToLive"] == 922337203685.47754
    assert "LockToken" not in got.broker
    assert world.take().status == 204


def test_a_batch(world: RestWorld) -> None:
    batch = [
        {"Body": "one", "BrokerProperties": {"Label": "M1", "TimeToLiveTimeSpan": "0.00:00:40"}},
        {"Body": "two", "UserProperties": {"Priority": "Low", "n": 2, "ok": False}},
        {"Body": "drei ü", "BrokerProperties": {"TimeToLive": 1.5, "MessageId": "x/y"}},
    ]
    assert world.ask("POST", "/kept/messages", json.dumps(batch), BATCH).status == 201
    first, second, third = (world.take() for _ in batch)
    assert (first.body, first.broker["Label"], first.broker["TimeToLive"]) == (b"one", "M1", 40)
    assert (second.headers["Priority"], second.headers["n"], second.headers["ok"]) == ('"Low"', "2", "false")
    assert (third.body.decode(), third.broker["TimeToLive"]) == ("drei ü", 1.5)


def test_a_batch_is_taken_whole_or_not_at_all(world: RestWorld) -> None:
    batch = [{"Body": "one"}, {"Body": "x" * 300 * 1024}]
    assert world.ask("POST", "/kept/messages", json.dumps(batch), BATCH).status == 403
    assert world.take().status == 204


def test_a_scheduled_message_comes_when_it_is_time(world: RestWorld) -> None:
    now = world.world.clock.now() // 1_000_000
    world.send(b"later", ScheduledEnqueueTimeUtc=formatdate(now + 60, usegmt=True))
    waiting = world.peek_lock(timeout=120)
    assert waiting.is_waiting
    world.advance(61)
    assert (waiting.status, waiting.body) == (201, b"later")
    assert "ScheduledEnqueueTimeUtc" in waiting.broker


def test_a_long_life_is_kept(world: RestWorld) -> None:
    world.send(b"long", TimeToLive=90 * 86_400)
    world.advance(60 * 86_400)
    assert world.take().body == b"long"


def test_bodies_that_came_over_amqp(world: RestWorld) -> None:
    queue = world.world.queue("kept")
    for value in ("text", b"bytes", {"a": [1, None]}, 7):
        world.world.send_raw(queue, encode_value(value))
    assert [world.take().body for _ in range(4)] == [b"text", b"bytes", b'{"a": [1, null]}', b"7"]
    identity = UUID(int=7)
    world.world.send_raw(queue, encode_properties(AmqpProperties(message_id=identity)))
    got = world.peek_lock()
    assert (got.body, got.broker["MessageId"]) == (b"", str(identity))
    assert world.ask("DELETE", got.headers["location"].removeprefix("http://localhost:5300")).status == 200


# --- settling ----------------------------------------------------------------------------------------------------


def location(world: RestWorld, **broker: Any) -> str:
    """The address of a message that is locked."""
    world.send(**broker)
    return world.peek_lock().headers["location"].removeprefix("http://localhost:5300")


def test_a_locked_message_is_deleted(world: RestWorld) -> None:
    address = location(world, MessageId="m")
    assert world.peek_lock().status == 204
    assert world.ask("DELETE", address).status == 200
    again = world.ask("DELETE", address)
    assert again.status == 404
    assert b"<Code>404</Code><Detail>SubCode=40400." in again.body
    world.advance(120)
    assert world.peek_lock().status == 204


def test_a_message_is_settled_by_its_number_too(world: RestWorld) -> None:
    token = location(world, MessageId="m").rpartition("/")[2]
    assert world.ask("DELETE", f"/kept/messages/2/{token}").status == 404
    assert world.ask("DELETE", f"/kept/messages/other/{token}").status == 404
    assert world.ask("DELETE", f"/kept/messages/1/{UUID(int=7)}").status == 404
    assert world.ask("DELETE", f"/kept/messages/1/{token}").status == 200


@pytest.mark.parametrize("message_id", ["a/b", "ü %?#", "messages", "..", "head"])
def test_any_message_id_has_an_address(world: RestWorld, message_id: str) -> None:
    assert world.ask("DELETE", location(world, MessageId=message_id)).status == 200


def test_an_unlocked_message_is_there_again(world: RestWorld) -> None:
    address = location(world)
    assert world.ask("PUT", address).status == 200
    assert world.ask("PUT", address).status == 404
    assert world.peek_lock().broker["DeliveryCount"] == 2


def test_a_lock_ends_and_can_be_renewed(world: RestWorld) -> None:
    address = location(world)
    world.advance(50)
    assert world.ask("POST", address).status == 200
    world.advance(50)
    assert world.peek_lock().status == 204
    world.advance(11)
    assert world.ask("POST", address).status == 404
    assert world.peek_lock().status == 201


def test_dead_letters_are_received_and_not_sent(world: RestWorld) -> None:
    for _ in range(10):
        address = location(world) if _ == 0 else world.peek_lock().headers["location"].partition(":5300")[2]
        assert world.ask("PUT", address).status == 200
    got = world.peek_lock("kept/$DeadLetterQueue")
    assert got.headers["DeadLetterReason"] == '"MaxDeliveryCountExceeded"'
    assert world.ask("DELETE", got.headers["location"].partition(":5300")[2]).status == 200
    assert world.ask("POST", "/kept/$DeadLetterQueue/messages", "x").status == 400


# --- waiting -----------------------------------------------------------------------------------------------------


def test_whoever_waits_gets_the_next_message_in_turn(world: RestWorld) -> None:
    first, second = world.peek_lock(timeout=30), world.take(timeout=30)
    third = world.peek_lock(timeout=30)
    world.send(b"1")
    world.send(b"2")
    assert (first.status, first.body, second.status, second.body) == (201, b"1", 200, b"2")
    assert third.is_waiting
    world.advance(31)
    assert third.status == 204
    assert not world.service._receivers.deadlines
    assert not world.world.dispatch._lines


def test_the_ends_of_many_waits(world: RestWorld) -> None:
    waiting = [world.peek_lock(timeout=1 + number % 7) for number in range(600)]
    world.advance(3)
    assert {one.status for number, one in enumerate(waiting) if number % 7 < 3} == {204}
    assert all(one.is_waiting for number, one in enumerate(waiting) if number % 7 >= 3)
    world.advance(10)
    assert {one.status for one in waiting} == {204}


def test_a_client_that_has_gone_takes_nothing_along(world: RestWorld) -> None:
    gone, also_gone, there = world.peek_lock(timeout=30), world.take(timeout=30), world.peek_lock(timeout=30)
    gone.lose()
    also_gone.lose()
    world.send(b"for the third")
    assert (gone.is_waiting, also_gone.is_waiting) == (True, True)
    assert (there.status, there.body, there.broker["DeliveryCount"]) == (201, b"for the third", 1)


def test_a_client_that_goes_while_its_message_is_taken_leaves_it_there(world: RestWorld) -> None:
    world.send(b"back")
    taking = world.ask("DELETE", "/kept/messages/head?timeout=30", commit=False)
    taking.lose()
    world.world.commit()
    assert taking.is_waiting
    assert world.take().body == b"back"


def test_without_a_timeout_a_request_waits_for_a_minute(world: RestWorld) -> None:
    waiting = world.ask("POST", "/kept/messages/head")
    world.advance(59)
    assert waiting.is_waiting
    world.advance(2)
    assert waiting.status == 204


@pytest.mark.parametrize("timeout", ["-1", "x", "1.5", "99999999999", "86401", "%D9%A3"])
def test_a_timeout_is_a_number_of_seconds(world: RestWorld, timeout: str) -> None:
    assert world.ask("POST", f"/kept/messages/head?timeout={timeout}").status == 400


def test_a_stopping_server_answers_whoever_waits(world: RestWorld) -> None:
    waiting = world.peek_lock(timeout=30)
    assert waiting.later is not None
    waiting.later.hurry()
    assert waiting.status == 204


def test_whoever_waits_at_a_queue_that_goes_is_told(world: RestWorld) -> None:
    waiting, other = world.peek_lock(timeout=30), world.take("kept/$DeadLetterQueue", timeout=30)
    assert world.update("kept", Status="ReceiveDisabled").status == 200
    assert waiting.status == 400
    assert world.update("kept", Status="Active").status == 200
    waiting = world.take(timeout=30)
    assert world.delete("kept").status == 200
    assert (waiting.status, other.status) == (410, 400)


def test_a_store_that_fails_takes_nothing() -> None:
    store = FailingStore(MemoryStore())
    world = RestWorld(store=store)
    world.send(b"kept")
    store.failing = True
    assert world.ask("POST", "/kept/messages", "lost").status == 403
    taking = world.take(timeout=30)
    assert taking.is_waiting
    store.failing = False
    world.advance(2)
    assert (taking.status, taking.body) == (200, b"kept")
    assert world.take().status == 204


# --- refusals ----------------------------------------------------------------------------------------------------


def test_an_entity_that_is_not_there_is_gone(world: RestWorld) -> None:
    token = UUID(int=7)
    for method, path in (
        ("POST", "/none/messages"),
        ("POST", "/none/messages/head"),
        ("DELETE", "/none/messages/head"),
        ("DELETE", f"/none/messages/1/{token}"),
        ("PUT", f"/none/messages/1/{token}"),
        ("POST", f"/none/messages/1/{token}"),
    ):
        refused = world.ask(method, path)
        assert refused.status == 410
        assert b"'sb://localhost:5300/none' could not be found" in refused.body


def test_sessions_are_not_received_over_http(world: RestWorld) -> None:
    assert world.create("grouped", RequiresSession="true").status == 201
    assert world.ask("POST", "/grouped/messages", "x").status == 405
    world.send(b"x", "grouped", SessionId="s")
    assert world.peek_lock("grouped").status == 405
    assert world.take("grouped").status == 405
    assert world.take("grouped/$DeadLetterQueue").status == 204


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"BrokerProperties": "x"}, ""),
        ({"BrokerProperties": "[]"}, ""),
        ({"BrokerProperties": "[" * 100_000}, ""),
        ({"BrokerProperties": '{"MessageId": {}}'}, ""),
        ({"BrokerProperties": '{"MessageId": true}'}, ""),
        ({"BrokerProperties": json.dumps({"MessageId": "x" * 129})}, ""),
        ({"BrokerProperties": '{"TimeToLive": -1}'}, ""),
        ({"BrokerProperties": '{"TimeToLive": Infinity}'}, ""),
        ({"BrokerProperties": '{"TimeToLive": NaN}'}, ""),
        ({"BrokerProperties": '{"TimeToLiveTimeSpan": "soon"}'}, ""),
        ({"BrokerProperties": '{"TimeToLiveTimeSpan": "0:0:0"}'}, ""),
        ({"BrokerProperties": '{"ScheduledEnqueueTimeUtc": "soon"}'}, ""),
        ({"BrokerProperties": '{"ScheduledEnqueueTimeUtc": 5}'}, ""),
        ({"BrokerProperties": '{"SessionId": "a", "PartitionKey": "b"}'}, ""),
        ({"Large": "9" * 33_000}, ""),
        (BATCH, ""),
        (BATCH, "{}"),
        (BATCH, "[]"),
        (BATCH, "[1]"),
        (BATCH, "[" * 100_000),
        (BATCH, '[{"Body": 1}]'),
        (BATCH, '[{"Body": "", "BrokerProperties": []}]'),
        (BATCH, '[{"Body": "", "UserProperties": []}]'),
        (BATCH, '[{"Body": "", "UserProperties": {"a": {}}}]'),
        (BATCH, '[{"Body": "", "UserProperties": {"a": 99999999999999999999999}}]'),
        (BATCH, b"\xff"),
    ],
)
def test_what_is_no_message_is_refused(world: RestWorld, headers: dict[str, str], body: str | bytes) -> None:
    assert world.ask("POST", "/kept/messages", body, headers).status == 400
    assert world.take().status == 204


def test_a_message_that_is_too_large_is_refused(world: RestWorld) -> None:
    assert world.ask("POST", "/kept/messages", b"x" * (256 * 1024)).status == 403
    assert world.ask("POST", "/kept/messages", b"x" * (1024 * 1024)).status == 403
    assert world.ask("POST", "/kept/messages", b"", {"content-length": "9" * 30}).status == 403
    assert world.ask("POST", "/kept/messages", b"x" * (255 * 1024)).status == 201


def test_other_methods_are_refused(world: RestWorld) -> None:
    assert world.ask("GET", "/kept/messages").status == 405
    assert world.ask("GET", "/kept/messages/head").status == 405


# --- who may -----------------------------------------------------------------------------------------------------


def test_every_operation_needs_its_right() -> None:
    world = RestWorld("verify", seeds=[EntitySeed("kept"), EntitySeed("other")])
    keys = [AccessKey("send", "s", Right.SEND), AccessKey("listen", "l", Right.LISTEN)]
    world.service._authority._keys |= {key.name: key for key in keys}
    send = {"Authorization": signature("http://localhost:5300/kept", "send", "s")}
    listen = {"Authorization": signature("http://localhost:5300/kept", "listen", "l")}
    root = {"Authorization": signature("http://localhost:5300")}
    token = UUID(int=7)
    for good, bad, method, path, status in (
        (send, listen, "POST", "/kept/messages", 201),
        (listen, send, "POST", "/kept/messages/head?timeout=0", 201),
        (listen, send, "DELETE", "/kept/messages/head?timeout=0", 204),
        (listen, send, "DELETE", f"/kept/messages/1/{token}", 404),
        (listen, send, "PUT", f"/kept/messages/1/{token}", 404),
        (listen, send, "POST", f"/kept/messages/1/{token}", 404),
        (root, send, "POST", "/other/messages/head?timeout=0", 204),
    ):
        refused = world.ask(method, path, headers=bad)
        assert refused.status == 401
        assert b"<Code>401</Code>" in refused.body
        assert world.ask(method, path).status == 401
        assert world.ask(method, path, headers=good).status == status
    assert world.ask("POST", "/other/messages", headers=send).status == 401
    expired = signature("http://localhost:5300").replace("4000000000", "1000000000")
    assert world.ask("POST", "/kept/messages", headers={"Authorization": expired}).status == 401


def test_the_same_over_the_namespaces_own_name(world: RestWorld) -> None:
    sent = world.ask("POST", "/kept/messages", "x", host="ns.servicebus.localhost:8080", listener=None)
    assert sent.status == 201
    got = world.ask("POST", "/kept/messages/head?timeout=0", host="ns.servicebus.localhost:8080", listener=None)
    assert got.headers["location"].startswith("http://ns.servicebus.localhost:8080/kept/messages/")


def test_names_with_slashes(world: RestWorld) -> None:
    assert world.call("PUT", "/a/b%20c/d?api-version=2021-05", entry()).status == 400
    assert world.create("a/b/c").status == 201
    world.send(b"x", "a/b/c")
    assert world.take("A/B/c").body == b"x"
