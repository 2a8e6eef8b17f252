"""Ports: binding them, accepting on them, and telling where they are."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from localzure.server.connection import Connection
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    import asyncio

    from localzure.config.settings import Listener
    from localzure.server.connection import Connections

BACKLOG = 1024
"""Connections that the kernel holds until they are accepted."""

SCHEMES = {"amqp": "amqp", "amqps": "amqps", "https": "https"}
"""The scheme of a listener's endpoint, where it is not http."""


def bind(listener: Listener, host: str) -> socket.socket:
    """Bind and listen. Raises StartupError with the port and the flag that moves it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        message = f"cannot listen on host {host!r}: {error.strerror}; choose another with --host"
        raise StartupError(message) from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise StartupError(_reason(listener, host, error)) from error
    sock.setblocking(False)
    return sock


def _reason(listener: Listener, host: str, error: OSError) -> str:
    where = f"port {listener.port} on {host} for {listener.name}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use; stop what listens there, or choose another port with {listener.flag}"
    if error.errno == errno.EACCES:
        return f"{where} needs more rights than this user has; choose a port above 1023 with {listener.flag}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; choose another with --host"
    return f"cannot listen on {where}: {error.strerror}; choose another port with {listener.flag}"


async def serve(sock: socket.socket, listener: Listener, connections: Connections) -> asyncio.Server:
    """Accept connections on a bound socket."""
    return await connections.loop.create_server(lambda: Connection(connections, listener), sock=sock, backlog=BACKLOG)


def endpoint(listener: Listener, sock: socket.socket) -> str:
    """The URL under which a client on this machine reaches a bound listener."""
    scheme = SCHEMES.get(listener.name, "http")
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
