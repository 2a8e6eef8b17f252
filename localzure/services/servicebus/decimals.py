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
SCALE_MAX = 28
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
    scale = scale_of(value)
    return value if scale is None else written(bool(value[0] & 0x80), int.from_bytes(value[4:], "big"), scale)


def scale_of(value: bytes) -> int | None:
    """The decimal places that Azure reads from the 16 bytes of a decimal128; None for what .NET's decimals cannot hold.

    The coefficient is then the last 12 bytes.
    """
    scale = (_BIAS - ((value[0] & 0x7F) << 9 | value[1] >> 1)) & 0xFF
    if value[0] & 0x60 == 0x60 or scale > SCALE_MAX or value[1] & 1 or any(value[2:4]):
        return None
    return scale


def written(is_negative: bool, coefficient: int, scale: int) -> bytes:
    """The 16 bytes of a decimal128 as Azure writes them; its coefficient has up to 96 bits."""
    exponent = _BIAS - scale
    sign = 0x80 if is_negative else 0
    return bytes((sign | exponent >> 9, (exponent & 0x7F) << 1, 0, 0)) + coefficient.to_bytes(12, "big")
