"""Whatever a client sends and whatever the service commands, a connection raises nothing, says whole frames and at
most one CLOSE, keeps its books, and the process lives.

    python -m tests.fuzz.amqp_connection_harness SEED ROUNDS [CANARY]

Each round is one connection: a client that mostly keeps to the protocol and sometimes does not, and a service that
answers at random, late, twice, or never. Prints what happened, as a digest to compare runs by.
"""

from __future__ import annotations

import random  # noqa: TID251 - a run is told apart by its seed
import sys
from collections import Counter
from typing import Any
from zlib import crc32

from cproton import ffi, lib

from localzure_protocols.amqp import frames
from localzure_protocols.amqp.codec import Described, MapPairs, Symbol, Uint, Ulong
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    AmqpError,
    AmqpEvent,
    ConnectionClosed,
    ConnectionOpened,
    Declared,
    Link,
    LinkAttached,
    LinkDetached,
    LinkFlow,
    MessageReceived,
    Modified,
    Outcome,
    OutcomeReceived,
    Rejected,
    TransactionalState,
)
from localzure_protocols.amqp.frames import AMQP_HEADER
from tests.protocols.amqp_peers import attach_frame, begin_frame, frame, open_frame, read_frames, transfer_frame

CHANNELS = [0, 0, 0, 1, 2, 4999]
HANDLES = [0, 1, 2, 3, 4, 300]
NAMES = ["a", "b", "ab", "", "$cbs", "é" * 40]
CREDITS = [0, 1, 2, 10, 1000, 2**31 - 1, 2**31, 2**32 - 1]
ERROR = Described(Ulong(0x1D), [Symbol("a:b"), "text", {Symbol("k"): [1, "two"]}])
STATES = [
    None,
    Described(Ulong(0x24), []),
    Described(Ulong(0x24), []),
    Described(Ulong(0x26), []),
    Described(Ulong(0x23), [Uint(1), Ulong(2)]),
    Described(Ulong(0x25), [ERROR]),
    Described(Ulong(0x25), [None]),
    Described(Ulong(0x27), [True, None, {Symbol("k"): Described(Symbol("d"), 1)}]),
    Described(Ulong(0x33), [b"txn"]),
    Described(Ulong(0x34), [b"txn", Described(Ulong(0x24), [])]),
    Described(Ulong(0x34), [b"txn"]),
]
ODD_STATES = [
    Described(Ulong(0x27), [True, None, MapPairs([([], 1), ({}, 2)])]),
    Described(Ulong(0x25), ["no error"]),
    Described(Ulong(0x99), []),
    Described(Symbol("amqp:accepted:list"), []),
    "text",
]
OUTCOMES: list[Outcome] = [
    ACCEPTED,
    ACCEPTED,
    RELEASED,
    Rejected(),
    Rejected(AmqpError("a:b", "text" * 50, {"k": {"deep": [1, None]}})),
    Modified(delivery_failed=True, undeliverable_here=True, message_annotations={"k": 1}),
    Declared(b"txn"),
    TransactionalState(b"txn", Rejected(AmqpError("a:b"))),
]


class Client:
    """Writes frames that are mostly in order, by books that are as bad as a bad client's.

    It looks into the server's links for credit, because a client without credit can only break the protocol.
    """

    def __init__(self, dice: random.Random, core: AmqpConnection) -> None:
        self.dice = dice
        self.core = core
        self.oddness = dice.choice([0.0, 0.0, 0.003, 0.02])
        """How often it does what it should not."""
        self.sessions: dict[int, dict[int, bool]] = {}
        """Channel: handle: whether the client sends on it."""
        self.next_ids: Counter[int] = Counter()
        self.inside: set[tuple[int, int]] = set()

    def odd(self, share: float | None = None) -> bool:
        return self.dice.random() < (self.oddness if share is None else share)

    def frame(self) -> bytes:
        dice = self.dice
        channel = dice.choice(list(self.sessions)) if self.sessions and not self.odd() else dice.choice(CHANNELS)
        writers = [self.transfer] * 12 + [self.flow] * 5 + [self.disposition] * 5 + [self.attach] * 3
        writers += [self.detach, self.detach, self.begin]
        if self.odd(0.1):
            writers.append(self.end)
        if channel not in self.sessions and not self.odd():
            return self.begin(channel)
        if len(self.sessions.get(channel, {})) < 2 and not self.odd(0.1):
            return self.attach(channel)
        raw = dice.choice(writers)(channel)
        if self.odd(0.002):
            raw = frame(0, frames.CLOSE, dice.choice([None, ERROR]))
        if self.odd():
            data = bytearray(raw)
            for _ in range(dice.randrange(1, 4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            raw = bytes(data)
        return raw

    def begin(self, channel: int) -> bytes:
        channel = self.dice.choice(CHANNELS) if self.odd(0.3) else channel
        if channel in self.sessions and not self.odd():
            return b"\x00\x00\x00\x08\x02\x00\x00\x00"
        self.sessions[channel] = {}
        self.next_ids[channel] = 0
        return begin_frame(channel, self.dice.choice([0, 1, 5, 2048, 2**32 - 1]))

    def end(self, channel: int) -> bytes:
        self.sessions.pop(channel, None)
        self.inside = {key for key in self.inside if key[0] != channel}
        return frame(channel, frames.END, self.dice.choice([None, None, ERROR]))

    def attach(self, channel: int) -> bytes:
        links = self.sessions.setdefault(channel, {})
        free = [handle for handle in HANDLES if handle not in links]
        handle = self.dice.choice(free) if free and not self.odd() else self.dice.choice([*HANDLES, 5000, 2**32 - 1])
        links[handle] = is_sender = self.dice.random() < 0.5
        terminus = self.dice.choice(["q", None, Described(Ulong(0x29 if is_sender else 0x28), []), "a" * 300])
        source, target = ("s", terminus) if is_sender else (terminus, "t")
        if self.odd(0.05):
            target = Described(Ulong(0x30), [Symbol("cap")])
        return attach_frame(
            self.dice.choice(NAMES), handle, is_sender=is_sender, channel=channel, source=source, target=target
        )

    def handle(self, channel: int, *, is_sender: bool | None = None) -> int:
        fitting = [
            handle
            for handle, sends in self.sessions.get(channel, {}).items()
            if is_sender is None or sends == is_sender
        ]
        return self.dice.choice(fitting) if fitting and not self.odd() else self.dice.choice(HANDLES)

    def sending_handle(self, channel: int) -> int | None:
        """A handle with credit, or any one that the client has."""
        if self.odd():
            return self.handle(channel, is_sender=True)
        session = self.core._links.sessions.get(channel)
        fitting = [
            handle
            for handle, attachment in (session.links.items() if session is not None else ())
            if self.sessions[channel].get(handle)
            and (attachment.is_ending or (attachment.is_receiving and attachment.credit > 3))
        ]
        return self.dice.choice(fitting) if fitting else None

    def detach(self, channel: int) -> bytes:
        handle = self.handle(channel)
        self.sessions.get(channel, {}).pop(handle, None)
        self.inside.discard((channel, handle))
        return frame(channel, frames.DETACH, Uint(handle), self.dice.choice([True, False, None]))

    def flow(self, channel: int) -> bytes:
        dice = self.dice
        fields: list[Any] = [dice.choice([None, Uint(0), Uint(3), Uint(2**32 - 1)])]
        fields += [Uint(dice.choice([0, 1, 2048, 2**32 - 1])), Uint(dice.choice([0, 7])), Uint(2048)]
        if not self.odd(0.1):
            count = dice.choice([None, Uint(0), Uint(0), Uint(dice.randrange(20)), Uint(2**32 - 1)])
            fields += [Uint(self.handle(channel)), count, Uint(dice.choice(CREDITS)), None]
            fields += [dice.choice([None, False, False, True]), dice.choice([None, False, True])]
        return frame(channel, frames.FLOW, *fields)

    def transfer(self, channel: int) -> bytes:
        dice = self.dice
        handle = self.sending_handle(channel)
        if handle is None:
            return self.flow(channel)
        number = self.next_ids[channel] if not self.odd() else dice.randrange(50)
        payload = dice.choice([b"", b"x" * dice.randrange(300), b"x" * 3000])
        more = True if self.odd(0.2) else dice.choice([None, False])
        message_format = dice.choice([None, Uint(0), Uint(0), Uint(0x80013700), Uint(1)])
        rest: list[Any] = [
            bytes([dice.randrange(4)]) * dice.randrange(40),
            message_format,
            dice.choice([None, False, True]),
        ]
        rest += [more]
        if self.odd(0.1):
            rest += [None, dice.choice(STATES), None, dice.choice([None, True]), None]
        aborted = len(rest) > 7 and rest[7] is True
        if (channel, handle) in self.inside and dice.random() < 0.5:
            raw = transfer_frame(handle, None, payload, None, None, None, more, channel=channel)
            aborted = False
        else:
            if (channel, handle) in self.inside:
                number -= 1
            raw = transfer_frame(handle, number & 0xFFFFFFFF, payload, *rest, channel=channel)
        if (channel, handle) not in self.inside:
            self.next_ids[channel] += 1
        if more and not aborted:
            self.inside.add((channel, handle))
        else:
            self.inside.discard((channel, handle))
        return raw

    def disposition(self, channel: int) -> bytes:
        dice = self.dice
        first = dice.randrange(12)
        last = dice.choice([None, Uint(first), Uint(first + dice.randrange(6)), Uint(first + 2**31 - 2)])
        state = dice.choice(ODD_STATES) if self.odd() else dice.choice(STATES)
        role = dice.random() < 0.8
        return frame(channel, frames.DISPOSITION, role, Uint(first), last, dice.choice([None, False, True]), state)


class Service:
    """Commands at random, with old numbers and old links among them."""

    def __init__(self, dice: random.Random, core: AmqpConnection) -> None:
        self.dice = dice
        self.core = core
        self.links: list[Link] = []
        self.numbers: list[int] = [0, -1, 1 << 80]

    def react(self, event: AmqpEvent) -> None:
        match event:
            case LinkAttached(link):
                self.links.append(link)
                if self.dice.random() < 0.8:
                    self.accept(link)
            case MessageReceived() | OutcomeReceived():
                self.numbers.append(event.delivery)
                if self.dice.random() < 0.6:
                    self.core.settle(event.delivery, self.dice.choice(OUTCOMES))
            case LinkFlow(link):
                if link.drain and self.dice.random() < 0.7:
                    self.core.drained(link)
                self.deliver(link)
            case _:
                pass

    def accept(self, link: Link) -> None:
        self.core.accept_link(
            link, max_message_size=self.dice.choice([100, 4000, 262144]), properties={"k": 1}, source_filter={}
        )
        self.core.grant_credit(link, self.dice.choice([5, 100, 1000]))

    def deliver(self, link: Link) -> None:
        for _ in range(self.dice.randrange(5)):
            payload = [b"h" * self.dice.randrange(20), b"x" * self.dice.choice([0, 10, 1000, 100_000])]
            tag = bytes([self.dice.randrange(256)]) * self.dice.randrange(33)
            number = self.core.deliver(link, tag, payload, settled=self.dice.random() < 0.3)
            if number:
                self.numbers.append(number)

    def act(self) -> None:
        dice, core = self.dice, self.core
        if not self.links:
            return
        link = dice.choice(self.links)
        error = dice.choice([None, AmqpError("a:b"), AmqpError("a:b", "text", {"k": 1})])
        match dice.randrange(12):
            case 0:
                core.detach_link(link, error)
            case 1:
                core.refuse_link(link, error or AmqpError("amqp:not-found"))
            case 2:
                self.accept(link)
            case 3:
                core.send_flow(link)
            case 4:
                core.drained(link)
            case 5 | 6:
                self.deliver(link)
            case 7:
                core.grant_credit(link, dice.choice([1, 50]))
            case 8 if dice.random() < 0.02:
                core.close(error)
            case _:
                for number in dice.choices(self.numbers, k=5):
                    core.settle(number, dice.choice(OUTCOMES))


def check(core: AmqpConnection, said: bytes) -> None:
    """What must hold at every moment."""
    codes = [answer.code for answer in read_frames(said)]
    assert codes.count(frames.OPEN) <= 1
    assert frames.CLOSE not in codes[:-1]
    assert core.is_finished or frames.CLOSE not in codes
    links = core._links
    if core.is_finished:
        assert core.receive(begin_frame(3)) == []
        assert core.data_to_send() == []
        return
    # DETACH may have to wait for messages that the client's window holds back.
    assert links.frames_due == sum(attachment.frames_due for attachment in links.by_number.values())
    assert links.held_bytes == sum(attachment.pieces_size for attachment in links.by_number.values())
    assert len(links.by_handle) == sum(len(session.links) for session in links.sessions.values())
    assert len(links.by_number) == len(core._engine._links) == len(core._engine._links_by_pointer)
    for attachment in links.by_number.values():
        assert not attachment.engine.expected
        assert len(attachment.engine.numbers) in {0, len(attachment.engine.live)}
        assert attachment.link.is_open == (attachment.answer is not None and not attachment.is_ending)


def run(seed: int, canary: str | None = None) -> tuple[Counter[str], int]:
    """One connection; returns what happened, and a digest of what was said."""
    dice = random.Random(seed)
    core = AmqpConnection("server")
    client, service = Client(dice, core), Service(dice, core)
    happened: Counter[str] = Counter()
    said, pending = b"", AMQP_HEADER + open_frame(product=dice.choice(["azsdk-python-x", "other"]))
    for _ in range(dice.randrange(5, 150)):
        pending += b"".join(client.frame() for _ in range(dice.randrange(1, 8)))
        cut = len(pending) if dice.random() < 0.6 else dice.randrange(len(pending) + 1)
        events, pending = core.receive(pending[:cut]), pending[cut:]
        for event in events:
            happened[type(event).__name__] += 1
            service.react(event)
        for _ in range(dice.randrange(3)):
            service.act()
        if dice.random() < 0.8:
            said += b"".join(core.data_to_send())
            if canary == "lost-frame":
                said = said[:-3]
            if canary == "double-close" and core.is_finished:
                said += frame(0, frames.CLOSE)
            check(core, said)
        if core.is_finished:
            break
    if canary == "dead-pointer":
        lib.pn_delivery_settle(ffi.cast("pn_delivery_t *", 64))
    return happened, crc32(said)


def main(arguments: list[str]) -> None:
    """Run rounds from a seed, and say what they held."""
    seed, rounds, canary = int(arguments[0]), int(arguments[1]), arguments[2] if len(arguments) > 2 else None
    total: Counter[str] = Counter()
    digest = 0
    for number in range(rounds):
        try:
            happened, said = run(seed + number, canary)
        except BaseException:
            sys.stdout.write(f"round of seed {seed + number}\n")
            raise
        total += happened
        digest = crc32(said.to_bytes(4, "big"), digest)
    sys.stdout.write(f"{dict(total)} digest {digest:08x}\n")
    if canary is not None:
        sys.stdout.write("nothing was noticed\n")
    everything = {ConnectionOpened, LinkAttached, LinkDetached, LinkFlow, MessageReceived, OutcomeReceived}
    missing = {kind.__name__ for kind in everything | {ConnectionClosed}} - total.keys()
    assert rounds < 100 or not missing, f"never happened: {missing}"


if __name__ == "__main__":
    main(sys.argv[1:])
