"""An AMQP load: messages sent and settled, or received and completed, as fast as the server lets it or at a fixed rate.

    python -m benchmarks.amqp_load send --port 5672 --queue queue.1 --messages 100000 --batch 1
    python -m benchmarks.amqp_load receive --port 5672 --queue queue.1 --messages 100000 --settle range

A load keeps up to `window` messages in progress on each connection. A send is done when the server has settled it. A
receive is done when the answer `accepted` has come back settled (peek-lock), or when the message has arrived
(receive-and-delete). Latency runs from the moment a message is sent, or asked for by credit, until it is done. At a
fixed rate it runs from the moment at which the message was due, so that a server that stalls cannot hide it.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, get_args

from benchmarks.amqp_client import AmqpClient, Entity
from benchmarks.amqp_links import Load, Receiver, Sender, Settle
from benchmarks.measurement import Digest, Measurement, timed
from benchmarks.readiness import Pace, drive

if TYPE_CHECKING:
    from collections.abc import Callable


def expected(load: Load) -> Digest:
    """What a right run of `load` gives: for a receive, where just as many messages were sent before."""
    return Digest(load.count, load.count * load.body_bytes, sum(range(load.count)))


def send(entity: Entity, load: Load) -> Measurement:
    """Send `load.count` messages, numbered from 0, and wait until all are settled."""
    if load.count % (load.connections * load.batch) or load.batch > load.window:
        raise ValueError("messages must divide into connections and batches, and a batch must fit the window")
    share = load.count // load.connections

    def sender(client: AmqpClient, index: int, pace: Pace) -> Sender:
        client.attach(is_sender=True)
        return Sender(client, load, share, pace, index * share)

    return _run(entity, load, sender)


def receive(entity: Entity, load: Load) -> Measurement:
    """Receive `load.count` messages and complete them. They must be there, or come from elsewhere meanwhile."""
    if load.count % load.connections:
        raise ValueError("messages must divide into connections")
    share = load.count // load.connections

    def receiver(client: AmqpClient, _: int, pace: Pace) -> Receiver:
        client.attach(is_sender=False, settles_on_send=load.settle == "delete")
        return Receiver(client, load, share, pace)

    return _run(entity, load, receiver)


def _run(entity: Entity, load: Load, connect: Callable[[AmqpClient, int, Pace], Sender | Receiver]) -> Measurement:
    pace = Pace(load.rate)
    with ExitStack() as stack:
        clients = [stack.enter_context(AmqpClient(entity)) for _ in range(load.connections)]
        connections = [connect(client, index, pace) for index, client in enumerate(clients)]
        for connection in connections:
            connection.take_frames()
        with timed() as timing:
            drive(connections, pace)
    for connection in connections:
        timing.latency.merge(connection.latency)
    done = sum(connection.done for connection in connections)
    checksum = sum(connection.checksum for connection in connections)
    return Measurement(Digest(done, done * load.body_bytes, checksum), timing)


def main(arguments: list[str] | None = None) -> None:
    """Run one load from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.amqp_load", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["send", "receive"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5672)
    parser.add_argument("--queue", default="queue.1", help="address of the link")
    parser.add_argument("--no-token", action="store_true", help="the server has no $cbs")
    parser.add_argument("--messages", dest="count", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=1024, help="bytes of a body")
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--settle", choices=get_args(Settle), default="range")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--rate", type=float, help="messages a second; as fast as it goes without")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    entity = Entity(given.host, given.port, given.queue, not given.no_token)
    load = Load(given.count, given.size, given.window, given.batch, given.settle, given.connections, given.rate)
    measurement = (send if given.what == "send" else receive)(entity, load)
    print(json.dumps(measurement.as_dict()) if given.json else measurement)


if __name__ == "__main__":
    main()
