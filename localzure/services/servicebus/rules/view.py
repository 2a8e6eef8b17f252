"""What a message shows to a rule, and what an action changes on a copy of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class MessageView(Protocol):
    """A message as rules see it. It decodes what it is asked for, once, however many rules ask."""

    def system(self, name: str) -> Any:
        """A system property by its name in `SYSTEM_PROPERTIES`; None where the message has none.

        Times (`…Utc`) are Timestamp, TimeToLive is a Described `com.microsoft:timespan` in .NET ticks.
        """
        ...

    @property
    def properties(self) -> Mapping[str, Any]:
        """The application properties by their names, as they were sent."""
        ...


SYSTEM_PROPERTIES = (
    "ContentType",
    "CorrelationId",
    "DeadLetterSource",
    "DeliveryCount",
    "EnqueuedSequenceNumber",
    "EnqueuedTimeUtc",
    "ExpiresAtUtc",
    "ForcePersistence",
    "Label",
    "LockedUntilUtc",
    "LockToken",
    "MessageId",
    "PartitionKey",
    "ReplyTo",
    "ReplyToSessionId",
    "ScheduledEnqueueTimeUtc",
    "SequenceNumber",
    "SessionId",
    "Size",
    "State",
    "TimeToLive",
    "To",
    "ViaPartitionKey",
)
"""The names that `sys.` knows (BrokeredMessage of .NET), in any case."""

SETTABLE = frozenset(
    {
        "ContentType",
        "CorrelationId",
        "ForcePersistence",
        "Label",
        "MessageId",
        "PartitionKey",
        "ReplyTo",
        "ReplyToSessionId",
        "ScheduledEnqueueTimeUtc",
        "SessionId",
        "TimeToLive",
        "To",
        "ViaPartitionKey",
    }
)
"""Those of them that an action may change: the ones that a sender sets."""


@dataclass(slots=True)
class Overrides:
    """What an action changes on a copy of a message. Each statement sees what those before it have changed."""

    system: dict[str, Any] = field(default_factory=dict)
    """Name in `SETTABLE` → new value; None to remove it."""
    properties: dict[str, Any] = field(default_factory=dict)
    """Application property → new value, an AMQP value with its type."""
    removed: set[str] = field(default_factory=set)
    """Application properties that go, by their names on the message."""
