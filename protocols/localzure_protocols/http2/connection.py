"""One HTTP/2 connection: which exchanges are open, what they cost, and how they and the connection end.

What a connection can hold is bounded both ways. Inbound, a window is given back only for what the layer above has
`consumed`, so a client never has more than `CONNECTION_WINDOW_BYTES` under way. Outbound, `room` says how much of a
response may be sent now: what the peer's windows take, and a small queue; `Writable` says when to go on.

A client that breaks the rules of one exchange loses that exchange (RST_STREAM, `StreamClosed`), one that breaks the
connection's gets a GOAWAY, and nothing that it sends raises. Against floods there are counts instead of clocks:
exchanges that end before their response (CVE-2023-44487), frames that move nothing (CVE-2019-9512 and its kin), and
header blocks (see `frames`). Time-outs are the caller's: see `awaits_peer` and `progress`.
"""

from __future__ import annotations

from contextlib import suppress

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import DenialOfServiceError, ProtocolError, StreamClosedError
from hpack.exceptions import HPACKError
from hyperframe.frame import GoAwayFrame

from localzure_protocols.events import (
    Body,
    Continue,
    EndBody,
    HttpEvent,
    PeerError,
    Request,
    Response,
    StreamClosed,
    Writable,
)
from localzure_protocols.http1 import HEAD_BYTES_MAX
from localzure_protocols.http2.engine import STREAMS_MAX, start_engine
from localzure_protocols.http2.exchange import Exchange, send_in_turn
from localzure_protocols.http2.frames import (
    GOAWAY,
    RST_STREAM,
    SETTINGS,
    ConnectionBrokenError,
    Frame,
    FrameCutter,
    with_known_settings,
)
from localzure_protocols.http2.heads import MalformedError, check_trailers, list_bytes, request_head
from localzure_protocols.http2.upgrade import SWITCHING_PROTOCOLS, offered_settings, upgraded_request

RESETS_FREE = 200
"""Exchanges that may end before their response without question; beyond, they may not be more than half of all."""

IDLE_FRAMES_MAX = 10_000
"""Frames in a row that move no exchange on (PING, SETTINGS, empty DATA ...) before the connection is ended."""

REASON_BYTES_MAX = 200
"""How much of the reason goes into a GOAWAY."""

_GOAWAY_BYTES_MIN = 8


class Http2Connection:
    """Bytes in, events out; events in, bytes out. Starts with the client's connection preface."""

    def __init__(self, upgrade_settings: bytes | None = None) -> None:
        """By prior knowledge or ALPN; `upgrade_settings` are for `upgrade` to give."""
        self._engine = start_engine(upgrade_settings)
        self._frames = FrameCutter()
        self._exchanges: dict[int, Exchange] = {}
        self._events: list[HttpEvent] = []
        self._output: list[bytes] = []
        self._is_eof = False
        self._is_peer_leaving = False
        self._is_leaving = False
        self._opened = 0
        self._ended_early = 0
        self._idle_frames = 0
        self.progress = 0
        """Rises with every request, piece of a body, and frame of a response: stands still while nothing moves."""
        self.failure: str | None = None
        """Why the connection ended before its time, in one line for the log."""

    @classmethod
    def upgrade(cls, request: Request) -> Http2Connection | None:
        """Take over from HTTP/1.1 where `request`, which is complete and came without TLS, offers it; else None.

        `101 Switching Protocols` is the first of the output, and the first `receive` gives the request once more.
        """
        settings = offered_settings(request)
        if settings is None:
            return None
        try:
            connection = cls(settings)
        except ProtocolError:
            return None
        connection._output.append(SWITCHING_PROTOCOLS)
        request = upgraded_request(request)
        connection._open(request, request)
        connection._end_request(1)
        return connection

    @property
    def is_finished(self) -> bool:
        """No further exchange is possible, and none is open: close once everything has been written."""
        if self.failure is not None:
            return True
        if self._is_eof:
            return all(exchange.is_stalled for exchange in self._exchanges.values())
        return not self._exchanges and (self._is_leaving or self._is_peer_leaving)

    @property
    def is_blocked(self) -> bool:
        """Never: windows bound what comes, exchange by exchange."""
        return False

    @property
    def open_exchanges(self) -> int:
        """Exchanges that are not complete in both directions."""
        return len(self._exchanges)

    @property
    def unread(self) -> bytes:
        """Nothing is upgraded from HTTP/2, so nothing is left for another protocol."""
        return b""

    @property
    def awaits_peer(self) -> bool:
        """An exchange waits for the client: for the rest of a request, or for a window to send its response in."""
        return any(exchange.awaits_peer for exchange in self._exchanges.values())

    def receive(self, data: bytes) -> list[HttpEvent]:
        """Take bytes (or none) and return what they made happen. What they made to be sent is in `data_to_send`."""
        if self.failure is None:
            try:
                for frame in self._frames.cut(data):
                    self._take(frame)
            except ConnectionBrokenError as error:
                self._fail(error.code, error.reason)
            except ProtocolError as error:
                # In place of the GOAWAY that h2 has made, which has PROTOCOL_ERROR for errors of compression too.
                self._engine.clear_outbound_data_buffer()
                is_hpack = isinstance(error.__cause__, HPACKError) and not isinstance(error, DenialOfServiceError)
                code = ErrorCodes.COMPRESSION_ERROR if is_hpack else error.error_code
                self._fail(code, str(error) or type(error).__name__)
        return self._take_events()

    def receive_eof(self) -> list[HttpEvent]:
        """The client will send no more: requests that are incomplete have ended, complete ones are still answered."""
        self._is_eof = True
        for exchange in list(self._exchanges.values()):
            if not exchange.is_request_ended:
                self._close(exchange)
        return self._take_events()

    def data_to_send(self) -> bytes:
        """Take the bytes that wait for the client."""
        self._collect()
        output, self._output = self._output, []
        return b"".join(output)

    def send(self, event: Response | Body | EndBody | Continue | StreamClosed) -> bytes:
        """Encode a part of a response; returns all that waits for the client. Nothing for an exchange that has ended.

        A body is taken whole, also beyond `room`, and queued as far as the peer's windows do not take it. A response
        that breaks its own framing resets its stream.
        """
        exchange = self._exchanges.get(event.stream_id)
        if exchange is not None:
            before = exchange.frames_sent
            if isinstance(event, StreamClosed) or not (exchange.is_response_given or self._send(exchange, event)):
                self._reset(exchange, ErrorCodes.INTERNAL_ERROR)
            elif exchange.is_complete:
                self._drop(exchange)
            if exchange.frames_sent != before:
                self._progress()
        return self.data_to_send()

    def room(self, stream_id: int) -> int:
        """Bytes of body that may be sent now; 0 until `Writable` says to go on, and for an exchange that has ended."""
        exchange = self._exchanges.get(stream_id)
        return 0 if exchange is None else exchange.room()

    def consumed(self, stream_id: int, count: int) -> None:
        """`count` bytes of a request's body have been dealt with: let the client send as many more."""
        exchange = self._exchanges.get(stream_id)
        if exchange is not None:
            count = min(count, exchange.unconsumed)
            exchange.unconsumed -= count
            self._engine.acknowledge_received_data(count, stream_id)

    def shutdown(self) -> None:
        """Refuse new exchanges (clients may try them again elsewhere), finish those that are open, then say GOAWAY.

        Not before: clients on Python's h2 (httpx) take a GOAWAY for the end of everything that is open.
        """
        if not self._is_leaving and self.failure is None:
            self._is_leaving = True
            self._say_goaway_if_done()

    # What the client sends.

    def _take(self, frame: Frame) -> None:
        self._idle_frames += 1
        if self._idle_frames > IDLE_FRAMES_MAX:
            raise ConnectionBrokenError(ErrorCodes.ENHANCE_YOUR_CALM, "frames that move nothing")
        if frame.kind == GOAWAY and frame.stream_id == 0 and frame.length >= _GOAWAY_BYTES_MIN:
            # Not for h2, which takes no exchange to its end once it has seen a GOAWAY.
            self._is_peer_leaving = True
        elif frame.kind == RST_STREAM and self._is_idle(frame.stream_id):
            raise ConnectionBrokenError(ErrorCodes.PROTOCOL_ERROR, "RST_STREAM on an idle stream")
        else:
            self._collect()
            wire = with_known_settings(frame) if frame.kind == SETTINGS else frame.wire
            self._translate(self._engine.receive_data(wire))

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id % 2 == 0 or stream_id > self._engine.highest_inbound_stream_id

    def _translate(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived):
                self._receive_body(event)
            elif isinstance(event, RequestReceived):
                self._receive_head(event)
            elif isinstance(event, StreamEnded):
                self._end_request(event.stream_id or 0)
            elif isinstance(event, TrailersReceived):
                self._receive_trailers(event)
            elif isinstance(event, StreamReset):
                # The client gave the exchange up, or h2 reset it for a rule that was broken.
                self._end_early(self._exchanges.get(event.stream_id or 0))
            elif isinstance(event, WindowUpdated):
                self._grow_windows(event.stream_id or 0)
            elif isinstance(event, RemoteSettingsChanged):
                self._grow_windows(0)

    def _receive_head(self, event: RequestReceived) -> None:
        self._opened += 1
        stream_id, fields = event.stream_id or 0, event.headers or []
        if self._is_leaving or len(self._exchanges) >= STREAMS_MAX:
            self._engine.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        try:
            request = request_head(stream_id, fields)
        except MalformedError:
            self._engine.reset_stream(stream_id, ErrorCodes.PROTOCOL_ERROR)
            self._count_early_end()
            return
        size = list_bytes(fields)
        if size <= HEAD_BYTES_MAX:
            self._open(request, request)
        else:
            self._open(request, PeerError(stream_id, 431, f"the header list has {size} bytes"))
            self._exchanges[stream_id].is_discarded = True

    def _open(self, request: Request, event: Request | PeerError) -> None:
        self._exchanges[request.stream_id] = Exchange(self._engine, request)
        self._events.append(event)
        self._progress()

    def _receive_body(self, event: DataReceived) -> None:
        stream_id, data = event.stream_id or 0, event.data or b""
        exchange = self._exchanges.get(stream_id)
        kept = 0
        if exchange is not None and data:
            self._progress()
            exchange.awaits_continue = False
            if not exchange.is_discarded:
                kept = len(data)
                exchange.unconsumed += kept
                self._events.append(Body(stream_id, data))
        # Padding and what is dropped here never reach the layer above.
        self._engine.acknowledge_received_data((event.flow_controlled_length or 0) - kept, stream_id)

    def _receive_trailers(self, event: TrailersReceived) -> None:
        """Trailers carry nothing that is needed here, but must be well-formed."""
        exchange = self._exchanges.get(event.stream_id or 0)
        if exchange is not None:
            try:
                check_trailers(event.headers or [])
            except MalformedError:
                with suppress(StreamClosedError):
                    self._engine.reset_stream(exchange.id, ErrorCodes.PROTOCOL_ERROR)
                self._end_early(exchange)

    def _end_request(self, stream_id: int) -> None:
        exchange = self._exchanges.get(stream_id)
        if exchange is not None:
            exchange.is_request_ended = True
            if not exchange.is_discarded:
                self._events.append(EndBody(stream_id))
            if exchange.is_complete:
                self._drop(exchange)

    def _end_early(self, exchange: Exchange | None) -> None:
        if exchange is not None:
            self._close(exchange)
            self._count_early_end()

    def _count_early_end(self) -> None:
        self._ended_early += 1
        if self._ended_early > RESETS_FREE and self._ended_early * 2 > self._opened:
            raise ConnectionBrokenError(ErrorCodes.ENHANCE_YOUR_CALM, "exchanges that end before their response")

    def _grow_windows(self, stream_id: int) -> None:
        """More may be sent on one stream, or on all where it is 0."""
        exchanges = [self._exchanges[stream_id]] if stream_id in self._exchanges else []
        if stream_id == 0:
            exchanges = list(self._exchanges.values())
        sent = sum(exchange.frames_sent for exchange in exchanges)
        self._events += [Writable(exchange.id) for exchange in send_in_turn(exchanges)]
        if sum(exchange.frames_sent for exchange in exchanges) != sent:
            self._progress()
        for exchange in exchanges:
            if exchange.is_complete:
                self._drop(exchange)

    def _progress(self) -> None:
        self.progress += 1
        self._idle_frames = 0

    # What is sent.

    def _send(self, exchange: Exchange, event: Response | Body | EndBody | Continue) -> bool:
        """Send a part of a response; returns False where it broke its own framing."""
        if isinstance(event, Response):
            return exchange.send_head(event)
        if isinstance(event, Body):
            return exchange.send_body(event.data)
        if isinstance(event, EndBody):
            return exchange.send_end()
        exchange.send_continue()
        return True

    def _say_goaway_if_done(self) -> None:
        """The last word of a shutdown. By hand: h2 would raise over whatever the client sends until it has read it."""
        if self._is_leaving and not self._exchanges:
            self._collect()
            goaway = GoAwayFrame(0, last_stream_id=self._engine.highest_inbound_stream_id)
            self._output.append(goaway.serialize())

    def _collect(self) -> None:
        if data := self._engine.data_to_send():
            self._output.append(data)

    # How exchanges and the connection end.

    def _reset(self, exchange: Exchange, code: ErrorCodes) -> None:
        self._engine.reset_stream(exchange.id, code)
        self._drop(exchange)

    def _close(self, exchange: Exchange) -> None:
        """The exchange is over without being complete."""
        self._drop(exchange)
        self._events.append(StreamClosed(exchange.id))

    def _drop(self, exchange: Exchange) -> None:
        """Forget an exchange; its share of the connection's window goes back, whoever still holds its bytes."""
        del self._exchanges[exchange.id]
        if exchange.unconsumed:
            self._engine.acknowledge_received_data(exchange.unconsumed, exchange.id)
        self._say_goaway_if_done()

    def _fail(self, code: ErrorCodes, reason: str) -> None:
        """The connection's rules were broken: say so, and end every exchange."""
        self._engine.close_connection(code, reason.encode()[:REASON_BYTES_MAX])
        self.failure = reason
        self._events += [StreamClosed(stream_id) for stream_id in self._exchanges]
        self._exchanges.clear()

    def _take_events(self) -> list[HttpEvent]:
        events, self._events = self._events, []
        return events
