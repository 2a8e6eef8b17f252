"""What the copies of a message of a topic have in common: body and footer, stored once with a count of the copies.

A copy has its own header, annotations and properties, which its subscription may change, and in place of its body a
reference. The count is part of the transactions that store and remove copies, so what nobody refers to any more is
removed with the last copy, also across a crash.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.servicebus.record import FORMAT, SHARED_FORMAT, rest_at

if TYPE_CHECKING:
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Reader, Writer

SHARED_BYTES_MIN = 512
"""Smaller bodies are stored with each copy: that takes less room and time than counting references to them."""

_REFERENCE = Struct(">qqI")
_COUNT = Struct(">q")
_FORMAT_BYTE, _SHARED_FORMAT_BYTE = bytes((FORMAT,)), bytes((SHARED_FORMAT,))


class Reference(NamedTuple):
    """What a copy has in place of its body."""

    topic_id: int
    sequence_number: int
    """The number that the message got in its topic."""
    size: int
    """Of what is referred to, in bytes."""


def is_shared(value: bytes) -> bool:
    """Whether a stored message has a reference."""
    return value[0] == SHARED_FORMAT


def share(value: bytes, topic_id: int, sequence_number: int) -> tuple[bytes, bytes]:
    """Split a stored message: what is stored of each copy, and what is stored once."""
    at = rest_at(value)
    reference = _REFERENCE.pack(topic_id, sequence_number, len(value) - at)
    return b"".join((_SHARED_FORMAT_BYTE, value[1:at], reference)), value[at:]


def reference_of(value: bytes) -> Reference:
    """The reference in a stored message that `is_shared`."""
    return Reference._make(_REFERENCE.unpack_from(value, len(value) - _REFERENCE.size))


def whole(reader: Reader, keys: ServiceBusKeys, value: bytes) -> bytes:
    """A stored message with its rest, whether it has it or refers to it."""
    if value[0] == FORMAT:
        return value
    reference = reference_of(value)
    content = reader.get(keys.content(reference.topic_id, reference.sequence_number))
    assert content is not None, "what is referred to is stored"
    return b"".join((_FORMAT_BYTE, value[1 : -_REFERENCE.size], content))


def refer(writer: Writer, keys: ServiceBusKeys, reference: Reference, change: int) -> bool:
    """Count references more or less; True where none is left and the content was removed."""
    key = keys.content_references(reference.topic_id, reference.sequence_number)
    stored = writer.get(key)
    count = change if stored is None else int(_COUNT.unpack(stored)[0]) + change
    if count > 0:
        writer.put(key, _COUNT.pack(count))
        return False
    writer.delete(key)
    return writer.delete(keys.content(reference.topic_id, reference.sequence_number))
