"""A connection from its first byte to its last, on a transport and a loop that a test turns by hand."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest

from localzure.config.settings import Listener
from localzure.server.connection import STALLED_SECONDS_MAX, Connection, Connections
from localzure.server.driver import Channel
from localzure.server.sniffing import FIRST_BYTES_SECONDS
from localzure.server.transactions import TickTransactions
from localzure_protocols.sniff import Wire
from localzure_storage.memory import MemoryStore
from tests.twins import ManualClock


class _Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class _Loop:
    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._timers: list[tuple[float, int, Callable[[], None], _Handle]] = []
        self._soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> _Handle:
        handle = _Handle()
        heapq.heappush(self._timers, (self._clock.monotonic() + delay, id(handle), callback, handle))
        return handle

    def run(self, seconds: float = 0.0) -> None:
        """Let `seconds` go by, and run what is due on the way."""
        end = self._clock.monotonic() + seconds
        while True:
            while self._soon:
                self._soon.pop(0)()
            if not self._timers or self._timers[0][0] > end:
                break
            at, _, callback, handle = heapq.heappop(self._timers)
            self._clock.advance(max(0.0, at - self._clock.monotonic()))
            if not handle.cancelled:
                callback()
        self._clock.advance(max(0.0, end - self._clock.monotonic()))

    @property
    def armed(self) -> int:
        return sum(not handle.cancelled for *_, handle in self._timers)


class _Transport:
    def __init__(self) -> None:
        self.sent = b""
        self.closed = self.aborted = False
        self.reading = True
        self.unsent = 0

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("192.0.2.7", 40000)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def writelines(self, pieces: list[bytes]) -> None:
        self.sent += b"".join(pieces)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class _Echo:
    """Answers every byte with itself; `!` is a bug, `.` ends it."""

    protocol = "echo"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._output: list[bytes] = []
        self.is_finished = False
        self.is_busy = False
        self.events: list[str] = []
        self.tick_seconds: float | None = None

    def receive(self, data: bytes) -> None:
        if b"!" in data:
            raise RuntimeError("a bug")
        self._output.append(data)
        self.is_finished = b"." in data

    def receive_eof(self) -> None:
        self.is_finished = True

    def take_output(self) -> list[bytes]:
        output, self._output = self._output, []
        return output

    def tick(self, now: float, last_received: float) -> float | None:
        if self.tick_seconds is None:
            return None
        self._output.append(b"tick ")
        return now + self.tick_seconds

    def writable(self) -> None:
        self.events.append("writable")

    def shutdown(self) -> None:
        self.is_finished = True

    def lost(self) -> None:
        self.events.append("lost")


class Line:
    """A connection with a transport, a loop and a clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.loop = _Loop(self.clock)
        self.transactions = TickTransactions(MemoryStore(), self.clock, self.loop.call_soon)
        self.drivers: list[_Echo] = []
        self.connections = Connections(
            self.loop,  # type: ignore[arg-type]  # the part of a loop that is used
            self.clock,
            self.transactions,
            {Wire.HTTP1: self._driver},
        )
        self.transactions.on_settled = self.connections.flush
        self.transport = _Transport()
        self.connection = Connection(self.connections, Listener("blob", "blob", 0, "--blob-port"))
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]  # as above

    def _driver(self, channel: Channel) -> _Echo:
        self.drivers.append(_Echo(channel))
        return self.drivers[-1]


@pytest.fixture
def line() -> Line:
    return Line()


def test_the_driver_gets_all_bytes_from_the_first_one_on(line: Line) -> None:
    for byte in b"GET /":
        line.connection.data_received(bytes([byte]))
    assert line.transport.sent == b"GET /"
    assert line.connection.peer == "192.0.2.7"


@pytest.mark.parametrize("first", [b"\x00\x00", b"AMQP\x00\x01\x00\x00"])
def test_junk_and_what_is_not_served_are_dropped(line: Line, first: bytes) -> None:
    line.connection.data_received(first)
    assert line.transport.closed
    assert line.drivers == []


def test_silence_and_indecision_are_dropped_in_time(line: Line) -> None:
    line.loop.run(FIRST_BYTES_SECONDS - 1)
    line.connection.data_received(b"GE")
    line.loop.run()
    assert not line.transport.closed
    line.loop.run(1)
    assert line.transport.closed


def test_output_of_a_tick_leaves_after_its_commit(line: Line) -> None:
    with line.transactions.writer() as writer:
        writer.put(b"key", b"value")
    line.connection.data_received(b"GET ")
    assert line.transport.sent == b""
    line.loop.run()
    assert line.transport.sent == b"GET "


def test_a_bug_ends_the_one_connection(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    line.connection.data_received(b"GET !")
    assert line.transport.aborted
    assert "a bug" in caplog.text


def test_a_finished_driver_closes_after_its_output(line: Line) -> None:
    line.connection.data_received(b"GET .")
    assert (line.transport.sent, line.transport.closed) == (b"GET .", True)


def test_a_driver_is_called_when_it_asked_to_be(line: Line) -> None:
    line.connection.data_received(b"GET ")
    line.drivers[0].tick_seconds = 10
    line.connection.pause_writing()
    line.connection.resume_writing()
    line.loop.run(25)
    assert line.transport.sent.count(b"tick ") == 3


def test_a_client_that_takes_nothing_is_not_read_from_and_dropped_in_the_end(line: Line) -> None:
    line.connection.data_received(b"GET ")
    line.transport.unsent = 1000
    line.connection.pause_writing()
    assert not line.transport.reading
    assert not line.connection.is_writable
    line.loop.run(STALLED_SECONDS_MAX - 1)
    line.transport.unsent = 999
    line.loop.run(STALLED_SECONDS_MAX - 1)
    assert not line.transport.aborted
    line.loop.run(STALLED_SECONDS_MAX + 1)
    assert line.transport.aborted


def test_a_client_that_takes_bytes_again_is_served_again(line: Line) -> None:
    line.connection.data_received(b"GET ")
    line.connection.pause_writing()
    line.connection.resume_writing()
    assert line.transport.reading
    assert line.drivers[0].events == ["writable"]
    line.connection.pause_reading()
    assert not line.transport.reading
    line.connection.resume_reading()
    assert line.transport.reading


def test_a_half_closed_client_is_kept_until_its_driver_has_finished(line: Line) -> None:
    assert line.connection.eof_received() is False
    line.connection.data_received(b"GET ")
    assert line.connection.eof_received() is False
    assert line.transport.closed


def test_a_lost_connection_leaves_nothing_behind(line: Line) -> None:
    line.connection.data_received(b"GET ")
    line.drivers[0].tick_seconds = 10
    line.connection.connection_lost(None)
    assert line.drivers[0].events == ["lost"]
    assert line.connections.open == set()
    assert line.loop.armed == 0
    line.connection.flush_soon()
    line.loop.run(100)


def test_a_stopping_server_closes_what_is_idle_and_takes_nothing_new(line: Line) -> None:
    line.connection.data_received(b"GET ")
    line.connections.shutdown()
    line.loop.run()
    assert line.transport.closed
    late = Connection(line.connections, line.connection.listener)
    transport = _Transport()
    late.connection_made(transport)  # type: ignore[arg-type]  # as above
    assert transport.aborted
