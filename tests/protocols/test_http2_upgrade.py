"""HTTP/2 by upgrade from HTTP/1.1: who is taken over, and how the conversation goes on."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from localzure_protocols.events import Body, EndBody, Headers, Request, Response
from localzure_protocols.http1 import Http1Connection
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.http2.upgrade import SWITCHING_PROTOCOLS
from tests.protocols.http2_wire import GET, HELLO, head, opened, sent, settings, take

OFFER: Headers = [
    (b"host", b"localhost:10000"),
    (b"connection", b"Upgrade, HTTP2-Settings"),
    (b"upgrade", b"h2c"),
    (b"http2-settings", b"AAMAAABkAAQCAAAAAAIAAAAA"),
    (b"x-ms-version", b"2025-01-05"),
]
"""What curl --http2 sends."""


def _request(*extra: tuple[bytes, bytes], without: bytes = b"") -> Request:
    return Request(7, b"GET", b"/a?b", [*[header for header in OFFER if header[0] != without], *extra])


def test_a_client_goes_on_in_http2() -> None:
    http1 = Http1Connection()
    client = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    offer = client.initiate_upgrade_connection()
    lines = [b"GET /a?b HTTP/1.1", *[name + b": " + value for name, value in OFFER if name != b"http2-settings"]]
    wire = b"\r\n".join([*lines, b"HTTP2-Settings: " + (offer or b""), b"", b""])
    request, _ = http1.receive(wire)
    assert isinstance(request, Request)
    core = Http2Connection.upgrade(request)
    assert core is not None
    expected = [Request(1, b"GET", b"/a?b", [OFFER[0], OFFER[4]], b"2"), EndBody(1)]
    assert core.receive(http1.unread) == expected
    output = core.data_to_send()
    assert output.startswith(SWITCHING_PROTOCOLS)
    client.receive_data(output.removeprefix(SWITCHING_PROTOCOLS))
    client.send_headers(3, GET, end_stream=True)
    assert [event.stream_id for event in core.receive(client.data_to_send())] == [3, 3]
    output = b""
    for stream_id in (3, 1):
        output += core.send(Response(stream_id, 200, [])) + core.send(Body(stream_id, b"hi"))
        output += core.send(EndBody(stream_id))
    events = client.receive_data(output)
    assert [event.data for event in events if isinstance(event, DataReceived) and event.data] == [b"hi", b"hi"]
    assert len([event for event in events if isinstance(event, ResponseReceived)]) == 2
    assert len([event for event in events if isinstance(event, StreamEnded)]) == 2
    assert core.open_exchanges == 0


def test_every_split_after_the_upgrade_gives_the_same() -> None:
    wire = HELLO + settings({4: 5}) + head(3)
    for cut in range(len(wire) + 1):
        core = Http2Connection.upgrade(_request())
        assert core is not None
        events = core.receive(wire[:cut]) + core.receive(wire[cut:])
        assert [type(event) for event in events] == [Request, EndBody, Request, EndBody]


def test_the_offered_settings_hold_from_the_first_response_on() -> None:
    offer = urlsafe_b64encode(b"\x00\x04\x00\x00\x00\x03" + b"\x99\x99\x00\x00\x00\x01").rstrip(b"=")
    core = Http2Connection.upgrade(_request((b"http2-settings", offer), without=b"http2-settings"))
    assert core is not None
    core.receive(b"")
    core.data_to_send()
    core.send(Response(1, 200, []))
    (frame,) = sent(core.send(Body(1, b"abcdef")))
    assert frame.data == b"abc"  # type: ignore[attr-defined]  # a DATA frame


@pytest.mark.parametrize(
    "request_",
    [
        _request(without=b"upgrade"),
        _request((b"upgrade", b"websocket"), without=b"upgrade"),
        _request(without=b"connection"),
        _request((b"connection", b"upgrade"), without=b"connection"),
        _request(without=b"http2-settings"),
        _request((b"http2-settings", b"")),
        _request((b"http2-settings", b"AAM"), without=b"http2-settings"),
        _request((b"http2-settings", b"A"), without=b"http2-settings"),
        _request((b"http2-settings", b"AAIAAAAC"), without=b"http2-settings"),
        _request((b"http2-settings", b"AAX_____"), without=b"http2-settings"),
        _request((b"content-length", b"5")),
        _request((b"transfer-encoding", b"chunked")),
    ],
)
def test_who_does_not_offer_it_as_he_should_stays_with_http1(request_: Request) -> None:
    assert Http2Connection.upgrade(request_) is None


def test_an_empty_body_is_none() -> None:
    assert Http2Connection.upgrade(_request((b"content-length", b"0"))) is not None


def test_a_client_that_does_not_go_on_in_http2_is_cut_off() -> None:
    core = Http2Connection.upgrade(_request())
    assert core is not None
    core.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert core.is_finished


def test_upgraded_and_other_connections_are_alike() -> None:
    core = Http2Connection.upgrade(_request())
    assert core is not None
    core.receive(HELLO)
    core.data_to_send()
    assert take(core, head(3)) == take(opened(), head(3))
