"""Decimals among application properties."""

from __future__ import annotations

from decimal import Decimal

import pytest
from azure.servicebus._pyamqp._decode import decode_payload
from azure.servicebus._pyamqp._encode import encode_value

from localzure.services.servicebus.decimals import written_anew
from localzure_protocols.amqp.codec import encode
from localzure_protocols.amqp.message import Properties, encode_data, encode_properties, map_section, split
from tests.servicebus_world import World

APPLICATION_PROPERTIES = 0x74


def encoded(value: Decimal) -> bytes:
    """A decimal as Python's SDK sends it."""
    output = bytearray()
    encode_value(output, value)
    return bytes(output)


@pytest.mark.parametrize("text", ["1.2345", "-0.5", "42", "-7", "0.0000000000000000000000000001"])
def test_a_decimal_of_pythons_sdk_can_be_read_by_it(text: str) -> None:
    world = World()
    world.create()
    pairs = encode("before") + encode(1) + encode("d") + encoded(Decimal(text)) + encode("after") + encode("x")
    sections = encode_properties(Properties(message_id="m")) + map_section(APPLICATION_PROPERTIES, 3, pairs)
    world.send_raw(world.queue(), sections + encode_data(b"body"))
    (delivery,) = world.lock(world.queue())
    received = decode_payload(memoryview(delivery.front + delivery.rest))
    assert received.application_properties == {b"before": 1, b"d": Decimal(text), b"after": b"x"}
    assert split(delivery.front + delivery.rest).raw(0x75) == encode_data(b"body")


@pytest.mark.parametrize("text", ["1.2345", "-0.5", "42"])
def test_what_was_written_anew_stays_so(text: str) -> None:
    once = written_anew(encoded(Decimal(text))[1:])
    assert once != encoded(Decimal(text))[1:]
    assert written_anew(once) == once


@pytest.mark.parametrize(
    "value",
    [
        b"\x78" + bytes(15),  # infinity
        b"\x7c" + bytes(15),  # not a number
        b"\x30\x40\xff" + bytes(13),  # more than 96 bits
        b"\x30\x00" + bytes(13) + b"\1",  # 32 decimal places
    ],
)
def test_what_a_decimal_of_net_cannot_hold_stays_as_it_is(value: bytes) -> None:
    assert written_anew(value) == value
