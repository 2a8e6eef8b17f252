"""A stored message as rules see it (see `rules.view`): decoded as far as a rule asks, and once for all rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.engine.contents import is_shared, reference_of
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.raw import items_of, pairs_of
from localzure.services.servicebus.record import DEAD_LETTER_SOURCE, annotation, decode_record, value_at
from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Int, Symbol, Timestamp, decode
from localzure_protocols.amqp.message import PROPERTY_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIMESPAN = Symbol("com.microsoft:timespan")
"""Descriptor of a duration, in ticks."""

TICKS_PER_MICROSECOND = 10
TICKS_MAX = 2**63 - 1
"""TimeSpan.MaxValue."""

PROPERTIES = {
    "ContentType": "content_type",
    "CorrelationId": "correlation_id",
    "Label": "subject",
    "MessageId": "message_id",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_group_id",
    "SessionId": "group_id",
    "To": "to",
}
"""System properties that are properties of the AMQP message, by the names that they have there."""

ANNOTATIONS = {
    "DeadLetterSource": DEAD_LETTER_SOURCE,
    "PartitionKey": "x-opt-partition-key",
    "ScheduledEnqueueTimeUtc": "x-opt-scheduled-enqueue-time",
    "ViaPartitionKey": "x-opt-via-partition-key",
}
"""System properties that are message annotations."""


class StoredView:
    """One message that was sent to a topic."""

    __slots__ = ("_items", "_properties", "_record", "_sequence_number", "_value")

    def __init__(self, value: bytes, sequence_number: int) -> None:
        """`sequence_number` is its number in the topic."""
        self._value = value
        self._sequence_number = sequence_number
        self._record = decode_record(value)
        self._properties: dict[str, Any] | None = None
        self._items: list[bytes] | None = None

    @property
    def properties(self) -> Mapping[str, Any]:
        """See `MessageView`. A message whose properties cannot be read has none."""
        if self._properties is None:
            section = self._record.application_properties
            try:
                pairs = pairs_of(section, value_at(section)) if section else []
                self._properties = {str(decode(key)[0]): decode(each)[0] for key, each in pairs}
            except AmqpDecodeError:
                self._properties = {}
        return self._properties

    def system(self, name: str) -> Any:
        """See `MessageView`."""
        if (of_message := PROPERTIES.get(name)) is not None:
            value = self._property(PROPERTY_INDEX[of_message])
            # An id may be a number or a UUID in AMQP, and is text in Azure.
            return str(value) if isinstance(value, int | UUID) else value
        if (of_annotations := ANNOTATIONS.get(name)) is not None:
            return annotation(self._value, of_annotations)
        reader = _OTHERS.get(name)
        return None if reader is None else reader(self)

    def _property(self, index: int) -> Any:
        if self._items is None:
            section = self._record.properties
            try:
                self._items = items_of(section, value_at(section)) if section else []
            except AmqpDecodeError:
                self._items = []
        return decode(self._items[index])[0] if index < len(self._items) else None

    def _time_to_live(self) -> Described:
        record = self._record
        lifetime = record.expires_at - record.enqueued_at if record.expires_at else FOREVER
        ticks = TICKS_MAX if lifetime >= FOREVER else lifetime * TICKS_PER_MICROSECOND
        return Described(TIMESPAN, ticks)

    def _expires_at(self) -> Timestamp | None:
        return Timestamp(self._record.expires_at // 1000) if self._record.expires_at else None

    def _enqueued_at(self) -> Timestamp:
        return Timestamp(self._record.enqueued_at // 1000)

    def _size(self) -> int:
        return len(self._value) + (reference_of(self._value).size if is_shared(self._value) else 0)

    def _number(self) -> int:
        return self._sequence_number

    def _enqueue_sequence_number(self) -> int:
        return self._record.enqueue_sequence_number or self._sequence_number


_OTHERS: dict[str, Callable[[StoredView], Any]] = {
    "DeliveryCount": lambda _view: Int(0),
    "EnqueuedSequenceNumber": StoredView._enqueue_sequence_number,
    "EnqueuedTimeUtc": StoredView._enqueued_at,
    "ExpiresAtUtc": StoredView._expires_at,
    "ForcePersistence": lambda _view: False,
    "SequenceNumber": StoredView._number,
    "Size": StoredView._size,
    "State": lambda _view: Int(MessageState.ACTIVE),
    "TimeToLive": StoredView._time_to_live,
}
"""How the others are read. A message that is on its way has neither a lock nor its end."""
