"""The two ends of an AMQP load: a connection that sends and waits for settlement, and one that receives and completes.

Each keeps up to a window of messages in progress, and knows for every message when it began and that it ended once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks import amqp_frames as wire
from benchmarks.amqp_client import LOAD_HANDLE
from benchmarks.amqp_frames import PeerError, accept_frame, disposition_at, transfer_at
from benchmarks.amqp_messages import Block, build_template
from benchmarks.bodies import NUMBER, NUMBER_BYTES, body_filler
from benchmarks.latency import Histogram

if TYPE_CHECKING:
    from benchmarks.amqp_client import AmqpClient
    from benchmarks.readiness import Pace

Settle = Literal["range", "each", "delete"]
"""How received messages are completed: one disposition for all that one read brought, as proton's clients do; one for
each message, as the Azure SDKs do; or none, with receive-and-delete."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much of what."""

    count: int
    body_bytes: int = 1024
    window: int = 1000
    """Messages in progress on a connection."""
    batch: int = 1
    """Messages in one transfer, sent as Service Bus batches where it is more than 1."""
    settle: Settle = "range"
    connections: int = 1
    rate: float | None = None
    """Messages a second, over all connections; None is as fast as it goes."""


class _Connection:
    """What both directions share: a client, what it has to write, and when each message began."""

    def __init__(self, client: AmqpClient, load: Load, messages: int, pace: Pace) -> None:
        self.client = client
        self.fileno = client.socket.fileno()
        self.latency = Histogram()
        self.done = 0
        self.checksum = 0
        self._messages = messages
        self._window = load.window
        self._pace = pace
        self._started_at: list[int] = []
        """When each message began, or was due."""
        self._is_finished = bytearray(messages)
        self._out = memoryview(b"")

    @property
    def is_done(self) -> bool:
        return self.done >= self._messages

    def _finish(self, first: int, last: int) -> None:
        """Messages `first` to `last`, counted from 0, are done.

        A range may hold messages that are done already (AMQP 1.0, part 2, 2.6.12): RabbitMQ's do.
        """
        if last < first or last >= len(self._started_at):
            raise PeerError(f"messages {first} to {last} were never there")
        now, is_finished = time.perf_counter_ns(), self._is_finished
        if 1 not in is_finished[first : last + 1]:
            began = self._started_at[first : last + 1]
        else:
            began = [self._started_at[number] for number in range(first, last + 1) if not is_finished[number]]
        is_finished[first : last + 1] = b"\1" * (last + 1 - first)
        self.latency.record_since(began, now)
        self.done += len(began)

    def _flush(self) -> bool:
        """Write what is waiting; False where the socket takes no more."""
        try:
            while self._out:
                self._out = self._out[self.client.socket.send(self._out) :]
        except BlockingIOError:
            return False
        return True

    def on_readable(self) -> None:
        """Read once, and take what has come."""
        self.client.inbox.fill()
        self.take_frames()

    def take_frames(self) -> None:
        """Take what has been read; after the attach, the first credit may be there already."""
        client = self.client
        data = client.inbox.data
        for body, end in client.inbox.frames():
            code = data[body + 2]
            if code == wire.TRANSFER:
                self._on_transfer(data, body, end)
            elif code == wire.DISPOSITION:
                self._on_disposition(data, body)
            else:
                client.handle(body, end)

    def _on_transfer(self, data: bytearray, body: int, end: int) -> None:
        raise NotImplementedError

    def _on_disposition(self, data: bytearray, body: int) -> None:
        raise NotImplementedError


class Sender(_Connection):
    """Sends messages `first_number` and following."""

    def __init__(self, client: AmqpClient, load: Load, messages: int, pace: Pace, first_number: int) -> None:
        super().__init__(client, load, messages, pace)
        self.checksum = sum(range(first_number, first_number + messages))
        self._batch = load.batch
        self._template = build_template(load.body_bytes, load.batch, LOAD_HANDLE, client.frame_bytes_max)
        self._block = Block(self._template, load.window // load.batch)
        self._first_delivery = client.delivery_id
        self._first_number = first_number

    def write(self) -> bool:
        """Send what window, credit, session and pace allow; False where the socket takes no more."""
        client = self.client
        while self._flush():
            deliveries = self._deliveries_possible()
            if deliveries <= 0:
                return True
            number = self._first_number + len(self._started_at)
            self._out = self._block.number(deliveries, client.delivery_id, number)
            self._started_at += self._pace.take(deliveries * self._batch)
            client.delivery_id += deliveries
            client.transfers_sent += deliveries * self._template.frames
        return False

    def _on_transfer(self, data: bytearray, body: int, end: int) -> None:
        raise PeerError(f"a transfer came on a link that sends: {data[body:end][:100]!r}")

    def _deliveries_possible(self) -> int:
        client, begun = self.client, len(self._started_at)
        return min(
            self._block.deliveries,
            (self._window - (begun - self.done)) // self._batch,
            min(self._pace.available(), self._messages - begun) // self._batch,
            client.deliveries_allowed - (client.delivery_id - self._first_delivery),
            (client.transfers_allowed - client.transfers_sent) // self._template.frames,
        )

    def _on_disposition(self, data: bytearray, body: int) -> None:
        first, last, settled, outcome = disposition_at(data, body)
        if last < self._first_delivery:
            return
        if outcome != wire.ACCEPTED or not settled:
            raise PeerError(f"deliveries {first} to {last} were not accepted and settled: outcome {outcome}")
        batch = self._batch
        self._finish((first - self._first_delivery) * batch, (last + 1 - self._first_delivery) * batch - 1)


class Receiver(_Connection):
    """Receives messages and completes them."""

    def __init__(self, client: AmqpClient, load: Load, messages: int, pace: Pace) -> None:
        super().__init__(client, load, messages, pace)
        self._filler = body_filler(load.body_bytes)
        self._settle = load.settle
        self._is_confirmed = client.entity.confirms_completion
        self._first_delivery = 0
        self._arrived = self._answered = 0
        self._pieces = bytearray()
        """The payload so far of a delivery that comes in several frames."""

    def write(self) -> bool:
        """Answer what has arrived and ask for more, as window and pace allow; False where the socket takes no more."""
        frames = self._answer() + self._ask()
        if frames:
            self._out = memoryview(bytes(self._out) + frames)
        return self._flush()

    def _answer(self) -> bytes:
        """Complete what has arrived since the last call."""
        first, last = self._answered, self._arrived - 1
        if first > last:
            return b""
        self._answered = self._arrived
        if self._settle == "delete":
            self._finish(first, last)
            return b""
        settled = not self._is_confirmed
        if settled:
            self._finish(first, last)
        first, last = first + self._first_delivery, last + self._first_delivery
        if self._settle == "range":
            return accept_frame(first, last, settled=settled)
        return b"".join([accept_frame(delivery, delivery, settled=settled) for delivery in range(first, last + 1)])

    def _ask(self) -> bytes:
        """Grant credit: without a pace a quarter of the window at a time, so that flow frames are rare."""
        asked = len(self._started_at)
        possible = min(self._messages, self.done + self._window) - asked
        least = 1 if self._pace.rate else max(1, min(self._window // 4, self._messages - asked))
        wanted = min(possible, self._pace.available())
        if wanted < least:
            return b""
        self._started_at += self._pace.take(wanted)
        return self.client.flow(LOAD_HANDLE, asked + wanted - self._arrived, self._arrived)

    def _on_transfer(self, data: bytearray, body: int, end: int) -> None:
        delivery, settled, more, payload_at = transfer_at(data, body)
        self.client.transfers_received += 1
        if not self._pieces:
            self._check(delivery, settled)
            if not more:
                return self._take(data, payload_at, end)
        self._pieces += data[payload_at:end]
        if not more:
            pieces, self._pieces = self._pieces, bytearray()
            self._take(pieces, 0, len(pieces))
        return None

    def _check(self, delivery: int | None, settled: bool) -> None:
        """The first frame of a delivery has to fit what was asked for."""
        if not self._arrived:
            self._first_delivery = delivery or 0
        if delivery != self._first_delivery + self._arrived:
            raise PeerError(f"delivery-id {delivery} is not the one that follows")
        if settled != (self._settle == "delete"):
            raise PeerError(f"delivery {delivery} came {'settled' if settled else 'unsettled'}")

    def _take(self, data: bytearray, start: int, end: int) -> None:
        """Check the body that ends a payload and count the message."""
        number_at = end - NUMBER_BYTES
        if data[max(start, number_at - len(self._filler)) : number_at] != self._filler:
            raise PeerError(f"message {self._arrived} has another body than was sent")
        self.checksum += NUMBER.unpack_from(data, number_at)[0]
        self._arrived += 1

    def _on_disposition(self, data: bytearray, body: int) -> None:
        first, last, settled, outcome = disposition_at(data, body)
        if outcome not in (wire.ACCEPTED, None) or not settled:
            raise PeerError(f"deliveries {first} to {last} were not completed: outcome {outcome}")
        self._finish(first - self._first_delivery, last - self._first_delivery)
