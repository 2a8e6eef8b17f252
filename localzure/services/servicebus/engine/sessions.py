"""Sessions: who holds which, who waits for the next one, and how a session's messages are found.

A queue with sessions keeps its messages as any queue does, by number, and beside them an index by session (see
`keys`), so that a session's next message and the next session with active messages are one step of a cursor each.
Only sessions that somebody holds are in memory. Their locks are memory, as those of messages are: a crash frees every
session, and its messages are handed out again with the delivery counts that they had.

Messages of a session are locked together: their locks end with the session's. A client that closes its link gives all
of them back without a failed delivery; one that lets the lock expire has failed with each.

Somebody waits for the next session only while there is none, so a session that is let go, or gets a message, is given
to the first in the line by its name; the store is searched only when the line was empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from localzure.services.interface import SECOND
from localzure.services.servicebus.engine.locks import Lane
from localzure.services.servicebus.engine.supply import Supply
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import sequence_number_of
from localzure.services.servicebus.model import MessageState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.deadlines import Ticket
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Reader

SESSION_ID_CHARACTERS_MAX = 128
"""Longest session id (Azure's quota)."""

NOTICE_DELAY = SECOND
"""How long after the end of its session's lock a holder is told, in microseconds.

The lock itself ends when it ends. Azure closes the link a moment later: the tests of its SDK for Python receive for as
long as the lock lasts, and expect to find the link open.
"""


class Holder(Protocol):
    """Somebody who wants a session, or holds one."""

    @property
    def connection(self) -> object:
        """Where it is: requests about its session come from there."""
        ...

    def granted(self, session: Session) -> None:
        """It holds `session` from now on. Called only while it waits."""
        ...

    def timed_out(self, waited: int) -> None:
        """There was no session for it in the `waited` microseconds that it wanted to wait."""
        ...

    def lost(self) -> None:
        """The lock of its session has expired, `NOTICE_DELAY` ago."""
        ...


class Session(Supply):
    """A session that somebody holds."""

    __slots__ = ("_queue", "deadline", "holder", "is_ending", "is_held", "lane", "session_id", "ticket")

    def __init__(self, queue: Queue, session_id: str, holder: Holder, deadline: int) -> None:
        super().__init__()
        self._queue = queue
        self.session_id = session_id
        self.holder = holder
        self.deadline = deadline
        """When its lock ends."""
        self.visible = queue.visible
        self.lane = Lane()
        """The locks on its messages."""
        self.is_held = True
        self.is_ending = False
        """Its lock has expired, which is not committed yet."""
        self.ticket: Ticket = (0, 0)
        """For the end of its lock; when that has come, for the notice of it."""

    @property
    def queue(self) -> Queue:
        """See `Supply`."""
        return self._queue

    @property
    def session(self) -> Session:
        """See `Supply`."""
        return self

    @property
    def has_available(self) -> bool:
        """See `Supply`."""
        return (bool(self.returned) or self.cursor < self.visible) and self.is_held and not self.is_ending

    def ahead(self, reader: Reader, limit: int) -> Iterator[tuple[int, bytes]]:
        """See `Supply`."""
        sessions = self._queue.sessions
        assert sessions is not None, "a session is of a queue that has sessions"
        start, stop = sessions.message_range(MessageState.ACTIVE, self.session_id, self.cursor + 1, self.visible)
        for key, _ in reader.scan(start, stop, limit=limit):
            sequence_number = sequence_number_of(key)
            value = reader.get(self._queue.message_key(MessageState.ACTIVE, sequence_number))
            assert value is not None, "the index is written with the messages"
            yield sequence_number, value


class Wait:
    """Somebody's place in the line for the next session."""

    __slots__ = ("holder", "queue", "ticket", "timeout")

    def __init__(self, queue: Queue, holder: Holder, timeout: int) -> None:
        self.queue = queue
        self.holder = holder
        self.timeout = timeout
        self.ticket: Ticket = (0, 0)


class Sessions:
    """The sessions of one queue."""

    __slots__ = ("_messages", "_states", "found_last", "held", "line", "ready")

    def __init__(self, keys: ServiceBusKeys, queue_id: int) -> None:
        self._messages = [keys.session_messages(queue_id, state) for state in MessageState]
        self._states = keys.session_states(queue_id)
        self.held: dict[str, Session] = {}
        self.line: dict[Wait, None] = {}
        """Those who wait for the next session, in the order in which they came."""
        self.ready: dict[str, None] = {}
        """Sessions that somebody in the line may have; empty while nobody waits."""
        self.found_last: str | None = None
        """The session that a search found last: the next search begins after it, so each gets its turn."""

    # The key space.

    def message_key(self, state: MessageState, session_id: str, sequence_number: int) -> bytes:
        """Where the index says that a message is of a session."""
        return self._messages[state].pack(session_id, sequence_number)

    def message_range(self, state: MessageState, session_id: str, first: int, last: int) -> tuple[bytes, bytes]:
        """The index of a session's messages in one state, numbers `first` to `last`."""
        space = self._messages[state]
        return space.pack(session_id, first), space.pack(session_id, last + 1)

    def state_key(self, session_id: str) -> bytes:
        """Where the state of a session is."""
        return self._states.pack(session_id)

    def with_active_messages(self, reader: Reader, after: str | None) -> Iterator[tuple[str, int]]:
        """Sessions with active messages, those after the one called `after`, each with its first message's number.

        One step of the store for each, however many messages it has.
        """
        space = self._messages[MessageState.ACTIVE]
        start, stop = space.range()
        if after is not None:
            start = space.range(after)[1]
        while (entry := next(iter(reader.scan(start, stop, limit=1)), None)) is not None:
            session_id, sequence_number = space.unpack(entry[0])
            assert isinstance(session_id, str)
            assert isinstance(sequence_number, int)
            yield session_id, sequence_number
            start = space.range(session_id)[1]

    def with_state(self, reader: Reader) -> Iterator[tuple[str, bytes]]:
        """Sessions with a state, each with what is stored."""
        for key, value in reader.scan(*self._states.range()):
            (session_id,) = self._states.unpack(key)
            yield str(session_id), value

    def has_active_message(self, reader: Reader, session_id: str, visible: int) -> bool:
        """Whether there is something to hand out in a session."""
        start, stop = self.message_range(MessageState.ACTIVE, session_id, 0, visible)
        return next(iter(reader.scan(start, stop, limit=1)), None) is not None

    # What changes.

    def may_be_ready(self, session_id: str) -> None:
        """A session has been let go, or has a message: somebody in the line may have it."""
        if self.line and session_id not in self.held:
            self.ready[session_id] = None

    def came_back(self, session_id: str, sequence_number: int) -> Session | None:
        """A message of a session is available again; returns the session if somebody holds it."""
        session = self.held.get(session_id)
        if session is None:
            self.may_be_ready(session_id)
        else:
            session.give_back(sequence_number)
        return session

    def arrived(self, session_id: str, sequence_number: int) -> Session | None:
        """A session has messages up to `sequence_number`; returns it if somebody holds it."""
        session = self.held.get(session_id)
        if session is None:
            self.may_be_ready(session_id)
        else:
            session.visible = max(session.visible, sequence_number)
        return session


def sessions_of(queue: Queue) -> Sessions:
    """The sessions of `queue`. Raises ServiceBusError (SESSION_NOT_SUPPORTED) where it has none."""
    if queue.sessions is None:
        raise ServiceBusError(ErrorCode.SESSION_NOT_SUPPORTED)
    return queue.sessions


def require_session_id(session_id: object) -> str:
    """Return `session_id` if it can be one, as an empty text can. Raises ServiceBusError."""
    if not isinstance(session_id, str):
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"{session_id!r:.100} is no session id.")
    if len(session_id) > SESSION_ID_CHARACTERS_MAX:
        raise ServiceBusError(
            ErrorCode.ARGUMENT_OUT_OF_RANGE, detail=f"A SessionId has up to {SESSION_ID_CHARACTERS_MAX} characters."
        )
    return str(session_id)


def accept(broker: Broker, queue: Queue, session_id: str, holder: Holder) -> Session:
    """Give the session called `session_id` to `holder`; it need not have any message.

    Raises ServiceBusError (SESSION_NOT_SUPPORTED, SESSION_CANNOT_BE_LOCKED).
    """
    if session_id in sessions_of(queue).held:
        raise ServiceBusError(ErrorCode.SESSION_CANNOT_BE_LOCKED, session_id=session_id)
    return _hold(broker, queue, session_id, holder)


def accept_next(broker: Broker, queue: Queue, holder: Holder, timeout: int) -> Wait | None:
    """Give the next session that has active messages to `holder`, or put it into the line for `timeout` microseconds.

    It is `granted` a session, now or later, or `timed_out`. Returns its place in the line, to be left with `leave`.
    Raises ServiceBusError (SESSION_NOT_SUPPORTED).
    """
    sessions = sessions_of(queue)
    found = None
    if not sessions.line:
        with broker.reader() as reader:
            found = _search(sessions, reader, queue.visible)
    if found is not None:
        holder.granted(_hold(broker, queue, found, holder))
        return None
    wait = Wait(queue, holder, timeout)
    sessions.line[wait] = None
    deadline = broker.now() + timeout
    wait.ticket = broker.waits.add(deadline, wait)
    broker.arm(deadline)
    return wait


def leave(broker: Broker, wait: Wait) -> None:
    """Give up a place in the line."""
    broker.waits.remove(wait.ticket)
    sessions = sessions_of(wait.queue)
    sessions.line.pop(wait, None)
    if not sessions.line:
        sessions.ready.clear()


def serve(broker: Broker, queue: Queue) -> None:
    """Give the sessions that have become ready to those who wait."""
    sessions = sessions_of(queue)
    while sessions.ready:
        session_id = next(iter(sessions.ready))
        del sessions.ready[session_id]
        if session_id in sessions.held:
            continue
        with broker.reader() as reader:
            is_ready = sessions.has_active_message(reader, session_id, queue.visible)
        if is_ready:
            wait = next(iter(sessions.line))
            leave(broker, wait)
            wait.holder.granted(_hold(broker, queue, session_id, wait.holder))


def require_held(broker: Broker, queue: Queue, session_id: str, connection: object) -> Session:
    """The session, which must be held by somebody on `connection`. Raises ServiceBusError."""
    session = sessions_of(queue).held.get(session_id)
    if session is None or session.holder.connection is not connection or session.deadline <= broker.now():
        raise ServiceBusError(ErrorCode.SESSION_LOCK_LOST)
    return session


def renew_session(broker: Broker, session: Session) -> int:
    """Extend a session's lock, and those of its messages, to a whole lock duration from now; returns its new end."""
    deadline = broker.now() + session.queue.description.lock_duration
    broker.session_ends.remove(session.ticket)
    for lock in session.lane.values():
        lock.deadline = deadline
    _watch(broker, session, deadline)
    return deadline


def release(broker: Broker, session: Session) -> None:
    """Let a session go. Its messages are available again as if they had not been delivered."""
    if not session.is_held:
        broker.notices.remove(session.ticket)
        return
    session.is_held = False
    broker.session_ends.remove(session.ticket)
    queue, sessions = session.queue, sessions_of(session.queue)
    del sessions.held[session.session_id]
    for token in list(session.lane):
        queue.locks.take(token)
    sessions.may_be_ready(session.session_id)
    broker.on_available(queue)


def lose(broker: Broker, session: Session) -> None:
    """Let a session go whose lock has expired, which is committed; its holder is told `NOTICE_DELAY` after that end."""
    if not session.is_held:
        return
    release(broker, session)
    told_at = session.deadline + NOTICE_DELAY
    if told_at <= broker.now():
        session.holder.lost()
        return
    session.ticket = broker.notices.add(told_at, session)
    broker.arm(told_at)


def give_notices(broker: Broker, limit: int) -> None:
    """Tell up to `limit` of those whose sessions were lost `NOTICE_DELAY` ago."""
    for session in broker.notices.due(broker.now(), limit):
        broker.notices.remove(session.ticket)
        session.holder.lost()


def watch_again(broker: Broker, session: Session) -> None:
    """The end of a session's lock could not be committed: it is still to come, but not at once."""
    session.is_ending = False
    if session.is_held:
        session.ticket = broker.session_ends.add(session.deadline, session)
        broker.retry_later()


def end_waits(broker: Broker, limit: int) -> None:
    """Tell up to `limit` of those in the line that they have waited long enough."""
    for wait in broker.waits.due(broker.now(), limit):
        leave(broker, wait)
        wait.holder.timed_out(wait.timeout)


def seconds(microseconds: int) -> str:
    """A duration in words, for error texts."""
    return f"{microseconds / SECOND:g} seconds"


def _hold(broker: Broker, queue: Queue, session_id: str, holder: Holder) -> Session:
    deadline = broker.now() + queue.description.lock_duration
    session = Session(queue, session_id, holder, deadline)
    sessions_of(queue).held[session_id] = session
    _watch(broker, session, deadline)
    return session


def _watch(broker: Broker, session: Session, deadline: int) -> None:
    session.deadline = deadline
    session.ticket = broker.session_ends.add(deadline, session)
    broker.arm(deadline)


def _search(sessions: Sessions, reader: Reader, visible: int) -> str | None:
    """The next session with something to hand out that nobody holds: after the last that was found, then before it."""
    last = sessions.found_last
    for session_id, first in sessions.with_active_messages(reader, last):
        if first <= visible and session_id not in sessions.held:
            sessions.found_last = session_id
            return session_id
    if last is not None:
        sessions.found_last = None
        return _search(sessions, reader, visible)
    return None
