"""Whatever bytes a client sends, they are refused as no message, or can be delivered, changed, and dead-lettered."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Symbol, Ulong, encode
from localzure_protocols.amqp.message import (
    BATCH_FORMAT,
    Sections,
    encode_application_properties,
    encode_data,
    encode_delivery_annotations,
    encode_message_annotations,
    encode_value,
)
from tests.servicebus_world import World, message, sections

REFUSALS = {
    ErrorCode.MESSAGE_MALFORMED,
    ErrorCode.ARGUMENT_OUT_OF_RANGE,
    ErrorCode.NOT_IMPLEMENTED,
    ErrorCode.SESSION_ID_MISSING,
}

_SECTIONS = [
    message("a", ttl=5000, group_id="g", subject="s"),
    message("b", message_id="x" * 120, application_properties={"a": 1, "b": [None, {"c": b"d"}]}),
    encode_message_annotations({"x-opt-partition-key": "p", "x-opt-sequence-number": 5}) + message("c"),
    encode_delivery_annotations({"d": 1}) + encode_application_properties({}) + encode_value({"v": 1}),
    b"\x00" + encode(Symbol("amqp:properties:list")) + encode(["id", None, "to"]) + encode_data(b"e"),
    encode(Described(Ulong(0x73), [None, None, None])) + encode_data(b"f"),
    encode_data(message("g")) + encode_data(message("h")),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message with some bytes changed, added or taken away."""
    payload = bytearray(draw(st.sampled_from(_SECTIONS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(payload) - 1)))
        length = draw(st.integers(0, 3))
        payload[at : at + length] = draw(st.binary(max_size=3))
    return bytes(payload)


_QUEUES: list[dict[str, Any]] = [
    {},
    {"default_message_time_to_live": 60 * MICROSECONDS, "dead_lettering_on_message_expiration": True},
    {"requires_session": True},
]


@settings(max_examples=400, deadline=None)
@given(
    payload=mutated() | st.binary(max_size=40),
    message_format=st.sampled_from([0, 0, BATCH_FORMAT]),
    properties=st.sampled_from(_QUEUES),
)
@example(payload=b"\x00\x53\x73\xc0\x02\x01\xa1", message_format=0, properties={})
@example(payload=b"\x00\x53\x73\xd0\x00\x00\x00\x04\xff\xff\xff\xff", message_format=0, properties=_QUEUES[1])
@example(payload=b"\x00\x53\x70\xc0\x03\x01\x50\xff\x00\x53\x77\x40", message_format=0, properties={})
def test_whatever_is_sent_is_refused_or_can_be_handled(
    payload: bytes, message_format: int, properties: dict[str, Any]
) -> None:
    world = World()
    queue = world.create(**properties)
    refusal = None
    try:
        world.send_raw(queue, payload, message_format)
    except ServiceBusError as error:
        refusal = error.code
        world.commit()
    if refusal is not None:
        assert refusal in REFUSALS
        assert world.counters(queue).last_sequence_number == 0
        return
    count = world.counters(queue).active
    assert len(world.peek(queue)) == count
    if queue.sessions is not None:
        # Nobody gets these without their session.
        return
    for delivery in world.lock(queue, 9):
        world.settle(queue, delivery, Disposition.ABANDONED, {"added": 1})
    for delivery in world.lock(queue, 9):
        assert sections(delivery).header().delivery_count == 1
        world.settle(queue, delivery, Disposition.DEAD_LETTERED, {"DeadLetterReason": "why"})
    dead = world.lock(world.queue("q/$DeadLetterQueue"), 9)
    assert len(dead) == count
    for delivery in dead:
        found = sections(delivery)
        assert found.header().delivery_count == 1
        if is_readable(found):
            assert found.application_properties()["DeadLetterReason"] == "why"
            assert found.application_properties()["added"] == 1
            assert found.message_annotations()["x-opt-enqueue-sequence-number"] > 0
            assert found.properties().message_id is not None


def is_readable(found: Sections) -> bool:
    """Whether a client made sense of what is inside its sections: it is passed on as it came."""
    try:
        found.application_properties()
        found.message_annotations()
        found.properties()
    except AmqpDecodeError:
        return False
    return True
