"""The operations of `$management`, as a table: name, required right, handler.

A row without a handler is an operation of Azure's that is not built: it is answered with 501 and names itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from localzure.services.servicebus.access import Right
from localzure.services.servicebus.engine.browsing import NUMBERS_MAX, peek, receive_deferred
from localzure.services.servicebus.engine.dead_letters import DESCRIPTION, REASON
from localzure.services.servicebus.engine.receiving import renew
from localzure.services.servicebus.engine.settlement import Disposition, require_locks, settle
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.codec import Array, Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn


@dataclass(slots=True)
class Request:
    """What a client asks of an entity's `$management` node."""

    broker: Broker
    turn: Turn
    queue: Queue
    body: Mapping[Any, Any]


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
    handler: Callable[[Request], Response] | None = None


PREFIX = "com.microsoft:"


def operation(name: str) -> Operation:
    """The operation called `name`, prefix included. Raises ServiceBusError (NOT_IMPLEMENTED)."""
    row = OPERATIONS.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    if row is None:
        raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation=f"The operation {name!r:.100}")
    return row


def run(row: Operation, request: Request) -> Response:
    """Do what is asked. Raises ServiceBusError."""
    if row.handler is None:
        raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation=f"The operation '{PREFIX}{row.name}'")
    return row.handler(request)


def _peek_message(request: Request) -> Response:
    first = _number(request.body, "from-sequence-number")
    limit = _number(request.body, "message-count")
    if limit < 1:
        raise ServiceBusError(ErrorCode.ARGUMENT_OUT_OF_RANGE, detail="'message-count' must be positive.")
    if request.body.get("session-id") is not None:
        raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation="Peeking into a session")
    messages = peek(request.turn.writer, request.queue, first, limit)
    if not messages:
        return Response(204)
    return Response(200, {"messages": [{"message": message} for message in messages]})


def _renew_lock(request: Request) -> Response:
    tokens = _lock_tokens(request.body)
    require_locks(request.turn, request.queue, tokens)
    ends = [renew(request.broker, request.queue, token) for token in tokens]
    return Response(200, {"expirations": Array([Timestamp(end // 1000) for end in ends], Timestamp)})


def _update_disposition(request: Request) -> Response:
    status = request.body.get("disposition-status")
    disposition = _DISPOSITIONS.get(status) if isinstance(status, str) else None
    if disposition is None:
        allowed = ", ".join(_DISPOSITIONS)
        raise ServiceBusError(
            ErrorCode.ARGUMENT, detail=f"'disposition-status' is {status!r:.100}; it must be one of {allowed}."
        )
    tokens = _lock_tokens(request.body)
    changes = dict(_mapping(request.body, "properties-to-modify"))
    if disposition is Disposition.DEAD_LETTERED:
        for key, name in (("deadletter-reason", REASON), ("deadletter-description", DESCRIPTION)):
            if isinstance(text := request.body.get(key), str):
                changes[name] = text
    require_locks(request.turn, request.queue, tokens)
    for token in tokens:
        settle(request.turn, request.queue, token, disposition, changes)
    return Response(200)


def _receive_by_sequence_number(request: Request) -> Response:
    numbers = _sequence(request.body, "sequence-numbers")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="'sequence-numbers' holds something that is none.")
    mode = _number(request.body, "receiver-settle-mode")
    fetched = receive_deferred(request.broker, request.turn, request.queue, numbers, locked=mode == 1)
    entries: list[dict[str, Any]] = []
    for message, token in fetched:
        entries.append({"message": message} if token is None else {"message": message, "lock-token": token})
    return Response(200, {"messages": entries})


_DISPOSITIONS = {
    disposition.value: disposition
    for disposition in (
        Disposition.COMPLETED,
        Disposition.ABANDONED,
        Disposition.DEFERRED,
        Disposition.DEAD_LETTERED,
    )
}

OPERATIONS = {
    row.name: row
    for row in (
        Operation("peek-message", Right.LISTEN, _peek_message),
        Operation("renew-lock", Right.LISTEN, _renew_lock),
        Operation("update-disposition", Right.LISTEN, _update_disposition),
        Operation("receive-by-sequence-number", Right.LISTEN, _receive_by_sequence_number),
        Operation("schedule-message", Right.SEND),
        Operation("cancel-scheduled-message", Right.SEND),
        Operation("renew-session-lock", Right.LISTEN),
        Operation("get-session-state", Right.LISTEN),
        Operation("set-session-state", Right.LISTEN),
        Operation("get-message-sessions", Right.LISTEN),
        Operation("batch-delete-messages", Right.LISTEN),
        Operation("add-rule", Right.MANAGE),
        Operation("remove-rule", Right.MANAGE),
        Operation("enumerate-rules", Right.MANAGE),
    )
}


def _number(body: Mapping[Any, Any], key: str) -> int:
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"'{key}' is {value!r:.100}; it must be a number.")
    return int(value)


def _sequence(body: Mapping[Any, Any], key: str) -> list[Any]:
    """A list or an array; some clients send the one, some the other."""
    value = body.get(key)
    if not isinstance(value, list) or not 0 < len(value) <= NUMBERS_MAX:
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"'{key}' must be an array of 1 to {NUMBERS_MAX} elements.")
    return value


def _mapping(body: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"'{key}' must be a map.")
    return value


def _lock_tokens(body: Mapping[Any, Any]) -> list[bytes]:
    """Lock tokens as they are kept: an AMQP uuid is in another byte order than the delivery tag."""
    tokens = []
    for value in _sequence(body, "lock-tokens"):
        try:
            token = value if isinstance(value, UUID) else UUID(value)
        except (ValueError, AttributeError, TypeError):
            raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"{value!r:.100} is no lock token.") from None
        tokens.append(token.bytes_le)
    return list(dict.fromkeys(tokens))
