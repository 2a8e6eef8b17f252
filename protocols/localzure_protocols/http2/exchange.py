"""One exchange on a stream, and its response as far as the peer's windows take it.

A response that breaks its own framing (a body that is not as long as its head said, a header that cannot be sent) is
told by False: the client must not take it for whole.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from localzure_protocols.http1 import has_body
from localzure_protocols.http2.heads import content_length, response_fields

if TYPE_CHECKING:
    from localzure_protocols.events import Request, Response
    from localzure_protocols.http2.engine import Engine

QUEUE_BYTES = 16 * 1024
"""Bytes of a response that are taken before the peer's windows do, so that short ones never have to wait above."""


class Exchange:
    """A request's state, and its response's."""

    __slots__ = (
        "_engine",
        "_is_head_sent",
        "_method",
        "_promised",
        "_queue",
        "_queued",
        "awaits_continue",
        "frames_sent",
        "id",
        "is_discarded",
        "is_request_ended",
        "is_response_given",
        "unconsumed",
    )

    def __init__(self, engine: Engine, request: Request) -> None:
        """Begins with the head of a request."""
        self._engine = engine
        self._method = request.method
        self._is_head_sent = False
        self._promised: int | None = None
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self.id = request.stream_id
        self.awaits_continue = any(name == b"expect" for name, _ in request.headers)
        """The client holds the body back until it is told to go on."""
        self.is_discarded = False
        """The rest of the request is read and dropped: it was answered by its head."""
        self.is_request_ended = False
        self.unconsumed = 0
        """Bytes of the request's body whose window has not been given back."""
        self.is_response_given = False
        """The response is complete as far as the layer above goes; the queue may still hold the end."""
        self.frames_sent = 0

    @property
    def is_complete(self) -> bool:
        """Both sides have ended, and nothing waits."""
        return self.is_request_ended and self.is_response_given and not self._queue

    @property
    def is_stalled(self) -> bool:
        """A part of the response waits for the peer's windows."""
        return bool(self._queue)

    @property
    def awaits_peer(self) -> bool:
        """The client is the one to go on: with its request, or by opening a window."""
        return self.is_stalled or not self.is_request_ended

    def room(self) -> int:
        """Bytes of body that may be sent now."""
        if self.is_response_given:
            return 0
        if self._queue:
            return max(0, QUEUE_BYTES - self._queued)
        return max(0, self._engine.local_flow_control_window(self.id)) + QUEUE_BYTES

    def send_continue(self) -> None:
        """Tell a client that waits for it to send the body."""
        if self.awaits_continue and not self._is_head_sent and not self.is_request_ended:
            self.awaits_continue = False
            self._engine.send_headers(self.id, [(b":status", b"100")])

    def send_head(self, response: Response) -> bool:
        """Send the head; it ends the stream where no body can follow."""
        fields = response_fields(response.status, response.headers)
        if self._is_head_sent or fields is None:
            return False
        self._is_head_sent = True
        self._promised = content_length(fields) if has_body(self._method, response.status) else 0
        self.is_response_given = self._promised == 0
        self._engine.send_headers(self.id, fields, end_stream=self.is_response_given)
        self.frames_sent += 1
        return True

    def send_body(self, data: bytes) -> bool:
        """Send a piece of the body, or queue it. The last byte that was promised ends the stream."""
        if not self._is_head_sent or (self._promised is not None and self._promised < len(data)):
            return False
        if data:
            if self._promised is not None:
                self._promised -= len(data)
                self.is_response_given = self._promised == 0
            self._queue.append(memoryview(data))
            self._queued += len(data)
            while self.send_frame():
                pass
        return True

    def send_end(self) -> bool:
        """The body is complete."""
        if not self._is_head_sent or self._promised:
            return False
        self.is_response_given = True
        if not self._queue:
            self._engine.end_stream(self.id)
        return True

    def send_frame(self) -> bool:
        """Send one DATA frame of what waits; returns False where nothing waits, or no window is open."""
        if not self._queue:
            return False
        window = self._engine.local_flow_control_window(self.id)
        if window <= 0:
            return False
        piece = self._queue.popleft()
        size = min(window, self._engine.max_outbound_frame_size, len(piece))
        if size < len(piece):
            self._queue.appendleft(piece[size:])
        self._queued -= size
        self._engine.send_data(self.id, piece[:size], end_stream=self.is_response_given and not self._queue)
        self.frames_sent += 1
        return True


def send_in_turn(exchanges: list[Exchange]) -> list[Exchange]:
    """A window has grown: send one frame of each exchange in turn, so that none starves the others.

    Returns those that had waited and take more now.
    """
    waiting = [exchange for exchange in exchanges if exchange.is_stalled]
    turns = deque(waiting)
    while turns:
        exchange = turns.popleft()
        if exchange.send_frame() and exchange.is_stalled:
            turns.append(exchange)
    return [exchange for exchange in waiting if not exchange.is_stalled and not exchange.is_response_given]
