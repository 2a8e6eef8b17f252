"""Requests and replies: `$cbs` and `$management`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure.config.settings import AuthLevel
from localzure.services.interface import SECOND
from localzure.services.servicebus.amqp.requests import CREDIT, REPLIES_WAITING_MAX
from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Array, Int, Symbol, Uint, Ulong
from localzure_protocols.amqp.message import Sections, encode_value, split
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_wire import ACCEPTED, Wire
from tests.servicebus_world import World, body
from tests.unit.services.servicebus.test_access import token

ANSWERED = 0x24
REFUSED = 0x25


@pytest.fixture
def world() -> World:
    world = World(FailingStore(MemoryStore()))
    world.create()
    return world


def pair(wire: Wire, node: str, credit: int = 10, **options: Any) -> tuple[int, int]:
    """Attach a link for requests and one for replies."""
    replies = wire.attach(node, sends=False, **options)
    if credit:
        wire.flow(replies, credit)
    return wire.attach(node, sends=True), replies


def ask(wire: Wire, requests: int, operation: str, body: Any, message_id: Any = "m1") -> Sections:
    delivery_id = wire.request(requests, body, message_id, operation=operation)
    assert wire.sent[delivery_id].outcome == ANSWERED
    return wire.deliveries[-1].message


def put_token(wire: Wire, text: object, **properties: Any) -> dict[Any, Any]:
    requests, _ = pair(wire, "$cbs")
    wire.request(requests, text, "m1", **{"operation": "put-token", "type": "jwt", "name": "sb://h/q", **properties})
    return dict(wire.deliveries[-1].message.application_properties())


def valid_token(world: World, path: str = "sb://my.host/q") -> str:
    return token(path, expiry=world.clock.wall() // SECOND + 3600)


def test_a_token_is_taken(world: World) -> None:
    wire = Wire(world, "verify")
    answer = put_token(wire, valid_token(world))
    assert answer["status-code"] == answer["statusCode"] == 202
    assert type(answer["status-code"]) is Int
    assert answer["status-description"] == answer["statusDescription"] == "Accepted"
    assert "errorCondition" not in answer
    wire.sender("q")
    wire.receiver("q/$DeadLetterQueue")
    assert wire.heard(frames.DETACH) == []


def test_without_a_token_links_are_refused(world: World) -> None:
    wire = Wire(world, "verify")
    condition, text = wire.detached_with(wire.sender("q"))
    assert condition == "amqp:unauthorized-access"
    assert text.startswith("Unauthorized access. 'Send' claim(s) are required to perform this operation.")
    assert "Resource: 'sb://my.host/q'" in text
    assert "'Listen' claim(s)" in wire.detached_with(wire.receiver("q"))[1]
    assert "'Listen' or 'Send' claim(s)" in wire.detached_with(wire.attach("q/$management", sends=True))[1]


def test_a_token_for_one_queue_is_none_for_another(world: World) -> None:
    world.create("r")
    wire = Wire(world, "verify")
    put_token(wire, valid_token(world))
    assert wire.detached_with(wire.sender("r"))[0] == "amqp:unauthorized-access"
    put_token(wire, valid_token(world, "sb://my.host"))
    wire.sender("r")
    assert wire.heard(frames.DETACH) == []


def test_whether_an_entity_exists_is_told_only_to_who_may_know(world: World) -> None:
    wire = Wire(world, "verify")
    assert wire.detached_with(wire.sender("nowhere"))[0] == "amqp:unauthorized-access"


@pytest.mark.parametrize("text", ["nonsense", "SharedAccessSignature sr=x&sig=y&se=1&skn=RootManageSharedAccessKey"])
def test_a_bad_token_is_answered_with_401_and_the_connection_goes_on(world: World, text: str) -> None:
    wire = Wire(world, "verify")
    answer = put_token(wire, text)
    assert answer["status-code"] == 401
    assert "TrackingId:" in answer["status-description"]
    assert wire.heard(frames.CLOSE) == []
    assert put_token(wire, valid_token(world))["status-code"] == 202


def test_a_token_that_expires_is_worth_nothing(world: World) -> None:
    wire = Wire(world, "verify")
    put_token(wire, valid_token(world))
    world.clock.advance(3600)
    assert wire.detached_with(wire.sender("q"))[0] == "amqp:unauthorized-access"
    assert put_token(wire, valid_token(world))["status-code"] == 202
    wire.sender("q")
    assert wire.heard(frames.DETACH) == []


@pytest.mark.parametrize("level", ["off", "any"])
def test_below_verify_no_token_is_needed_and_any_is_taken(world: World, level: AuthLevel) -> None:
    wire = Wire(world, level)
    assert put_token(wire, "nonsense")["status-code"] == 202
    wire.sender("q")
    assert wire.heard(frames.DETACH) == []


def test_other_operations_of_the_claims_node(world: World) -> None:
    wire = Wire(world)
    assert put_token(wire, "x", operation="delete-token")["status-code"] == 501
    assert put_token(wire, 5)["status-code"] == 400


def test_an_operation_is_answered(world: World) -> None:
    world.send(world.queue(), "a")
    wire = Wire(world)
    requests, _ = pair(wire, "q/$management")
    reply = ask(wire, requests, "com.microsoft:peek-message", {"from-sequence-number": 1, "message-count": Int(1)})
    assert reply.application_properties()["statusCode"] == 200
    assert reply.application_properties()["statusDescription"] == "OK"
    (entry,) = reply.value()["messages"]
    assert body(split(entry["message"])) == "a"


@pytest.mark.parametrize("message_id", [UUID(int=7), Ulong(7), "seven", b"7", None])
def test_a_reply_repeats_the_id_of_its_request_with_its_type(world: World, message_id: Any) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "q/$management")
    reply = ask(
        wire, requests, "com.microsoft:peek-message", {"from-sequence-number": 1, "message-count": 1}, message_id
    )
    found = reply.properties().correlation_id
    assert found == message_id
    assert type(found) is type(message_id)
    assert reply.application_properties()["statusCode"] == 204
    assert reply.value() is None


def test_an_error_has_status_condition_and_text(world: World) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "q/$management")
    reply = ask(wire, requests, "com.microsoft:renew-lock", {"lock-tokens": Array([UUID(int=1)], UUID)})
    properties = reply.application_properties()
    assert properties["statusCode"] == 410
    assert properties["errorCondition"] == "com.microsoft:message-lock-lost"
    assert type(properties["errorCondition"]) is Symbol
    assert "TrackingId:" in properties["statusDescription"]


@pytest.mark.parametrize("operation", ["com.microsoft:nothing", ""])
def test_what_is_not_built_is_answered_with_501(world: World, operation: str) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "q/$management")
    properties = ask(wire, requests, operation, {}).application_properties()
    assert (properties["statusCode"], properties["errorCondition"]) == (501, "amqp:not-implemented")


def test_a_body_that_is_no_map_is_refused(world: World) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "q/$management")
    assert ask(wire, requests, "com.microsoft:peek-message", [1]).application_properties()["statusCode"] == 400


def test_an_operation_needs_its_right(world: World) -> None:
    wire = Wire(world, "verify")
    put_token(wire, valid_token(world))
    requests, _ = pair(wire, "q/$management")
    world.clock.advance(3600)
    properties = ask(wire, requests, "com.microsoft:peek-message", {}).application_properties()
    assert (properties["statusCode"], properties["errorCondition"]) == (401, "amqp:unauthorized-access")


def test_messages_are_settled_by_their_tokens_from_any_connection(world: World) -> None:
    world.send(world.queue(), "a")
    receiver = Wire(world)
    receiver.receiver(credit=1)
    lock_token = receiver.deliveries[0].lock_token
    receiver.handler.disconnected()
    wire = Wire(world)
    requests, _ = pair(wire, "q/$management")
    body = {"disposition-status": "completed", "lock-tokens": Array([lock_token], UUID)}
    assert ask(wire, requests, "com.microsoft:update-disposition", body).application_properties()["statusCode"] == 200
    assert world.counters(world.queue()).active == 0


def test_a_reply_leaves_after_the_commit_and_says_when_that_fails(world: World) -> None:
    assert isinstance(world.store, FailingStore)
    world.send(world.queue(), "a")
    wire = Wire(world)
    wire.receiver(credit=1)
    requests, _ = pair(wire, "q/$management")
    body = {"disposition-status": "completed", "lock-tokens": Array([wire.deliveries[0].lock_token], UUID)}
    world.store.failing = True
    delivery_id = wire.request(requests, body, "m", operation="com.microsoft:update-disposition")
    world.store.failing = False
    assert wire.sent[delivery_id].outcome == REFUSED
    properties = wire.deliveries[-1].message.application_properties()
    assert (properties["statusCode"], properties["errorCondition"]) == (500, "amqp:resource-limit-exceeded")
    assert world.counters(world.queue()).active == 1


def test_the_dead_letter_queue_has_a_node_of_its_own(world: World) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "amqps://my.host/q/$DeadLetterQueue/$management")
    reply = ask(wire, requests, "com.microsoft:peek-message", {"from-sequence-number": 1, "message-count": 1})
    assert reply.application_properties()["statusCode"] == 204


def test_the_node_of_an_unknown_entity_is_refused(world: World) -> None:
    wire = Wire(world)
    for sends in (True, False):
        handle = wire.attach("nowhere/$management", sends=sends)
        assert wire.detached_with(handle)[0] == "amqp:not-found"


def test_replies_wait_for_credit_and_come_unsettled_or_settled_as_asked(world: World) -> None:
    wire = Wire(world)
    requests, replies = pair(wire, "q/$management", credit=0)
    for number in range(2):
        wire.request(requests, {}, Ulong(number), operation="x")
    assert wire.deliveries == []
    wire.flow(replies, 5, echo=True)
    assert [delivery.message.properties().correlation_id for delivery in wire.deliveries] == [0, 1]
    assert not wire.deliveries[0].settled
    wire.settle(wire.deliveries[0], ACCEPTED)
    assert wire.settled[wire.deliveries[0].delivery_id].outcome == ANSWERED
    wire.flow(replies, 3, drain=True)
    assert wire.flows(replies)[-1][6] == 0
    go = Wire(world)
    requests, _ = pair(go, "$cbs", snd=1)
    go.request(requests, "token", "m", operation="put-token")
    assert go.deliveries[0].settled


def test_a_client_that_lets_replies_pile_up_loses_its_link(world: World) -> None:
    wire = Wire(world)
    requests, replies = pair(wire, "q/$management", credit=0)
    for number in range(REPLIES_WAITING_MAX + 1):
        wire.request(requests, {}, number, operation="x")
    assert wire.detached_with(replies)[0] == "amqp:resource-limit-exceeded"


def test_requests_have_credit_and_get_more(world: World) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "$cbs", credit=1000)
    assert wire.flows(requests)[-1][6] == CREDIT
    for number in range(2 * CREDIT):
        wire.request(requests, "token", number, operation="put-token")
    assert len(wire.deliveries) == 2 * CREDIT


def test_a_request_without_a_link_for_its_reply_is_refused(world: World) -> None:
    wire = Wire(world)
    requests = wire.attach("$cbs", sends=True)
    delivery_id = wire.request(requests, "token", "m", operation="put-token")
    assert (wire.sent[delivery_id].outcome, wire.sent[delivery_id].condition) == (REFUSED, "amqp:not-found")


@pytest.mark.parametrize("payload", [b"\xff", encode_value("x") + b"\x00\x53\x74\xc1\x04\x02\xa1\x09x"])
def test_a_request_that_is_no_message_is_refused(world: World, payload: bytes) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "$cbs")
    assert wire.sent[wire.send(requests, payload)].condition == "amqp:decode-error"


def test_a_request_that_is_too_large_is_refused(world: World) -> None:
    wire = Wire(world)
    requests, _ = pair(wire, "$cbs")
    for _ in range(20):
        wire.say(frames.TRANSFER, [Uint(requests), Uint(0), b"t", Uint(0), False, True], b"x" * 60_000)
    wire.say(frames.TRANSFER, [Uint(requests), None, None, None, None, False], b"x")
    assert wire.sent[0].condition == "amqp:link:message-size-exceeded"


class TestChoosingTheReplyLink:
    """What each SDK does to be found."""

    def test_by_the_node_alone(self, world: World) -> None:
        wire = Wire(world)
        _, cbs = pair(wire, "$cbs")
        management, replies = pair(wire, "q/$management")
        ask(wire, management, "x", {})
        assert wire.deliveries[-1].handle == replies != cbs

    def test_by_the_address_of_its_target(self, world: World) -> None:
        wire = Wire(world)
        first = wire.attach("$cbs", sends=False, reply_address="reply-1")
        second = wire.attach("$cbs", sends=False, reply_address="reply-2")
        requests = wire.attach("$cbs", sends=True)
        for handle in (first, second):
            wire.flow(handle, 9)
        wire.request(requests, "t", "m", reply_to="reply-1", operation="put-token")
        assert wire.deliveries[-1].handle == first
        wire.request(requests, "t", "m", reply_to="reply-2", operation="put-token")
        assert wire.deliveries[-1].handle == second

    def test_by_its_name(self, world: World) -> None:
        wire = Wire(world)
        named = wire.attach("$cbs", sends=False, name="cbs-1")
        other = wire.attach("$cbs", sends=False, name="cbs-2")
        requests = wire.attach("$cbs", sends=True)
        for handle in (named, other):
            wire.flow(handle, 9)
        wire.request(requests, "t", "m", reply_to="cbs-1", operation="put-token")
        assert wire.deliveries[-1].handle == named

    def test_the_newest_where_nothing_else_tells(self, world: World) -> None:
        wire = Wire(world)
        _older = pair(wire, "$cbs")
        requests, newer = pair(wire, "$cbs")
        wire.request(requests, "t", "m", operation="put-token")
        assert wire.deliveries[-1].handle == newer


def test_a_user_name_and_a_password_are_as_good_as_a_token(world: World) -> None:
    """SASL PLAIN, as generic AMQP clients use it."""
    assert plain_close(world, b"\0RootManageSharedAccessKey\0SAS_KEY_VALUE") is None
    condition = plain_close(world, b"\0RootManageSharedAccessKey\0wrong")
    assert condition == "amqp:unauthorized-access"
    assert plain_close(world, b"garbage") == "amqp:unauthorized-access"


def plain_close(world: World, response: bytes) -> str | None:
    """Open with PLAIN and attach a sender; the condition of the CLOSE, or None."""
    from localzure_protocols.amqp.events import ConnectionOpened

    wire = Wire(world, "verify")
    wire.handler.handle([ConnectionOpened("c", "my.host", {}, "PLAIN", response)])
    wire.commit()
    closed = wire.heard(frames.CLOSE)
    if closed:
        return str(closed[0][0].value[0])
    wire.sender("q")
    assert wire.heard(frames.DETACH) == []
    return None
