"""The interface between the server and a service: what each may ask of the other.

The server owns sockets, clock and randomness; a service is plain synchronous code. The server builds each service
with a `ServiceContext`, hands HTTP exchanges to an `HttpService` and AMQP connections to an `AmqpService`, and calls
`expire` when the alarm that the service has set goes off.

Two rules hold everywhere. Nothing outside the store moves before the commit: whatever cannot be taken back (a
reply, a byte handed to a protocol core, engine memory that mirrors the store) is done in a callback given to
`Transactions.after_commit`. And a handler never waits: what must wait is held as state and resumed by an event or
a deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NewType, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from uuid import UUID

    from localzure_protocols.amqp.connection import AmqpConnection
    from localzure_protocols.amqp.events import AmqpEvent
    from localzure_storage.extents import Extents
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Reader, StorageError, Writer

Instant = NewType("Instant", int)
"""A point in time: whole microseconds since 1970-01-01T00:00:00Z."""

SECOND = 1_000_000
"""Microseconds in a second, for arithmetic on instants."""


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> Instant:
        """The virtual time that rules locks, lifetimes, leases and schedules."""
        ...

    def wall(self) -> Instant:
        """The machine's time, for what clients date themselves (Shared Key dates, SAS, tokens)."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for idle time-outs and durations."""
        ...


class Entropy(Protocol):
    """Where randomness comes from."""

    def uuid(self) -> UUID:
        """A random UUID."""
        ...

    def bytes(self, count: int) -> bytes:
        """`count` random bytes."""
        ...


class Transactions(Protocol):
    """The store as a service sees it: every write of one event-loop tick shares one commit."""

    def reader(self) -> AbstractContextManager[Reader]:
        """A view that includes the tick's writes; ends with the block."""
        ...

    def writer(self) -> AbstractContextManager[Writer]:
        """A nested transaction of the tick's: kept when the block ends, undone alone when it raises."""
        ...

    def after_commit(self, done: Callable[[], None], failed: Callable[[StorageError], None] | None = None) -> None:
        """Call `done` once what was written so far is committed, at once when nothing is; else `failed`.

        Callbacks run in the order in which they were registered.
        """
        ...


class Alarm(Protocol):
    """One deadline on the virtual clock per service."""

    def set(self, at: Instant | None) -> None:
        """Call the service's `expire` at `at`; replaces what was set; None cancels."""
        ...


Result = TypeVar("Result")


class Aside(Protocol):
    """Runs the little that takes longer than a tick may, such as making an RSA key, in a thread."""

    def __call__(self, work: Callable[[], Result], done: Callable[[Result | None], None]) -> None:
        """Call `work` in a thread, then `done` on the loop with what it returned.

        `done` gets None where `work` failed, which is logged. It is not called any more once the server has stopped.
        """
        ...


class FetchSink(Protocol):
    """Takes what another server answers. One of `end` and `failed` ends it."""

    def head(self, status: int, headers: dict[str, str]) -> None:
        """The reply begins; header names in lower case. May raise to refuse it, which is told to `failed`."""
        ...

    def data(self, data: bytes) -> None:
        """The next piece of its body. May raise as `head` does."""
        ...

    def end(self) -> None:
        """The reply is complete."""
        ...

    def failed(self, error: Exception | None) -> None:
        """It came to nothing: what a method raised, or None where the other server cannot be had."""
        ...


class Fetch(Protocol):
    """Gets something from another server, in events of its own."""

    def __call__(self, url: str, headers: dict[str, str], sink: FetchSink) -> None:
        """GET an http or https URL; redirects are not followed."""
        ...


@dataclass(slots=True)
class ServiceContext:
    """What a service is built from."""

    transactions: Transactions
    clock: Clock
    entropy: Entropy
    alarm: Alarm
    space: Subspace
    """The service's own key space."""
    extents: Extents
    """Large content, shared by all services."""


class ServiceError(Exception):
    """A documented Azure outcome. Each service derives its own, with one row per code in its `errors.py`."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a storage request is for, as `localzure.gateway` decided it."""

    account: str
    secondary: bool
    """Sent to the read-only `-secondary` endpoint."""
    path: str
    """The rest of the path as sent, still percent-encoded, without a leading slash."""
    base_url: str
    """Scheme, host and prefix under which the client reached the account, without a closing slash."""


@dataclass(slots=True)
class HttpRequest:
    """The head of an HTTP request, as services see it."""

    method: str
    raw_path: str
    """The path as sent, percent-encoded, before any rewriting: what signatures cover."""
    raw_query: str
    """What follows the question mark, as sent, or an empty string."""
    headers: dict[str, str]
    """Lower-case names; the values of repeated headers joined by a comma."""
    scheme: str
    host: str
    peer: str
    """The client's address."""
    request_id: str
    """A UUID that goes into `x-ms-request-id` and the log."""
    metadata_names: dict[str, str] = field(default_factory=dict)
    """Lower-case name → name as sent, for the `x-ms-meta-` headers: Azure keeps the case of metadata names."""
    sent_names: tuple[bytes, ...] = ()
    """The names of all headers as sent, where the protocol keeps their case."""
    service: str = ""
    """The service that answers, once the server has routed the request."""
    operation: str = ""
    """The name of the operation, once the service has found it."""
    caller: object = None
    """Who sent it, once a storage service knows: its `str` is for people."""


@dataclass(slots=True)
class HttpReply:
    """A reply to an HTTP request. The server adds `date`, `server`, `content-length` and the request id.

    Header names are in lower case, but for metadata names, which keep theirs. A reply to HEAD gives `content-length`
    itself where the reply to GET would have a body.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | BodySource = b""
    close: bool = False
    """Close the connection after this reply."""


class LaterReply(HttpReply):
    """A reply that takes longer than the event that asked for it, or that waits for something, such as a message.

    Who makes it calls `answer` or `ready`, once, in a later tick, unless it was told before that the client is gone.
    Nothing else waits: what is waited for is state of the service.
    """

    def __init__(self, abandon: Callable[[], None] | None = None, hurry: Callable[[], None] | None = None) -> None:
        """`abandon` is called when the client goes away; `hurry` when the server stops, to answer at once."""
        super().__init__(0)
        self._abandon = abandon
        self._hurry = hurry
        self._take: Callable[[Callable[[], HttpReply]], None] | None = None
        self._touches: list[Callable[[HttpReply], None]] = []

    def answer(self, make: Callable[[], HttpReply]) -> None:
        """Reply as `make` says, which is called as `BodySink.finish` is: it may write, and raise ServiceError."""
        if self._take is not None:
            touches = self._touches
            self._take(make if not touches else lambda: _touched(make(), touches))

    def touch(self, change: Callable[[HttpReply], None]) -> None:
        """Have the reply changed once it is there, by whoever hands this one on."""
        self._touches.append(change)

    def ready(self, reply: HttpReply) -> None:
        """The reply is there."""
        self.answer(lambda: reply)

    def then(self, take: Callable[[Callable[[], HttpReply]], None]) -> None:
        """Give what makes the reply to `take`. For the server, in the event that got this object."""
        self._take = take

    @property
    def is_for_a_listener(self) -> bool:
        """A client that has stopped sending is taken to have gone: nothing may be handed out for nobody."""
        return self._abandon is not None

    def lost(self) -> None:
        """The client went away. For the server."""
        self._take = None
        if self._abandon is not None:
            self._abandon()

    def hurry(self) -> None:
        """The server stops: whoever can answers at once. For the server."""
        if self._hurry is not None:
            self._hurry()


class NoReply(HttpReply):
    """The connection (or, with HTTP/2, the stream) ends without an answer."""

    def __init__(self) -> None:
        super().__init__(0)


class StreamBrokenError(Exception):
    """Raised by the body of a reply that is to break off where it is."""


def _touched(reply: HttpReply, touches: Sequence[Callable[[HttpReply], None]]) -> HttpReply:
    for touch in touches:
        touch(reply)
    return reply


class BodySource(Protocol):
    """A reply's body that is read from the store while it is sent."""

    @property
    def length(self) -> int | None:
        """Bytes in the whole body; None for one that is computed while it is sent: each `read` is a turn's work."""
        ...

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`; empty at the end. Called between events, in any later tick."""
        ...

    def close(self) -> None:
        """Let go of what the body pins. Called exactly once, also when the client went away."""
        ...


class BodySink(Protocol):
    """Takes the body of one request and gives its reply. One of `finish` and `abandon` ends it."""

    def write(self, data: bytes) -> None:
        """Take the next piece of the body. Raises ServiceError to refuse the rest of it."""
        ...

    def finish(self) -> HttpReply:
        """The body is complete: do the operation. Raises ServiceError."""
        ...

    def abandon(self) -> None:
        """The client went away, or the request was refused, before the body was complete."""
        ...


class HttpService(Protocol):
    """A service that speaks HTTP."""

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """Authorise and route a request by its head. Raises ServiceError."""
        ...

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """Render an error in the service's own shape; None is an unknown failure (500)."""
        ...

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """The name of the operation that a request asks for, as its table has it; empty where it asks for none."""
        ...


class AmqpHost(Protocol):
    """What the server gives to one AMQP connection's handler."""

    @property
    def peer(self) -> str:
        """The client's address."""
        ...

    @property
    def is_writable(self) -> bool:
        """False while the client does not take what was sent: hand out no messages until `AmqpPeer.writable`."""
        ...

    def flush(self) -> None:
        """The core has bytes to send: write them at the end of this tick."""
        ...


class AmqpPeer(Protocol):
    """The service's side of one AMQP connection."""

    def handle(self, events: Sequence[AmqpEvent]) -> None:
        """Take the events of one read from the socket."""
        ...

    def writable(self) -> None:
        """The client takes bytes again: go on handing out."""
        ...

    def tick(self, now: float) -> float | None:
        """Do what is due at monotonic second `now`; returns when to be called again at the latest, None for never."""
        ...

    def disconnected(self) -> None:
        """The connection is gone. Nothing may be sent any more."""
        ...

    def shutdown(self) -> None:
        """The server stops: close the connection in the protocol's way."""
        ...


class AmqpService(Protocol):
    """A service that speaks AMQP 1.0."""

    def connected(self, core: AmqpConnection, host: AmqpHost) -> AmqpPeer:
        """A client connected; returns the handler for its events."""
        ...
