"""What the Queue service keeps, is asked and answers.

Records are MessagePack arrays: a field may be appended with a default, never moved or removed. Instants are whole
microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from localzure.services.interface import SECOND, Instant
from localzure.services.storage_rest.access_policies import AccessPolicy  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from localzure.services.queue.identity import MessageId

NEVER = Instant(253_402_300_799 * SECOND)
"""When a message expires that does not: 9999-12-31T23:59:59Z. No instant in a record is later."""


# --- records ------------------------------------------------------------------------------------------------------


class QueueRecord(Struct, array_like=True):
    """A queue. Its messages are kept under `id`: each incarnation of a name has one of its own, and each clearing."""

    id: int
    metadata: dict[str, str]
    policies: list[AccessPolicy] = field(default_factory=list)


class QueueIdentity(Struct, array_like=True):
    """The beginning of a `QueueRecord`: all that its messages are found by."""

    id: int


class QueueCounters(Struct, array_like=True):
    """What is counted of the messages under one id."""

    count: int = 0
    """Messages that are kept: visible or not, and those that have expired since the last sweep."""
    last_sequence: int = 0
    """The number of the message that was put last. Messages that become visible at one instant come in its order."""


class MessageRecord(Struct, array_like=True):
    """A message without its sequence number, which is in its key in the store."""

    tag: bytes
    """The random half of its id (see `identity`)."""
    token: bytes
    """What the current pop receipt knows."""
    inserted: Instant
    expires: Instant
    visible: Instant
    """When it is visible, or became so: messages are handed out in this order."""
    dequeue_count: int
    text: str | None
    """None where it is long, and kept beside the record."""


# --- what is asked ------------------------------------------------------------------------------------------------


class ListQueues(Struct):
    """List Queues."""

    account: str
    prefix: str
    start: str
    """The first name of the page, from its marker."""
    limit: int


class OnQueue(Struct):
    """An operation that needs no more than its queue."""

    account: str
    queue: str


class SetMetadata(Struct):
    """Create Queue, Set Queue Metadata."""

    account: str
    queue: str
    metadata: dict[str, str]


class SetPolicies(Struct):
    """Set Queue ACL."""

    account: str
    queue: str
    policies: list[AccessPolicy]


class PutMessage(Struct):
    """Put Message; times in seconds."""

    account: str
    queue: str
    text: str
    visibility_timeout: int
    time_to_live: int | None
    """None for a message that does not expire."""


class PeekMessages(Struct):
    """Peek Messages."""

    account: str
    queue: str
    limit: int


class GetMessages(Struct):
    """Get Messages; the visibility time-out in seconds."""

    account: str
    queue: str
    limit: int
    visibility_timeout: int


class OnMessage(Struct):
    """Delete Message, and what other operations on one message need."""

    account: str
    queue: str
    message: MessageId | None
    """None for an id that no message can have."""
    receipt: bytes


class UpdateMessage(Struct):
    """Update Message; the visibility time-out in seconds."""

    target: OnMessage
    visibility_timeout: int
    text: str | None
    """None leaves the text as it is."""


# --- what is answered ---------------------------------------------------------------------------------------------


class QueuePage(Struct):
    """A page of a listing of queues."""

    queues: list[tuple[str, QueueRecord]]
    next_start: str | None
    """Where the next page begins; None at the end."""


class QueueState(Struct):
    """A queue, and about how many messages it has."""

    record: QueueRecord
    count: int


class Message(Struct):
    """A message as it is handed out, its text in its record."""

    sequence: int
    record: MessageRecord
