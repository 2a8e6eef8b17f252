"""LocalZure as the HTTP proxy of an app: what the app sends to Azure ends here, all else goes where it was sent.

`CONNECT` to a host of Azure is answered, and what is inside is sniffed like any connection: TLS with a leaf for that
host, and HTTP or AMQP over WebSocket in it. `CONNECT` to another host is a tunnel, byte for byte. A request in absolute
form to another host goes out in origin form, as RFC 9112 (section 3.2.2) asks of proxies, on a connection of its own.
"""

from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from localzure.gateway.azure_hosts import is_azure
from localzure.server.sniffing import SniffingDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from localzure.server.driver import Channel, Driver
    from localzure.server.sniffing import Factories
    from localzure_protocols.events import Request

CONNECT_SECONDS_MAX = 30.0
"""How long another host may take to be reached."""

BUFFERED_BYTES_MAX = 1024 * 1024
"""What may wait in one direction of a tunnel before the other side is not read from."""

CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"

_HOP_FIELDS = (b"proxy-connection:", b"proxy-authorization:", b"connection:", b"keep-alive:")
"""Fields that are for the proxy, or for this connection."""

_log = logging.getLogger(__name__)


class Proxy:
    """Decides what becomes of each request for another host."""

    def __init__(
        self, monotonic: Callable[[], float], own_ports: Collection[int], *, is_offline: bool, is_open: bool
    ) -> None:
        """`own_ports` are the server's own, on this machine. `is_open` serves clients of other machines too."""
        self._monotonic = monotonic
        self._own_ports = own_ports
        self._reaching: set[asyncio.Task[None]] = set()
        self._is_offline = is_offline
        self._is_open = is_open

    def is_foreign(self, line: bytes) -> bool:
        """Whether a request line, in absolute form, is for a host that is not Azure's."""
        target = line.split(b" ")[1] if line.count(b" ") >= 1 else b""
        try:
            parts = urlsplit(target.decode("latin-1"))
            host, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        return parts.scheme == "http" and not is_azure(host) and not (_is_local(host) and port in self._own_ports)

    def connect(self, channel: Channel, request: Request, inside: Factories) -> Driver:
        """Return the driver that answers a CONNECT; `inside` are the protocols that may follow."""
        host, _, port = request.target.decode("latin-1").rpartition(":")
        host = host.strip("[]")
        refusal = self._refusal(channel, host, port)
        if refusal is not None:
            return Refusal(channel, refusal)
        if is_azure(host):
            return Answered(channel, SniffingDriver(channel, inside, self._monotonic()))
        tunnel = Tunnel(channel, CONNECTED)
        self._reach(tunnel, host, int(port))
        return tunnel

    def forward(self, channel: Channel) -> Driver:
        """Return the driver that sends a request in absolute form where it belongs; its bytes come to it."""
        return Forwarding(channel, self)

    def open_forward(self, channel: Channel, head: bytes) -> Driver:
        """Return the driver for a whole head in absolute form, up to and with its empty line."""
        line, _, fields = head.partition(b"\r\n")
        method, target, version = (*line.split(b" "), b"HTTP/1.1")[:3]
        parts = urlsplit(target.decode("latin-1"))
        host, port = parts.hostname or "", str(parts.port or 80)
        refusal = self._refusal(channel, host, port)
        if refusal is not None:
            return Refusal(channel, refusal)
        path = target.split(b"/", 3)[3] if target.count(b"/") >= 3 else b""
        kept = [field for field in fields.split(b"\r\n") if field and not field.lower().startswith(_HOP_FIELDS)]
        head = b"\r\n".join([b"%b /%b %b" % (method, path, version), *kept, b"connection: close", b"", b""])
        tunnel = Tunnel(channel, b"")
        tunnel.receive(head)
        self._reach(tunnel, host, int(port))
        return tunnel

    def _reach(self, tunnel: Tunnel, host: str, port: int) -> None:
        task = asyncio.get_running_loop().create_task(tunnel.run(host, port))
        self._reaching.add(task)
        task.add_done_callback(self._reaching.discard)

    def _refusal(self, channel: Channel, host: str, port: str) -> bytes | None:
        """What a client is told that may not have what it asks for; None where it may."""
        if not self._is_open and not _is_loopback(channel.peer):
            return _refuse(403, "Forbidden", "The proxy serves clients of this machine; --proxy-clients any opens it.")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            return _refuse(400, "Bad Request", "The target is no host and port.")
        if self._is_offline and not is_azure(host):
            return _refuse(502, "Bad Gateway", f"{host} is not of Azure, and the proxy is offline.")
        return None


class Quiet:
    """A driver that neither waits for anything nor has anything to do at times."""

    protocol = "proxy"
    is_finished = False
    is_busy = False

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._output: list[bytes] = []

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        del data

    def receive_eof(self) -> None:
        """See `Driver.receive_eof`."""
        self.is_finished = True

    def take_output(self) -> list[bytes]:
        """See `Driver.take_output`."""
        output, self._output = self._output, []
        return output

    def tick(self, now: float, last_received: float) -> float | None:
        """See `Driver.tick`."""
        del now, last_received
        return None

    def writable(self) -> None:
        """See `Driver.writable`."""

    def shutdown(self) -> None:
        """See `Driver.shutdown`."""
        self.is_finished = True

    def lost(self) -> None:
        """See `Driver.lost`."""


class Refusal(Quiet):
    """Says why there is no tunnel, and ends."""

    def __init__(self, channel: Channel, text: bytes) -> None:
        super().__init__(channel)
        self._output.append(text)
        self.is_finished = True
        channel.flush_soon()


class Answered(Quiet):
    """Says that the tunnel stands, and hands the connection to the driver that serves its end."""

    def __init__(self, channel: Channel, following: Driver) -> None:
        super().__init__(channel)
        self._following = following
        self._output.append(CONNECTED)
        channel.flush_soon()

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`: the client has seen the answer, and begins."""
        if data:
            self._channel.switch(self._following, data)


class Forwarding(Quiet):
    """Gathers the head of a request for another host."""

    def __init__(self, channel: Channel, proxy: Proxy) -> None:
        super().__init__(channel)
        self._proxy = proxy
        self._head = b""

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end >= 0:
            driver = self._proxy.open_forward(self._channel, self._head[: end + 4])
            self._channel.switch(driver, self._head[end + 4 :])
        elif len(self._head) > BUFFERED_BYTES_MAX:
            self.is_finished = True


class Tunnel(Quiet, asyncio.Protocol):
    """Carries bytes between a client and another host (a `Driver`, and the protocol of the way out)."""

    def __init__(self, channel: Channel, greeting: bytes) -> None:
        """`greeting` is what the client is told once the other host is reached."""
        super().__init__(channel)
        self._greeting = greeting
        self._way_out: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._is_lost = False
        self._is_client_done = False

    async def run(self, host: str, port: int) -> None:
        """Reach the other host."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await loop.create_connection(lambda: self, host, port)
        except (OSError, TimeoutError) as error:
            _log.info("the proxy cannot reach %s:%d: %s", host, port, error)
            self._output.append(_refuse(502, "Bad Gateway", f"{host}:{port} cannot be reached: {error}"))
            self.is_finished = True
            self._flush()

    # The client's side.

    def receive(self, data: bytes) -> None:
        """See `Driver.receive`."""
        if self._way_out is None:
            self._waiting += data
            if len(self._waiting) > BUFFERED_BYTES_MAX:
                self._channel.pause_reading()
        else:
            self._way_out.write(data)

    def receive_eof(self) -> None:
        """See `Driver.receive_eof`: the other host is told; what it still has to say comes through."""
        self._is_client_done = True
        if self._way_out is not None and self._way_out.can_write_eof():
            self._way_out.write_eof()

    def writable(self) -> None:
        """See `Driver.writable`."""
        if self._way_out is not None:
            self._way_out.resume_reading()

    def lost(self) -> None:
        """See `Driver.lost`."""
        self._is_lost = True
        if self._way_out is not None:
            self._way_out.close()

    # The other host's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The other host is there."""
        self._way_out = cast("asyncio.Transport", transport)
        self._way_out.set_write_buffer_limits(high=BUFFERED_BYTES_MAX)
        if self._is_lost:
            self._way_out.close()
            return
        if self._waiting:
            self._way_out.write(bytes(self._waiting))
            self._waiting.clear()
        self._channel.resume_reading()
        if self._is_client_done:
            self.receive_eof()
        if self._greeting:
            self._output.append(self._greeting)
            self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes for the client."""
        self._output.append(data)
        self._flush()
        if not self._channel.is_writable and self._way_out is not None:
            self._way_out.pause_reading()

    def pause_writing(self) -> None:
        """The other host takes no more for now."""
        self._channel.pause_reading()

    def resume_writing(self) -> None:
        """The other host takes bytes again."""
        self._channel.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other host has ended the connection."""
        del exc
        self.is_finished = True
        self._flush()

    def _flush(self) -> None:
        if not self._is_lost:
            self._channel.flush_now()


def _refuse(status: int, phrase: str, text: str) -> bytes:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n\r\n".encode() + body


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return True


def _is_local(host: str) -> bool:
    """Whether a URL's host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
