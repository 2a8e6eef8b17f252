"""One HTTP request and its reply, whatever the version of HTTP.

A request is routed and authorised by its head, its body goes to the service's sink as it arrives, and the reply
leaves when the commit that holds its writes is done. Nothing is collected here: a reply is read from its source only
as fast as the client takes it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from localzure.server.logs import correlated
from localzure.services.interface import HttpReply, LaterReply, NoReply, ServiceError, StreamBrokenError
from localzure_protocols.events import Body, Continue, EndBody, Response, StreamClosed
from localzure_protocols.http1 import has_body
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.config.settings import Listener
    from localzure.observing.observer import Observer
    from localzure.server.router import Router
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import BodySink, BodySource, HttpRequest, HttpService
    from localzure_protocols.events import Headers

BODY_READ_BYTES = 256 * 1024
"""How much of a reply's body is read from the store at a time."""

BODY_TURN_BYTES = 1024 * 1024
"""How much of a reply's body is sent before other connections get their turn."""

_log = logging.getLogger(__name__)


class Stream(Protocol):
    """What an exchange needs of its connection."""

    router: Router
    transactions: TickTransactions
    listener: Listener
    observer: Observer

    def send(self, event: Response | Body | EndBody | Continue | StreamClosed) -> None:
        """Queue a part of the reply."""
        ...

    def room(self, stream_id: int) -> int:
        """Bytes of body that the client takes now."""
        ...

    def pump_soon(self, stream_id: int) -> None:
        """Call `pump` after the others had their turn."""
        ...

    def reply_headers(self, request: HttpRequest, reply: HttpReply, length: int | None) -> Headers:
        """The headers of a reply."""
        ...

    def finish(self, exchange: Exchange) -> None:
        """The reply is complete."""
        ...


class Exchange:
    """One request and its reply."""

    __slots__ = (
        "_began",
        "_later",
        "_reply_started",
        "_request",
        "_sent_bytes",
        "_sink",
        "_source",
        "_status",
        "_stream",
        "is_replied",
        "is_request_complete",
        "service",
        "stream_id",
    )

    def __init__(self, stream: Stream, stream_id: int, request: HttpRequest) -> None:
        """Made by the driver for each request head."""
        self.stream_id = stream_id
        self._stream = stream
        self._request = request
        self.service: HttpService | None = None
        """Who answers, once that is known."""
        self._sink: BodySink | None = None
        self._later: LaterReply | None = None
        self._source: BodySource | None = None
        self._reply_started = False
        self._began: float | None = stream.observer.began()
        """Monotonic second; None once the end has been told."""
        self._status = 0
        """That of the reply, once its head has left."""
        self._sent_bytes = 0
        self.is_request_complete = False
        self.is_replied = False
        """The reply has been sent whole."""

    def start(self) -> None:
        """Route and authorise by the head, and let the client send its body."""
        if self._guarded(self._accept) and "expect" in self._request.headers:
            self._stream.send(Continue(self.stream_id))

    def body(self, data: bytes) -> None:
        """A piece of the body; the rest of a refused one is read and dropped."""
        sink = self._sink
        if sink is not None:
            self._guarded(lambda: sink.write(data))

    def end(self) -> None:
        """The body is complete: do the operation."""
        self.is_request_complete = True
        if self._sink is not None:
            self._guarded(self._finish)

    def lost(self) -> None:
        """The client gave up: nothing more is sent, nothing is left behind."""
        self._reply_started = True
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abandon()
        later, self._later = self._later, None
        if later is not None:
            later.lost()
        self._close_source()
        self._tell_end(0)

    @property
    def service_name(self) -> str:
        """The service that answers, once that is known."""
        return self._request.service

    @property
    def is_waiting(self) -> bool:
        """The reply waits for what may never come: a client that stops listening has given it up."""
        return self._later is not None and self._later.is_for_a_listener

    def hurry(self) -> None:
        """The server stops: a reply that waits comes now, where it can."""
        if self._later is not None:
            self._guarded(self._later.hurry)

    def pump(self) -> None:
        """Send the reply's body as far as the client takes it, a bounded piece at a time."""
        try:
            with correlated(self._request.request_id):
                self._pump()
        except StreamBrokenError:
            self.break_off()
        except Exception:  # noqa: BLE001 - the head has left: only the end of the stream tells the client
            _log.exception("%s %s failed while its reply was sent", self._request.method, self._request.raw_path)
            self.break_off()

    def _accept(self) -> None:
        self.service, address = self._stream.router.route(self._request, self._stream.listener)
        self._sink = self.service.accept(self._request, address)

    def _finish(self) -> None:
        assert self._sink is not None, "only an accepted request is finished"
        reply = self._sink.finish()
        self._sink = None
        if isinstance(reply, LaterReply):
            self._later = reply
            reply.then(self._answer_later)
        else:
            self._reply_after_commit(reply)

    def _answer_later(self, make: Callable[[], HttpReply]) -> None:
        self._later = None
        self._guarded(lambda: self._reply_after_commit(make()))

    def _guarded(self, step: Callable[[], None]) -> bool:
        """Run a step of the service; whatever goes wrong becomes the service's own error reply."""
        try:
            with correlated(self._request.request_id):
                step()
        except (ServiceError, StorageError) as error:
            self._refuse(error)
        except Exception:  # noqa: BLE001 - the unforeseen becomes a 500 with a request id that is in the log
            with correlated(self._request.request_id):
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
        return self._stream.router.refuse(self.service, self._request, error)

    def _reply_after_commit(self, reply: HttpReply) -> None:
        self._stream.transactions.after_commit(
            lambda: self._start_reply(reply),
            lambda error: self._commit_failed(reply, error),
        )

    def _commit_failed(self, reply: HttpReply, error: StorageError) -> None:
        if not isinstance(reply.body, bytes):
            reply.body.close()
        self._start_reply(self._error_reply(error))

    def _start_reply(self, reply: HttpReply) -> None:
        body = reply.body
        if not isinstance(body, bytes):
            self._source = body
        if self._reply_started:
            self._close_source()
            return
        if isinstance(reply, NoReply):
            self.break_off()
            return
        self._reply_started = True
        self._status = reply.status
        length = len(body) if isinstance(body, bytes) else body.length
        headers = self._stream.reply_headers(self._request, reply, length)
        self._stream.send(Response(self.stream_id, reply.status, headers, close=reply.close))
        if not has_body(self._request.method.encode(), reply.status):
            self._end_reply()
        elif isinstance(body, bytes):
            if body:
                self._sent_bytes = len(body)
                self._stream.send(Body(self.stream_id, body))
            self._end_reply()
        else:
            self.pump()

    def _pump(self) -> None:
        sent = 0
        while self._source is not None and sent < BODY_TURN_BYTES:
            room = self._stream.room(self.stream_id)
            if room <= 0:
                return
            data = self._source.read(min(room, BODY_READ_BYTES))
            if not data:
                self._end_reply()
                return
            sent += len(data)
            self._sent_bytes += len(data)
            self._stream.send(Body(self.stream_id, data))
            if self._source.length is None:
                break
        if self._source is not None:
            self._stream.pump_soon(self.stream_id)

    def _end_reply(self) -> None:
        self._close_source()
        if not self.is_replied:
            self.is_replied = True
            self._stream.send(EndBody(self.stream_id))
            self._tell_end(self._status)
            self._stream.finish(self)

    def _tell_end(self, status: int) -> None:
        """Have the exchange counted, once."""
        began, self._began = self._began, None
        if began is not None:
            self._stream.observer.ended(self._request, status, began, self._sent_bytes)

    def break_off(self) -> None:
        """End the stream where it is: that is how the client learns that there is no more."""
        self.lost()
        self._stream.send(StreamClosed(self.stream_id))

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()
