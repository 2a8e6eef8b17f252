"""Getting the source of a copy from another server: one GET over HTTP/1.1, streamed, with bounds on its time.

Nothing piles up: more is read from the other server only once what it sent has been taken.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11

from localzure.services.interface import ServiceError
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from localzure.services.interface import FetchSink

CONNECT_SECONDS_MAX = 10.0
"""How long the other server may take to accept a connection."""

READ_SECONDS_MAX = 30.0
"""How long it may be silent."""

READ_BYTES = 64 * 1024
"""How much is read at a time."""

_log = logging.getLogger(__name__)


class LoopFetch:
    """`localzure.services.interface.Fetch` on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, url: str, headers: dict[str, str], sink: FetchSink) -> None:
        """See `Fetch`."""
        task = self._loop.create_task(_run(url, headers, sink))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """The server stops: whatever is still on its way is for nobody."""
        for task in self._tasks:
            task.cancel()


async def _run(url: str, headers: dict[str, str], sink: FetchSink) -> None:
    try:
        await _get(url, headers, sink)
    except (ServiceError, StorageError) as error:
        sink.failed(error)
    except (OSError, TimeoutError, h11.ProtocolError, ValueError) as error:
        _log.warning("the source of a copy cannot be had from %s: %s", urlsplit(url).netloc, error)
        sink.failed(None)
    else:
        sink.end()


async def _get(url: str, headers: dict[str, str], sink: FetchSink) -> None:
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    context = ssl.create_default_context() if is_secure else None
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or (443 if is_secure else 80), ssl=context
        )
    try:
        core = h11.Connection(h11.CLIENT)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [("host", parts.netloc.rpartition("@")[2]), ("accept-encoding", "identity"), *headers.items()]
        request = h11.Request(method="GET", target=target, headers=[*lines, ("connection", "close")])
        writer.write((core.send(request) or b"") + (core.send(h11.EndOfMessage()) or b""))
        await _receive(core, reader, sink)
    finally:
        writer.close()


async def _receive(core: h11.Connection, reader: asyncio.StreamReader, sink: FetchSink) -> None:
    while True:
        event = core.next_event()
        if event is h11.NEED_DATA:
            async with asyncio.timeout(READ_SECONDS_MAX):
                core.receive_data(await reader.read(READ_BYTES))
        elif isinstance(event, h11.Response):
            told = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            sink.head(event.status_code, told)
        elif isinstance(event, h11.Data):
            sink.data(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("the connection ended within the reply")
