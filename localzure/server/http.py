"""HTTP on a connection: the neutral events of a core become exchanges, and what they say becomes bytes.

One driver serves every version of HTTP: over HTTP/1.1 there is one exchange at a time, over HTTP/2 there are many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from localzure import __version__
from localzure.observing.trace_context import KEPT
from localzure.server.exchange import Exchange
from localzure.services.interface import HttpReply, HttpRequest
from localzure_protocols.events import (
    Body,
    Continue,
    EndBody,
    Foreign,
    HttpEvent,
    PeerError,
    Request,
    Response,
    StreamClosed,
    Writable,
)
from localzure_protocols.http1 import has_body

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from localzure.observing.observer import Observer
    from localzure.server.driver import Channel, Driver
    from localzure.server.router import Router
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import Clock, Entropy, HttpService
    from localzure_protocols.events import Headers

    Upgrade = Callable[[Channel, Request | Foreign], Driver | None]

IDLE_SECONDS_MAX = 300.0
"""How long a connection is kept open between two requests."""

STALLED_SECONDS_MAX = 60.0
"""How long a client that is the one to go on may make no progress: with a head, a body, or a window to send in."""

REPLY_NAMES_MAX = 256
"""Names of reply headers that are kept encoded."""

SERVER = f"LocalZure/{__version__}".encode()


class HttpCore(Protocol):
    """A version of HTTP without IO: `Http1Connection` and its like."""

    @property
    def is_finished(self) -> bool:
        """No further exchange is possible."""
        ...

    @property
    def unread(self) -> bytes:
        """Bytes received and not parsed, for the driver of an upgrade."""
        ...

    @property
    def is_blocked(self) -> bool:
        """More bytes would only pile up until a response has been sent."""
        ...

    @property
    def awaits_peer(self) -> bool:
        """The client is the one to go on."""
        ...

    @property
    def progress(self) -> int:
        """Grows whenever the client has gone on."""
        ...

    def receive(self, data: bytes) -> list[HttpEvent]:
        """Take bytes."""
        ...

    def data_to_send(self) -> bytes:
        """Take the bytes that wait for the client and that no `send` gave."""
        ...

    def receive_eof(self) -> list[HttpEvent]:
        """The client will send no more."""
        ...

    def send(self, event: Response | Body | EndBody | Continue | StreamClosed) -> bytes:
        """Encode a part of a response."""
        ...

    def room(self, stream_id: int) -> int:
        """Bytes of body that the client takes now."""
        ...

    def consumed(self, stream_id: int, count: int) -> None:
        """The service has dealt with `count` bytes of a request's body."""
        ...

    def shutdown(self) -> None:
        """Finish the exchanges that have begun, take no new ones."""
        ...


@dataclass(slots=True)
class HttpContext:
    """What all HTTP connections of a server share."""

    router: Router
    transactions: TickTransactions
    clock: Clock
    entropy: Entropy
    call_soon: Callable[[Callable[[], None]], object]
    observer: Observer
    drivers: WeakSet[HttpDriver] = field(default_factory=WeakSet)
    """Those of all connections."""

    def cut(self, spared: HttpService) -> None:
        """Break off all requests but those that `spared` answers."""
        for driver in list(self.drivers):
            driver.cut(spared)

    def exchanges_of(self, services: Collection[str]) -> list[Exchange]:
        """The requests in flight for `services`."""
        return [each for driver in list(self.drivers) for each in driver.exchanges if each.service_name in services]


class HttpDriver:
    """HTTP on one connection (see `localzure.server.driver.Driver`, and `exchange.Stream`)."""

    protocol = "http"

    def __init__(self, channel: Channel, core: HttpCore, context: HttpContext, upgrade: Upgrade | None = None) -> None:
        """Made when a connection's first bytes are HTTP; `upgrade` gives the driver that a request asks for, if any."""
        self.router = context.router
        self.transactions = context.transactions
        self.observer = context.observer
        self.listener = channel.listener
        self._channel = channel
        self._context = context
        context.drivers.add(self)
        self._core = core
        self._exchanges: dict[int, Exchange] = {}
        self._output: list[bytes] = []
        self._upgrade = upgrade
        self._upgraded: Driver | None = None
        self._is_paused = False
        self._handling = False
        self._is_awaiting = False
        self._progress = -1
        self._progress_at = 0.0

    # What the connection calls.

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        if self._core.is_blocked:
            self._is_paused = True
            self._channel.pause_reading()
        self._handle(self._core.receive(data))
        if self._upgraded is not None:
            self._channel.switch(self._upgraded, b"")
            self._upgraded.receive(self._core.unread)
        elif self._core.awaits_peer != self._is_awaiting:
            self._is_awaiting = self._core.awaits_peer
            if self._is_awaiting:
                self._progress = -1
                self._channel.rearm()

    def receive_eof(self) -> None:
        """See `Driver.receive_eof`."""
        self._handle(self._core.receive_eof())
        self._abandon([exchange for exchange in self._exchanges.values() if exchange.is_waiting])

    def take_output(self) -> list[bytes]:
        """See `Driver.take_output`."""
        output, self._output = self._output, []
        if data := self._core.data_to_send():
            output.append(data)
        return output

    @property
    def is_finished(self) -> bool:
        """See `Driver.is_finished`."""
        return self._core.is_finished

    @property
    def is_busy(self) -> bool:
        """See `Driver.is_busy`."""
        return bool(self._exchanges)

    def tick(self, now: float, last_received: float) -> float | None:
        """See `Driver.tick`: drops a client that is idle between requests, or that stalls one."""
        del last_received
        is_ours = bool(self._exchanges) and not self._core.awaits_peer
        if is_ours or self._core.progress != self._progress:
            self._progress, self._progress_at = self._core.progress, now
        limit = STALLED_SECONDS_MAX if self._core.awaits_peer else IDLE_SECONDS_MAX
        if now >= self._progress_at + limit:
            self._abandon(list(self._exchanges.values()))
            self._core.shutdown()
        return self._progress_at + limit

    def writable(self) -> None:
        """See `Driver.writable`."""
        for exchange in list(self._exchanges.values()):
            exchange.pump()

    def shutdown(self) -> None:
        """See `Driver.shutdown`."""
        self._core.shutdown()
        for exchange in list(self._exchanges.values()):
            exchange.hurry()

    @property
    def exchanges(self) -> list[Exchange]:
        """The requests in flight."""
        return list(self._exchanges.values())

    def cut(self, spared: HttpService) -> None:
        """Break off every request but those that `spared` answers: what they work on is there no more."""
        for exchange in [each for each in self._exchanges.values() if each.service not in (None, spared)]:
            del self._exchanges[exchange.stream_id]
            exchange.lost()
            self.send(StreamClosed(exchange.stream_id))

    def lost(self) -> None:
        """See `Driver.lost`."""
        self._abandon(list(self._exchanges.values()))

    # What an exchange calls.

    def send(self, event: Response | Body | EndBody | Continue | StreamClosed) -> None:
        """See `Stream.send`."""
        data = self._core.send(event)
        if data:
            self._output.append(data)
        if isinstance(event, StreamClosed):
            self._exchanges.pop(event.stream_id, None)
        self._channel.flush_soon()

    def room(self, stream_id: int) -> int:
        """See `Stream.room`."""
        if self._output:
            self._channel.flush_now()
        return self._core.room(stream_id) if self._channel.is_writable else 0

    def pump_soon(self, stream_id: int) -> None:
        """See `Stream.pump_soon`."""

        def pump() -> None:
            exchange = self._exchanges.get(stream_id)
            if exchange is not None:
                exchange.pump()

        self._context.call_soon(pump)

    def finish(self, exchange: Exchange) -> None:
        """See `Stream.finish`; goes on with what the client has sent meanwhile."""
        if exchange.is_request_complete:
            self._exchanges.pop(exchange.stream_id, None)
        if not self._handling:
            self._handle([])

    def reply_headers(self, request: HttpRequest, reply: HttpReply, length: int | None) -> Headers:
        """See `Stream.reply_headers`: the service's, and those that every reply has."""
        headers = [(_name_bytes(name), value.encode("latin-1")) for name, value in reply.headers]
        given = b"\n".join([name for name, _ in headers]).lower().split(b"\n")
        if length is not None and b"content-length" not in given and has_body(b"", reply.status):
            headers.append((b"content-length", b"%d" % length))
        if b"x-ms-request-id" not in given:
            headers.append((b"x-ms-request-id", request.request_id.encode()))
        sent = request.headers
        headers += [(name.encode(), sent[name].encode("latin-1")) for name in KEPT if name in sent]
        headers += [(b"server", SERVER), (b"date", _http_date(self._context.clock.wall() // 1_000_000))]
        return headers

    # Inside.

    def _handle(self, events: list[HttpEvent]) -> None:
        """Take events, and then those of requests that were pipelined behind a finished exchange."""
        self._handling = True
        try:
            while True:
                for event in events:
                    self._take(event)
                if self._core.is_blocked or self._core.is_finished or self._upgraded is not None:
                    break
                events = self._core.receive(b"")
                if not events:
                    break
        finally:
            self._handling = False
        if self._is_paused and not self._core.is_blocked:
            self._is_paused = False
            self._channel.resume_reading()

    def _take(self, event: HttpEvent) -> None:
        if isinstance(event, Request):
            self._begin(event)
        elif isinstance(event, Body):
            if (found := self._exchanges.get(event.stream_id)) is not None:
                found.body(event.data)
            self._core.consumed(event.stream_id, len(event.data))
        elif isinstance(event, EndBody):
            self._end_request(event.stream_id)
        elif isinstance(event, PeerError):
            self._answer_broken(event)
        elif isinstance(event, Foreign):
            assert self._upgrade is not None, "who asks for foreign requests takes them"
            self._upgraded = self._upgrade(self._channel, event)
        elif isinstance(event, Writable):
            if (found := self._exchanges.get(event.stream_id)) is not None:
                found.pump()
        elif (found := self._exchanges.pop(event.stream_id, None)) is not None:
            found.lost()

    def _begin(self, head: Request) -> None:
        if self._upgrade is not None and (head.method == b"CONNECT" or any(n == b"upgrade" for n, _ in head.headers)):
            self._upgraded = self._upgrade(self._channel, head)
            if self._upgraded is not None:
                return
        self._exchanges[head.stream_id] = exchange = Exchange(self, head.stream_id, self._describe(head))
        exchange.start()

    def _end_request(self, stream_id: int) -> None:
        exchange = self._exchanges.get(stream_id)
        if exchange is not None:
            exchange.end()
            if exchange.is_replied:
                self._exchanges.pop(stream_id, None)

    def _describe(self, head: Request) -> HttpRequest:
        """Build what services see from a request's head."""
        headers = decoded_headers(head.headers)
        target, host = head.target.decode("latin-1"), headers.get("host", "")
        scheme = "https" if self._channel.is_secure else "http"
        if "://" in target[:8]:
            scheme, _, rest = target.partition("://")
            host, slash, rest = rest.partition("/")
            target = slash + rest
        path, _, query = target.partition("?")
        return HttpRequest(
            method=head.method.decode("latin-1"),
            raw_path=path,
            raw_query=query,
            headers=headers,
            scheme=scheme,
            host=host,
            peer=self._channel.peer,
            request_id=str(self._context.entropy.uuid()),
            metadata_names=_metadata_names(head),
            sent_names=head.sent_names,
        )

    def _answer_broken(self, event: PeerError) -> None:
        """Answer a request that could not be parsed, in plain words."""
        text = f"{event.reason}\n".encode("latin-1", "replace")
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"%d" % len(text)),
            (b"server", SERVER),
            (b"date", _http_date(self._context.clock.wall() // 1_000_000)),
        ]
        self.send(Response(event.stream_id, event.status, headers, close=True))
        self.send(Body(event.stream_id, text))
        self.send(EndBody(event.stream_id))

    def _abandon(self, exchanges: list[Exchange]) -> None:
        """End exchanges without an answer."""
        for exchange in exchanges:
            exchange.lost()
            self.send(StreamClosed(exchange.stream_id))


@lru_cache(maxsize=REPLY_NAMES_MAX)
def _name_bytes(name: str) -> bytes:
    """Return a reply header's name as it goes out: services use few, metadata any."""
    return name.encode("latin-1")


class _DateText:
    """The last date header that was made: it changes once a second."""

    second = -1
    text = b""


def _http_date(second: int) -> bytes:
    if second != _DateText.second:
        _DateText.second, _DateText.text = second, formatdate(second, usegmt=True).encode()
    return _DateText.text


def decoded_headers(fields: Headers) -> dict[str, str]:
    """Return the values by name, those of a name that repeats joined by commas."""
    # One call for all of them, where no value has a line feed: no parser lets one through, but that is its affair.
    texts = b"\n".join(chain.from_iterable(fields)).decode("latin-1").split("\n")
    if len(texts) == 2 * len(fields):
        headers = dict(zip(texts[::2], texts[1::2], strict=True))
        if len(headers) == len(fields):
            return headers
    headers = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _metadata_names(head: Request) -> dict[str, str]:
    """Return the names of metadata headers as they were sent (see `HttpRequest.metadata_names`)."""
    if b"x-ms-meta-" not in b"\n".join(head.sent_names).lower():
        return {}
    sent = [name.decode("latin-1") for name in head.sent_names if name[:10].lower() == b"x-ms-meta-"]
    return {name.lower(): name for name in sent}
