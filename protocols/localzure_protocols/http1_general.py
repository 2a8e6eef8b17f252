"""HTTP/1.x, server side, without IO: h11 behind the neutral events. Takes whatever a client may send."""

from __future__ import annotations

from http import HTTPStatus

import h11

from localzure_protocols.events import (
    Body,
    Continue,
    EndBody,
    HttpEvent,
    PeerError,
    Request,
    Response,
    StreamClosed,
)

HEAD_BYTES_MAX = 64 * 1024
"""Longest head. A blob name of 1,024 characters can take 12 KiB percent-encoded, and a SAS or a token follow it."""

_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}
"""What each status is called: clients show it to people, and Azure's SDKs hand it on."""


class GeneralHttp1:
    """What `http1.Http1Connection` hands its bytes to where they are not plain; see there for the methods."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self.stream_id = 0
        """The last request's."""
        self._in_exchange = False
        self._request_ended = False
        self._response_ended = False
        self._failed = False
        self._closing = False
        self.progress = 0
        """Grows with every head and every piece of a body that is complete: a head that dribbles in is no progress."""
        self._eof = False

    @property
    def is_finished(self) -> bool:
        """No further exchange is possible: close once everything has been written."""
        if self._failed:
            return not self._in_exchange or self._response_ended
        if self._closing and not self._in_exchange:
            return True
        return self._h11.our_state in {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}

    @property
    def is_engaged(self) -> bool:
        """The next bytes are for h11: it is in an exchange, or has bytes of one, or is past its last one."""
        return self._in_exchange or self._failed or self._eof or bool(self._h11.trailing_data[0]) or self.is_finished

    @property
    def is_blocked(self) -> bool:
        """A request has been read whole and its response is unfinished: more bytes would only pile up."""
        return self._request_ended and not self._response_ended

    @property
    def awaits_peer(self) -> bool:
        """A request, or its head, has begun and is not complete: the client is the one to go on."""
        if self._in_exchange:
            return not self._request_ended
        return bool(self._h11.trailing_data[0])

    @property
    def unread(self) -> bytes:
        """Bytes received and not parsed, for whoever takes the connection over after an upgrade."""
        return self._h11.trailing_data[0]

    def receive(self, data: bytes) -> list[HttpEvent]:
        """Take bytes (or none, to go on with those that wait) and return what they made happen."""
        if data and not self._failed:
            self._h11.receive_data(data)
        return self._events()

    def receive_eof(self) -> list[HttpEvent]:
        """The peer will send no more."""
        if not self._eof and not self._failed:
            self._eof = True
            self._h11.receive_data(b"")
        return self._events()

    def shutdown(self) -> None:
        """No further exchange is wanted: told to the client with the next response."""
        self._closing = True

    def send(self, event: Response | Body | EndBody | Continue | StreamClosed) -> bytes:
        """Encode a part of a response. After `EndBody`, call `receive(b"")` for what was pipelined.

        A response that breaks its own framing (a body that is not as long as its head said) ends the connection: the
        client must not take it for whole.
        """
        try:
            return self._send(event)
        except h11.LocalProtocolError:
            return self._send(StreamClosed(event.stream_id))

    def _send(self, event: Response | Body | EndBody | Continue | StreamClosed) -> bytes:
        if isinstance(event, Body):
            return self._h11.send(h11.Data(data=event.data)) or b""
        if isinstance(event, Response):
            close = [(b"connection", b"close")] if event.close or self._closing else []
            reason = _REASONS.get(event.status, b"")
            response = h11.Response(status_code=event.status, headers=[*event.headers, *close], reason=reason)
            return self._h11.send(response) or b""
        if isinstance(event, StreamClosed):
            self._failed = self._response_ended = True
            return b""
        if isinstance(event, Continue):
            if not self._h11.they_are_waiting_for_100_continue:
                return b""
            return self._h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
        data = self._h11.send(h11.EndOfMessage()) or b""
        self._response_ended = True
        self._next_exchange()
        return data

    def _next_exchange(self) -> None:
        if self._request_ended and self._response_ended and not self._failed:
            if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
                self._h11.start_next_cycle()
            self._in_exchange = self._request_ended = self._response_ended = False

    def _events(self) -> list[HttpEvent]:
        events: list[HttpEvent] = []
        while not self._failed:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                self._fail(error, events)
                break
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
            self._translate(event, events)
        return events

    def _translate(self, event: object, events: list[HttpEvent]) -> None:
        self.progress += 1
        if isinstance(event, h11.Request):
            self.stream_id += 1
            self._in_exchange = True
            headers = [(bytes(name), bytes(value)) for name, value in event.headers]
            sent_names = tuple(bytes(name) for name, _ in event.headers.raw_items())
            method, target, version = bytes(event.method), bytes(event.target), bytes(event.http_version)
            events.append(Request(self.stream_id, method, target, headers, version, sent_names))
        elif isinstance(event, h11.Data):
            events.append(Body(self.stream_id, bytes(event.data)))
        elif isinstance(event, h11.EndOfMessage):
            events.append(EndBody(self.stream_id))
            self._request_ended = True
            self._next_exchange()

    def _fail(self, error: h11.RemoteProtocolError, events: list[HttpEvent]) -> None:
        """The peer broke the protocol: inside a request's body nobody can be answered any more."""
        self._failed = True
        if self._in_exchange:
            events.append(StreamClosed(self.stream_id))
            self._response_ended = True
        else:
            self.stream_id += 1
            self._in_exchange = True
            events.append(PeerError(self.stream_id, error.error_status_hint, str(error)))
