"""The properties that an entity's owner sets, as tables: Azure's name, kind and range of each.

Whatever brings properties in (a seed file, the administration API) reads and checks them by this table, in two voices:
`allowed` says to the owner of a seed what would be right, `refusal` says to a client what Azure says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from localzure.services.servicebus.addresses import normalize
from localzure.services.servicebus.durations import FOREVER, MICROSECONDS, format_duration, format_time_span
from localzure.services.servicebus.model import MINUTE, EntityKind, EntityStatus

if TYPE_CHECKING:
    from localzure.services.servicebus.model import EntityDescription

_DAY = 24 * 60 * MINUTE

NAME_CHARACTERS_MAX = 260
"""Longest path of a queue or topic (Azure's quota)."""

NAME_ALLOWED = (
    f"letters, digits, '.', '-', '_' and '/', with a letter or digit first and last, up to {NAME_CHARACTERS_MAX} "
    "characters"
)
"""What the name of a queue or topic may be, for error texts."""

SHORT_NAME_CHARACTERS_MAX = 50
"""Longest name of a subscription or rule (Azure's quota)."""

SUBSCRIPTION_NAME_ALLOWED = (
    f"letters, digits, '.', '-' and '_', with a letter or digit first and last, up to {SHORT_NAME_CHARACTERS_MAX} "
    "characters"
)
"""What the name of a subscription may be, for error texts."""

RULE_NAME_ALLOWED = f"1 to {SHORT_NAME_CHARACTERS_MAX} characters, none of them '/', '\\', '@', '?' or '#'"
"""What the name of a rule may be, for error texts."""

SIZES_IN_MEGABYTES = (
    *(1024, 2048, 3072, 4096, 5120),
    *(10240, 16384, 20480, 32768, 40960, 49152, 65536, 81920),
)
"""Sizes of a queue or topic: of the standard tier, of the premium tier, and of the 16 partitions of one."""

MESSAGE_KILOBYTES_MAX = 102400
"""Largest message that an entity can be told to take (Azure's premium tier)."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?", re.ASCII)


class Kind(Enum):
    """How a property is written."""

    BOOLEAN = auto()
    NUMBER = auto()
    DURATION = auto()
    """ISO 8601."""
    TEXT = auto()
    ENTITY = auto()
    """The path or address of another entity."""
    STATUS = auto()


@dataclass(frozen=True, slots=True)
class EntityProperty:
    """One row of the table."""

    name: str
    """Azure's name."""
    field: str
    """The field of `model.EntityDescription`."""
    kind: Kind
    least: int = 0
    """Of a number or, in microseconds, of a duration."""
    most: int = 0
    """As `least`; of a text its length in characters."""
    is_fixed: bool = False
    """It cannot be changed once the entity exists."""
    choices: tuple[int, ...] = ()
    """Of a number that is one of a few."""

    def allows(self, value: bool | int | str) -> bool:
        """Whether a value, already of the property's kind, is in range."""
        if self.kind is Kind.TEXT:
            return len(str(value)) <= self.most
        if self.kind is Kind.ENTITY:
            return value == "" or is_name(normalize(str(value)))
        if self.choices:
            return value in self.choices
        if self.kind in {Kind.NUMBER, Kind.DURATION}:
            return self.least <= int(value) <= self.most
        return True

    @property
    def allowed(self) -> str:
        """What is allowed, for the owner of a seed."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        if self.kind is Kind.NUMBER:
            return f"a whole number from {self.least} to {self.most}"
        if self.kind is Kind.DURATION:
            return f"an ISO 8601 duration from {format_duration(self.least)} to {format_duration(self.most)}"
        if self.kind is Kind.TEXT:
            return f"a text of up to {self.most} characters"
        if self.kind is Kind.ENTITY:
            return f"the name of another entity ({NAME_ALLOWED}), or empty"
        if self.kind is Kind.STATUS:
            return "one of " + ", ".join(status.value for status in EntityStatus)
        return "true or false"

    def refusal(self, value: bool | int | str) -> str:
        """What Azure says of a value that is out of range."""
        if self.name == "LockDuration" and int(value) > self.most:
            return "The supplied lock time exceeds the allowed maximum of '5' minutes."
        if self.choices:
            choices = ";".join(str(choice) for choice in self.choices)
            return (
                f"The specified value {value} is invalid. The property '{self.name}', must be one of the following "
                f"values: {choices}."
            )
        if self.kind is Kind.DURATION:
            span = f"{format_time_span(self.least)} and {format_time_span(self.most)}"
            return f"The property value for '{self.name}' must be between {span}.\nParameter name: {self.name}."
        if self.kind is Kind.NUMBER:
            span = f"{self.least} and {self.most}"
            return f"The property value for '{self.name}' must be between {span}.\nParameter name: {self.name}."
        if self.kind is Kind.TEXT:
            return f"The property value for '{self.name}' exceeds the allowed maximum of {self.most} characters."
        return f"The value '{value}' for '{self.name}' is not allowed: it must be {self.allowed}."


_ROWS = (
    EntityProperty("LockDuration", "lock_duration", Kind.DURATION, 5 * MICROSECONDS, 5 * MINUTE),
    EntityProperty("MaxSizeInMegabytes", "max_size_megabytes", Kind.NUMBER, choices=SIZES_IN_MEGABYTES),
    EntityProperty("RequiresDuplicateDetection", "requires_duplicate_detection", Kind.BOOLEAN, is_fixed=True),
    EntityProperty("RequiresSession", "requires_session", Kind.BOOLEAN, is_fixed=True),
    EntityProperty("DefaultMessageTimeToLive", "default_message_time_to_live", Kind.DURATION, MICROSECONDS, FOREVER),
    EntityProperty("DeadLetteringOnMessageExpiration", "dead_lettering_on_message_expiration", Kind.BOOLEAN),
    # Azure wants 20 seconds at least, Microsoft's emulator takes 5.
    EntityProperty(
        "DuplicateDetectionHistoryTimeWindow",
        "duplicate_detection_history_time_window",
        Kind.DURATION,
        5 * MICROSECONDS,
        7 * _DAY,
    ),
    EntityProperty("MaxDeliveryCount", "max_delivery_count", Kind.NUMBER, 1, 2000),
    EntityProperty("EnableBatchedOperations", "enable_batched_operations", Kind.BOOLEAN),
    EntityProperty("Status", "status", Kind.STATUS),
    EntityProperty("ForwardTo", "forward_to", Kind.ENTITY),
    EntityProperty("UserMetadata", "user_metadata", Kind.TEXT, most=1024),
    EntityProperty("AutoDeleteOnIdle", "auto_delete_on_idle", Kind.DURATION, 5 * MINUTE, FOREVER),
    EntityProperty("EnablePartitioning", "enable_partitioning", Kind.BOOLEAN, is_fixed=True),
    EntityProperty("ForwardDeadLetteredMessagesTo", "forward_dead_lettered_messages_to", Kind.ENTITY),
    EntityProperty("EnableExpress", "enable_express", Kind.BOOLEAN),
    EntityProperty("MaxMessageSizeInKilobytes", "max_message_size_kilobytes", Kind.NUMBER, 256, MESSAGE_KILOBYTES_MAX),
    EntityProperty("SupportOrdering", "support_ordering", Kind.BOOLEAN),
    EntityProperty("FilteringMessagesBeforePublishing", "filtering_messages_before_publishing", Kind.BOOLEAN),
    EntityProperty("EnableSubscriptionPartitioning", "enable_subscription_partitioning", Kind.BOOLEAN, is_fixed=True),
    EntityProperty(
        "DeadLetteringOnFilterEvaluationExceptions", "dead_lettering_on_filter_evaluation_exceptions", Kind.BOOLEAN
    ),
)

_OF_TOPICS_ALONE = {"SupportOrdering", "FilteringMessagesBeforePublishing", "EnableSubscriptionPartitioning"}
_OF_SUBSCRIPTIONS_ALONE = {"DeadLetteringOnFilterEvaluationExceptions"}
_OF_TOPICS = _OF_TOPICS_ALONE | {
    *("MaxSizeInMegabytes", "RequiresDuplicateDetection", "DefaultMessageTimeToLive", "EnableExpress"),
    *("DuplicateDetectionHistoryTimeWindow", "EnableBatchedOperations", "Status", "UserMetadata"),
    *("AutoDeleteOnIdle", "EnablePartitioning", "MaxMessageSizeInKilobytes"),
}
_OF_SUBSCRIPTIONS = _OF_SUBSCRIPTIONS_ALONE | {
    *("LockDuration", "RequiresSession", "DefaultMessageTimeToLive", "DeadLetteringOnMessageExpiration"),
    *("MaxDeliveryCount", "EnableBatchedOperations", "Status", "ForwardTo", "UserMetadata", "AutoDeleteOnIdle"),
    "ForwardDeadLetteredMessagesTo",
}

PROPERTIES = {
    EntityKind.QUEUE: tuple(row for row in _ROWS if row.name not in _OF_TOPICS_ALONE | _OF_SUBSCRIPTIONS_ALONE),
    EntityKind.TOPIC: tuple(row for row in _ROWS if row.name in _OF_TOPICS),
    EntityKind.SUBSCRIPTION: tuple(row for row in _ROWS if row.name in _OF_SUBSCRIPTIONS),
}
"""The properties of each kind of entity."""


def is_name(text: str) -> bool:
    """Whether a queue or topic can be called so."""
    return len(text) <= NAME_CHARACTERS_MAX and _NAME.fullmatch(text) is not None


def is_subscription_name(text: str) -> bool:
    """Whether a subscription can be called so."""
    return len(text) <= SHORT_NAME_CHARACTERS_MAX and "/" not in text and _NAME.fullmatch(text) is not None


def is_rule_name(text: str) -> bool:
    """Whether a rule can be called so."""
    return 0 < len(text) <= SHORT_NAME_CHARACTERS_MAX and not set(text) & set("/\\@?#")


def contradiction(description: EntityDescription) -> str | None:
    """What Azure says of properties that do not go together; None where all is well."""
    if description.enable_express and description.requires_duplicate_detection:
        return "Both DelayedPersistence property and RequiresDuplicateDetection property cannot be enabled together."
    return None


def fixed_property_changed(old: EntityDescription, new: EntityDescription) -> EntityProperty | None:
    """The first property that cannot be changed any more and is."""
    for row in _ROWS:
        if row.is_fixed and getattr(old, row.field) != getattr(new, row.field):
            return row
    return None
