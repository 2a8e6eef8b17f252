"""AMQP on a connection: events from the core to the service, and the core's bytes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.server.amqp_faults import FaultyConnection, FaultyPeer

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.faults.injector import Injector
    from localzure.server.driver import Channel
    from localzure.services.interface import AmqpService
    from localzure.throttling.limits import Limits

UNSENT_BYTES_MAX = 1024 * 1024
"""Bytes that may wait for the client, in the protocol core, before it is given no more."""


class AmqpDriver:
    """AMQP 1.0 on one connection (see `localzure.server.driver.Driver`)."""

    protocol = "amqp"

    def __init__(
        self,
        channel: Channel,
        service: AmqpService,
        container_id: str,
        call_later: Callable[[float, Callable[[], None]], object],
        injector: Injector,
        limits: Limits,
    ) -> None:
        """Made when a connection's first bytes are AMQP. Is the `AmqpHost` of the service's peer."""
        self._channel = channel
        self._call_later = call_later
        self._is_held = False
        """The service was told to hand out no more, for the core's sake."""
        self._is_lost = False
        self._core = FaultyConnection(container_id, injector, self)
        self._peer = service.connected(self._core, self)
        self._events = FaultyPeer(self._peer, self._core, injector, self, limits)

    @property
    def peer(self) -> str:
        """See `AmqpHost.peer`."""
        return self._channel.peer

    @property
    def is_writable(self) -> bool:
        """See `AmqpHost.is_writable`."""
        if self._core.unsent_bytes >= UNSENT_BYTES_MAX:
            self._is_held = True
            return False
        return self._channel.is_writable

    def flush(self) -> None:
        """See `AmqpHost.flush`."""
        self._channel.flush_soon()

    def call_later(self, seconds: float, done: Callable[[], None]) -> None:
        """Call `done` in a while, unless the connection has gone."""

        def call() -> None:
            if not self._is_lost:
                done()
                self._channel.flush_soon()

        self._call_later(seconds, call)

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        events = self._core.receive(data)
        if events:
            self._events.handle(events)

    def receive_eof(self) -> None:
        """See `Driver.receive_eof`."""
        events = self._core.receive_eof()
        if events:
            self._events.handle(events)

    def take_output(self) -> list[bytes]:
        """See `Driver.take_output`."""
        output = self._core.data_to_send()
        if self._is_held:
            self._is_held = False
            self._call_later(0, self.writable)
        return output

    @property
    def is_finished(self) -> bool:
        """See `Driver.is_finished`."""
        return self._core.is_finished

    @property
    def is_busy(self) -> bool:
        """See `Driver.is_busy`: what is owed leaves with the tick's commit, before a shutdown is looked at."""
        return False

    def tick(self, now: float, last_received: float) -> float | None:
        """See `Driver.tick`: heartbeats and idle time-outs are the protocol's own, other patience is the service's."""
        del last_received
        deadlines = [self._core.tick(now), self._peer.tick(now)]
        return min((at for at in deadlines if at is not None), default=None)

    def writable(self) -> None:
        """See `Driver.writable`."""
        if not self._is_lost and self.is_writable:
            self._peer.writable()

    def shutdown(self) -> None:
        """See `Driver.shutdown`."""
        self._peer.shutdown()

    def lost(self) -> None:
        """See `Driver.lost`."""
        self._is_lost = True
        self._peer.disconnected()
