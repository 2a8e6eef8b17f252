"""Messages on their way in: what is checked, what is added, and how they are stored.

Everything that can be refused is refused before the first write, so a batch is taken whole or not at all and a message
that is refused takes nothing with it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityStatus
from localzure.services.servicebus.raw import items_of, list_of, pairs_of
from localzure.services.servicebus.record import BROKER_ANNOTATIONS, FORMAT, pack_fixed
from localzure_protocols.amqp.codec import AmqpDecodeError, Symbol, Timestamp, Ubyte, Uint, decode, encode
from localzure_protocols.amqp.message import (
    BATCH_FORMAT,
    DELIVERY_ANNOTATIONS,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    PROPERTY_INDEX,
    split,
    split_batch,
)

if TYPE_CHECKING:
    from localzure.services.interface import Entropy
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_protocols.amqp.message import Sections

ID_CHARACTERS_MAX = 128
"""Longest message id (Azure's quota)."""

BATCH_MESSAGES_MAX = 4500
"""Most messages in one batch; Azure has the same bound on what one send may hold."""

TTL_MAX = 0xFFFF_FFFF
"""Largest `ttl` of an AMQP header, in milliseconds: clients send it for longer ones, which stand in the properties."""

_SCHEDULED = encode(Symbol("x-opt-scheduled-enqueue-time"))
_MESSAGE_ID, _EXPIRY = PROPERTY_INDEX["message_id"], PROPERTY_INDEX["absolute_expiry_time"]
_NULL = b"\x40"
_LONGEST_PLAIN_ID = bytes((0xA1, ID_CHARACTERS_MAX))

Admitted = tuple[bytes, int]
"""A stored message, and the instant at which it expires, or 0."""


def require_sendable(queue: Queue, entity: str) -> None:
    """Raise ServiceBusError where nothing can be sent to `queue`, whose address is `entity`."""
    if queue.is_sub_queue:
        raise ServiceBusError(ErrorCode.NOT_ALLOWED, detail=f"Nothing can be sent to the dead-letter queue '{entity}'.")
    if queue.description.status in {EntityStatus.DISABLED, EntityStatus.SEND_DISABLED}:
        raise ServiceBusError(ErrorCode.ENTITY_DISABLED, entity=entity)


def size_limit(queue: Queue) -> int:
    """Bytes of the largest message, or batch, that `queue` takes."""
    return queue.description.max_message_size_kilobytes * 1024


def too_large(queue: Queue, size: int) -> ServiceBusError:
    """The refusal of a message of `size` bytes."""
    return ServiceBusError(ErrorCode.MESSAGE_TOO_LARGE, size=size, limit=size_limit(queue))


def send(turn: Turn, queue: Queue, message_format: int, payload: bytes, entropy: Entropy) -> None:
    """Store the message, or all messages of the batch, that a client sent to `queue`.

    Raises ServiceBusError, and has written nothing then.
    """
    if len(payload) > size_limit(queue):
        raise too_large(queue, len(payload))
    try:
        sections = split(payload)
        if message_format != BATCH_FORMAT:
            admitted = [_admit(sections, queue, turn.now, entropy)]
        else:
            messages = split_batch(sections)
            if len(messages) > BATCH_MESSAGES_MAX:
                raise ServiceBusError(
                    ErrorCode.ARGUMENT_OUT_OF_RANGE, detail=f"A batch holds up to {BATCH_MESSAGES_MAX} messages."
                )
            admitted = [_admit(split(message), queue, turn.now, entropy) for message in messages]
    except AmqpDecodeError as error:
        raise ServiceBusError(ErrorCode.MESSAGE_MALFORMED, detail=error) from None
    for value, expires_at in admitted:
        turn.append(queue, value, expires_at)


def _admit(sections: Sections, queue: Queue, now: int, entropy: Entropy) -> Admitted:
    """Check one message and make what is stored of it. Raises ServiceBusError, AmqpDecodeError."""
    payload, description = sections.payload, queue.description
    header, delivery_annotations, annotations, annotation_count = b"", b"", b"", 0
    properties, properties_at, application_properties_size = b"", 0, 0
    for code, start, value_start, end in sections.ranges:
        if code > PROPERTIES:
            if code == PROPERTIES + 1:
                application_properties_size = end - start
        elif code == PROPERTIES:
            properties, properties_at = payload[start:end], value_start - start
        elif code == HEADER:
            header = payload[start:end]
        elif code == MESSAGE_ANNOTATIONS:
            annotation_count, annotations = _client_annotations(payload, value_start)
        elif code == DELIVERY_ANNOTATIONS:
            delivery_annotations = payload[start:end]
    header_fields, lifetime = _header(header, description.default_message_time_to_live)
    if lifetime == TTL_MAX * 1000:
        header_fields, lifetime = _long_lived(sections, header, description.default_message_time_to_live)
    expires_at = now + lifetime if lifetime < FOREVER else 0
    if description.requires_session and not sections.property("group_id"):
        raise ServiceBusError(ErrorCode.SESSION_ID_MISSING)
    bare = sections.bare()
    completed = _complete_properties(properties, properties_at, expires_at, entropy)
    if completed is not properties:
        bare = completed + bare[len(properties) :]
    fixed = pack_fixed(
        FORMAT, 0, now, expires_at, 0, len(header_fields), annotation_count, len(annotations),
        len(delivery_annotations), len(completed), application_properties_size,
    )  # fmt: skip
    return b"".join((fixed, header_fields, annotations, delivery_annotations, bare)), expires_at


@lru_cache(maxsize=256)
def _header(section: bytes, default_lifetime: int) -> tuple[bytes, int]:
    """What is kept of an encoded header section, and the message's lifetime in microseconds.

    The same few headers come with every message. Raises AmqpDecodeError.
    """
    header = split(section).header()
    lifetime = min(header.ttl * 1000 if header.ttl else FOREVER, default_lifetime)
    return _header_fields(header.priority, header.first_acquirer, lifetime), lifetime


def _header_fields(priority: int | None, first_acquirer: bool | None, lifetime: int) -> bytes:
    """Encode durable, priority, ttl and first-acquirer. Every message is durable."""
    return b"".join(
        (
            b"\x41",
            _NULL if priority is None else encode(Ubyte(priority)),
            _NULL if lifetime >= FOREVER else encode(Uint(min(lifetime // 1000, TTL_MAX))),
            _NULL if first_acquirer is None else encode(first_acquirer),
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
    return _header_fields(decoded.priority, decoded.first_acquirer, lifetime), lifetime


def _client_annotations(payload: bytes, at: int) -> tuple[int, bytes]:
    """The annotations that are the client's to set, encoded: (pairs, bytes).

    Raises ServiceBusError, AmqpDecodeError.
    """
    pairs = [pair for pair in pairs_of(payload, at) if pair[0] not in BROKER_ANNOTATIONS]
    for key, _ in pairs:
        if key == _SCHEDULED:
            raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation="Scheduling a message")
    return len(pairs), b"".join([part for pair in pairs for part in pair])


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
