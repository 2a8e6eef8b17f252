"""A protocol that carries another one: the driver of its own connection, and the channel of the driver inside it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.config.settings import Listener
    from localzure.server.driver import Channel, Driver

CLOSE_SECONDS_MAX = 5.0
"""How long a client may take to answer that the outer protocol is closed."""

_log = logging.getLogger(__name__)


class LayerCore(Protocol):
    """A byte stream inside a byte stream, without IO: `TlsConnection`, `WebSocketConnection`."""

    @property
    def is_finished(self) -> bool:
        """Nothing more will come or go."""
        ...

    @property
    def is_peer_ended(self) -> bool:
        """The client will send no more."""
        ...

    @property
    def failure(self) -> str | None:
        """Why it ended before its time."""
        ...

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes; returns what they carried."""
        ...

    def receive_eof(self) -> list[bytes]:
        """The client's side of the transport has ended."""
        ...

    def send(self, pieces: Iterable[bytes]) -> None:
        """Carry bytes to the client."""
        ...

    def data_to_send(self) -> list[bytes]:
        """Take the bytes that wait for the client."""
        ...

    def close(self) -> None:
        """Begin to close."""
        ...


class Layer:
    """Carries the bytes of the driver inside it (see `localzure.server.driver` for both of its faces)."""

    def __init__(self, channel: Channel, core: LayerCore, name: str, *, is_secure: bool) -> None:
        """Give it its driver with `carry` before the first bytes come."""
        self.is_secure = is_secure
        self._channel = channel
        self._core = core
        self._name = name
        self._inner: Driver
        self._told_eof = False
        self._is_closing = False
        self._is_given_up = False
        self._close_until: float | None = None

    def carry(self, driver: Driver) -> None:
        """Set the first driver inside."""
        self._inner = driver

    # What the connection calls (see `Driver`).

    @property
    def protocol(self) -> str:
        """See `Driver.protocol`."""
        return f"{self._name}+{self._inner.protocol}"

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        for piece in self._core.receive(data):
            self._inner.receive(piece)
        self._tell_end()
        self._channel.flush_soon()

    def receive_eof(self) -> None:
        """See `Driver.receive_eof`."""
        self._core.receive_eof()
        self._tell_end()

    def _tell_end(self) -> None:
        if (self._core.is_peer_ended or self._core.is_finished) and not self._told_eof:
            self._told_eof = True
            if self._core.failure is not None:
                _log.info("connection from %s to %s ended: %s", self.peer, self.listener.name, self._core.failure)
            self._inner.receive_eof()

    def take_output(self) -> list[bytes]:
        """See `Driver.take_output`."""
        output = self._inner.take_output()
        if output:
            self._core.send(output)
        if self._inner.is_finished and not self._core.is_finished and not self._is_closing:
            self._is_closing = True
            self._core.close()
            self._channel.rearm()
        return self._core.data_to_send()

    @property
    def is_finished(self) -> bool:
        """See `Driver.is_finished`."""
        return self._core.is_finished or self._is_given_up

    @property
    def is_busy(self) -> bool:
        """See `Driver.is_busy`."""
        return self._inner.is_busy

    def tick(self, now: float, last_received: float) -> float | None:
        """See `Driver.tick`: what is inside has its own deadlines, and a client has a moment to answer a close."""
        if not self._is_closing:
            return self._inner.tick(now, last_received)
        if self._close_until is None:
            self._close_until = now + CLOSE_SECONDS_MAX
        self._is_given_up = now >= self._close_until
        return self._close_until

    def writable(self) -> None:
        """See `Driver.writable`."""
        self._inner.writable()

    def shutdown(self) -> None:
        """See `Driver.shutdown`."""
        self._inner.shutdown()

    def lost(self) -> None:
        """See `Driver.lost`."""
        self._inner.lost()

    # What the driver inside calls (see `Channel`).

    @property
    def listener(self) -> Listener:
        """See `Channel.listener`."""
        return self._channel.listener

    @property
    def peer(self) -> str:
        """See `Channel.peer`."""
        return self._channel.peer

    @property
    def local_address(self) -> str | None:
        """See `Channel.local_address`."""
        return self._channel.local_address

    @property
    def is_writable(self) -> bool:
        """See `Channel.is_writable`."""
        return self._channel.is_writable

    def flush_soon(self) -> None:
        """See `Channel.flush_soon`."""
        self._channel.flush_soon()

    def flush_now(self) -> None:
        """See `Channel.flush_now`."""
        self._channel.flush_now()

    def rearm(self) -> None:
        """See `Channel.rearm`."""
        self._channel.rearm()

    def switch(self, driver: Driver, unread: bytes) -> None:
        """See `Channel.switch`."""
        self._channel.flush_now()
        self._inner = driver
        self._channel.rearm()
        if unread:
            driver.receive(unread)

    def pause_reading(self) -> None:
        """See `Channel.pause_reading`."""
        self._channel.pause_reading()

    def resume_reading(self) -> None:
        """See `Channel.resume_reading`."""
        self._channel.resume_reading()
