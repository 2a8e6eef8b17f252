"""What an operation of `$management` is: a row of the table in `operations`, what it is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.errors import ErrorCode, ServiceBusError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.servicebus.access import Right
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.transactions import Transaction
    from localzure.services.servicebus.engine.turn import Turn


@dataclass(slots=True)
class Request:
    """What a client asks of an entity's `$management` node."""

    broker: Broker
    turn: Turn
    queue: Queue
    body: Mapping[Any, Any]
    connection: object = None
    """Where it came from: a session is its holder's own."""
    session_id: str | None = None
    """The session of the link that it was sent beside, for clients that name the link and not the session."""
    transaction: Transaction | None = None
    """What it is to take effect with."""
    amqp_session: object = None
    """The AMQP session that it came on."""


@dataclass(slots=True)
class Response:
    """What it is answered."""

    status: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table."""

    name: str
    """Without the prefix `com.microsoft:`."""
    right: Right
    handler: Callable[[Request], Response]
    in_transaction: Callable[[Request, Transaction], Response] | None = None
    """What it does in a transaction; None for what changes nothing, or nothing that a transaction could undo."""


def number_in(body: Mapping[Any, Any], key: str) -> int:
    """A number that a request must have. Raises ServiceBusError."""
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"'{key}' is {value!r:.100}; it must be a number.")
    return int(value)


def mapping_in(body: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    """A map that a request may have. Raises ServiceBusError."""
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"'{key}' must be a map.")
    return value
