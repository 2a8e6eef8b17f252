"""The ports: which there are, what each serves by default, and binding them."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.server.startup import StartupError

if TYPE_CHECKING:
    import asyncio

    from localzure.server.connection import Connections

BACKLOG = 1024
"""Connections that the kernel holds until they are accepted."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One port. Every port sniffs every protocol; its name only says what is the default there."""

    name: str
    """Its key in the ready-file: gateway, blob, amqp, servicebus."""
    service: str | None
    """The service that a request without other hints is for."""
    host: str
    port: int
    """The port that was asked for; 0 is any."""
    flag: str
    """The command line flag that moves it."""
    scheme: str = "http"


def bind(listener: Listener) -> socket.socket:
    """Bind and listen. Raises StartupError with the port and the flag that moves it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        message = f"cannot listen on host {listener.host!r}: {error.strerror}; choose another with --host"
        raise StartupError(message) from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise StartupError(_reason(listener, error)) from error
    sock.setblocking(False)
    return sock


def _reason(listener: Listener, error: OSError) -> str:
    where = f"port {listener.port} on {listener.host} for {listener.name}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use; stop what listens there, or choose another port with {listener.flag}"
    if error.errno == errno.EACCES:
        return f"{where} needs more rights than this user has; choose a port above 1023 with {listener.flag}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{listener.host} is no address of this machine; choose another with --host"
    return f"cannot listen on {where}: {error.strerror}; choose another port with {listener.flag}"


async def serve(sock: socket.socket, listener: Listener, connections: Connections) -> asyncio.Server:
    """Accept connections on a bound socket."""
    from localzure.server.connection import Connection

    return await connections.loop.create_server(lambda: Connection(connections, listener), sock=sock, backlog=BACKLOG)


def endpoint(listener: Listener, sock: socket.socket) -> str:
    """The URL under which a client on this machine reaches a bound listener."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{listener.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
