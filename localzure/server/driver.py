"""What a connection needs of the protocol that it carries, and what it gives to it.

A driver is bytes in, bytes out. Layers nest: a driver for TLS or WebSocket is the channel of the driver inside it,
so that only `connection` ever touches a transport.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from localzure.config.settings import Listener


class Channel(Protocol):
    """The lower side of a driver: the connection, or the driver of an outer layer."""

    @property
    def listener(self) -> Listener:
        """The listener that took the connection."""
        ...

    @property
    def peer(self) -> str:
        """The client's address, without its port."""
        ...

    @property
    def local_address(self) -> str | None:
        """The address that the client connected to."""
        ...

    @property
    def is_secure(self) -> bool:
        """The bytes travel inside TLS."""
        ...

    @property
    def is_writable(self) -> bool:
        """False while the client does not take what was sent: produce no more until `Driver.writable`."""
        ...

    def flush_soon(self) -> None:
        """There is output: take it at the end of this tick."""
        ...

    def flush_now(self) -> None:
        """Take the output now, so that `is_writable` tells the truth."""
        ...

    def rearm(self) -> None:
        """The deadline that `Driver.tick` told has changed: ask again."""
        ...

    def switch(self, driver: Driver, unread: bytes) -> None:
        """Go on with another driver, and give it the bytes that this one received for it."""
        ...

    def pause_reading(self) -> None:
        """Take no more bytes from the client until `resume_reading`."""
        ...

    def resume_reading(self) -> None:
        """Take bytes from the client again."""
        ...


class Driver(Protocol):
    """One protocol on one connection."""

    @property
    def protocol(self) -> str:
        """What it speaks, for people; a protocol that carries another names that behind a plus."""
        ...

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""
        ...

    def receive_eof(self) -> None:
        """The client will send no more."""
        ...

    def take_output(self) -> list[bytes]:
        """Hand over the bytes that wait for the client."""
        ...

    @property
    def is_finished(self) -> bool:
        """Close once the output has been written."""
        ...

    @property
    def is_busy(self) -> bool:
        """Something is in flight that a stopping server lets finish."""
        ...

    def tick(self, now: float, last_received: float) -> float | None:
        """Do what monotonic second `now` asks (time-outs, heartbeats); returns when to be called again."""
        ...

    def writable(self) -> None:
        """The client takes bytes again."""
        ...

    def shutdown(self) -> None:
        """The server stops: finish what is in flight, begin nothing, then be finished."""
        ...

    def lost(self) -> None:
        """The connection is gone; let go of everything."""
        ...
