"""The floor for AMQP: the least that a durable broker in Python has to do for a message.

    python -m benchmarks.floor_amqp DIRECTORY [--port 0]

One queue for everybody, whatever address a link names. A message is copied out of proton into LMDB, then accepted and
settled; what one read from a socket brought is committed before anything is answered. A receiver gets messages in
order, each once, read by a cursor; they are deleted when they are settled, or at once where the link asks for settled
ones. There are no locks, no annotations, no batches, no `$cbs`, no second receiver that wakes up: what a real broker
costs beyond this is the price of being one. Prints `ready amqp://127.0.0.1:PORT` when it serves.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from struct import Struct
from typing import Any, cast

import cproton
import lmdb
import uvloop
from cproton import ffi, lib
from proton import Collector, Connection, Event, Link, Transport

MESSAGE_BYTES_MAX = 1 << 20
FRAME_BYTES_MAX = 65536
SESSION_BYTES = 1 << 24
CREDIT = 1000
MAP_BYTES = 1 << 36

_KEY = Struct(">Q")
_ACCEPTED = 0x24
_LOCK_TOKEN = b"floor---"

_incoming = ffi.new("char[]", MESSAGE_BYTES_MAX)
_outgoing = ffi.new("char[]", MESSAGE_BYTES_MAX)
_incoming_bytes = ffi.buffer(_incoming)


class Queue:
    """Messages in LMDB, by their number."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.environment = lmdb.open(str(directory), map_size=MAP_BYTES, sync=False, metasync=False)
        self.last = 0
        """Number of the newest message."""
        self.delivered = 0
        """Number of the newest message that has been handed to a receiver."""
        self._transaction: lmdb.Transaction | None = None

    def write(self) -> lmdb.Transaction:
        """The write transaction of this read from a socket."""
        if self._transaction is None:
            self._transaction = self.environment.begin(write=True)
        return self._transaction

    def commit(self) -> None:
        """Close the write transaction, where there is one."""
        if self._transaction is not None:
            self._transaction.commit()
            self._transaction = None

    def put(self, message: bytes) -> None:
        """Append a message."""
        self.last += 1
        self.write().put(_KEY.pack(self.last), message, append=True)

    def delete(self, number: int) -> None:
        """Remove a message."""
        self.write().delete(_KEY.pack(number))

    def next_messages(self, count: int) -> list[tuple[int, bytes]]:
        """Take the next messages, up to `count`, that no receiver has been given."""
        if count <= 0 or self.delivered >= self.last:
            return []
        messages: list[tuple[int, bytes]] = []
        cursor = self.write().cursor()
        found = cursor.set_range(_KEY.pack(self.delivered + 1))
        while found and len(messages) < count:
            key, value = cursor.item()
            messages.append((_KEY.unpack(key)[0], cast("bytes", value)))
            found = cursor.next()
        if messages:
            self.delivered = messages[-1][0]
        return messages


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._unsettled: dict[int, int] = {}
        """Message numbers by the address of their delivery; proton keeps it until the delivery is settled."""
        self._sender: Link | None = None
        self._settles_on_send = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.Transport", transport)
        self._connection = Connection()
        self._collector = Collector()
        self._transport = Transport(Transport.SERVER)
        self._transport.max_frame_size = FRAME_BYTES_MAX
        sasl = self._transport.sasl()
        sasl.allowed_mechs("ANONYMOUS")
        sasl.done(0)  # type: ignore[no-untyped-call]  # proton annotates its arguments only
        self._connection.collect(self._collector)
        self._transport.bind(self._connection)

    def data_received(self, data: bytes) -> None:
        transport, source, at = self._transport._impl, ffi.from_buffer(data), 0
        while at < len(data):
            room = lib.pn_transport_capacity(transport)
            if room <= 0:
                self._socket.close()
                return
            step = min(room, len(data) - at)
            lib.pn_transport_push(transport, source + at, step)
            at += step
            self._handle_events()
        self._deliver()
        self._queue.commit()
        self._flush()

    def _handle_events(self) -> None:
        collector = self._collector._impl
        while (event := lib.pn_collector_peek(collector)) != ffi.NULL:
            kind = lib.pn_event_type(event)
            if kind == lib.PN_DELIVERY:
                self._on_delivery(lib.pn_event_delivery(event))
            elif kind not in (lib.PN_TRANSPORT, lib.PN_LINK_FLOW):
                self._set_up(self._collector.peek())
            lib.pn_collector_pop(collector)

    def _on_delivery(self, delivery: Any) -> None:
        if lib.pn_delivery_readable(delivery):
            if not lib.pn_delivery_partial(delivery):
                self._on_message(delivery)
        elif lib.pn_delivery_updated(delivery):
            number = self._unsettled.pop(int(ffi.cast("intptr_t", delivery)), None)
            if number is not None:
                self._queue.delete(number)
            lib.pn_delivery_update(delivery, _ACCEPTED)
            lib.pn_delivery_settle(delivery)

    def _on_message(self, delivery: Any) -> None:
        link, size = lib.pn_delivery_link(delivery), lib.pn_delivery_pending(delivery)
        if size > MESSAGE_BYTES_MAX:
            self._socket.abort()
            return
        lib.pn_link_recv(link, _incoming, size)
        lib.pn_link_advance(link)
        self._queue.put(_incoming_bytes[:size])
        lib.pn_delivery_update(delivery, _ACCEPTED)
        lib.pn_delivery_settle(delivery)
        if (credit := lib.pn_link_credit(link)) < CREDIT // 2:
            lib.pn_link_flow(link, CREDIT - credit)

    def _deliver(self) -> None:
        """Hand out what credit allows."""
        if self._sender is None:
            return
        link = self._sender._impl
        for number, message in self._queue.next_messages(lib.pn_link_credit(link)):
            delivery = cproton.pn_delivery(link, _KEY.pack(number) + _LOCK_TOKEN)
            lib.pn_link_send(link, ffi.from_buffer(message), len(message))
            lib.pn_link_advance(link)
            if self._settles_on_send:
                lib.pn_delivery_settle(delivery)
                self._queue.delete(number)
            else:
                self._unsettled[int(ffi.cast("intptr_t", delivery))] = number

    def _flush(self) -> None:
        transport, out = self._transport._impl, []
        while (pending := lib.pn_transport_pending(transport)) > 0:
            size = lib.pn_transport_peek(transport, _outgoing, min(pending, MESSAGE_BYTES_MAX))
            out.append(ffi.buffer(_outgoing, size)[:])
            lib.pn_transport_pop(transport, size)
        if out:
            self._socket.writelines(out)

    def _set_up(self, event: Any) -> None:
        """What happens once per connection goes through proton's Python objects."""
        if event.type is Event.CONNECTION_REMOTE_OPEN:
            self._connection.container = "floor"
            self._connection.open()
        elif event.type is Event.SESSION_REMOTE_OPEN:
            event.session.incoming_capacity = SESSION_BYTES
            event.session.open()
        elif event.type is Event.LINK_REMOTE_OPEN:
            self._open_link(event.link)
        elif event.type is Event.CONNECTION_REMOTE_CLOSE:
            self._connection.close()

    def _open_link(self, link: Link) -> None:
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode = link.remote_snd_settle_mode
        link.rcv_settle_mode = link.remote_rcv_settle_mode
        link.max_message_size = MESSAGE_BYTES_MAX
        link.open()
        if link.is_receiver:
            link.flow(CREDIT)
        else:
            self._sender = link
            self._settles_on_send = link.remote_snd_settle_mode == Link.SND_SETTLED


async def serve(directory: Path, port: int) -> None:
    """Serve until killed."""
    queue = Queue(directory)
    server = await asyncio.get_running_loop().create_server(lambda: Peer(queue), "127.0.0.1", port)
    print(f"ready amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.floor_amqp", description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    uvloop.run(serve(given.directory, given.port))


if __name__ == "__main__":
    main()
