"""What a session keeps for its receivers, and which sessions there are.

A state stays until it is cleared, also when the session has no message any more.
"""

from __future__ import annotations

from heapq import merge
from itertools import groupby, islice
from struct import Struct
from typing import TYPE_CHECKING

from localzure.services.servicebus.engine.limits import size_limit
from localzure.services.servicebus.engine.sessions import sessions_of
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_storage.store import Reader

PAGE_SESSIONS_MAX = 1000
"""Sessions in one answer, whatever the client asks for; it asks again, skipping what it has."""

_UPDATED_AT = Struct(">q")


def get_state(reader: Reader, queue: Queue, session_id: str) -> bytes | None:
    """The state of a session, None where it has none. Raises ServiceBusError (SESSION_NOT_SUPPORTED)."""
    stored = reader.get(sessions_of(queue).state_key(session_id))
    return None if stored is None else stored[_UPDATED_AT.size :]


def set_state(turn: Turn, queue: Queue, session_id: str, state: bytes | None) -> None:
    """Write the state of a session; None clears it. Raises ServiceBusError."""
    key = sessions_of(queue).state_key(session_id)
    if state is None:
        turn.writer.delete(key)
        return
    if len(state) > size_limit(queue):
        raise ServiceBusError(ErrorCode.MESSAGE_TOO_LARGE, size=len(state), limit=size_limit(queue))
    turn.writer.put(key, _UPDATED_AT.pack(turn.now) + state)


def list_sessions(reader: Reader, queue: Queue, skip: int, limit: int, updated_after: int | None) -> list[str]:
    """The names of up to `limit` sessions, in order, without the first `skip`.

    Those whose state was set after the instant `updated_after`; without one, those that have active messages or a
    state. Raises ServiceBusError (SESSION_NOT_SUPPORTED).
    """
    names = _all(reader, queue) if updated_after is None else _updated(reader, queue, updated_after)
    return list(islice(names, skip, skip + min(limit, PAGE_SESSIONS_MAX)))


def _all(reader: Reader, queue: Queue) -> Iterator[str]:
    sessions = sessions_of(queue)
    active = (session_id for session_id, _ in sessions.with_active_messages(reader, ""))
    stated = (session_id for session_id, _ in sessions.with_state(reader))
    return (session_id for session_id, _ in groupby(merge(active, stated)))


def _updated(reader: Reader, queue: Queue, after: int) -> Iterator[str]:
    for session_id, stored in sessions_of(queue).with_state(reader):
        if _UPDATED_AT.unpack_from(stored)[0] > after:
            yield session_id
