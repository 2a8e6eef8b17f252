"""Messages on their way in: what is checked, what is added, and what is stored of them.

Nothing here writes: what is refused is refused before anything is stored.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from localzure.services.servicebus.decimals import DECIMAL128, with_written_anew
from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.raw import items_of, list_of, pairs_of
from localzure.services.servicebus.record import (
    BROKER_ANNOTATIONS,
    FORMAT,
    TRANSFER_ANNOTATIONS,
    decode_record,
    pack_fixed,
    value_at,
)
from localzure_protocols.amqp.codec import AmqpDecodeError, Symbol, Timestamp, Ubyte, Uint, decode, encode
from localzure_protocols.amqp.message import (
    APPLICATION_PROPERTIES,
    DELIVERY_ANNOTATIONS,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    PROPERTY_INDEX,
    map_section,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.model import EntityDescription
    from localzure_protocols.amqp.message import Header, Sections

ID_CHARACTERS_MAX = 128
"""Longest message id, session id and partition key (Azure's quota)."""

PROPERTY_BYTES_MAX = 32 * 1024
"""Largest single application property (Azure's quota)."""

PROPERTIES_BYTES_MAX = 64 * 1024
"""Largest sum of everything in a message that is not its body (Azure's quota)."""

TTL_MAX = 0xFFFF_FFFF
"""Largest `ttl` of an AMQP header, in milliseconds: clients send it for longer ones, which stand in the properties."""

SCHEDULED_MAX = 253_402_300_799_999
"""Latest time for which a message can be scheduled, in milliseconds: the end of the year 9999."""

_SCHEDULED = encode(Symbol("x-opt-scheduled-enqueue-time"))
_PARTITION_KEY = encode(Symbol("x-opt-partition-key"))
_MESSAGE_ID, _EXPIRY = PROPERTY_INDEX["message_id"], PROPERTY_INDEX["absolute_expiry_time"]
_NULL = b"\x40"
_FROM_CLIENT = BROKER_ANNOTATIONS | TRANSFER_ANNOTATIONS
_HEAD = (HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES)
_LONGEST_PLAIN_ID = bytes((0xA1, ID_CHARACTERS_MAX))


class Admitted(NamedTuple):
    """A message that may be stored."""

    value: bytes
    """As it is stored (see `record`)."""
    expires_at: int
    """Instant at which it expires; 0 for never, and while it is scheduled."""
    scheduled_at: int
    """Instant at which it is to be enqueued; 0 for at once."""


def admit(
    sections: Sections,
    description: EntityDescription,
    now: int,
    entropy: Entropy,
    *,
    is_from_client: bool = True,
    enqueue_sequence_number: int = 0,
) -> Admitted:
    """Check one message and make what is stored of it in a queue with `description`.

    Raises ServiceBusError, AmqpDecodeError.
    """
    payload = sections.payload
    header, delivery_annotations = b"", b""
    annotations = _Annotations(0, b"", 0, None)
    properties, properties_at, application_properties_size = b"", 0, 0
    for code, start, value_start, end in sections.ranges:
        if code > PROPERTIES:
            if code == APPLICATION_PROPERTIES:
                application_properties_size = end - start
                if payload.find(DECIMAL128, value_start, end) > 0:
                    payload = sections.payload = with_written_anew(payload, value_start, end)
        elif code == PROPERTIES:
            properties, properties_at = payload[start:end], value_start - start
        elif code == HEADER:
            header = payload[start:end]
        elif code == MESSAGE_ANNOTATIONS:
            annotations = _annotations(payload, value_start, _FROM_CLIENT if is_from_client else BROKER_ANNOTATIONS)
        elif code == DELIVERY_ANNOTATIONS:
            delivery_annotations = payload[start:end]
    _require_group(sections, description, annotations.partition_key, len(properties))
    if application_properties_size > PROPERTY_BYTES_MAX or len(properties) > PROPERTY_BYTES_MAX:
        _require_small_properties(sections)
    header_fields, lifetime = _header(header, description.default_message_time_to_live)
    if lifetime == TTL_MAX * 1000:
        header_fields, lifetime = _long_lived(sections, header, description.default_message_time_to_live)
    scheduled_at = annotations.scheduled_at if is_from_client and annotations.scheduled_at > now else 0
    expires_at = now + lifetime if lifetime < FOREVER and not scheduled_at else 0
    bare = sections.bare()
    completed = _complete_properties(properties, properties_at, expires_at, entropy)
    if completed is not properties:
        bare = completed + bare[len(properties) :]
    fixed = pack_fixed(
        FORMAT, 0, now, expires_at, enqueue_sequence_number, len(header_fields), annotations.pairs_count,
        len(annotations.pairs), len(delivery_annotations), len(completed), application_properties_size,
    )  # fmt: skip
    value = b"".join((fixed, header_fields, annotations.pairs, delivery_annotations, bare))
    return Admitted(value, expires_at, scheduled_at)


def readmit(
    value: bytes,
    description: EntityDescription,
    now: int,
    entropy: Entropy,
    enqueue_sequence_number: int,
    annotations: Mapping[str, Any],
) -> Admitted:
    """Admit a stored message again, to a queue with `description`, as new: its time to live begins at `now`.

    `annotations` are added to its own, or take their place. Raises ServiceBusError.
    """
    record = decode_record(value)
    limit = description.max_message_size_kilobytes * 1024
    size = len(record.properties) + len(record.application_properties) + len(record.rest)
    if size > limit:
        raise ServiceBusError(ErrorCode.MESSAGE_TOO_LARGE, size=size, limit=limit)
    section = map_section(MESSAGE_ANNOTATIONS, record.annotation_count, record.annotations)
    added = {encode(Symbol(name)): encode(each) for name, each in annotations.items()}
    pairs = [pair for pair in pairs_of(section, value_at(section)) if pair[0] not in added] + [*added.items()]
    payload = b"".join(
        (
            b"\x00\x53\x70\xc0%c\x04%b" % (len(record.header_fields) + 1, record.header_fields),
            record.delivery_annotations,
            map_section(MESSAGE_ANNOTATIONS, len(pairs), b"".join([part for pair in pairs for part in pair])),
            record.properties,
            record.application_properties,
            record.rest,
        )
    )
    return admit(
        split(payload),
        description,
        now,
        entropy,
        is_from_client=False,
        enqueue_sequence_number=enqueue_sequence_number,
    )


@lru_cache(maxsize=256)
def _header(section: bytes, default_lifetime: int) -> tuple[bytes, int]:
    """What is kept of an encoded header section, and the message's lifetime in microseconds.

    The same few headers come with every message. Raises AmqpDecodeError.
    """
    header = split(section).header()
    lifetime = min(header.ttl * 1000 if header.ttl else FOREVER, default_lifetime)
    return _header_fields(header, lifetime), lifetime


def _header_fields(header: Header, lifetime: int) -> bytes:
    """Encode durable, priority, ttl and first-acquirer. Every message is stored, whatever it says of itself."""
    return b"".join(
        (
            encode(header.durable),
            _NULL if header.priority is None else encode(Ubyte(header.priority)),
            _NULL if lifetime >= FOREVER else encode(Uint(min(lifetime // 1000, TTL_MAX))),
            encode(header.first_acquirer),
        )
    )


def _long_lived(sections: Sections, header: bytes, default_lifetime: int) -> tuple[bytes, int]:
    """Take a lifetime that a header's `ttl` cannot hold from creation time and absolute expiry time."""
    created, expiry = sections.property("creation_time"), sections.property("absolute_expiry_time")
    lifetime = TTL_MAX * 1000
    if isinstance(created, Timestamp) and isinstance(expiry, Timestamp) and expiry > created:
        lifetime = max(lifetime, (expiry - created) * 1000)
    lifetime = min(lifetime, default_lifetime)
    decoded = split(header).header()
    return _header_fields(decoded, lifetime), lifetime


class _Annotations(NamedTuple):
    """The message annotations that are the client's to set."""

    pairs_count: int
    pairs: bytes
    """Encoded."""
    scheduled_at: int
    """An instant; 0 where there is none."""
    partition_key: str | None


def _annotations(payload: bytes, at: int, stripped: frozenset[bytes]) -> _Annotations:
    """Read the annotations at `at`, without those called as in `stripped`. Raises ServiceBusError, AmqpDecodeError."""
    pairs = [pair for pair in pairs_of(payload, at) if pair[0] not in stripped]
    scheduled_at, partition_key = 0, None
    for key, encoded in pairs:
        if key == _SCHEDULED:
            scheduled_at = _scheduled_at(decode(encoded)[0])
        elif key == _PARTITION_KEY:
            partition_key = _partition_key(decode(encoded)[0])
    return _Annotations(len(pairs), b"".join([part for pair in pairs for part in pair]), scheduled_at, partition_key)


def _partition_key(value: object) -> str | None:
    """A partition key; Python's SDK sends that of a message that it has received as bytes. Raises ServiceBusError."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is not None and not isinstance(value, str):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="'x-opt-partition-key' must be a string.")
    return value


def _scheduled_at(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, Timestamp) or not 0 <= value <= SCHEDULED_MAX:
        raise ServiceBusError(
            ErrorCode.ARGUMENT, detail="'x-opt-scheduled-enqueue-time' must be a timestamp between 1970 and 9999."
        )
    return value * 1000


def _require_group(
    sections: Sections, description: EntityDescription, partition_key: str | None, properties_size: int
) -> None:
    """Check the session id, and that the partition key is the same. Raises ServiceBusError, AmqpDecodeError."""
    if not description.requires_session and partition_key is None and properties_size <= ID_CHARACTERS_MAX:
        return
    session_id = sections.property("group_id")
    if session_id is not None and not isinstance(session_id, str):
        raise AmqpDecodeError("the group id is not a string")
    for name, each in (("SessionId", session_id), ("PartitionKey", partition_key)):
        if each is not None and len(each) > ID_CHARACTERS_MAX:
            raise ServiceBusError(
                ErrorCode.ARGUMENT_OUT_OF_RANGE, detail=f"A {name} has up to {ID_CHARACTERS_MAX} characters."
            )
    if description.requires_session and session_id is None:
        raise ServiceBusError(ErrorCode.SESSION_ID_MISSING)
    if partition_key and session_id and partition_key != session_id:
        raise ServiceBusError(
            ErrorCode.NOT_ALLOWED, detail="The PartitionKey of a message must be its SessionId where it has both."
        )


def _require_small_properties(sections: Sections) -> None:
    """Raises ServiceBusError, AmqpDecodeError."""
    sizes = {code: end - start for code, start, _, end in sections.ranges}
    if sum(sizes.get(code, 0) for code in _HEAD) > PROPERTIES_BYTES_MAX:
        raise ServiceBusError(
            ErrorCode.ARGUMENT_OUT_OF_RANGE,
            detail=f"The properties of a message take up to {PROPERTIES_BYTES_MAX} bytes together.",
        )
    for code, _, value_start, _ in sections.ranges:
        if code == APPLICATION_PROPERTIES:
            for key, each in pairs_of(sections.payload, value_start):
                if len(each) > PROPERTY_BYTES_MAX:
                    raise ServiceBusError(
                        ErrorCode.ARGUMENT_OUT_OF_RANGE,
                        detail=f"The property {decode(key)[0]!r:.100} takes more than {PROPERTY_BYTES_MAX} bytes.",
                    )


def _complete_properties(section: bytes, at: int, expires_at: int, entropy: Entropy) -> bytes:
    """Give the properties a message id where there is none, and the expiry time. Returns `section` if all is there.

    Raises ServiceBusError, AmqpDecodeError.
    """
    has_id = _has_message_id(section, at)
    if has_id and not expires_at:
        return section
    items = items_of(section, at) if section else []
    items += [_NULL] * ((_EXPIRY if expires_at else _MESSAGE_ID) + 1 - len(items))
    if not has_id:
        items[_MESSAGE_ID] = encode(entropy.bytes(16).hex())
    if expires_at:
        items[_EXPIRY] = encode(Timestamp(expires_at // 1000))
    return b"\x00\x53\x73" + list_of(items)


def _has_message_id(section: bytes, at: int) -> bool:
    """Whether the first property is there; it must not be too long. Raises ServiceBusError, AmqpDecodeError."""
    if not section:
        return False
    constructor = section[at]
    first = at + 3 if constructor == 0xC0 else at + 9
    if constructor in {0x45, 0x40} or first >= len(section) or section[first] == 0x40:
        return False
    # A text of few bytes is one of few characters.
    if section[first : first + 2] > _LONGEST_PLAIN_ID:
        message_id = decode(section, first)[0]
        if isinstance(message_id, str) and len(message_id) > ID_CHARACTERS_MAX:
            raise ServiceBusError(
                ErrorCode.ARGUMENT_OUT_OF_RANGE, detail=f"A MessageId has up to {ID_CHARACTERS_MAX} characters."
            )
    return True
