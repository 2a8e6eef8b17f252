"""The smallest server around the HTTP/2 core: asyncio, no service, every request answered with the same page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from localzure_protocols.events import Body, EndBody, PeerError, Request, Response
from localzure_protocols.http1 import Http1Connection
from localzure_protocols.http2 import Http2Connection
from localzure_protocols.sniff import Wire, sniff
from localzure_protocols.tls import TlsConnection

if TYPE_CHECKING:
    import ssl

PAGE = b"a page of some length\n" * 10


class Shell(asyncio.Protocol):
    """One connection: TLS or not, HTTP/2 by prior knowledge, ALPN or upgrade."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._tls = None if context is None else TlsConnection(context)
        self._core: Http1Connection | Http2Connection | None = None
        self._methods: dict[int, bytes] = {}
        self._first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        for piece in [data] if self._tls is None else self._tls.receive(data):
            self._receive(piece)
        finished = self._core is not None and self._core.is_finished
        if self._tls is not None:
            if finished:
                self._tls.close()
            self._transport.writelines(self._tls.data_to_send())
            finished = self._tls.is_finished
        if finished:
            self._transport.close()

    def _receive(self, data: bytes) -> None:
        if self._core is None and self._tls is not None and self._tls.alpn == "h2":
            self._core = Http2Connection()
        elif self._core is None:
            data = self._first = self._first + data
            wire = sniff(data)
            if wire is Wire.MORE:
                return
            self._core = Http2Connection() if wire is Wire.HTTP2 else Http1Connection()
        core = self._core
        for event in core.receive(data):
            if isinstance(event, Request):
                upgraded = Http2Connection.upgrade(event) if isinstance(core, Http1Connection) else None
                if upgraded is not None and isinstance(core, Http1Connection):
                    self._core = upgraded
                    self._receive(core.unread)
                    return
                self._methods[event.stream_id] = event.method
            elif isinstance(event, Body):
                core.consumed(event.stream_id, len(event.data))
            elif isinstance(event, EndBody | PeerError):
                self._answer(event.stream_id, event.status if isinstance(event, PeerError) else 200)
        if isinstance(core, Http2Connection):
            self._write(core.data_to_send())

    def _answer(self, stream_id: int, status: int) -> None:
        assert self._core is not None, "there was a request"
        length = (b"content-length", b"%d" % len(PAGE))
        self._write(self._core.send(Response(stream_id, status, [length, (b"content-type", b"text/plain")])))
        if self._methods.pop(stream_id, b"") != b"HEAD":
            self._write(self._core.send(Body(stream_id, PAGE)))
        self._write(self._core.send(EndBody(stream_id)))

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.send([data])
        elif data:
            self._transport.write(data)


async def serve(context: ssl.SSLContext | None = None) -> asyncio.Server:
    """Serve on an ephemeral loopback port, until the server that is returned is closed."""
    return await asyncio.get_running_loop().create_server(lambda: Shell(context), "127.0.0.1", 0)
