"""Links on which clients receive the messages of one session.

A client asks for a session with a filter on the source of its link: by name, or null for the next one with messages.
The answer to its attach names the session that it got and when the lock ends; while there is none, it stays away. The
lock ends with the link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.interface import SECOND
from localzure.services.servicebus.amqp.receiving import ReceiveLink
from localzure.services.servicebus.engine.sessions import (
    accept,
    accept_next,
    leave,
    release,
    require_session_id,
    seconds,
)
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.codec import Described

if TYPE_CHECKING:
    from localzure.services.servicebus.amqp.peer import ServiceBusPeer
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.sessions import Session, Wait
    from localzure_protocols.amqp.events import Link

SESSION_FILTER = "com.microsoft:session-filter"
"""Key of the filter. Its value is the name or null, with some clients described."""

LOCKED_UNTIL = "com.microsoft:locked-until-utc"
"""Property of the link that tells when the lock ends, in .NET ticks."""

TIMEOUT = "com.microsoft:timeout"
"""Property of the client's link that says how long to wait for the next session, in milliseconds."""

TIMEOUT_DEFAULT = 65 * SECOND
"""How long the next session is waited for where the client does not say."""

TIMEOUT_MAX = 24 * 60 * 60 * SECOND
"""Longest wait for the next session."""

_TICKS_TO_1970 = 621_355_968_000_000_000
_TICKS_PER_MICROSECOND = 10


class SessionLink(ReceiveLink):
    """A link that waits for a session, or holds one (see `engine.sessions.Holder`)."""

    __slots__ = ("_session", "_wait")

    def __init__(self, peer: ServiceBusPeer, link: Link, queue: Queue) -> None:
        super().__init__(peer, link, queue)
        self._session: Session | None = None
        self._wait: Wait | None = None

    @property
    def queue(self) -> Queue:
        """The queue that the session is of."""
        return self._queue

    @property
    def session_id(self) -> str | None:
        """The id of the session that it holds, if it does."""
        return None if self._session is None else self._session.session_id

    def attach(self) -> None:
        """Get the session that the client asks for, or wait for it. Raises ServiceBusError."""
        wanted = wanted_session(self.link)
        broker = self._peer.broker
        if wanted is None:
            self._wait = accept_next(broker, self._queue, self, _timeout(self.link))
        else:
            self.granted(accept(broker, self._queue, require_session_id(wanted), self))

    def detached(self) -> None:
        """Let go of the session, or of the place in the line."""
        super().detached()
        wait, self._wait = self._wait, None
        if wait is not None:
            leave(self._peer.broker, wait)
        session, self._session = self._session, None
        if session is not None:
            self._peer.dispatch.forget(session)
            release(self._peer.broker, session)

    # What the engine tells (see `engine.sessions.Holder`).

    @property
    def connection(self) -> object:
        """See `Holder`."""
        return self._peer

    def granted(self, session: Session) -> None:
        """Answer the client's attach."""
        self._wait = None
        self._session = self._supply = session
        locked_until = session.deadline * _TICKS_PER_MICROSECOND + _TICKS_TO_1970
        if not self._peer.accept(self, {LOCKED_UNTIL: locked_until}, _answer(self.link, session.session_id)):
            self.detached()

    def timed_out(self, waited: int) -> None:
        """Refuse the client's attach."""
        self._wait = None
        self._close(ServiceBusError(ErrorCode.TIMEOUT, time=seconds(waited)))

    def lost(self) -> None:
        """Tell the client that the session is not its own any more."""
        self._close(ServiceBusError(ErrorCode.SESSION_LOCK_LOST))

    def _close(self, error: ServiceBusError) -> None:
        self._peer.detach(self.link, self._peer.amqp_error(error, self._queue.path))


def wants_session(link: Link) -> bool:
    """Whether a client asks for a session."""
    return link.source.filter is not None and SESSION_FILTER in link.source.filter


def wanted_session(link: Link) -> Any:
    """The name of the session that a client asks for; None for the next one."""
    value = (link.source.filter or {}).get(SESSION_FILTER)
    return value.value if isinstance(value, Described) else value


def _answer(link: Link, session_id: str) -> dict[Any, Any]:
    """The client's filters in the form that it has sent, with the session that it got."""
    answer = dict(link.source.filter or {})
    for key, value in answer.items():
        if key == SESSION_FILTER:
            answer[key] = Described(value.descriptor, session_id) if isinstance(value, Described) else session_id
    return answer


def _timeout(link: Link) -> int:
    """How long to wait for the next session, in microseconds."""
    value = link.properties.get(TIMEOUT)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return TIMEOUT_DEFAULT
    return min(value * 1000, TIMEOUT_MAX)
