"""Decimals among application properties, as Azure gives them back.

Azure reads every application property of a message and writes it anew. For a decimal128 its AMQP library places the
exponent two bits away from where IEEE 754-2008 has it, and SDKs that write decimals right (Python's is one) read them
as Azure writes them: to such a client a message that came back bit by bit would be malformed, and be dropped. Reading
one with its exponent in either place gives the same scale, because that is cut to eight bits.
"""

from __future__ import annotations

from localzure.services.servicebus.raw import items_of

DECIMAL128 = 0x94
"""The constructor of a decimal128."""

_BYTES = 16
_BIAS = 6176
_SCALE_MAX = 28
"""Most decimal places of a .NET decimal."""


def with_written_anew(payload: bytes, start: int, end: int) -> bytes:
    """Write the decimals of the application properties, a map from `start` to `end`, as Azure does.

    Nothing changes its place. Raises AmqpDecodeError for what is no map.
    """
    changed = bytearray(payload)
    items = items_of(payload, start)
    at = end - sum(map(len, items))
    for number, item in enumerate(items):
        if number % 2 and item[0] == DECIMAL128:
            changed[at + 1 : at + 1 + _BYTES] = written_anew(item[1:])
        at += len(item)
    return bytes(changed)


def written_anew(value: bytes) -> bytes:
    """The 16 bytes of a decimal128 as Azure writes them; those that .NET's decimals cannot hold stay as they are."""
    scale = (_BIAS - ((value[0] & 0x7F) << 9 | value[1] >> 1)) & 0xFF
    if value[0] & 0x60 == 0x60 or scale > _SCALE_MAX or value[1] & 1 or any(value[2:4]):
        return value
    exponent = _BIAS - scale
    return bytes((value[0] & 0x80 | exponent >> 9, (exponent & 0x7F) << 1)) + value[2:]
