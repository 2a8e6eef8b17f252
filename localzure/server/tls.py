"""TLS on a connection: what is inside is sniffed like any connection, unless ALPN has said it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.server.layer import Layer
from localzure.server.sniffing import SniffingDriver
from localzure_protocols.tls import TlsConnection

if TYPE_CHECKING:
    import ssl

    from localzure.server.driver import Channel
    from localzure.server.sniffing import Factories


def tls_driver(channel: Channel, context: ssl.SSLContext, factories: Factories, now: float) -> Layer:
    """Return the driver of a connection whose first bytes are TLS. TLS inside TLS is refused like any junk.

    A client that offered h2 by ALPN opens with HTTP/2's preface, so the bytes alone tell what is inside.
    """
    layer = Layer(channel, TlsConnection(context, channel.local_address), "tls", is_secure=True)
    layer.carry(SniffingDriver(layer, factories, now))
    return layer
