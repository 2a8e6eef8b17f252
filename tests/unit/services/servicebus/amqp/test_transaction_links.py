"""Transactions on the wire: the coordinator, and what is sent and settled between declaring and discharging."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from localzure.services.interface import SECOND
from localzure.services.servicebus.amqp import transactions
from localzure.services.servicebus.engine.lifecycle import delete_entity, update_entity
from localzure.services.servicebus.engine.transactions import MESSAGES_MAX
from localzure.services.servicebus.model import EntityDescription, EntityStatus, MessageState
from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Array, Described, Symbol, Timestamp, Ulong, decode_all, encode
from localzure_protocols.amqp.message import (
    Properties,
    encode_application_properties,
    encode_message_annotations,
    encode_properties,
    encode_value,
)
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_wire import ACCEPTED, Answer, Delivery, Wire, modified, rejected
from tests.servicebus_world import World, body, message

COORDINATOR = Described(Ulong(0x30), [Array([Symbol("amqp:local-transactions")], Symbol)])
DECLARED, TAKEN, REFUSED, IN_TRANSACTION = 0x33, 0x24, 0x25, 0x34


class TransactionWire(Wire):
    """A client with a coordinator; keeps the states of what it is answered."""

    def __init__(self, world: World, **options: Any) -> None:
        self.states: dict[tuple[bool, int], Any] = {}
        super().__init__(world, **options)
        self.coordinator = self.attach(None, sends=True, target=COORDINATOR)

    def _take(self, code: int, fields: list[Any], payload: bytes) -> None:
        if code == frames.DISPOSITION and fields[4] is not None:
            last = fields[1] if fields[2] is None else fields[2]
            for delivery_id in range(fields[1], last + 1):
                self.states[bool(fields[0]), delivery_id] = fields[4]
        super()._take(code, fields, payload)

    def declare(self) -> bytes:
        delivery_id = self.send(self.coordinator, encode_value(Described(Ulong(0x31), [])))
        state = self.states[True, delivery_id]
        assert (state.descriptor, self.sent[delivery_id].settled) == (DECLARED, True)
        transaction_id = state.value[0]
        assert isinstance(transaction_id, bytes)
        return transaction_id

    def discharge(self, transaction_id: bytes, *, fail: bool = False) -> Answer:
        delivery_id = self.send(self.coordinator, encode_value(Described(Ulong(0x32), [transaction_id, fail])))
        return self.sent[delivery_id]

    def send_in(self, transaction_id: bytes, handle: int, payload: bytes, message_format: int = 0) -> Any:
        """Send a message; returns the state that it is answered with."""
        state = Described(Ulong(IN_TRANSACTION), [transaction_id])
        delivery_id = self.send(handle, payload, message_format, state=state)
        assert self.sent[delivery_id].settled
        return self.states[True, delivery_id]

    def settle_in(self, transaction_id: bytes, delivery: Delivery, outcome: Described) -> Any:
        self.settle(delivery, Described(Ulong(IN_TRANSACTION), [transaction_id, outcome]))
        assert self.settled[delivery.delivery_id].settled
        return self.states[False, delivery.delivery_id]

    def ask_in(self, transaction_id: bytes, requests: int, operation: str, asked: Any) -> Any:
        payload = request(operation, asked)
        answer = self.send_in(transaction_id, requests, payload)
        assert answer.descriptor == IN_TRANSACTION, answer
        return self.deliveries[-1].message


def request(operation: str, asked: Any) -> bytes:
    return (
        encode_properties(Properties(message_id="m"))
        + encode_application_properties({"operation": f"com.microsoft:{operation}"})
        + encode_value(asked)
    )


def condition(state: Any) -> str:
    assert state.descriptor == REFUSED
    return str(state.value[0].value[0])


@pytest.fixture
def world() -> World:
    world = World(FailingStore(MemoryStore()))
    world.create(lock_duration=30 * SECOND)
    return world


@pytest.fixture
def wire(world: World) -> TransactionWire:
    return TransactionWire(world)


def active(world: World, name: str = "q") -> list[str]:
    return [body(found) for found in world.peek(world.queue(name))]


def states(world: World) -> dict[int, int]:
    """What is in the queue: sequence number → state."""
    annotations = [found.message_annotations() for found in world.peek(world.queue())]
    return {found["x-opt-sequence-number"]: found["x-opt-message-state"] for found in annotations}


def test_the_coordinator_is_attached_as_it_was_asked_for(wire: TransactionWire) -> None:
    (attached,) = wire.heard(frames.ATTACH)
    assert attached[6].descriptor == 0x30
    assert attached[6].value == COORDINATOR.value
    (flow,) = wire.flows(wire.coordinator)
    assert flow[6] == transactions.CREDIT


def test_what_is_sent_is_there_after_the_commit(world: World, wire: TransactionWire) -> None:
    sender, receiver = wire.sender(), wire.receiver(credit=10)
    transaction = wire.declare()
    state = wire.send_in(transaction, sender, message("a"))
    assert (state.descriptor, state.value) == (IN_TRANSACTION, [transaction, Described(Ulong(TAKEN), [])])
    wire.send_in(transaction, sender, message("b"))
    assert active(world) == []
    wire.send(sender, message("apart"))
    assert active(world) == ["apart"]
    assert wire.discharge(transaction).outcome == TAKEN
    assert active(world) == ["apart", "a", "b"]
    assert wire.bodies(receiver) == ["apart", "a", "b"]


def test_what_is_rolled_back_never_was(world: World, wire: TransactionWire) -> None:
    sender = wire.sender()
    transaction = wire.declare()
    wire.send_in(transaction, sender, message("a"))
    assert wire.discharge(transaction, fail=True).outcome == TAKEN
    assert active(world) == []
    assert world.broker.transactions.bytes == 0
    assert len(world.broker.transactions.deadlines) == 0


OUTCOMES = {
    "complete": ACCEPTED,
    "abandon": modified(),
    "defer": modified(failed=False, undeliverable=True, annotations={Symbol("why"): "later"}),
    "dead-letter": rejected("com.microsoft:dead-letter", {"DeadLetterReason": "bad"}),
}


def _where(world: World) -> tuple[list[str], list[str]]:
    """The bodies in the queue, and in its dead letters."""
    return active(world), active(world, "q/$DeadLetterQueue")


@pytest.mark.parametrize(
    ("name", "queue", "dead"),
    [("complete", [], []), ("abandon", ["a"], []), ("defer", ["a"], []), ("dead-letter", [], ["a"])],
)
def test_what_is_settled_takes_effect_with_the_commit(
    world: World, wire: TransactionWire, name: str, queue: list[str], dead: list[str]
) -> None:
    world.send(world.queue(), "a")
    receiver = wire.receiver(credit=1)
    (delivery,) = wire.deliveries
    transaction = wire.declare()
    state = wire.settle_in(transaction, delivery, OUTCOMES[name])
    assert (state.descriptor, state.value[0]) == (IN_TRANSACTION, transaction)
    assert state.value[1].descriptor == OUTCOMES[name].descriptor
    assert _where(world) == (["a"], [])
    wire.flow(receiver, 1)
    assert len(wire.deliveries) == 1, "it stays locked"
    assert wire.discharge(transaction).outcome == TAKEN
    assert _where(world) == (queue, dead)
    assert len(wire.deliveries) == (2 if name == "abandon" else 1)
    if name == "defer":
        assert states(world) == {1: MessageState.DEFERRED}


@pytest.mark.parametrize("name", OUTCOMES)
def test_after_a_rollback_the_lock_is_still_held(world: World, wire: TransactionWire, name: str) -> None:
    world.send(world.queue(), "a")
    receiver = wire.receiver(credit=1)
    (delivery,) = wire.deliveries
    transaction = wire.declare()
    wire.settle_in(transaction, delivery, OUTCOMES[name])
    wire.discharge(transaction, fail=True)
    wire.flow(receiver, 1)
    assert len(wire.deliveries) == 1
    assert _where(world) == (["a"], [])
    # The delivery is over, and its lock token good for `$management`.
    replies = wire.attach("q/$management", sends=False)
    wire.flow(replies, 1)
    requests = wire.sender("q/$management")
    asked = {"disposition-status": "completed", "lock-tokens": Array([delivery.lock_token], UUID)}
    wire.send(requests, request("update-disposition", asked))
    assert wire.deliveries[-1].message.application_properties()["statusCode"] == 200
    assert active(world) == []


def test_after_a_rollback_a_lock_that_nobody_uses_expires(world: World, wire: TransactionWire) -> None:
    world.send(world.queue(), "a")
    receiver = wire.receiver(credit=1)
    transaction = wire.declare()
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    wire.discharge(transaction, fail=True)
    wire.flow(receiver, 1)
    world.advance(30)
    wire.read()
    assert wire.bodies(receiver) == ["a", "a"]


def test_a_message_is_settled_once(world: World, wire: TransactionWire) -> None:
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    transaction = wire.declare()
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    replies = wire.attach("q/$management", sends=False)
    wire.flow(replies, 10)
    requests = wire.sender("q/$management")
    asked = {"disposition-status": "abandoned", "lock-tokens": Array([wire.deliveries[0].lock_token], UUID)}
    wire.send(requests, request("update-disposition", asked))
    assert wire.deliveries[-1].message.application_properties()["statusCode"] == 410
    assert wire.discharge(transaction).outcome == TAKEN
    assert active(world) == []


def test_a_commit_that_cannot_be_is_rolled_back_whole(world: World, wire: TransactionWire) -> None:
    world.send(world.queue(), "a")
    sender, receiver = wire.sender(), wire.receiver(credit=1)
    transaction = wire.declare()
    wire.send_in(transaction, sender, message("b"))
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    world.advance(30)
    answer = wire.discharge(transaction)
    assert (answer.outcome, answer.condition) == (REFUSED, "amqp:transaction:rollback")
    assert "lock" in answer.text
    assert active(world) == ["a"]
    wire.flow(receiver, 1)
    assert wire.bodies(receiver) == ["a", "a"]
    assert wire.discharge(transaction).condition == "amqp:transaction:unknown-id"


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_a_commit_into_an_entity_that_takes_nothing_any_more_is_rolled_back(
    world: World, wire: TransactionWire, how: str
) -> None:
    world.create("r")
    world.send(world.queue(), "a")
    receiver, sender = wire.receiver(credit=1), wire.sender("r")
    transaction = wire.declare()
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    wire.send_in(transaction, sender, message("b"))
    record = world.queue("r").record
    with world.transactions.writer() as writer:
        if how == "deleted":
            delete_entity(world.broker, writer, record)
        else:
            update_entity(world.broker, writer, record, EntityDescription(status=EntityStatus.SEND_DISABLED))
    world.commit()
    answer = wire.discharge(transaction)
    assert (answer.outcome, answer.condition) == (REFUSED, "amqp:transaction:rollback")
    assert active(world) == ["a"]
    wire.flow(receiver, 1)
    assert len(wire.deliveries) == 1, "the lock is still held"


def test_a_message_of_a_session_and_its_state_are_settled_together(world: World, wire: TransactionWire) -> None:
    world.create("sessions", requires_session=True)
    world.send(world.queue("sessions"), "a", group_id="s")
    handle = wire.attach("sessions", sends=False, source_filter={Symbol("com.microsoft:session-filter"): "s"})
    wire.flow(handle, 1)
    requests = _management(wire, "sessions/$management")
    (delivery,) = wire.deliveries
    transaction = wire.declare()
    wire.settle_in(transaction, delivery, ACCEPTED)
    asked = {"session-id": "s", "session-state": b"done"}
    assert wire.ask_in(transaction, requests, "set-session-state", asked).application_properties()["statusCode"] == 200
    wire.send(requests, request("get-session-state", {"session-id": "s"}))
    assert wire.deliveries[-1].message.value() == {"session-state": None}
    assert active(world, "sessions") == ["a"]
    assert wire.discharge(transaction).outcome == TAKEN
    wire.send(requests, request("get-session-state", {"session-id": "s"}))
    assert wire.deliveries[-1].message.value() == {"session-state": b"done"}
    assert active(world, "sessions") == []


def test_a_session_that_is_let_go_takes_its_transactions_with_it(world: World, wire: TransactionWire) -> None:
    world.create("sessions", requires_session=True)
    world.send(world.queue("sessions"), "a", group_id="s")
    handle = wire.attach("sessions", sends=False, source_filter={Symbol("com.microsoft:session-filter"): "s"})
    wire.flow(handle, 1)
    transaction = wire.declare()
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    wire.detach(handle)
    assert wire.discharge(transaction).condition == "amqp:transaction:rollback"
    assert active(world, "sessions") == ["a"]


def test_a_store_that_fails_undoes_all_of_it(world: World, wire: TransactionWire) -> None:
    world.send(world.queue(), "a")
    sender, receiver = wire.sender(), wire.receiver(credit=1)
    transaction = wire.declare()
    wire.send_in(transaction, sender, message("b"))
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    assert isinstance(world.store, FailingStore)
    world.store.failing = True
    answer = wire.discharge(transaction)
    world.store.failing = False
    assert (answer.outcome, answer.condition) == (REFUSED, "amqp:resource-limit-exceeded")
    assert active(world) == ["a"]
    wire.flow(receiver, 1)
    assert len(wire.deliveries) == 1, "the lock is held again"


def test_a_transaction_times_out_two_minutes_after_its_first_operation(world: World, wire: TransactionWire) -> None:
    sender = wire.sender()
    transaction = wire.declare()
    world.advance(300)
    wire.send_in(transaction, sender, message("a"))
    world.advance(119)
    wire.send_in(transaction, sender, message("b"))
    world.advance(1)
    assert condition(wire.send_in(transaction, sender, message("c"))) == "amqp:transaction:unknown-id"
    assert wire.discharge(transaction).condition == "amqp:transaction:timeout"
    assert wire.discharge(transaction).condition == "amqp:transaction:unknown-id"
    assert active(world) == []


@pytest.mark.parametrize("how", ["detach", "close"])
def test_what_is_open_is_rolled_back_with_its_link(world: World, wire: TransactionWire, how: str) -> None:
    sender = wire.sender()
    transaction = wire.declare()
    wire.send_in(transaction, sender, message("a"))
    if how == "detach":
        wire.detach(wire.coordinator)
        assert condition(wire.send_in(transaction, sender, message("b"))) == "amqp:transaction:unknown-id"
    else:
        wire.handler.disconnected()
    assert len(world.broker.transactions.deadlines) == 0
    assert world.broker.transactions.bytes == 0
    assert active(world) == []


def test_a_transaction_is_known_on_its_connection_only(world: World, wire: TransactionWire) -> None:
    transaction = wire.declare()
    other = TransactionWire(world)
    assert condition(other.send_in(transaction, other.sender(), message("a"))) == "amqp:transaction:unknown-id"
    assert other.discharge(transaction).condition == "amqp:transaction:unknown-id"


def test_a_transaction_takes_a_hundred_messages(world: World, wire: TransactionWire) -> None:
    sender = wire.sender()
    transaction = wire.declare()
    for number in range(MESSAGES_MAX):
        wire.send_in(transaction, sender, message(str(number)))
    state = wire.send_in(transaction, sender, message("more"))
    assert condition(state) == "amqp:resource-limit-exceeded"
    assert "Cannot send more than 100 messages in a single transaction" in state.value[0].value[1]
    assert wire.discharge(transaction).condition == "amqp:transaction:rollback"
    transaction = wire.declare()
    for number in range(MESSAGES_MAX):
        wire.send_in(transaction, sender, message(str(number)))
    assert wire.discharge(transaction).outcome == TAKEN
    assert len(active(world)) == MESSAGES_MAX


def test_what_was_refused_in_a_transaction_undoes_it(world: World, wire: TransactionWire) -> None:
    sender = wire.sender()
    transaction = wire.declare()
    assert condition(wire.send_in(transaction, sender, b"\x00junk")) == "amqp:decode-error"
    wire.send_in(transaction, sender, message("a"))
    answer = wire.discharge(transaction)
    assert answer.condition == "amqp:transaction:rollback"
    assert "The message is not an AMQP message" in answer.text
    assert active(world) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        encode_value(5),
        encode_value([]),
        encode_value(Described(Ulong(0x33), [])),
        encode_value(Described(Ulong(0x31), 5)),
        encode_value(Described(Ulong(0x31), [b"x" * 5000])),
    ],
)
def test_the_coordinator_refuses_what_it_does_not_know(wire: TransactionWire, payload: bytes) -> None:
    assert wire.sent[wire.send(wire.coordinator, payload)].outcome == REFUSED
    assert wire.declare()


@pytest.mark.parametrize("fields", [[], [None], ["text", False], [b"none"]])
def test_a_discharge_names_a_transaction(wire: TransactionWire, fields: list[Any]) -> None:
    answer = wire.sent[wire.send(wire.coordinator, encode_value(Described(Symbol("amqp:discharge:list"), fields)))]
    assert answer.condition == "amqp:transaction:unknown-id"


def test_a_connection_has_so_many_open_transactions(wire: TransactionWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "OPEN_MAX", 2)
    first, _ = wire.declare(), wire.declare()
    refused = wire.sent[wire.send(wire.coordinator, encode_value(Described(Ulong(0x31), [])))]
    assert (refused.outcome, refused.condition) == (REFUSED, "amqp:not-allowed")
    wire.discharge(first)
    assert wire.declare()


# -- several entities -------------------------------------------------------------------------------------------------


def test_entities_of_one_topic_are_one(world: World, wire: TransactionWire) -> None:
    topic = world.topic()
    world.subscribe(topic)
    world.send(topic, "a")
    wire.receiver("t/Subscriptions/s", credit=1)
    sender = wire.sender("t")
    transaction = wire.declare()
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    wire.send_in(transaction, sender, message("b"))
    assert wire.discharge(transaction).outcome == TAKEN
    assert active(world, "t/Subscriptions/s") == ["b"]


def test_links_on_one_session_span_entities(world: World, wire: TransactionWire) -> None:
    world.create("r")
    world.send(world.queue(), "a")
    wire.receiver(credit=1)
    sender = wire.sender("r")
    transaction = wire.declare()
    wire.settle_in(transaction, wire.deliveries[0], ACCEPTED)
    wire.send_in(transaction, sender, message("b"))
    assert wire.discharge(transaction).outcome == TAKEN
    assert (active(world), active(world, "r")) == ([], ["b"])


def test_a_message_goes_via_an_entity_to_another(world: World, wire: TransactionWire) -> None:
    world.create("r")
    properties = {Symbol("com.microsoft:transfer-destination-address"): "sb://my.host/r"}
    wire.heard(frames.ATTACH)
    via = wire.attach("q", sends=True, properties=properties)
    (attached,) = wire.heard(frames.ATTACH)
    assert attached[13]["com.microsoft:transfer-destination-address"] == "sb://my.host/r"
    wire.send(via, message("apart"))
    assert (active(world), active(world, "r")) == ([], ["apart"])
    record = world.queue("r").record
    with world.transactions.writer() as writer:
        description = msgspec.structs.replace(record.description, status=EntityStatus.DISABLED)
        update_entity(world.broker, writer, record, description)
    world.commit()
    wire.send(via, message("late"))
    (dead,) = world.peek(world.queue("q/$Transfer/$DeadLetterQueue"))
    assert body(dead) == "late"
    assert dead.application_properties()["DeadLetterReason"] == "com.microsoft:entity-disabled"


def test_nothing_is_sent_via_an_entity_to_one_that_is_not_there(wire: TransactionWire) -> None:
    properties = {Symbol("com.microsoft:transfer-destination-address"): "nowhere"}
    via = wire.attach("q", sends=True, properties=properties)
    assert wire.detached_with(via)[0] == "amqp:not-found"


# -- $management ------------------------------------------------------------------------------------------------------


def _management(wire: Wire, node: str = "q/$management") -> int:
    replies = wire.attach(node, sends=False)
    wire.flow(replies, 10)
    return wire.sender(node)


def test_messages_are_scheduled_and_cancelled_with_the_commit(world: World, wire: TransactionWire) -> None:
    requests = _management(wire)
    at = Timestamp(world.clock.now() // 1000 + 60_000)
    later = encode_message_annotations({"x-opt-scheduled-enqueue-time": at}) + message("later")
    transaction = wire.declare()
    answer = wire.ask_in(transaction, requests, "schedule-message", {"messages": [{"message": later}]})
    (number,) = answer.value()["sequence-numbers"]
    assert states(world) == {}
    wire.discharge(transaction)
    assert states(world) == {number: MessageState.SCHEDULED}
    transaction = wire.declare()
    asked = {"sequence-numbers": Array([number], int)}
    assert wire.ask_in(transaction, requests, "cancel-scheduled-message", asked).application_properties()[
        "statusCode"
    ] == 200  # fmt: skip
    assert states(world) == {number: MessageState.SCHEDULED}
    wire.discharge(transaction)
    assert states(world) == {}
    transaction = wire.declare()
    assert wire.ask_in(transaction, requests, "cancel-scheduled-message", asked).application_properties()[
        "statusCode"
    ] == 404  # fmt: skip


def test_what_only_reads_is_answered_at_once(world: World, wire: TransactionWire) -> None:
    world.send(world.queue(), "a")
    requests = _management(wire)
    transaction = wire.declare()
    asked = {"from-sequence-number": 1, "message-count": decode_all(encode(5))}
    answer = wire.ask_in(transaction, requests, "peek-message", asked)
    assert len(answer.value()["messages"]) == 1


def test_a_request_in_a_transaction_that_is_not_known_is_refused(wire: TransactionWire) -> None:
    requests = _management(wire)
    asked = request("peek-message", {"from-sequence-number": 1, "message-count": 1})
    assert condition(wire.send_in(b"none", requests, asked)) == "amqp:transaction:unknown-id"
