"""AMQP over WebSocket: the upgrade request that asks for it, and the driver that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.server.layer import Layer
from localzure_protocols.websocket import WebSocketConnection, is_upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.server.driver import Channel, Driver
    from localzure_protocols.events import Request

PATH = b"/$servicebus/websocket"
"""Where Service Bus and Event Hubs take WebSocket; some clients add a closing slash."""

SUBPROTOCOLS = (b"AMQPWSB10", b"amqp")
"""What clients of Service Bus offer: the official SDKs, and those that follow OASIS' AMQP WebSocket Binding."""


def wants_websocket(request: Request) -> bool:
    """Whether a request is for AMQP over WebSocket. Java's SDK asks for it by a whole URL (RFC 9112, 3.2.2)."""
    path = request.target.partition(b"?")[0]
    if not path.startswith(b"/"):
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    return path.rstrip(b"/") == PATH and is_upgrade(request)


def websocket_driver(channel: Channel, request: Request, amqp: Callable[[Channel], Driver]) -> Layer:
    """Return the driver that answers the upgrade `request` and then carries what `amqp` makes."""
    core = WebSocketConnection(request, b"", SUBPROTOCOLS)
    layer = Layer(channel, core, "websocket", is_secure=channel.is_secure)
    layer.carry(amqp(layer))
    return layer
