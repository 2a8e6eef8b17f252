"""Correlation filters: equality on a few properties, the cheap kind of filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.rules.model import RuleError
from localzure_protocols.amqp.types import Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.servicebus.rules.model import CorrelationFilter
    from localzure.services.servicebus.rules.view import MessageView

_SYSTEM = {
    "correlation_id": "CorrelationId",
    "message_id": "MessageId",
    "to": "To",
    "reply_to": "ReplyTo",
    "label": "Label",
    "session_id": "SessionId",
    "reply_to_session_id": "ReplyToSessionId",
    "content_type": "ContentType",
}


def correlation_test(wanted: CorrelationFilter) -> Callable[[MessageView], bool]:
    """What tells whether a message has all that a filter wants. Raises RuleError for a filter that wants nothing."""
    system = [(name, value) for field, name in _SYSTEM.items() if (value := getattr(wanted, field)) is not None]
    user = [(name, _kind(value), value) for name, value in wanted.properties.items()]
    if not system and not user:
        raise RuleError("At least one property must be set in the CorrelationFilter.")
    if len(system) == 1 and not user:
        only, expected = system[0]
        return lambda view: view.system(only) == expected

    def test(view: MessageView) -> bool:
        for name, expected in system:
            if view.system(name) != expected:
                return False
        if user:
            properties = view.properties
            for name, kind, expected in user:
                found = properties.get(name)
                if found != expected or _kind(found) is not kind:
                    return False
        return True

    return test


def _kind(value: Any) -> type | None:
    """What two values have in common that can be equal: Python has True equal to 1, and a time to a number."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, Timestamp):
        return Timestamp
    if isinstance(value, int | float):
        return float
    return None if isinstance(value, str) else type(value)
