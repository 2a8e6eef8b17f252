"""One client connection: the only code that touches a transport.

It sniffs the first bytes, hands them to the driver of the protocol they speak, and writes what the driver has to
say, once per tick. Nothing here waits: `data_received` runs the request to its reply, or to the commit that holds it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from localzure.server.sniffing import SniffingDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.config.settings import Listener
    from localzure.server.driver import Driver
    from localzure.server.sniffing import Factories
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import Clock

WRITE_BUFFER_BYTES = 256 * 1024
"""Unsent bytes above which a driver is asked to produce no more, and the client is not read from."""

STALLED_SECONDS_MAX = 600.0
"""How long a client may take none of the bytes that wait for it before the connection is dropped."""

_log = logging.getLogger(__name__)


class Connections:
    """All open connections of a server, and those with output for the end of the tick."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        transactions: TickTransactions,
        factories: Factories,
    ) -> None:
        """`factories` makes the driver of each protocol that is served."""
        self.loop = loop
        self.clock = clock
        self.transactions = transactions
        self.factories = factories
        self.open: set[Connection] = set()
        self.stopping = False
        self._unflushed: dict[Connection, None] = {}
        self._scheduled = False

    def flush_soon(self, connection: Connection) -> None:
        """Write the connection's output at the end of the tick."""
        self._unflushed[connection] = None
        if not self.transactions.is_open and not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what every marked connection has to say."""
        self._scheduled = False
        while self._unflushed:
            connection, _ = self._unflushed.popitem()
            connection.flush()

    def tick(self) -> None:
        """Let every connection do what time asks of it, now: the time that its client is held against has changed."""
        for connection in list(self.open):
            connection.tick()

    def shutdown(self) -> None:
        """Let every connection finish what is in flight, and close the others."""
        self.stopping = True
        for connection in list(self.open):
            connection.shutdown()

    def abort(self) -> None:
        """Drop whatever is still open."""
        for connection in list(self.open):
            connection.abort()


class Connection(asyncio.Protocol):
    """A client's connection, from the first byte to the last."""

    def __init__(self, connections: Connections, listener: Listener) -> None:
        """Made by the listener for each connection it accepts."""
        self.listener = listener
        self.peer = ""
        self.local_address: str | None = None
        self.is_secure = False
        self.is_writable = True
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._last_received = connections.clock.monotonic()
        self._driver: Driver = SniffingDriver(self, connections.factories, self._last_received)
        self._stalled_since: float | None = None
        self._stalled_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._reading_paused = False

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first bytes."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.peer = _address(transport, "peername") or ""
        self.local_address = _address(transport, "sockname")
        self._connections.open.add(self)
        if self._connections.stopping:
            self.abort()
        else:
            self._tick()

    def data_received(self, data: bytes) -> None:
        """Run what the bytes ask for; replies leave at once, or with the tick's commit."""
        self._last_received = self._connections.clock.monotonic()
        self._guard(self._driver.receive, data)
        self._end_turn()

    def eof_received(self) -> bool:
        """The client has finished sending; keep the other direction open while something is owed."""
        self._guard(self._driver.receive_eof)
        self._end_turn()
        return not self._driver.is_finished

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        del exc
        self._transport = None
        self._connections.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._guard(self._driver.lost)

    def pause_writing(self) -> None:
        """The client does not take what is written: produce no more, and take no more from it."""
        self.is_writable = False
        self._stalled_since = self._connections.clock.monotonic()
        self._stalled_bytes = self._unsent_bytes()
        self._tick()
        self._apply_reading()

    def resume_writing(self) -> None:
        """The client takes bytes again."""
        self.is_writable = True
        self._stalled_since = None
        self._apply_reading()
        self._guard(self._driver.writable)
        self._end_turn()

    # What the driver calls (see `Channel`).

    def flush_soon(self) -> None:
        """See `Channel.flush_soon`."""
        self._connections.flush_soon(self)

    def flush_now(self) -> None:
        """See `Channel.flush_now`."""
        self.flush()

    def rearm(self) -> None:
        """See `Channel.rearm`."""
        self._tick_and_arm()

    def switch(self, driver: Driver, unread: bytes) -> None:
        """See `Channel.switch`."""
        self.flush()
        self._driver = driver
        self._tick_and_arm()
        if unread:
            driver.receive(unread)

    def pause_reading(self) -> None:
        """See `Channel.pause_reading`."""
        self._reading_paused = True
        self._apply_reading()

    def resume_reading(self) -> None:
        """See `Channel.resume_reading`."""
        self._reading_paused = False
        self._apply_reading()

    # What the server calls.

    @property
    def is_busy(self) -> bool:
        """A request is in flight, or bytes wait for the client."""
        if self._transport is None:
            return False
        return self._driver.is_busy or self._transport.get_write_buffer_size() > 0

    @property
    def protocol(self) -> str:
        """See `Driver.protocol`."""
        return self._driver.protocol

    def tick(self) -> None:
        """Do what time asks of this connection, and arm the timer again."""
        self._tick()

    def flush(self) -> None:
        """Write what the driver has to say, and close where it has finished."""
        self._guard(self._flush)

    def _flush(self) -> None:
        driver, transport = self._driver, self._transport
        if transport is None:
            return
        output = driver.take_output()
        if output:
            transport.writelines(output)
        if driver.is_finished:
            transport.close()

    def shutdown(self) -> None:
        """Finish what is in flight, then close."""
        self._guard(self._driver.shutdown)
        self.flush_soon()

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    # Inside.

    def _guard(self, step: Callable[..., None], *arguments: object) -> None:
        """Run a step of the driver. An unforeseen error is logged, and ends this connection alone."""
        try:
            step(*arguments)
        except Exception:  # noqa: BLE001 - the boundary at which the unforeseen ends
            _log.exception("the connection from %s failed and is dropped", self.peer)
            self.abort()

    def _end_turn(self) -> None:
        self._connections.transactions.commit_if_large()
        if self._connections.transactions.is_open:
            self._connections.flush_soon(self)
        else:
            self.flush()

    def _apply_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._reading_paused or not self.is_writable:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _tick(self) -> None:
        """Do what time asks of this connection, and arm the timer again."""
        self._guard(self._tick_and_arm)

    def _tick_and_arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._connections.clock.monotonic()
        deadlines = [self._tick_stalled(now), self._tick_driver(now)]
        following = min((at for at in deadlines if at is not None), default=None)
        if following is not None and self._transport is not None and not self._transport.is_closing():
            self._timer = self._connections.loop.call_later(max(0.0, following - now), self._tick)

    def _tick_driver(self, now: float) -> float | None:
        following = self._driver.tick(now, self._last_received)
        self.flush_soon()
        return following

    def _tick_stalled(self, now: float) -> float | None:
        """Drop a client that has taken nothing for long; a slow one may be as slow as it likes."""
        if self._stalled_since is None:
            return None
        unsent = self._unsent_bytes()
        if unsent < self._stalled_bytes:
            self._stalled_since, self._stalled_bytes = now, unsent
        elif now >= self._stalled_since + STALLED_SECONDS_MAX:
            _log.info("connection from %s dropped: it does not take what it asked for", self.peer)
            self.abort()
        return self._stalled_since + STALLED_SECONDS_MAX

    def _unsent_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()


def _address(transport: asyncio.BaseTransport, end: str) -> str | None:
    name = transport.get_extra_info(end)
    return str(name[0]) if isinstance(name, tuple) else None
