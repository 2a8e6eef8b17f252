"""The first driver of every connection, and of every TLS session: it waits for the bytes that tell the protocol."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from localzure_protocols.sniff import Wire, sniff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.server.driver import Channel, Driver

    Factories = Mapping[Wire, Callable[[Channel], Driver]]

FIRST_BYTES_SECONDS = 30.0
"""How long a connection may stay silent, or undecided, before it is dropped."""

_log = logging.getLogger(__name__)


class SniffingDriver:
    """Collects the first bytes, and switches the channel to the driver of the protocol they speak."""

    protocol = "unknown"

    def __init__(self, channel: Channel, factories: Factories, now: float) -> None:
        """`factories` makes the driver of each protocol that is served; `now` is the monotonic second."""
        self._channel = channel
        self._factories = factories
        self._until = now + FIRST_BYTES_SECONDS
        self._first_bytes = b""
        self.is_finished = False
        self.is_busy = False

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        self._first_bytes += data
        wire = sniff(self._first_bytes)
        if wire is Wire.MORE:
            return
        factory = self._factories.get(wire)
        if factory is None:
            _log.info(
                "connection from %s to %s dropped: %s", self._channel.peer, self._channel.listener.name, wire.value
            )
            self.is_finished = True
        else:
            self._channel.switch(factory(self._channel), self._first_bytes)

    def receive_eof(self) -> None:
        """See `Driver.receive_eof`."""
        self.is_finished = True

    def take_output(self) -> list[bytes]:
        """See `Driver.take_output`."""
        return []

    def tick(self, now: float, last_received: float) -> float | None:
        """See `Driver.tick`: drops a client that does not say what it wants."""
        del last_received
        self.is_finished = self.is_finished or now >= self._until
        return self._until

    def writable(self) -> None:
        """See `Driver.writable`."""

    def shutdown(self) -> None:
        """See `Driver.shutdown`."""
        self.is_finished = True

    def lost(self) -> None:
        """See `Driver.lost`."""
