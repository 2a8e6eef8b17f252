"""`$management` with anything in its requests: an answer or one of Azure's errors, and the queue holds together."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from localzure.services.servicebus import operations
from localzure.services.servicebus.errors import ServiceBusError
from localzure.services.servicebus.operation import Request
from localzure.services.servicebus.operations import OPERATIONS
from localzure_protocols.amqp.codec import Array, Int, Symbol, Timestamp, Ubyte, Uint, encode
from tests.servicebus_world import World, message

LONGEST = 2**63
NUMBERS = st.one_of(st.integers(-3, 9), st.integers(-LONGEST, LONGEST - 1))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    st.integers(0, 2**32 - 1).map(Uint),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(0, 255).map(Ubyte),
    NUMBERS.map(Timestamp),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["completed", "abandoned", "defered", "suspended", "unlocked", "s", "b"]),
    st.text(alphabet=st.characters(codec="ascii"), max_size=5).map(Symbol),
    st.binary(max_size=5),
    st.uuids(),
)
MESSAGES = st.one_of(st.just(message()), st.just(message() + b"\x00"), st.binary(max_size=20))
ENTRIES = st.fixed_dictionaries(
    {"message": st.one_of(MESSAGES, SCALARS)}, optional={"message-id": SCALARS, "session-id": SCALARS}
)
ARRAYS = st.one_of(
    st.lists(NUMBERS, max_size=4).map(lambda items: Array(items, int)),
    st.lists(st.uuids(), max_size=4).map(lambda items: Array(items, UUID)),
)
VALUES = st.one_of(
    SCALARS,
    ARRAYS,
    st.lists(st.one_of(SCALARS, ENTRIES), max_size=4),
    st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), SCALARS, max_size=3),
)
KEYS = (
    *("from-sequence-number", "message-count", "session-id", "lock-tokens", "disposition-status", "deadletter-reason"),
    *("deadletter-description", "properties-to-modify", "sequence-numbers", "receiver-settle-mode", "messages"),
    *("session-state", "last-updated-time", "skip", "top", "enqueued-time-utc", "rule-name", "rule-description"),
)
BODIES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)


@settings(deadline=None)
@given(st.booleans(), st.lists(st.tuples(st.sampled_from(sorted(OPERATIONS)), BODIES), max_size=6), st.booleans())
def test_whatever_is_asked_is_answered(has_sessions: bool, asked: list[tuple[str, dict[str, Any]]], wait: bool) -> None:
    world = World()
    world.create(requires_session=has_sessions)
    queue = world.queue()
    if not has_sessions:
        world.send(queue, "a", "b")
        world.lock(queue, 1)
    for name, body in asked:
        with suppress(ServiceBusError), world.broker.turn() as turn:
            answer = operations.run(OPERATIONS[name], Request(world.broker, turn, queue, body))
            # What is answered can be written.
            encode(answer.body)
        world.commit()
    if wait:
        world.advance(120)
    counters = world.counters(queue)
    assert min(counters.active, counters.deferred, counters.scheduled, counters.bytes) >= 0
