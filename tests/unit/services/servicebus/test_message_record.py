"""How messages are stored and what is put in front of them."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.raw import items_of, list_of, pairs_of
from localzure.services.servicebus.record import (
    Record,
    decode_fixed,
    decode_record,
    encode_record,
    render,
    with_application_properties,
    with_delivery_count,
)
from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Int, Symbol, Uint, decode, encode
from localzure_protocols.amqp.message import (
    Properties,
    encode_application_properties,
    encode_data,
    encode_delivery_annotations,
    encode_properties,
    split,
)

TOKEN = UUID("00112233-4455-6677-8899-aabbccddeeff")


def record(**changes: object) -> Record:
    values: dict[str, object] = {
        "delivery_count": 2,
        "enqueued_at": 1_700_000_000_000_000,
        "expires_at": 0,
        "enqueue_sequence_number": 0,
        "header_fields": b"\x41\x40\x40\x40",
        "annotation_count": 1,
        "annotations": encode(Symbol("x-mine")) + encode("mine"),
        "delivery_annotations": b"",
        "properties": encode_properties(Properties(message_id="m")),
        "application_properties": encode_application_properties({"a": Uint(1), "b": "two"}),
        "rest": encode_data(b"body"),
    }
    return Record(**{**values, **changes})  # type: ignore[arg-type]


def test_a_record_is_read_as_it_was_written() -> None:
    original = record(delivery_annotations=encode_delivery_annotations({"d": 1}), expires_at=5)
    value = encode_record(original)
    assert decode_record(value) == original
    assert decode_fixed(value).delivery_count == 2
    assert decode_record(with_delivery_count(value, 70_000)).delivery_count == 70_000
    assert decode_record(with_delivery_count(value, 2)) == original


def test_a_delivery_has_the_brokers_sections_in_front_of_the_clients_own() -> None:
    fixed, front, rest = render(encode_record(record()), 7, locked_until=1_700_000_060_000_999, token=TOKEN.bytes_le)
    message = split(front + rest)
    assert fixed.delivery_count == 2
    assert message.header().delivery_count == 2
    assert message.header().durable is True
    annotations = message.message_annotations()
    assert list(annotations.items()) == [
        ("x-opt-sequence-number", 7),
        ("x-opt-enqueued-time", 1_700_000_000_000),
        ("x-opt-locked-until", 1_700_000_060_000),
        ("x-mine", "mine"),
    ]
    assert [type(value).__name__ for value in annotations.values()] == [
        "int", "Timestamp", "Timestamp", "str"
    ]  # fmt: skip
    assert {type(key) for key in annotations} == {Symbol}
    assert message.delivery_annotations() == {"x-opt-lock-token": TOKEN}
    assert rest == record().properties + record().application_properties + record().rest


def test_one_that_came_from_elsewhere_has_the_number_that_it_had_there() -> None:
    _, front, _ = render(encode_record(record(enqueue_sequence_number=2**40)), 7, state=MessageState.DEFERRED)
    annotations = split(front).message_annotations()
    assert annotations["x-opt-enqueue-sequence-number"] == 2**40
    assert annotations["x-opt-message-state"] == Int(1)
    assert annotations["x-mine"] == "mine"


def test_without_a_lock_there_is_no_locked_until() -> None:
    _, front, rest = render(encode_record(record()), 7, state=MessageState.SCHEDULED)
    annotations = split(front + rest).message_annotations()
    assert "x-opt-locked-until" not in annotations
    assert annotations["x-opt-message-state"] == Int(2)


def test_the_clients_delivery_annotations_stand_between_header_and_annotations() -> None:
    _, front, rest = render(encode_record(record(delivery_annotations=encode_delivery_annotations({"d": 1}))), 7)
    message = split(front + rest)
    assert message.delivery_annotations() == {"d": 1}
    assert [code for code, *_ in message.ranges] == [0x70, 0x71, 0x72, 0x73, 0x74, 0x75]


def test_a_message_of_no_sections_can_be_delivered() -> None:
    empty = record(annotation_count=0, annotations=b"", properties=b"", application_properties=b"", rest=b"")
    _, front, rest = render(encode_record(empty), 1)
    assert rest == b""
    assert split(front).message_annotations()["x-opt-sequence-number"] == 1


def test_a_deferred_message_carries_its_lock_token() -> None:
    stored = record(delivery_annotations=encode_delivery_annotations({"d": 1, "x-opt-lock-token": "stale"}))
    _, front, rest = render(
        encode_record(stored), 9, state=MessageState.DEFERRED, locked_until=60_000_000, token=TOKEN.bytes_le
    )
    message = split(front + rest)
    assert message.delivery_annotations() == {"d": 1, "x-opt-lock-token": TOKEN}
    assert message.message_annotations()["x-opt-message-state"] == 1
    assert message.message_annotations()["x-opt-locked-until"] == 60_000


def test_application_properties_are_added_and_overwritten() -> None:
    changed = with_application_properties(record(), {Symbol("b"): Int(3), "c": None})
    message = split(b"".join((changed.properties, changed.application_properties, changed.rest)))
    properties = message.application_properties()
    assert properties == {"a": 1, "b": 3, "c": None}
    assert {key: type(value).__name__ for key, value in properties.items()} == {
        "a": "Uint",
        "b": "Int",
        "c": "NoneType",
    }
    assert all(type(key) is str for key in properties)


def test_application_properties_can_be_added_where_there_are_none() -> None:
    changed = with_application_properties(record(application_properties=b""), {"a": "b"})
    assert split(changed.application_properties).application_properties() == {"a": "b"}


def test_a_section_with_a_rarer_descriptor_can_be_changed() -> None:
    symbolic = b"\x00" + encode(Symbol("amqp:application-properties:map")) + encode({"a": 1})
    changed = with_application_properties(record(application_properties=symbolic), {"b": 2})
    assert split(changed.application_properties).application_properties() == {"a": 1, "b": 2}


def test_properties_that_nobody_can_read_do_not_keep_a_message_from_being_settled() -> None:
    broken = b"\x00\x53\x74\xc1\x04\x02\xa1\x09x"
    changed = with_application_properties(record(application_properties=broken), {"b": 2})
    assert split(changed.application_properties).application_properties() == {"b": 2}


def test_what_amqp_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        with_application_properties(record(), {"a": object()})


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(), st.binary())


@given(st.lists(VALUES, max_size=300))
def test_lists_are_taken_apart_and_put_together(values: list[object]) -> None:
    encoded = encode(Described(1, values)) if values else b""
    items = items_of(encoded, 3) if values else items_of(b"\x45", 0)
    assert items == [encode(value) for value in values]
    assert decode(list_of(items)) == (values, len(list_of(items)))


@given(st.dictionaries(st.text(), VALUES, max_size=150))
def test_maps_are_taken_apart(mapping: dict[str, object]) -> None:
    assert pairs_of(encode(mapping), 0) == [(encode(key), encode(value)) for key, value in mapping.items()]


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xa1\x01x",
        b"\xc0\x01",
        b"\xc0\x02\x02\x41",
        b"\xc0\x03\x01\x41\x41",
        b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff",
        b"\xc0\x02\x01\xa1\x05",
        b"\xc0",
        b"",
    ],
)
def test_lists_that_are_none_are_refused(encoded: bytes) -> None:
    with pytest.raises(AmqpDecodeError):
        items_of(encoded, 0)


def test_a_map_with_a_key_and_no_value_is_refused() -> None:
    with pytest.raises(AmqpDecodeError):
        pairs_of(b"\xc1\x02\x01\x41", 0)
