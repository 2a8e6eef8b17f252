"""The records that Service Bus keeps, other than messages (see `record`), and the names of its states.

Durations are microseconds, with `durations.FOREVER` for never; instants are `localzure.services.interface.Instant`.
Records are MessagePack arrays: a field that is added goes to the end and has a default, and is never removed.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

from localzure.services.servicebus.durations import FOREVER, MICROSECONDS

MINUTE = 60 * MICROSECONDS


class EntityStatus(StrEnum):
    """What an entity can be used for."""

    ACTIVE = "Active"
    DISABLED = "Disabled"
    SEND_DISABLED = "SendDisabled"
    RECEIVE_DISABLED = "ReceiveDisabled"


class EntityKind(IntEnum):
    """What an entity is."""

    QUEUE = 0
    TOPIC = 1
    SUBSCRIPTION = 2


class MessageState(IntEnum):
    """Where a message of a queue stands. The number is `x-opt-message-state`, and part of the message's key."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


class AuthorizationRule(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A shared access key of one entity: good for that entity alone."""

    key_name: str
    primary_key: str
    secondary_key: str
    rights: tuple[str, ...]
    """Some of Listen, Send and Manage, in the order in which they were given."""
    created_at: int
    modified_at: int


class EntityDescription(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The properties of an entity that its owner sets, with Azure's defaults.

    Queues, topics and subscriptions have some of them each (see `properties`); the others keep their defaults.
    """

    lock_duration: int = MINUTE
    max_size_megabytes: int = 1024
    requires_duplicate_detection: bool = False
    requires_session: bool = False
    default_message_time_to_live: int = FOREVER
    dead_lettering_on_message_expiration: bool = False
    duplicate_detection_history_time_window: int = 10 * MINUTE
    max_delivery_count: int = 10
    enable_batched_operations: bool = True
    status: EntityStatus = EntityStatus.ACTIVE
    forward_to: str = ""
    """Path or address of the entity to which messages move on, as it was given; empty for none."""
    user_metadata: str = ""
    auto_delete_on_idle: int = FOREVER
    enable_partitioning: bool = False
    forward_dead_lettered_messages_to: str = ""
    """As `forward_to`, for dead letters."""
    enable_express: bool = False
    max_message_size_kilobytes: int = 256
    """Largest message, all its sections counted. Azure's standard tier has 256, premium up to 102,400."""
    authorization_rules: tuple[AuthorizationRule, ...] = ()
    support_ordering: bool = True
    """Of topics; it changes nothing here, where messages are always in order."""
    filtering_messages_before_publishing: bool = False
    """Of topics: a message that no subscription takes is refused."""
    enable_subscription_partitioning: bool = False
    dead_lettering_on_filter_evaluation_exceptions: bool = True
    """Of subscriptions: a message on which a rule fails becomes a dead letter, instead of being left out."""


class EntityRecord(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A queue, topic or subscription as it is stored.

    Its messages and those of its sub-queues are kept under numbers of their own.
    """

    name: str
    """Its path as it was created; looked up without regard to case. That of a subscription has its topic's in it."""
    queue_id: int
    dead_letter_id: int
    transfer_dead_letter_id: int
    created_at: int
    updated_at: int
    description: EntityDescription
    kind: EntityKind = EntityKind.QUEUE
    topic_id: int = 0
    """Of a subscription: the `queue_id` of its topic."""
    since: int = 0
    """Of a subscription: the number that its topic gave last before it was made; it gets what comes after."""


class Remains(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What is to be known of an entity that is gone, to sweep what is left of it."""

    kind: EntityKind = EntityKind.QUEUE
    topic_id: int = 0
    """Of a subscription: the `queue_id` of its topic."""


class Tally(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a topic, or one of its subscriptions, has."""

    subscriptions: int = 0
    sql_filters: int = 0
    """Those that take everything or nothing are SQL filters, too."""
    correlation_filters: int = 0


class Counters(msgspec.Struct, array_like=True):
    """What is counted per queue and sub-queue, in the same transaction as the messages."""

    last_sequence_number: int = 0
    """The number given last; the first message gets 1."""
    active: int = 0
    """Messages that are active, those that are locked included."""
    deferred: int = 0
    scheduled: int = 0
    bytes: int = 0
    """Size of all stored messages."""
    accessed_at: int = 0
    """When somebody sent or received last, as far as it was written with a message; 0 for never."""
