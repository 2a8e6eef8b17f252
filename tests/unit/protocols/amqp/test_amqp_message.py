"""Messages are split without decoding, rebuilt around untouched bytes, and read as real clients write them."""

from typing import Any
from uuid import UUID

import pytest
from azure.servicebus._pyamqp._decode import decode_payload
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._pyamqp.message import Header as PyamqpHeader
from azure.servicebus._pyamqp.message import Message as PyamqpMessage
from azure.servicebus._pyamqp.message import Properties as PyamqpProperties
from proton import Message as ProtonMessage

from localzure_protocols.amqp.codec import (
    AmqpDecodeError,
    Array,
    MapPairs,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    encode,
)
from localzure_protocols.amqp.message import (
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    FOOTER,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    PROPERTY_INDEX,
    SEQUENCE,
    VALUE,
    Header,
    Properties,
    annotation_pairs,
    encode_application_properties,
    encode_data,
    encode_delivery_annotations,
    encode_header,
    encode_message_annotations,
    encode_properties,
    encode_value,
    map_section,
    split,
    split_batch,
)

FULL_HEADER = Header(durable=True, priority=4, ttl=1000, first_acquirer=False, delivery_count=3)
FULL_PROPERTIES = Properties(
    message_id=UUID(int=7),
    user_id=b"me",
    to="to",
    subject="subject",
    reply_to="reply",
    correlation_id=Ulong(9),
    content_type="text/plain",
    content_encoding="gzip",
    absolute_expiry_time=1700000000000,
    creation_time=1600000000000,
    group_id="group",
    group_sequence=5,
    reply_to_group_id="reply-group",
)
HEADER_BYTES = encode_header(FULL_HEADER)
DELIVERY_BYTES = encode_delivery_annotations({"x-opt-lock-token": UUID(int=1)})
ANNOTATION_BYTES = encode_message_annotations({"x-opt-sequence-number": 5, "x-opt-enqueued-time": Timestamp(6)})
PROPERTY_BYTES = encode_properties(FULL_PROPERTIES)
APPLICATION_BYTES = encode_application_properties({"a": 1, "b": "two"})
BODY_BYTES = encode_data(b"one") + encode_data(b"x" * 300)
FOOTER_BYTES = map_section(FOOTER, *annotation_pairs({"f": None}))
WHOLE = (
    HEADER_BYTES + DELIVERY_BYTES + ANNOTATION_BYTES + PROPERTY_BYTES + APPLICATION_BYTES + BODY_BYTES + FOOTER_BYTES
)


def test_every_section_is_found_and_read() -> None:
    sections = split(WHOLE)
    assert [section[0] for section in sections.ranges] == [
        HEADER,
        DELIVERY_ANNOTATIONS,
        MESSAGE_ANNOTATIONS,
        PROPERTIES,
        APPLICATION_PROPERTIES,
        DATA,
        DATA,
        FOOTER,
    ]
    assert sections.raw(HEADER) == HEADER_BYTES
    assert sections.raw(DATA) == BODY_BYTES
    assert sections.raw(VALUE) == b""
    assert sections.bare() == PROPERTY_BYTES + APPLICATION_BYTES + BODY_BYTES + FOOTER_BYTES
    assert sections.header() == FULL_HEADER
    assert sections.properties() == FULL_PROPERTIES
    assert sections.delivery_annotations() == {"x-opt-lock-token": UUID(int=1)}
    assert sections.message_annotations() == {"x-opt-sequence-number": 5, "x-opt-enqueued-time": Timestamp(6)}
    assert all(type(key) is Symbol for key in sections.message_annotations())
    assert sections.application_properties() == {"a": 1, "b": "two"}
    assert sections.footer() == {"f": None}
    assert sections.body_code == DATA
    assert sections.data() == [b"one", b"x" * 300]
    assert sections.sequences() == []
    assert sections.value() is None


@pytest.mark.parametrize("name", PROPERTY_INDEX)
def test_one_property_is_read_by_name(name: str) -> None:
    assert split(WHOLE).property(name) == getattr(FULL_PROPERTIES, name)


def test_absent_and_empty_sections_read_as_empty() -> None:
    for payload in (b"", bytes.fromhex("00537045" + "00537345" + "00537240"), bytes.fromhex("00537040" + "00537340")):
        sections = split(payload)
        assert sections.header() == Header()
        assert sections.properties() == Properties()
        assert sections.property("message_id") is None
        assert sections.message_annotations() == {}
        assert sections.body_code is None
        assert sections.data() == []


def test_sections_out_of_order_are_put_in_order() -> None:
    sections = split(BODY_BYTES + APPLICATION_BYTES + HEADER_BYTES + PROPERTY_BYTES + DELIVERY_BYTES)
    assert sections.bare() == PROPERTY_BYTES + APPLICATION_BYTES + BODY_BYTES
    assert sections.header() == FULL_HEADER
    interrupted = split(PROPERTY_BYTES + ANNOTATION_BYTES + BODY_BYTES)
    assert interrupted.bare() == PROPERTY_BYTES + BODY_BYTES
    trailing = split(PROPERTY_BYTES + BODY_BYTES + DELIVERY_BYTES)
    assert trailing.bare() == PROPERTY_BYTES + BODY_BYTES


def test_rarer_descriptors_are_read() -> None:
    long_form = bytes.fromhex("00800000000000000073") + encode(["id"])
    symbolic = b"\x00" + encode(Symbol("amqp:amqp-value:*")) + encode({"k": 1})
    sections = split(long_form + symbolic)
    assert sections.property("message_id") == "id"
    assert sections.value() == {"k": 1}
    assert sections.body_code == VALUE
    assert sections.bare() == long_form + symbolic


def test_each_kind_of_body_is_read() -> None:
    assert split(encode_value([1, None])).value() == [1, None]
    sequence = b"\x00\x53\x76" + encode([1]) + b"\x00\x53\x76\x45"
    assert split(sequence).body_code == SEQUENCE
    assert split(sequence).sequences() == [[1], []]


def test_a_header_has_its_delivery_count_even_at_zero() -> None:
    assert encode_header(Header()) == bytes.fromhex("005370" + "c00605" + "4040404043")
    assert encode_header(Header(ttl=7)) == bytes.fromhex("005370" + "c00705" + "404052074043")
    properties = encode_properties(Properties(message_id="a"))
    assert properties == bytes.fromhex("005373" + "c00401" + "a10161")


def test_kept_annotations_are_joined_with_new_ones_without_decoding() -> None:
    kept_count, kept = annotation_pairs({"x-opt-partition-key": "p"})
    new_count, new = annotation_pairs({Symbol("x-opt-sequence-number"): 1})
    section = map_section(MESSAGE_ANNOTATIONS, kept_count + new_count, kept + new)
    assert split(section).message_annotations() == {"x-opt-partition-key": "p", "x-opt-sequence-number": 1}


def test_a_batch_is_split_into_its_messages() -> None:
    messages = [encode_data(b"%d" % number) for number in range(3)]
    envelope = split(ANNOTATION_BYTES + b"".join(encode_data(message) for message in messages))
    assert split_batch(envelope) == messages
    assert split_batch(split(b"")) == []
    with pytest.raises(AmqpDecodeError):
        split_batch(split(encode_value(b"")))


REFUSED = {
    "no section": b"\x40",
    "descriptor alone": b"\x00\x53\x75",
    "descriptor cut off": b"\x00\x53",
    "unknown descriptor": b"\x00\x53\x6f\x45",
    "unknown name": b"\x00" + encode(Symbol("amqp:other:list")) + b"\x45",
    "descriptor of another type": b"\x00" + encode("amqp:header:list") + b"\x45",
    "a section twice": HEADER_BYTES * 2,
    "two values": encode_value(1) * 2,
    "two kinds of body": encode_data(b"") + encode_value(None),
    "a map where a list belongs": b"\x00\x53\x70" + encode({}),
    "a list where a map belongs": b"\x00\x53\x72\x45",
    "a string as data": b"\x00\x53\x75" + encode("text"),
    "data cut off": encode_data(b"abc")[:-1],
    "wide data cut off": encode_data(b"x" * 300)[:-1],
    "value cut off": encode_value("abc")[:-1],
    "size byte missing": b"\x00\x53\x75\xa0",
}


@pytest.mark.parametrize("payload", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(AmqpDecodeError):
        split(payload)


def test_sections_with_wrong_contents_are_refused_when_read() -> None:
    with pytest.raises(AmqpDecodeError, match="holds a str"):
        split(b"\x00\x53\x70" + encode(["durable"])).header()
    with pytest.raises(AmqpDecodeError, match="holds a bool"):
        split(b"\x00\x53\x70" + encode([None, None, True])).header()
    with pytest.raises(AmqpDecodeError, match="holds a int"):
        split(b"\x00\x53\x73" + encode([1])).properties()
    with pytest.raises(AmqpDecodeError, match="holds a MapPairs"):
        split(b"\x00\x53\x72" + encode(MapPairs([("k", 1), ("k", 2)]))).message_annotations()
    with pytest.raises(AmqpDecodeError):
        split(b"\x00\x53\x72\xc1\x02\x01\x40").message_annotations()


def test_fields_of_later_versions_are_ignored() -> None:
    assert split(b"\x00\x53\x70" + encode([True, Ubyte(1), Uint(2), None, Uint(3), "new"])).header() == Header(
        durable=True, priority=1, ttl=2, delivery_count=3
    )


def test_what_proton_writes_is_read_and_what_we_write_proton_reads() -> None:
    message = ProtonMessage(body=b"body", id="id", subject="subject", properties={"p": True}, ttl=1.5)
    message.annotations = {"x": 1}
    sections = split(message.encode())
    assert sections.property("message_id") == "id"
    assert sections.properties().subject == "subject"
    assert sections.header().ttl == 1500
    assert sections.message_annotations() == {"x": 1}
    assert sections.application_properties() == {"p": True}
    back = ProtonMessage()
    back.decode(WHOLE)
    assert back.id == UUID(int=7)
    assert back.delivery_count == 3
    assert back.annotations == {"x-opt-sequence-number": 5, "x-opt-enqueued-time": 6}


def test_what_microsofts_python_client_writes_is_read_and_what_we_write_it_reads() -> None:
    buffer = bytearray()
    written = PyamqpMessage(
        header=PyamqpHeader(durable=True, priority=4, ttl=1000, delivery_count=0),
        delivery_annotations={"late": "yes"},
        message_annotations={b"x-opt-partition-key": "p"},
        properties=PyamqpProperties(message_id="id", subject="subject"),
        application_properties={"k": 1},
        data=[b"one", b"two"],
        value=None,
        footer=None,
        sequence=None,
    )
    encode_payload(buffer, written)
    sections = split(bytes(buffer))
    assert sections.ranges[-1][0] == DELIVERY_ANNOTATIONS
    assert sections.header() == Header(durable=True, priority=4, ttl=1000, delivery_count=0)
    assert sections.message_annotations() == {"x-opt-partition-key": "p"}
    assert sections.properties() == Properties(message_id="id", subject="subject")
    assert sections.application_properties() == {"k": 1}
    assert sections.data() == [b"one", b"two"]
    rewritten = encode_header(Header()) + ANNOTATION_BYTES + sections.bare()
    read: Any = decode_payload(memoryview(rewritten))
    assert read.header.delivery_count == 0
    assert read.message_annotations[b"x-opt-sequence-number"] == 5
    assert read.data == [b"one", b"two"]


def test_arrays_in_annotations_stay_arrays() -> None:
    section = encode_message_annotations({"list": Array([1], int)})
    assert split(section).message_annotations()["list"].element is int
