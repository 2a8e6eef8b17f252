"""How a message is stored, and what is put in front of it on its way out.

A message stays the bytes that arrived, split at section boundaries; what the broker knows about it is a fixed header
in front of them:

    fixed header | header fields | annotation pairs | delivery annotations | properties | application properties | rest

- `header fields` are the first four items of the AMQP header (durable, priority, ttl, first-acquirer), encoded; the
  fifth, the delivery count, is in the fixed header, because it changes.
- `annotation pairs` are the client's message annotations without the map around them and without the keys that belong
  to the broker, so that delivering is putting the broker's pairs in front of them.
- `delivery annotations`, `properties` and `application properties` are whole sections, or nothing.
- `rest` is body and footer, never looked at.

Copies of a message of a topic may share their rest: it is stored beside them, and they have a reference in its place
(see `engine.contents`).

Delivering splices new header and annotation sections in front of the untouched bytes; nothing is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from localzure.services.servicebus.raw import pairs_of
from localzure_protocols.amqp.codec import AmqpDecodeError, Symbol, decode, encode, list_item, skip
from localzure_protocols.amqp.message import (
    APPLICATION_PROPERTIES,
    DELIVERY_ANNOTATIONS,
    PROPERTY_INDEX,
    map_section,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from localzure.services.servicebus.model import MessageState

FORMAT = 1
"""First byte of a stored message. Another layout gets another number."""

SHARED_FORMAT = 2
"""First byte of a stored message that has a reference to its rest, not the rest itself."""

_FIXED = Struct(">BIqqqBHIIII")
pack_fixed = _FIXED.pack
"""Encode the fields of `Fixed`, in their order."""
_COUNT = Struct(">I")
_COUNT_AT = 1
_ENQUEUE_SEQUENCE_NUMBER_AT = Struct(">BIqq").size
_NUMBER = Struct(">q")


class Fixed(NamedTuple):
    """The fixed header, in the order in which it is stored."""

    format: int
    delivery_count: int
    """Deliveries that failed."""
    enqueued_at: int
    expires_at: int
    """Instant at which its time to live ends; 0 for never."""
    enqueue_sequence_number: int
    """The number that it had in the entity it was first sent to; 0 while it is there."""
    header_size: int
    annotation_count: int
    """Pairs, not bytes."""
    annotations_size: int
    delivery_annotations_size: int
    properties_size: int
    application_properties_size: int


@dataclass(slots=True)
class Record:
    """A message taken apart."""

    delivery_count: int
    enqueued_at: int
    expires_at: int
    enqueue_sequence_number: int
    header_fields: bytes
    annotation_count: int
    annotations: bytes
    delivery_annotations: bytes
    properties: bytes
    application_properties: bytes
    rest: bytes
    format: int = FORMAT


def encode_record(record: Record) -> bytes:
    """Write a message as it is stored."""
    fixed = _FIXED.pack(
        record.format,
        record.delivery_count,
        record.enqueued_at,
        record.expires_at,
        record.enqueue_sequence_number,
        len(record.header_fields),
        record.annotation_count,
        len(record.annotations),
        len(record.delivery_annotations),
        len(record.properties),
        len(record.application_properties),
    )
    return b"".join(
        (
            fixed,
            record.header_fields,
            record.annotations,
            record.delivery_annotations,
            record.properties,
            record.application_properties,
            record.rest,
        )
    )


def decode_fixed(value: bytes) -> Fixed:
    """Read the fixed header of a stored message."""
    return Fixed._make(_FIXED.unpack_from(value))


def decode_record(value: bytes) -> Record:
    """Take a stored message apart."""
    fixed = decode_fixed(value)
    parts, at = [], _FIXED.size
    for size in (
        fixed.header_size,
        fixed.annotations_size,
        fixed.delivery_annotations_size,
        fixed.properties_size,
        fixed.application_properties_size,
    ):
        parts.append(value[at : at + size])
        at += size
    header_fields, annotations, delivery_annotations, properties, application_properties = parts
    return Record(
        delivery_count=fixed.delivery_count,
        enqueued_at=fixed.enqueued_at,
        expires_at=fixed.expires_at,
        enqueue_sequence_number=fixed.enqueue_sequence_number,
        header_fields=header_fields,
        annotation_count=fixed.annotation_count,
        annotations=annotations,
        delivery_annotations=delivery_annotations,
        properties=properties,
        application_properties=application_properties,
        rest=value[at:],
        format=fixed.format,
    )


def rest_at(value: bytes) -> int:
    """Where the rest of a stored message begins."""
    fixed = _FIXED.unpack_from(value)
    return int(_FIXED.size + fixed[5] + sum(fixed[7:]))


def with_delivery_count(value: bytes, delivery_count: int) -> bytes:
    """The stored message with another delivery count."""
    return b"".join((value[:_COUNT_AT], _COUNT.pack(delivery_count), value[_COUNT_AT + _COUNT.size :]))


def with_enqueue_sequence_number(value: bytes, sequence_number: int) -> bytes:
    """The stored message with another enqueue sequence number."""
    at = _ENQUEUE_SEQUENCE_NUMBER_AT
    return b"".join((value[:at], _NUMBER.pack(sequence_number), value[at + _NUMBER.size :]))


def with_application_properties(
    record: Record, changes: Mapping[Any, Any], removed: AbstractSet[str] = frozenset()
) -> Record:
    """Add application properties to `record`, or overwrite those of the same name, and take others away; returns it.

    Own ones that cannot be read are lost: a message that nobody could understand can still be settled. Raises TypeError
    and ValueError for what AMQP cannot hold.
    """
    added = {str(name): value for name, value in changes.items()}
    section = record.application_properties
    try:
        pairs = pairs_of(section, value_at(section)) if section else []
        kept = [pair for pair in pairs if (name := decode(pair[0])[0]) not in added and name not in removed]
    except AmqpDecodeError:
        kept = []
    parts = [part for pair in kept for part in pair]
    for name, value in added.items():
        parts += (encode(name), encode(value))
    record.application_properties = map_section(APPLICATION_PROPERTIES, len(parts) // 2, b"".join(parts))
    return record


def session_id_of(value: bytes) -> str:
    """The session id of a stored message; empty where it has none."""
    fixed = Fixed._make(_FIXED.unpack_from(value))
    if not fixed.properties_size:
        return ""
    at = _FIXED.size + fixed.header_size + fixed.annotations_size + fixed.delivery_annotations_size
    section = value[at : at + fixed.properties_size]
    start = value_at(section)
    if section[start] == _NULL:
        return ""
    session_id = list_item(section, start, _SESSION_ID)
    return session_id if isinstance(session_id, str) else ""


def value_at(section: bytes) -> int:
    """Where the value of an encoded section begins."""
    return 3 if section.startswith(b"\x00\x53") else decode(section, 1)[1]


# -- on the way out -------------------------------------------------------------------------------------------------


def render(
    value: bytes,
    sequence_number: int,
    *,
    state: MessageState | None = None,
    locked_until: int | None = None,
    token: bytes = b"",
) -> tuple[Fixed, bytes, bytes]:
    """Make the message that a client gets: (fixed header, the sections that are written anew, the rest as it came).

    `state` is told where a message is looked at or fetched by its number. One that is delivered under a lock has the
    instant until which it is locked, and its `token`: 16 bytes, the delivery tag. The types of the annotations are what
    .NET and Java insist on; which of them are there is what Microsoft's own tests find in Azure.
    """
    fixed = Fixed._make(_FIXED.unpack_from(value))
    fields_end = _FIXED.size + fixed.header_size
    pairs_end = fields_end + fixed.annotations_size
    more, items = b"", 2 * fixed.annotation_count
    if fixed.enqueue_sequence_number:
        more, items = _ENQUEUE_SEQUENCE_NUMBER + _LONG.pack(fixed.enqueue_sequence_number), items + 2
    if state is not None:
        more, items = more + _MESSAGE_STATE + bytes((state,)), items + 2
    size = fixed.annotations_size + len(more)
    known = _SEQUENCE_NUMBER, sequence_number, _ENQUEUED_TIME, fixed.enqueued_at // 1000
    if locked_until is None:
        annotations = _PAIRS.pack(_ANNOTATIONS, _PAIRS_SIZE + size, items + 4, *known)
    else:
        annotations = _LOCKED_PAIRS.pack(
            _ANNOTATIONS, _LOCKED_PAIRS_SIZE + size, items + 6, *known, _LOCKED_UNTIL, locked_until // 1000
        )
    bare_at = pairs_end
    if fixed.delivery_annotations_size:
        bare_at += fixed.delivery_annotations_size
        delivery_annotations = _with_token(value[pairs_end:bare_at], token)
    else:
        delivery_annotations = _TOKEN_ALONE + _guid(token) if token else _NO_DELIVERY_ANNOTATIONS
    front = b"\x00\x53\x70\xc0%c\x05%b\x70%b%b%b%b%b" % (
        fixed.header_size + 6, value[_FIXED.size : fields_end], value[_COUNT_AT : _COUNT_AT + 4], delivery_annotations,
        annotations, more, value[fields_end:pairs_end],
    )  # fmt: skip
    return fixed, front, value[bare_at:]


def _with_token(section: bytes, token: bytes) -> bytes:
    """A client's own delivery annotations, and the lock token if there is one."""
    pairs = [pair for pair in pairs_of(section, value_at(section)) if pair[0] != _LOCK_TOKEN]
    if token:
        pairs.append((_LOCK_TOKEN, b"\x98" + _guid(token)))
    return map_section(DELIVERY_ANNOTATIONS, len(pairs), b"".join([part for pair in pairs for part in pair]))


def _guid(token: bytes) -> bytes:
    """A lock token, which is in .NET's byte order as a delivery tag, as AMQP writes a UUID."""
    return token[3::-1] + token[5:3:-1] + token[7:5:-1] + token[8:]


_NULL = 0x40
_SESSION_ID = PROPERTY_INDEX["group_id"]


def _key(name: str, constructor: bytes) -> bytes:
    return encode(Symbol(name)) + constructor


_SEQUENCE_NUMBER = _key("x-opt-sequence-number", b"\x81")
_ENQUEUED_TIME = _key("x-opt-enqueued-time", b"\x83")
_ENQUEUE_SEQUENCE_NUMBER = _key("x-opt-enqueue-sequence-number", b"\x81")
_MESSAGE_STATE = _key("x-opt-message-state", b"\x54")
_LOCKED_UNTIL = _key("x-opt-locked-until", b"\x83")
_LOCK_TOKEN = _key("x-opt-lock-token", b"")
_ANNOTATIONS = b"\x00\x53\x72\xd1"

_TOKEN_ALONE = b"\x00\x53\x71\xc1%c\x02%b\x98" % (len(_LOCK_TOKEN) + 18, _LOCK_TOKEN)
"""Delivery annotations that are nothing but a lock token, up to its value."""
_NO_DELIVERY_ANNOTATIONS = b"\x00\x53\x71\xc1\x01\x00"

_LONG = Struct(">q")
_PAIRS_FORM = f">4sII{len(_SEQUENCE_NUMBER)}sq{len(_ENQUEUED_TIME)}sq"
_PAIRS = Struct(_PAIRS_FORM)
_LOCKED_PAIRS = Struct(f"{_PAIRS_FORM}{len(_LOCKED_UNTIL)}sq")
_PAIRS_SIZE, _LOCKED_PAIRS_SIZE = _PAIRS.size - 8, _LOCKED_PAIRS.size - 8
"""A map's size counts its count and its content, so all but the constructor and the size itself."""


def _encoded(*names: str) -> frozenset[bytes]:
    return frozenset(encode(kind(name)) for kind in (Symbol, str) for name in names)


BROKER_ANNOTATIONS = _encoded(
    "x-opt-sequence-number",
    "x-opt-enqueued-time",
    "x-opt-enqueue-sequence-number",
    "x-opt-message-state",
    "x-opt-locked-until",
    "x-opt-lock-token",
)
"""Encoded keys of the message annotations that belong to the broker, whatever a client sends under them."""

DEAD_LETTER_SOURCE, HOP_COUNT = "x-opt-deadletter-source", "x-opt-transfer-hop-count"

TRANSFER_ANNOTATIONS = _encoded(DEAD_LETTER_SOURCE, HOP_COUNT)
"""As `BROKER_ANNOTATIONS`, of those that stay with a message when it moves to another entity."""


def annotation(value: bytes, name: str) -> Any:
    """One of the annotations that a message is stored with; None where it has none of this name."""
    fixed = decode_fixed(value)
    at = _FIXED.size + fixed.header_size
    pairs = value[at : at + fixed.annotations_size]
    wanted, at = encode(Symbol(name)), 0
    while at < len(pairs):
        after = skip(pairs, at)
        if pairs[at:after] == wanted:
            return decode(pairs, after)[0]
        at = skip(pairs, after)
    return None


def scheduled_time(value: bytes) -> int:
    """The instant for which a stored message is, or was, scheduled; 0 for none."""
    return (annotation(value, "x-opt-scheduled-enqueue-time") or 0) * 1000


def message_id_of(value: bytes) -> Any:
    """The message id of a stored message, which every message has."""
    section = decode_record(value).properties
    return list_item(section, value_at(section), PROPERTY_INDEX["message_id"])
