"""Which requests are for AMQP over WebSocket."""

from __future__ import annotations

import pytest

from localzure.server.websocket import wants_websocket
from localzure_protocols.events import Request


@pytest.mark.parametrize(
    ("target", "upgrade", "wanted"),
    [
        (b"/$servicebus/websocket", b"websocket", True),
        (b"/$servicebus/websocket/?x=1", b"WebSocket", True),
        (b"https://localhost/$servicebus/websocket", b"websocket", True),
        (b"https://localhost:5671/$servicebus/websocket?", b"websocket", True),
        (b"https://localhost", b"websocket", False),
        (b"https://localhost/account/container", b"websocket", False),
        (b"/$servicebus", b"websocket", False),
        (b"*", b"websocket", False),
        (b"/$servicebus/websocket", b"h2c", False),
    ],
)
def test_what_is_asked_for_by_path_and_upgrade(target: bytes, upgrade: bytes, wanted: bool) -> None:
    assert wants_websocket(Request(1, b"GET", target, [(b"upgrade", upgrade)])) is wanted
