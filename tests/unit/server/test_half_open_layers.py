"""Clients that fall silent inside TLS or WebSocket: how long they are waited for, by a clock that a test moves."""

from __future__ import annotations

import pytest

from localzure.config.settings import Listener
from localzure.server.driver import Channel, Driver
from localzure.server.layer import CLOSE_SECONDS_MAX, Layer
from localzure.server.sniffing import FIRST_BYTES_SECONDS, SniffingDriver
from localzure.server.tls import tls_driver
from localzure.server.websocket import websocket_driver
from localzure_protocols.sniff import Wire
from tests.protocols import websocket_frames
from tests.protocols.tls_client import TlsClient, authority


class Line:
    """The lower end of a channel: what a connection does with its driver, and a clock."""

    listener = Listener("blob", "blob", 0, "--blob-port")
    peer = "192.0.2.7"
    local_address = "127.0.0.1"
    is_secure = False
    is_writable = True

    def __init__(self, driver: Driver | None = None) -> None:
        self.now = 0.0
        self.sent: list[bytes] = []
        factories = {Wire.TLS: self._tls}
        self.driver = driver or SniffingDriver(self, factories, self.now)

    def _tls(self, channel: Channel) -> Layer:
        return tls_driver(channel, authority().context, {}, self.now)

    def switch(self, driver: Driver, unread: bytes) -> None:
        self.driver = driver
        driver.receive(unread)

    def flush_soon(self) -> None:
        self.flush_now()

    def flush_now(self) -> None:
        self.sent += self.driver.take_output()

    def rearm(self) -> None:
        self.driver.tick(self.now, 0.0)

    def pause_reading(self) -> None:
        raise AssertionError("nobody sends that much here")

    resume_reading = pause_reading

    def is_open_after(self, seconds: float) -> bool:
        """Let time go by, and do what it asks."""
        self.now += seconds
        self.driver.tick(self.now, 0.0)
        self.flush_now()
        return not self.driver.is_finished

    def taken(self) -> list[bytes]:
        self.flush_now()
        sent, self.sent = self.sent, []
        return sent


class _Ending:
    """A driver inside that ends at once, and then waits for its layer to close."""

    protocol = "nothing"
    is_finished = True
    is_busy = False

    def receive(self, data: bytes) -> None:
        raise AssertionError("nothing came")

    def receive_eof(self) -> None: ...

    def take_output(self) -> list[bytes]:
        return []

    def tick(self, now: float, last_received: float) -> float | None:
        return None

    def writable(self) -> None: ...

    def shutdown(self) -> None: ...

    def lost(self) -> None: ...


@pytest.mark.parametrize("part", [2, 50, -1])
def test_a_tls_handshake_that_stalls_is_dropped(part: int) -> None:
    line = Line()
    line.driver.receive(TlsClient().step()[:part])
    assert isinstance(line.driver, Layer)
    assert line.is_open_after(FIRST_BYTES_SECONDS - 1)
    assert not line.is_open_after(1)


def test_a_tls_session_in_which_nothing_is_said_is_dropped_with_a_close_notify() -> None:
    line, client = Line(), TlsClient()
    for _ in range(3):
        if said := client.step(line.taken()):
            line.driver.receive(said)
    line.taken()
    assert line.is_open_after(FIRST_BYTES_SECONDS - 1)
    assert not line.is_open_after(1)
    client.step(line.taken())
    assert client.ended


def test_a_tls_handshake_that_begins_late_has_its_own_time() -> None:
    line = Line()
    assert line.is_open_after(FIRST_BYTES_SECONDS - 1)
    line.driver.receive(TlsClient().step()[:50])
    assert line.is_open_after(FIRST_BYTES_SECONDS - 1)
    assert not line.is_open_after(1)


def test_a_client_that_never_answers_a_close_of_its_websocket_is_dropped() -> None:
    line = Line(_Ending())
    line.driver = websocket_driver(line, websocket_frames.request(), lambda _: _Ending())
    upgraded, close = line.taken()
    assert (upgraded[:12], close[:1]) == (b"HTTP/1.1 101", b"\x88")
    assert line.is_open_after(CLOSE_SECONDS_MAX - 1)
    assert not line.is_open_after(1)


def test_a_client_that_answers_a_close_of_its_websocket_is_let_go_at_once() -> None:
    line = Line(_Ending())
    line.driver = websocket_driver(line, websocket_frames.request(), lambda _: _Ending())
    line.taken()
    line.driver.receive(websocket_frames.frame(websocket_frames.CLOSE, b"\x03\xe8"))
    assert line.driver.is_finished
