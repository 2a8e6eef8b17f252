"""Service Bus errors: one row per outcome, with its AMQP condition, its HTTP status and its text.

The status is what `$management` and the REST API answer; the condition is what links, dispositions and
`errorCondition` carry. Clients choose their exception by the condition, and Java and JavaScript recognise a missing
entity by the words of its text.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from localzure.services.interface import ServiceError


class Row(NamedTuple):
    """How one outcome is told."""

    condition: str
    status: int
    text: str
    """With holes for `str.format`."""


class ErrorCode(Enum):
    """The documented outcomes."""

    ENTITY_NOT_FOUND = Row(
        "amqp:not-found",
        404,
        "The messaging entity '{entity}' could not be found. "
        "To know more visit https://aka.ms/sbResourceMgrExceptions.",
    )
    ENTITY_EXISTS = Row(
        "com.microsoft:entity-already-exists", 409, "Conflict: an entity with the name '{entity}' already exists."
    )
    ENTITY_DISABLED = Row(
        "com.microsoft:entity-disabled", 400, "Messaging entity '{entity}' is currently disabled for this operation."
    )
    UNAUTHORIZED = Row(
        "amqp:unauthorized-access",
        401,
        "Unauthorized access. '{claim}' claim(s) are required to perform this operation. Resource: '{entity}'.",
    )
    TOKEN_REFUSED = Row("com.microsoft:auth-failed", 401, "{detail}")
    LOCK_LOST = Row(
        "com.microsoft:message-lock-lost",
        410,
        "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the "
        "queue. For more information please see https://aka.ms/ServiceBusExceptions .",
    )
    DELIVERY_NOT_FOUND = Row("amqp:not-found", 404, "The delivery is not known on this link.")
    MESSAGE_NOT_FOUND = Row(
        "com.microsoft:message-not-found",
        404,
        "Failed to lock one or more specified messages. The message does not exist.",
    )
    MESSAGE_TOO_LARGE = Row(
        "amqp:link:message-size-exceeded",
        403,
        "The received message (delivery-id:0, size:{size} bytes) exceeds the limit ({limit} bytes) currently allowed "
        "on the link.",
    )
    ENTITY_FULL = Row(
        "amqp:resource-limit-exceeded",
        403,
        "The maximum entity size has been reached or exceeded for Queue: '{entity}'. Size of the entity: {limit} bytes "
        "at most. For more information please see https://aka.ms/ServiceBusExceptions .",
    )
    QUOTA_EXCEEDED = Row("amqp:resource-limit-exceeded", 403, "{detail}")
    MESSAGE_MALFORMED = Row("amqp:decode-error", 400, "The message is not an AMQP message: {detail}.")
    NO_MATCHING_SUBSCRIPTION = Row(
        "com.microsoft:no-matching-subscription", 500, "No subscription of the topic '{entity}' takes the message."
    )
    SESSION_ID_MISSING = Row(
        "amqp:not-allowed",
        400,
        "The SessionId was not set on a message, and it cannot be sent to the entity. Entities that have session "
        "support enabled can only receive messages that have the SessionId set to a valid value.",
    )
    SESSION_REQUIRED = Row(
        "amqp:not-allowed",
        400,
        "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.",
    )
    SESSION_NOT_SUPPORTED = Row(
        "amqp:not-allowed",
        400,
        "A sessionful message receiver cannot be created on an entity that does not require sessions.",
    )
    SESSION_CANNOT_BE_LOCKED = Row(
        "com.microsoft:session-cannot-be-locked",
        410,
        "The requested session '{session_id}' cannot be accepted. It may be locked by another receiver.",
    )
    SESSION_LOCK_LOST = Row(
        "com.microsoft:session-lock-lost",
        410,
        "The session lock has expired on the MessageSession. Accept a new MessageSession.",
    )
    TIMEOUT = Row("com.microsoft:timeout", 408, "The operation did not complete within the allotted time of {time}.")
    TRANSACTION_UNKNOWN = Row(
        "amqp:transaction:unknown-id",
        404,
        "The transaction is not known: it was discharged, took longer than two minutes, or was never declared.",
    )
    TRANSACTION_TIMEOUT = Row(
        "amqp:transaction:timeout", 408, "The transaction took longer than two minutes and was rolled back."
    )
    TRANSACTION_ROLLED_BACK = Row(
        "amqp:transaction:rollback", 409, "The transaction could not be committed and was rolled back: {detail}"
    )
    TRANSACTION_SPANS_ENTITIES = Row(
        "amqp:not-allowed",
        400,
        "A transaction cannot span '{first}' and '{entity}'. Several top-level entities take part in one transaction "
        "only where messages are sent via the first, or where the client spans entities.",
    )
    TRANSACTION_FULL = Row(
        "amqp:resource-limit-exceeded", 403, "Cannot send more than {limit} messages in a single transaction."
    )
    TRANSACTION_TOO_LARGE = Row(
        "amqp:resource-limit-exceeded", 403, "The messages of a transaction may have {limit} bytes together."
    )
    NOT_ALLOWED = Row("amqp:not-allowed", 400, "{detail}")
    NOT_IMPLEMENTED = Row("amqp:not-implemented", 501, "{operation} is not implemented.")
    ARGUMENT = Row("com.microsoft:argument-error", 400, "{detail}")
    ARGUMENT_OUT_OF_RANGE = Row("com.microsoft:argument-out-of-range", 400, "{detail}")
    NO_REPLY_LINK = Row("amqp:not-found", 404, "No link is attached on which a reply from '{entity}' can be sent.")
    STORE_FULL = Row("amqp:resource-limit-exceeded", 403, "The server has no room left to store this: {detail}.")
    INTERNAL = Row("amqp:internal-error", 500, "The server could not do this: {detail}.")


class ServiceBusError(ServiceError):
    """One of the documented outcomes, with the holes of its text filled."""

    def __init__(self, code: ErrorCode, **holes: object) -> None:
        """`holes` are the names in the row's text. Raises KeyError when one is missing."""
        self.code = code
        self.text = code.value.text.format_map(holes)
        super().__init__(self.text)

    @property
    def condition(self) -> str:
        """The AMQP condition."""
        return self.code.value.condition

    @property
    def status(self) -> int:
        """The HTTP status, also the status code of `$management`."""
        return self.code.value.status
