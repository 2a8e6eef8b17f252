"""The properties that a queue's owner sets, as a table: Azure's name, kind and range of each.

Whatever brings properties in (a seed file, the administration API) reads and checks them by this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from localzure.services.servicebus.durations import FOREVER, MICROSECONDS, format_duration
from localzure.services.servicebus.model import MINUTE, EntityStatus

_DAY = 24 * 60 * MINUTE


class Kind(Enum):
    """How a property is written."""

    BOOLEAN = auto()
    NUMBER = auto()
    DURATION = auto()
    """ISO 8601."""
    TEXT = auto()
    STATUS = auto()


@dataclass(frozen=True, slots=True)
class QueueProperty:
    """One row of the table."""

    name: str
    """Azure's name."""
    field: str
    """The field of `model.QueueDescription`."""
    kind: Kind
    least: int = 0
    """Of a number or, in microseconds, of a duration."""
    most: int = 0
    """As `least`; of a text its length in characters."""
    is_fixed: bool = False
    """It cannot be changed once the queue exists."""

    def allows(self, value: bool | int | str) -> bool:
        """Whether a value, already of the property's kind, is in range."""
        if self.kind is Kind.TEXT:
            return len(str(value)) <= self.most
        if self.kind in {Kind.NUMBER, Kind.DURATION}:
            return self.least <= int(value) <= self.most
        return True

    @property
    def allowed(self) -> str:
        """What is allowed, for error texts."""
        if self.kind is Kind.NUMBER:
            return f"a whole number from {self.least} to {self.most}"
        if self.kind is Kind.DURATION:
            return f"an ISO 8601 duration from {format_duration(self.least)} to {format_duration(self.most)}"
        if self.kind is Kind.TEXT:
            return f"a text of up to {self.most} characters"
        if self.kind is Kind.STATUS:
            return "one of " + ", ".join(status.value for status in EntityStatus)
        return "true or false"


QUEUE_PROPERTIES = (
    QueueProperty("LockDuration", "lock_duration", Kind.DURATION, 5 * MICROSECONDS, 5 * MINUTE),
    QueueProperty("MaxSizeInMegabytes", "max_size_megabytes", Kind.NUMBER, 1, 81920),
    QueueProperty("RequiresDuplicateDetection", "requires_duplicate_detection", Kind.BOOLEAN, is_fixed=True),
    QueueProperty("RequiresSession", "requires_session", Kind.BOOLEAN, is_fixed=True),
    QueueProperty("DefaultMessageTimeToLive", "default_message_time_to_live", Kind.DURATION, MICROSECONDS, FOREVER),
    QueueProperty("DeadLetteringOnMessageExpiration", "dead_lettering_on_message_expiration", Kind.BOOLEAN),
    # Azure wants 20 seconds at least, Microsoft's emulator takes 5.
    QueueProperty(
        "DuplicateDetectionHistoryTimeWindow",
        "duplicate_detection_history_time_window",
        Kind.DURATION,
        5 * MICROSECONDS,
        7 * _DAY,
    ),
    QueueProperty("MaxDeliveryCount", "max_delivery_count", Kind.NUMBER, 1, 2000),
    QueueProperty("EnableBatchedOperations", "enable_batched_operations", Kind.BOOLEAN),
    QueueProperty("Status", "status", Kind.STATUS),
    QueueProperty("ForwardTo", "forward_to", Kind.TEXT, most=260),
    QueueProperty("UserMetadata", "user_metadata", Kind.TEXT, most=1024),
    QueueProperty("AutoDeleteOnIdle", "auto_delete_on_idle", Kind.DURATION, 5 * MINUTE, FOREVER),
    QueueProperty("EnablePartitioning", "enable_partitioning", Kind.BOOLEAN, is_fixed=True),
    QueueProperty("ForwardDeadLetteredMessagesTo", "forward_dead_lettered_messages_to", Kind.TEXT, most=260),
    QueueProperty("EnableExpress", "enable_express", Kind.BOOLEAN),
    QueueProperty("MaxMessageSizeInKilobytes", "max_message_size_kilobytes", Kind.NUMBER, 256, 102400),
)
