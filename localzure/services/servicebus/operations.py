"""The operations of `$management`, as a table: name, required right, handler.

What is not in the table is answered with 501 and names itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from localzure.services.servicebus.access import Right
from localzure.services.servicebus.engine.browsing import NUMBERS_MAX, peek, receive_deferred
from localzure.services.servicebus.engine.deleting import delete_batch
from localzure.services.servicebus.engine.limits import require_sendable
from localzure.services.servicebus.engine.messages import BATCH_MESSAGES_MAX, admit_all, schedule
from localzure.services.servicebus.engine.reasons import DESCRIPTION, REASON
from localzure.services.servicebus.engine.receiving import renew
from localzure.services.servicebus.engine.scheduling import cancel, find_scheduled
from localzure.services.servicebus.engine.session_states import get_state, list_sessions, set_state
from localzure.services.servicebus.engine.sessions import renew_session, require_held, require_session_id
from localzure.services.servicebus.engine.settlement import Disposition, require_locks, settle
from localzure.services.servicebus.engine.transactions import require_free, require_there, settle_in, take_messages
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.operation import Operation, Request, Response, mapping_in, number_in
from localzure.services.servicebus.rule_operations import add, enumerate_rules, remove
from localzure_protocols.amqp.codec import Array, Int, Timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.servicebus.engine.sessions import Session
    from localzure.services.servicebus.engine.transactions import Transaction
    from localzure.services.servicebus.engine.turn import Turn


PREFIX = "com.microsoft:"


def operation(name: str) -> Operation:
    """The operation called `name`, prefix included. Raises ServiceBusError (NOT_IMPLEMENTED)."""
    row = OPERATIONS.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    if row is None:
        raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation=f"The operation {name!r:.100}")
    return row


def run(row: Operation, request: Request) -> Response:
    """Do what is asked. Raises ServiceBusError."""
    if request.transaction is not None and row.in_transaction is not None:
        try:
            request.transaction.join(request.broker, request.queue, request.amqp_session)
            return row.in_transaction(request, request.transaction)
        except ServiceBusError as error:
            request.transaction.failure = error
            raise
    return row.handler(request)


def _peek_message(request: Request) -> Response:
    first = number_in(request.body, "from-sequence-number")
    limit = number_in(request.body, "message-count")
    if limit < 1:
        raise ServiceBusError(ErrorCode.ARGUMENT_OUT_OF_RANGE, detail="'message-count' must be positive.")
    session_id = request.body.get("session-id")
    if session_id is not None:
        session_id = require_session_id(session_id)
    messages = peek(request.turn.writer, request.queue, first, limit, session_id)
    if not messages:
        return Response(204)
    return Response(200, {"messages": [{"message": message} for message in messages]})


def _renew_lock(request: Request) -> Response:
    tokens = _lock_tokens(request.body)
    require_locks(request.turn, request.queue, tokens)
    ends = [renew(request.broker, request.queue, token) for token in tokens]
    return Response(200, {"expirations": Array([Timestamp(end // 1000) for end in ends], Timestamp)})


def _update_disposition(request: Request) -> Response:
    disposition, tokens, changes = _settlement(request)
    for token in tokens:
        require_free(request.broker, token)
    for token in tokens:
        settle(request.turn, request.queue, token, disposition, changes)
    return Response(200)


def _update_disposition_in(request: Request, transaction: Transaction) -> Response:
    disposition, tokens, changes = _settlement(request)
    for token in tokens:
        require_free(request.broker, token)
    for token in tokens:
        settle_in(request.broker, request.turn, transaction, request.queue, token, disposition, changes)
    return Response(200)


def _settlement(request: Request) -> tuple[Disposition, list[bytes], dict[Any, Any]]:
    """What `update-disposition` asks for, of messages that are all locked. Raises ServiceBusError."""
    status = request.body.get("disposition-status")
    disposition = _DISPOSITIONS.get(status) if isinstance(status, str) else None
    if disposition is None:
        allowed = ", ".join(_DISPOSITIONS)
        raise ServiceBusError(
            ErrorCode.ARGUMENT, detail=f"'disposition-status' is {status!r:.100}; it must be one of {allowed}."
        )
    tokens = _lock_tokens(request.body)
    changes = dict(mapping_in(request.body, "properties-to-modify"))
    if disposition is Disposition.DEAD_LETTERED:
        for key, name in (("deadletter-reason", REASON), ("deadletter-description", DESCRIPTION)):
            if isinstance(text := request.body.get(key), str):
                changes[name] = text
    if request.body.get("session-id") is not None:
        _session(request)
    require_locks(request.turn, request.queue, tokens)
    return disposition, tokens, changes


def _receive_by_sequence_number(request: Request) -> Response:
    numbers = _sequence_numbers(request.body)
    mode = number_in(request.body, "receiver-settle-mode")
    session = None if request.queue.sessions is None else _session(request)
    fetched = receive_deferred(request.broker, request.turn, request.queue, numbers, locked=mode == 1, session=session)
    entries: list[dict[str, Any]] = []
    for message, token in fetched:
        entries.append({"message": message} if token is None else {"message": message, "lock-token": token})
    return Response(200, {"messages": entries})


def _renew_session_lock(request: Request) -> Response:
    return Response(200, {"expiration": Timestamp(renew_session(request.broker, _session(request)) // 1000)})


def _get_session_state(request: Request) -> Response:
    session = _session(request)
    return Response(200, {"session-state": get_state(request.turn.writer, request.queue, session.session_id)})


def _set_session_state(request: Request) -> Response:
    set_state(request.turn, request.queue, _session(request).session_id, _state(request))
    return Response(200)


def _set_session_state_in(request: Request, transaction: Transaction) -> Response:
    queue, session, state = request.queue, _session(request), _state(request)
    take_messages(request.broker, transaction, [], len(state or b""))

    def step(turn: Turn) -> None:
        require_held(request.broker, queue, session.session_id, request.connection)
        set_state(turn, queue, session.session_id, state)

    transaction.steps.append(step)
    return Response(200)


def _state(request: Request) -> bytes | None:
    state = request.body.get("session-state")
    if state is not None and not isinstance(state, bytes):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="'session-state' must be binary or null.")
    return state


def _get_message_sessions(request: Request) -> Response:
    skip, top = number_in(request.body, "skip"), number_in(request.body, "top")
    if skip < 0 or top < 1:
        raise ServiceBusError(
            ErrorCode.ARGUMENT_OUT_OF_RANGE, detail="'skip' must not be negative, and 'top' must be positive."
        )
    updated = number_in(request.body, "last-updated-time")
    found = list_sessions(
        request.turn.writer, request.queue, skip, top, None if updated >= ALL_SESSIONS else updated * 1000
    )
    if not found:
        return Response(204)
    return Response(200, {"skip": Int(skip + len(found)), "sessions-ids": Array(found, str)})


ALL_SESSIONS = 253_402_300_800_000
"""The time, ten thousand years after Christ in milliseconds, by which clients ask for all sessions."""


def _session(request: Request) -> Session:
    """The session that a request names or goes with, which its sender must hold. Raises ServiceBusError."""
    named = request.body.get("session-id")
    session_id = require_session_id(request.session_id if named is None else named)
    return require_held(request.broker, request.queue, session_id, request.connection)


def _schedule_message(request: Request) -> Response:
    numbers = schedule(request.turn, request.queue, _messages(request), request.broker.entropy)
    return Response(200, {"sequence-numbers": Array(numbers, int)})


def _schedule_message_in(request: Request, transaction: Transaction) -> Response:
    """The messages get their numbers now, and are not there before the commit."""
    turn, queue, messages = request.turn, request.queue, _messages(request)
    for message in messages:
        admit_all(turn, queue, 0, message)
    take_messages(request.broker, transaction, messages)
    numbers = [turn.take_number(queue) for _ in messages]

    def step(later: Turn) -> None:
        require_there(later, queue)
        require_sendable(queue, queue.path)
        schedule(later, queue, messages, request.broker.entropy, numbers)

    transaction.steps.append(step)
    return Response(200, {"sequence-numbers": Array(numbers, int)})


def _messages(request: Request) -> list[bytes]:
    """The messages that are to be scheduled. Raises ServiceBusError."""
    entries = request.body.get("messages")
    if not isinstance(entries, list) or not 0 < len(entries) <= BATCH_MESSAGES_MAX:
        raise ServiceBusError(
            ErrorCode.ARGUMENT, detail=f"'messages' must be a list of 1 to {BATCH_MESSAGES_MAX} elements."
        )
    found = [entry.get("message") if isinstance(entry, dict) else None for entry in entries]
    messages = [message for message in found if isinstance(message, bytes)]
    if len(messages) < len(found):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="'messages' holds something that has no 'message'.")
    require_sendable(request.queue, request.queue.path)
    return messages


def _cancel_scheduled_message(request: Request) -> Response:
    cancel(request.turn, request.queue, _sequence_numbers(request.body))
    return Response(200)


def _cancel_scheduled_message_in(request: Request, transaction: Transaction) -> Response:
    queue, numbers = request.queue, _sequence_numbers(request.body)
    find_scheduled(request.turn, queue, numbers)
    transaction.steps.append(lambda later: cancel(later, queue, numbers))
    return Response(200)


def _batch_delete_messages(request: Request) -> Response:
    limit = number_in(request.body, "message-count")
    before = request.body.get("enqueued-time-utc")
    if limit < 1:
        raise ServiceBusError(ErrorCode.ARGUMENT_OUT_OF_RANGE, detail="'message-count' must be positive.")
    if not isinstance(before, Timestamp):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="'enqueued-time-utc' must be a timestamp.")
    if request.body.get("session-id") is not None:
        raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation="Deleting the messages of a session")
    count = delete_batch(request.turn, request.queue, limit, before * 1000)
    return Response(200, {"message-count": Int(count)}) if count else Response(204, {"message-count": Int(0)})


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
        Operation("update-disposition", Right.LISTEN, _update_disposition, _update_disposition_in),
        Operation("receive-by-sequence-number", Right.LISTEN, _receive_by_sequence_number),
        Operation("schedule-message", Right.SEND, _schedule_message, _schedule_message_in),
        Operation("cancel-scheduled-message", Right.SEND, _cancel_scheduled_message, _cancel_scheduled_message_in),
        Operation("renew-session-lock", Right.LISTEN, _renew_session_lock),
        Operation("get-session-state", Right.LISTEN, _get_session_state),
        Operation("set-session-state", Right.LISTEN, _set_session_state, _set_session_state_in),
        Operation("get-message-sessions", Right.LISTEN, _get_message_sessions),
        Operation("batch-delete-messages", Right.LISTEN, _batch_delete_messages),
        Operation("add-rule", Right.LISTEN, add),
        Operation("remove-rule", Right.LISTEN, remove),
        Operation("enumerate-rules", Right.LISTEN, enumerate_rules),
    )
}


def _sequence(body: Mapping[Any, Any], key: str) -> list[Any]:
    """A list or an array; some clients send the one, some the other."""
    value = body.get(key)
    if not isinstance(value, list) or not 0 < len(value) <= NUMBERS_MAX:
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"'{key}' must be an array of 1 to {NUMBERS_MAX} elements.")
    return value


def _sequence_numbers(body: Mapping[Any, Any]) -> list[int]:
    numbers = _sequence(body, "sequence-numbers")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail="'sequence-numbers' holds something that is none.")
    return numbers


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
