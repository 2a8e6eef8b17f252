"""What a rule says: a filter, maybe an action, and a name.

Values (of parameters and correlation properties) are those of `localzure_protocols.amqp.types`, as application
properties decode to: `str`, `bool`, the integers, `float`, `bytes`, `UUID`, `Timestamp`, the raw decimals, `Described`
for what .NET sends as `com.microsoft:timespan`, `com.microsoft:datetime-offset` and `com.microsoft:uri`, or None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from localzure_protocols.amqp.types import Timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping


class ZonelessTime(Timestamp):
    """A time that was given without its zone, as Python's naive datetimes are, and is given back so."""

    __slots__ = ()


DEFAULT_RULE_NAME = "$Default"
"""The rule that a subscription is created with unless another is given."""

EXPRESSION_CHARS_MAX = 1024
"""Longest text of a filter or an action ("Service Bus quotas")."""

STATEMENTS_MAX = 32
"""Most statements of one action ("Service Bus quotas": expressions per filter rule action)."""

RULE_NAME_CHARS_MAX = 50
"""Longest name of a rule ("Service Bus quotas")."""


class RuleError(Exception):
    """A rule that Azure refuses. Raised when it is compiled, never while messages flow."""

    def __init__(self, message: str, position: int | None = None) -> None:
        """`message` is Azure-like text for the client; `position` counts characters of the expression from 0."""
        self.message = message
        self.position = position
        super().__init__(message)


class EvaluationFailed(Exception):  # noqa: N818 - what the documentation calls a FilterException is made of it
    """A SQL expression cannot be worked out for a message."""


class FilterEvaluationError(Exception):
    """A filter or an action failed on a message.

    With DeadLetteringOnFilterEvaluationExceptions the message goes to the dead letters of the subscription with
    `reason` and `str(self)` as its description; without, the subscription does not get it.
    """

    def __init__(self, reason: str, message: str) -> None:
        """`reason` is the DeadLetterReason."""
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class TrueFilter:
    """Takes every message."""


@dataclass(frozen=True, slots=True)
class FalseFilter:
    """Takes none."""


@dataclass(frozen=True, slots=True)
class SqlFilter:
    """Takes messages for which an SQL expression is true."""

    expression: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Name → value; names begin with `@`."""


@dataclass(frozen=True, slots=True)
class CorrelationFilter:
    """Takes messages on which all that is given here is equal. None is not given; so is nothing in `properties`."""

    correlation_id: str | None = None
    message_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    label: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Name → value of application properties."""


@dataclass(frozen=True, slots=True)
class SqlAction:
    """Changes a copy of a message by SET and REMOVE statements."""

    expression: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Name → value; names begin with `@`."""


Filter: TypeAlias = TrueFilter | FalseFilter | SqlFilter | CorrelationFilter


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a subscription."""

    name: str
    filter: Filter
    action: SqlAction | None
    created_at: int
    """Instant."""
