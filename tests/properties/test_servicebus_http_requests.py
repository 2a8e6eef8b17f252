"""Whatever is sent over HTTP is a message that comes back as it was, or is refused; never an error of the server's."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servicebus_rest_world import Asked, RestWorld

_NAMES = (
    "MessageId SessionId Label CorrelationId TimeToLive TimeToLiveTimeSpan ScheduledEnqueueTimeUtc PartitionKey To "
    "ReplyTo ForcePersistence ContentType Whatever"
)
NAMES = _NAMES.split()
PLAIN_NAMES = ["body", "properties", "timeToLive", "messageId", "bodyBase64"]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=150)
values: Any = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
brokers = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
texts = st.text(st.characters(codec="utf-8"), max_size=200)
properties = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    max_size=5,
)


batched = st.fixed_dictionaries({}, optional={"Body": values, "BrokerProperties": brokers, "UserProperties": values})


def is_sane(asked: Asked) -> bool:
    """Taken or refused, and the queue is as it should be."""
    left = 0
    while asked.world.take().status == 200:
        left += 1
    scheduled = asked.world.world.counters(asked.world.world.queue("kept")).scheduled
    return asked.status in {201, 400, 403} and (asked.status == 201 or left + scheduled == 0)


@settings(max_examples=200, deadline=None)
@given(brokers, st.binary(max_size=50))
def test_any_broker_properties(broker: dict[str, Any], body: bytes) -> None:
    world = RestWorld()
    assert is_sane(world.ask("POST", "/kept/messages", body, {"BrokerProperties": json.dumps(broker)}))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"Body": values, "BrokerProperties": brokers, "UserProperties": values})
    )
)
def test_any_batch(batch: list[Any]) -> None:
    headers = {"Content-Type": "application/vnd.microsoft.servicebus.json"}
    assert is_sane(RestWorld().ask("POST", "/kept/messages", json.dumps(batch), headers))


@settings(max_examples=100, deadline=None)
@given(
    values | st.dictionaries(st.sampled_from(["body", "properties", "timeToLive", "messageId", "bodyBase64"]), values)
)
def test_anything_in_plain_json(given_message: Any) -> None:
    world = RestWorld()
    text = json.dumps(given_message)
    assert is_sane(world.ask("POST", "/servicebus/kept/messages", text, host="localhost:8080", listener=None))


@settings(max_examples=100, deadline=None)
@given(texts, properties)
def test_a_message_comes_back_as_it_was(body: str, own: dict[str, Any]) -> None:
    world = RestWorld()
    message = json.dumps({"body": body, "properties": own})
    sent = world.ask("POST", "/servicebus/kept/messages", message, host="localhost:8080", listener=None)
    assert sent.status == 201
    got = world.ask("DELETE", "/servicebus/kept/messages/head?timeout=0", host="localhost:8080", listener=None).json
    assert (got["body"], got["properties"]) == (body, own)
