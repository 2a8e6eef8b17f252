"""Messages on their way in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus.durations import FOREVER, MICROSECONDS
from localzure.services.servicebus.engine.admission import TTL_MAX
from localzure.services.servicebus.engine.limits import require_sendable
from localzure.services.servicebus.engine.messages import BATCH_MESSAGES_MAX
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityStatus
from localzure_protocols.amqp.codec import Described, Symbol, Ubyte, Uint, Ulong, encode
from localzure_protocols.amqp.message import (
    Header,
    Properties,
    Sections,
    encode_application_properties,
    encode_data,
    encode_delivery_annotations,
    encode_message_annotations,
    encode_properties,
    encode_value,
)
from tests.servicebus_world import World, batch, bodies, body, message, sections

HOUR = 3600 * MICROSECONDS


def refusal(world: World, payload: bytes, message_format: int = 0) -> ServiceBusError:
    queue = world.queue()
    before = world.counters(queue)
    with pytest.raises(ServiceBusError) as caught:
        world.send_raw(queue, payload, message_format)
    world.commit()
    assert world.counters(queue) == before, "what is refused leaves nothing behind"
    return caught.value


def sent(world: World, payload: bytes) -> Sections:
    """The message as its receiver gets it."""
    world.send_raw(world.queue(), payload)
    (delivery,) = world.lock(world.queue())
    return sections(delivery)


@pytest.fixture
def world() -> World:
    world = World()
    world.create()
    return world


def test_every_section_arrives_as_it_was_sent(world: World) -> None:
    body_sections = (
        encode_properties(Properties(message_id=UUID(int=5), subject="s", user_id=b"u", group_sequence=3))
        + encode_application_properties({"a": Ubyte(1), "b": Described(Ulong(7), Uint(8)), "c": [1, {"d": None}]})
        + encode_data(b"one")
        + encode_data(b"two")
        + b"\x00\x53\x78"
        + encode({Symbol("f"): "footer"})
    )
    payload = encode_message_annotations({"x-mine": Uint(4)}) + encode_delivery_annotations({"y": "z"}) + body_sections
    message = sent(world, payload)
    assert message.bare() == body_sections
    assert message.delivery_annotations().keys() == {"y", "x-opt-lock-token"}
    assert message.delivery_annotations()["y"] == "z"
    assert type(message.message_annotations()["x-mine"]) is Uint


@pytest.mark.parametrize("body_section", [encode_value({"a": 1}), b"\x00\x53\x76" + encode([1, 2]), b""])
def test_any_body_arrives_as_it_was_sent(world: World, body_section: bytes) -> None:
    properties = encode_properties(Properties(message_id="m"))
    assert sent(world, properties + body_section).bare() == properties + body_section


def test_sections_in_another_order_are_put_in_order(world: World) -> None:
    properties, data = encode_properties(Properties(message_id="m")), encode_data(b"x")
    message = sent(world, data + properties + encode_delivery_annotations({"d": 1}))
    assert message.bare() == properties + data
    assert message.delivery_annotations()["d"] == 1


def test_annotations_of_the_broker_cannot_be_sent(world: World) -> None:
    annotations: dict[str, Any] = {"x-opt-sequence-number": 99, "x-opt-locked-until": 5, "x-opt-partition-key": "p"}
    told = sent(world, encode_message_annotations(annotations) + message()).message_annotations()
    assert told["x-opt-sequence-number"] == 1
    assert told["x-opt-partition-key"] == "p"
    assert list(told).count("x-opt-locked-until") == 1


def test_a_message_without_an_id_is_given_one(world: World) -> None:
    given = sent(world, encode_data(b"x")).properties().message_id
    assert len(given) == 32
    assert int(given, 16) >= 0
    kept = sent(world, encode_properties(Properties(subject="s", group_id="g")) + encode_data(b"x")).properties()
    assert len(kept.message_id) == 32
    assert (kept.subject, kept.group_id) == ("s", "g")
    assert len(sent(world, b"\x00\x53\x73\x45" + encode_data(b"x")).properties().message_id) == 32


@pytest.mark.parametrize("message_id", ["ä" * 128, UUID(int=1), Ulong(3), b"x" * 300])
def test_a_message_id_of_any_kind_is_kept(world: World, message_id: Any) -> None:
    found = sent(world, message(message_id=message_id)).properties().message_id
    assert found == message_id
    assert type(found) is type(message_id)


@pytest.mark.parametrize("message_id", ["x" * 129, "x" * 300])
def test_a_long_message_id_is_refused(world: World, message_id: str) -> None:
    assert refusal(world, message(message_id=message_id)).code is ErrorCode.ARGUMENT_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("ttl", "default", "lifetime"),
    [
        (None, FOREVER, None),
        (60_000, FOREVER, 60),
        (60_000, HOUR, 60),
        (7_200_000, HOUR, 3600),
        (None, HOUR, 3600),
        (0, HOUR, 3600),
    ],
)
def test_a_message_lives_as_long_as_it_and_its_queue_allow(ttl: int | None, default: int, lifetime: int | None) -> None:
    world = World()
    world.create(default_message_time_to_live=default)
    found = sent(world, message(ttl=ttl) if ttl is not None else message())
    assert found.header().ttl == (None if lifetime is None else lifetime * 1000)
    expiry = None if lifetime is None else world.clock.now() // 1000 + lifetime * 1000
    assert found.properties().absolute_expiry_time == expiry


def test_a_lifetime_longer_than_a_header_holds_stands_in_the_properties(world: World) -> None:
    days = 60
    created = 1_000_000
    long = message(ttl=TTL_MAX, creation_time=created, absolute_expiry_time=created + days * 86_400_000)
    found = sent(world, long)
    assert found.header().ttl == TTL_MAX
    assert found.properties().absolute_expiry_time == world.clock.now() // 1000 + days * 86_400_000
    plain = sent(world, message(ttl=TTL_MAX))
    assert plain.properties().absolute_expiry_time == world.clock.now() // 1000 + TTL_MAX


def test_what_a_header_says_is_kept(world: World) -> None:
    header = sent(world, message(header=Header(durable=False, priority=7, first_acquirer=True))).header()
    assert header == Header(durable=False, priority=7, ttl=None, first_acquirer=True, delivery_count=0)


def test_a_batch_is_stored_message_by_message(world: World) -> None:
    payload, message_format = batch(message("a"), message("b"), encode_data(b"c"))
    world.send_raw(world.queue(), encode_properties(Properties(message_id="envelope")) + payload, message_format)
    assert bodies(world.lock(world.queue(), 9)) == ["a", "b", "c"]


def test_an_empty_batch_is_taken(world: World) -> None:
    world.send_raw(world.queue(), *batch())
    assert world.counters(world.queue()).active == 0


def test_a_batch_is_taken_whole_or_not_at_all(world: World) -> None:
    payload, message_format = batch(message("a"), message("b", message_id="x" * 129))
    assert refusal(world, payload, message_format).code is ErrorCode.ARGUMENT_OUT_OF_RANGE


def test_a_batch_holds_a_bounded_number_of_messages(world: World) -> None:
    payload, message_format = batch(*[encode_data(b"")] * (BATCH_MESSAGES_MAX + 1))
    assert refusal(world, payload, message_format).code is ErrorCode.ARGUMENT_OUT_OF_RANGE


def test_a_message_of_the_largest_size_is_taken(world: World) -> None:
    overhead = len(message(b"x" * 300)) - 300
    assert len(sent(world, message(b"x" * (262144 - overhead))).data()[0]) == 262144 - overhead
    too_large = refusal(world, message(b"x" * (262144 - overhead + 1)))
    assert too_large.code is ErrorCode.MESSAGE_TOO_LARGE
    assert "size:262145 bytes) exceeds the limit (262144 bytes)" in too_large.text


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        b"\x00\x53\x75",
        b"\x00\x53\x70\xc0\x03\x01\xa1\x00" + encode_data(b"x"),
        b"\x00\x53\x72\xc1\x02\x01\x41" + encode_data(b"x"),
        b"\x00\x53\x72\xc1\x03\x02\xa3\x09",
        b"\x00\x53\x73\xc0\x03\x01\xb1\xff" + encode_data(b"x"),
        encode_data(b"x") + encode_value("y"),
    ],
)
def test_what_is_no_message_is_refused(world: World, payload: bytes) -> None:
    assert refusal(world, payload).code is ErrorCode.MESSAGE_MALFORMED


def test_a_batch_that_holds_no_message_is_refused(world: World) -> None:
    assert refusal(world, *batch(b"\xff")).code is ErrorCode.MESSAGE_MALFORMED
    assert refusal(world, encode_value(1), batch()[1]).code is ErrorCode.MESSAGE_MALFORMED


def test_a_queue_of_sessions_takes_only_messages_with_a_session() -> None:
    world = World()
    world.create(requires_session=True)
    assert refusal(world, message()).code is ErrorCode.SESSION_ID_MISSING
    world.send(world.queue(), "x", group_id="g")
    assert world.counters(world.queue()).active == 1


@pytest.mark.parametrize("kind", ["session_id", "partition_key"])
def test_a_long_session_id_or_partition_key_is_refused(world: World, kind: str) -> None:
    def payload(text: str) -> bytes:
        if kind == "session_id":
            return message(group_id=text)
        return encode_message_annotations({"x-opt-partition-key": text}) + message()

    assert refusal(world, payload("x" * 129)).condition == "com.microsoft:argument-out-of-range"
    world.send_raw(world.queue(), payload("ä" * 128))


def test_a_partition_key_is_the_session_id_where_there_are_both(world: World) -> None:
    keyed = encode_message_annotations({"x-opt-partition-key": "a"})
    assert refusal(world, keyed + message(group_id="b")).condition == "amqp:not-allowed"
    world.send_raw(world.queue(), keyed + message(group_id="a"))


@pytest.mark.parametrize("sizes", [[32 * 1024], [30_000, 30_000, 30_000]])
def test_properties_that_are_too_large_are_refused(world: World, sizes: list[int]) -> None:
    properties = {str(index): "x" * size for index, size in enumerate(sizes)}
    payload = message(application_properties=properties)
    assert refusal(world, payload).condition == "com.microsoft:argument-out-of-range"
    world.send_raw(world.queue(), message(application_properties={"a": "x" * 30_000, "b": "x" * 30_000}))


def test_sequence_numbers_have_no_gaps(world: World) -> None:
    for number in range(3):
        world.send(world.queue(), str(number))
        refusal(world, b"\xff")
    found = world.peek(world.queue())
    assert [each.message_annotations()["x-opt-sequence-number"] for each in found] == [1, 2, 3]
    assert [body(each) for each in found] == ["0", "1", "2"]


@pytest.mark.parametrize("status", [EntityStatus.DISABLED, EntityStatus.SEND_DISABLED])
def test_nothing_is_sent_to_a_queue_that_is_disabled(status: EntityStatus) -> None:
    queue = World().create(status=status)
    with pytest.raises(ServiceBusError) as caught:
        require_sendable(queue, "sb://h/q")
    assert caught.value.code is ErrorCode.ENTITY_DISABLED


def test_nothing_is_sent_to_a_dead_letter_queue(world: World) -> None:
    with pytest.raises(ServiceBusError) as caught:
        require_sendable(world.queue("q/$DeadLetterQueue"), "sb://h/q/$DeadLetterQueue")
    assert caught.value.condition == "amqp:not-allowed"


def test_messages_of_one_turn_count_together(world: World) -> None:
    queue = world.queue()
    world.send(queue, "a", "b")
    counters = world.counters(queue)
    assert (counters.active, counters.last_sequence_number) == (2, 2)
    assert counters.bytes == sum(len(value) for _, value in stored(world))


def stored(world: World) -> list[tuple[bytes, bytes]]:
    with world.broker.reader() as reader:
        return list(reader.scan(*world.context.space.range("message")))
