"""The floor for HTTP: the least that a durable PUT and a GET of a small blob have to cost in Python.

    python -m benchmarks.floor_http DIRECTORY [--port 0]

Any path is a blob. A request is parsed by hand, without checks; a body goes into LMDB in a nested transaction of the
event loop's tick, which is committed when the tick ends, and only then the tick's replies leave. There is no
authentication, no container, no header worth its name: what a real server costs beyond this is the price of being
one. Prints `ready http://127.0.0.1:PORT` when it serves.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import cast

import lmdb
import uvloop

MAP_BYTES = 1 << 36

_HEAD = (
    b'Server: floor\r\nETag: "0x8D0000000000000"\r\nLast-Modified: Fri, 20 Nov 2026 18:00:00 GMT\r\n'
    b"x-ms-version: 2023-11-03\r\nx-ms-request-id: 00000000-0000-0000-0000-000000000000\r\n"
    b"Date: Fri, 20 Nov 2026 18:00:00 GMT\r\n"
)
_PROPERTIES = b"x" * 120
"""What stands for a blob's properties."""


class Blobs:
    """Bodies in LMDB by their path, one commit per tick, and the replies that wait for it."""

    def __init__(self, directory: Path, loop: asyncio.AbstractEventLoop) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._environment = lmdb.open(str(directory), map_size=MAP_BYTES, sync=False, metasync=False)
        self._loop = loop
        self._tick: lmdb.Transaction | None = None
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, path: bytes, content: bytes) -> None:
        """Store a blob with the end of the tick."""
        if self._tick is None:
            self._tick = self._environment.begin(write=True)
            self._loop.call_soon(self._commit)
        with self._environment.begin(write=True, parent=self._tick) as transaction:
            transaction.put(b"m" + path, _PROPERTIES)
            transaction.put(b"c" + path, content)

    def get(self, path: bytes) -> bytes | None:
        """Read a blob, through the tick's transaction where there is one."""
        if self._tick is not None:
            return cast("bytes | None", self._tick.get(b"c" + path))
        with self._environment.begin() as transaction:
            return transaction.get(b"c" + path)

    def reply(self, transport: asyncio.Transport, data: bytes) -> None:
        """Send a reply, after the tick's commit where there is one."""
        if self._tick is None:
            transport.write(data)
        else:
            self._waiting.append((transport, data))

    def _commit(self) -> None:
        if self._tick is not None:
            self._tick.commit()
            self._tick = None
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            transport.write(data)


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._rest[:end].split(b"\r\n")
            method, target, _ = first.split(b" ")
            fields = {}
            for line in lines:
                name, _, value = line.partition(b":")
                fields[name.lower()] = value.strip()
            stop = end + 4 + int(fields.get(b"content-length", 0))
            if len(self._rest) < stop:
                return
            body, self._rest = self._rest[end + 4 : stop], self._rest[stop:]
            self._answer(method, target.partition(b"?")[0], body)

    def _answer(self, method: bytes, path: bytes, body: bytes) -> None:
        status, content = b"201 Created", b""
        if method == b"PUT":
            self._blobs.put(path, body)
        else:
            found = self._blobs.get(path)
            status, content = (b"404 Not Found", b"") if found is None else (b"200 OK", found)
        head = b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n" % (status, _HEAD, len(content))
        self._blobs.reply(self._transport, head + content)


async def serve(directory: Path, port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    blobs = Blobs(directory, loop)
    server = await loop.create_server(lambda: Peer(blobs), "127.0.0.1", port)
    print(f"ready http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.floor_http", description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    uvloop.run(serve(given.directory, given.port))


if __name__ == "__main__":
    main()
