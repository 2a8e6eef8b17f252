"""HTTP on a connection: exchanges between a core's neutral events and the services.

A request is routed and authorised by its head, its body goes to the service's sink as it arrives, and the reply
leaves when the commit that holds its writes is done. Nothing is kept per request but what is in flight: a body is
never collected here, and a reply is read from its source only as fast as the client takes it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

import h11

from localzure import __version__
from localzure.server.logs import correlated
from localzure.services.interface import HttpReply, HttpRequest, ServiceError
from localzure_protocols.events import Body, Continue, EndBody, HttpEvent, PeerError, Request, Response
from localzure_protocols.http1 import Http1Connection, has_body
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.server.driver import Channel
    from localzure.server.router import Router
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import BodySink, BodySource, Clock, Entropy, HttpService

BODY_READ_BYTES = 256 * 1024
"""How much of a reply's body is read from the store at a time."""

BODY_TURN_BYTES = 1024 * 1024
"""How much of a reply's body is sent before other connections get their turn."""

IDLE_SECONDS_MAX = 300.0
"""How long a connection is kept open between two requests."""

REQUEST_SILENCE_SECONDS_MAX = 60.0
"""How long a client may send nothing in the middle of a request."""

SERVER = f"LocalZure/{__version__}"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class HttpContext:
    """What all HTTP connections of a server share."""

    router: Router
    transactions: TickTransactions
    clock: Clock
    entropy: Entropy
    call_soon: Callable[[Callable[[], None]], object]


class _Date:
    """The `date` header, made once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def at(self, second: int) -> bytes:
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True).encode()
        return self._text


class Exchange:
    """One request and its reply."""

    __slots__ = (
        "_driver",
        "_method",
        "_reply_started",
        "_request",
        "_service",
        "_sink",
        "_source",
        "is_replied",
        "stream_id",
    )

    def __init__(self, driver: HttpDriver, head: Request) -> None:
        """Made by the driver for each request head."""
        self.stream_id = head.stream_id
        self._driver = driver
        self._method = head.method
        self._request = driver.describe(head)
        self._service: HttpService | None = None
        self._sink: BodySink | None = None
        self._source: BodySource | None = None
        self._reply_started = False
        self.is_replied = False
        """The reply has been sent whole."""

    def start(self) -> None:
        """Route and authorise by the head, and let the client send its body."""

        def accept() -> None:
            self._service, address = self._driver.context.router.route(self._request, self._driver.channel.listener)
            self._sink = self._service.accept(self._request, address)

        if self._guarded(accept) and "expect" in self._request.headers:
            self._driver.send(Continue(self.stream_id))

    def body(self, data: bytes) -> None:
        """A piece of the body; the rest of a refused one is read and dropped."""
        sink = self._sink
        if sink is not None:
            self._guarded(lambda: sink.write(data))

    def end(self) -> None:
        """The body is complete: do the operation."""
        sink = self._sink
        if sink is not None:

            def finish() -> None:
                reply = sink.finish()
                self._sink = None
                self._reply_after_commit(reply)

            self._guarded(finish)

    def lost(self) -> None:
        """The client gave up: nothing more is sent, nothing is left behind."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abandon()
        self._close_source()
        self._reply_started = True

    def _guarded(self, step: Callable[[], None]) -> bool:
        """Run a step of the service; whatever goes wrong becomes the service's own error reply."""
        try:
            with correlated(self._request.request_id):
                step()
        except (ServiceError, StorageError) as error:
            self._refuse(error)
        except Exception:  # noqa: BLE001 - the unforeseen becomes a 500 with a request id that is in the log
            _log.exception("%s %s failed", self._request.method, self._request.raw_path)
            self._refuse(None)
        else:
            return True
        return False

    def _refuse(self, error: ServiceError | StorageError | None) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abandon()
        self._reply_after_commit(self._error_reply(error))

    def _error_reply(self, error: ServiceError | StorageError | None) -> HttpReply:
        return self._driver.context.router.refuse(self._service, self._request, error)

    def _reply_after_commit(self, reply: HttpReply) -> None:
        self._driver.context.transactions.after_commit(
            lambda: self._start_reply(reply),
            lambda error: self._commit_failed(reply, error),
        )

    def _commit_failed(self, reply: HttpReply, error: StorageError) -> None:
        if not isinstance(reply.body, bytes):
            reply.body.close()
        self._start_reply(self._error_reply(error))

    def _start_reply(self, reply: HttpReply) -> None:
        if self._reply_started:
            if not isinstance(reply.body, bytes):
                reply.body.close()
            return
        self._reply_started = True
        body = reply.body
        length = len(body) if isinstance(body, bytes) else body.length
        headers = self._driver.reply_headers(self._request, reply, length)
        self._driver.send(Response(self.stream_id, reply.status, headers))
        if isinstance(body, bytes):
            if body and has_body(self._method, reply.status):
                self._driver.send(Body(self.stream_id, body))
            self._driver.end_reply(self)
            return
        self._source = body
        if not has_body(self._method, reply.status):
            self._close_source()
            self._driver.end_reply(self)
        else:
            self.pump()

    def pump(self) -> None:
        """Send the reply's body as far as the client takes it, a bounded piece at a time."""
        try:
            with correlated(self._request.request_id):
                self._pump()
        except Exception:  # noqa: BLE001 - the head has left: only the end of the connection tells the client
            _log.exception("%s %s failed while its reply was sent", self._request.method, self._request.raw_path)
            self._driver.abandon()

    def _pump(self) -> None:
        channel, sent = self._driver.channel, 0
        while self._source is not None and channel.is_writable and sent < BODY_TURN_BYTES:
            data = self._source.read(BODY_READ_BYTES)
            if data:
                sent += len(data)
                self._driver.send(Body(self.stream_id, data))
                channel.flush_now()
            else:
                self._close_source()
                self._driver.end_reply(self)
        if self._source is not None and channel.is_writable:
            self._driver.context.call_soon(self._driver.pump)

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


class HttpDriver:
    """HTTP/1.1 on one connection (see `localzure.server.driver.Driver`)."""

    date = _Date()

    def __init__(self, channel: Channel, context: HttpContext) -> None:
        """Made when a connection's first bytes are HTTP/1."""
        self.channel = channel
        self.context = context
        self._core = Http1Connection()
        self._exchange: Exchange | None = None
        self._request_complete = False
        self._output: list[bytes] = []
        self._closing = False
        self._handling = False

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        self._handle(self._core.receive(data))
        if self._core.is_blocked:
            self.channel.pause_reading()

    def receive_eof(self) -> None:
        """See `Driver.receive_eof`."""
        self._handle(self._core.receive_eof())

    def take_output(self) -> list[bytes]:
        """See `Driver.take_output`."""
        output, self._output = self._output, []
        return output

    @property
    def is_finished(self) -> bool:
        """See `Driver.is_finished`."""
        return self._core.is_finished or (self._closing and self._exchange is None)

    @property
    def is_busy(self) -> bool:
        """See `Driver.is_busy`."""
        return self._exchange is not None

    def tick(self, now: float, last_received: float) -> float | None:
        """See `Driver.tick`: drops a connection that is idle between, or silent inside, requests."""
        if self._exchange is not None and self._request_complete:
            return now + IDLE_SECONDS_MAX
        limit = IDLE_SECONDS_MAX if self._exchange is None else REQUEST_SILENCE_SECONDS_MAX
        if now >= last_received + limit:
            self.abandon()
        return last_received + limit

    def writable(self) -> None:
        """See `Driver.writable`."""
        self.pump()

    def shutdown(self) -> None:
        """See `Driver.shutdown`."""
        self._closing = True

    def lost(self) -> None:
        """See `Driver.lost`."""
        self.abandon()

    def pump(self) -> None:
        """Go on with the reply that is being sent."""
        if self._exchange is not None:
            self._exchange.pump()

    def send(self, event: Response | Body | EndBody | Continue) -> None:
        """Queue a part of a reply."""
        try:
            data = self._core.send(event)
        except h11.LocalProtocolError:
            # The reply broke its own framing (a source shorter than it said): the client must not take it for whole.
            _log.exception("a reply could not be framed; its connection is dropped")
            self.abandon()
            return
        if data:
            self._output.append(data)
            self.channel.flush_soon()

    def end_reply(self, exchange: Exchange) -> None:
        """A reply is complete; go on with what the client has sent meanwhile."""
        if exchange is not self._exchange:
            return
        self.send(EndBody(exchange.stream_id))
        exchange.is_replied = True
        if self._request_complete:
            self._exchange = None
            if not self._handling:
                self.channel.resume_reading()
                self._handle([])
        self.channel.flush_soon()

    def describe(self, head: Request) -> HttpRequest:
        """Build what services see from a request's head."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        target, host = head.target.decode("latin-1"), headers.get("host", "")
        scheme = "https" if self.channel.is_secure else "http"
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
            peer=self.channel.peer,
            request_id=str(self.context.entropy.uuid()),
            metadata_names=_metadata_names(head),
        )

    def reply_headers(self, request: HttpRequest, reply: HttpReply, length: int) -> list[tuple[bytes, bytes]]:
        """The headers of a reply: the service's, and those that every reply has."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
        given = {name for name, _ in headers}
        if b"content-length" not in given and has_body(b"", reply.status):
            headers.append((b"content-length", b"%d" % length))
        if b"x-ms-request-id" not in given:
            headers.append((b"x-ms-request-id", request.request_id.encode()))
        if b"server" not in given:
            headers.append((b"server", SERVER.encode()))
        headers.append((b"date", self.date.at(self.context.clock.wall() // 1_000_000)))
        if reply.close or self._closing:
            headers.append((b"connection", b"close"))
        return headers

    def _handle(self, events: list[HttpEvent]) -> None:
        """Take events, and then those of requests that were pipelined behind a finished exchange."""
        self._handling = True
        try:
            while True:
                for event in events:
                    self._take(event)
                if self._exchange is not None or self._closing:
                    break
                events = self._core.receive(b"")
                if not events:
                    break
        finally:
            self._handling = False

    def _take(self, event: HttpEvent) -> None:
        if isinstance(event, Request):
            self._request_complete = False
            self._exchange = Exchange(self, event)
            self._exchange.start()
        elif isinstance(event, Body):
            if self._exchange is not None:
                self._exchange.body(event.data)
        elif isinstance(event, EndBody):
            self._end_request()
        elif isinstance(event, PeerError):
            self._answer_broken(event)
        else:
            self.abandon()

    def _end_request(self) -> None:
        self._request_complete = True
        exchange = self._exchange
        if exchange is None:
            return
        exchange.end()
        if exchange.is_replied:
            self._exchange = None

    def _answer_broken(self, event: PeerError) -> None:
        """Answer a request that could not be parsed, in plain words, and close."""
        self._closing = True
        text = f"{event.reason}\n".encode("latin-1", "replace")
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"%d" % len(text)),
            (b"connection", b"close"),
            (b"server", SERVER.encode()),
            (b"date", self.date.at(self.context.clock.wall() // 1_000_000)),
        ]
        self.send(Response(event.stream_id, event.status, headers))
        self.send(Body(event.stream_id, text))
        self.send(EndBody(event.stream_id))

    def abandon(self) -> None:
        """End the exchange without an answer, and the connection with it."""
        exchange, self._exchange = self._exchange, None
        self._closing = True
        if exchange is not None:
            exchange.lost()
        self.channel.flush_soon()


def _metadata_names(head: Request) -> dict[str, str]:
    """Return the names of metadata headers as they were sent (see `HttpRequest.metadata_names`)."""
    sent = [name.decode("latin-1") for name in head.sent_names if name[:10].lower() == b"x-ms-meta-"]
    return {name.lower(): name for name in sent}
