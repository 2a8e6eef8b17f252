"""Emptying a queue, and giving dead letters another chance: what an owner does by hand, in steps of bounded work.

What somebody holds a lock on is left alone: it is theirs to settle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localzure.services.servicebus.engine.admission import readmit
from localzure.services.servicebus.engine.forwarding import enqueue
from localzure.services.servicebus.engine.limits import require_room
from localzure.services.servicebus.engine.reasons import DESCRIPTION, REASON
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import DueKind, sequence_number_of
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.record import (
    decode_fixed,
    decode_record,
    encode_record,
    scheduled_time,
    with_application_properties,
)

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn

STEP_MESSAGES_MAX = 500
"""Messages that one step looks at: a few milliseconds of work."""

STEP_BYTES_MAX = 2 * 1024 * 1024
"""Bytes after which a step ends early."""


class Place(NamedTuple):
    """Where the next step goes on."""

    state: MessageState
    number: int
    last: int
    """The last number that there was at the first step: what comes later stays, or there might be no end."""


def start(turn: Turn, queue: Queue) -> Place:
    """Where the first step begins."""
    return Place(MessageState.ACTIVE, 0, turn.counters(queue).last_sequence_number)


class Step(NamedTuple):
    """What one step has done."""

    done: int
    following: Place | None
    """None when there is nothing more to look at."""


def purge(turn: Turn, queue: Queue, place: Place) -> Step:
    """Delete what stands in a queue from `place` on, in whatever state. Raises ServiceBusError (NOT_ALLOWED)."""
    if queue.is_topic:
        raise ServiceBusError(
            ErrorCode.NOT_ALLOWED, detail=f"The topic '{queue.path}' holds no messages: its subscriptions do."
        )
    found, following = _look(turn, queue, place)
    for sequence_number, value in found:
        expires_at = decode_fixed(value).expires_at if place.state is not MessageState.SCHEDULED else 0
        if place.state is MessageState.ACTIVE:
            turn.handed_out(queue, sequence_number)
        turn.remove(queue, place.state, sequence_number, len(value), expires_at)
        if place.state is MessageState.SCHEDULED:
            turn.delete_due(scheduled_time(value), DueKind.SCHEDULED, queue.queue_id, sequence_number)
    if following is None and place.state is not MessageState.SCHEDULED:
        following = Place(MessageState(place.state + 1), 0, place.last)
    return Step(len(found), following)


def requeue(turn: Turn, queue: Queue, dead_letters: Queue, place: Place) -> Step:
    """Move dead letters from `place` on back into `queue`, as new messages without the reason that they had.

    Raises ServiceBusError (ENTITY_FULL, MESSAGE_TOO_LARGE); nothing of the step is done then.
    """
    found, following = _look(turn, dead_letters, place)
    moved = []
    for sequence_number, stored in found:
        value = dead_letters.whole(turn.writer, stored)
        record = with_application_properties(decode_record(value), {}, frozenset({REASON, DESCRIPTION}))
        record.delivery_count = 0
        original = record.enqueue_sequence_number or sequence_number
        admitted = readmit(encode_record(record), queue.description, turn.now, turn.entropy, original, {})
        moved.append((sequence_number, stored, admitted))
    require_room(turn, queue, sum(len(admitted.value) for _, _, admitted in moved))
    for sequence_number, stored, admitted in moved:
        turn.handed_out(dead_letters, sequence_number)
        turn.remove(dead_letters, MessageState.ACTIVE, sequence_number, len(stored), decode_fixed(stored).expires_at)
        # Not by `forwarding.store`, which would take it for a duplicate of itself.
        enqueue(turn, queue, admitted.value, admitted.expires_at)
    return Step(len(moved), following)


def _look(turn: Turn, queue: Queue, place: Place) -> tuple[list[tuple[int, bytes]], Place | None]:
    """A step's messages that nobody holds, and where the next step of the same state begins."""
    found: list[tuple[int, bytes]] = []
    size = 0
    bounds = queue.message_range(place.state, place.number, place.last)
    for seen, (key, value) in enumerate(turn.writer.scan(*bounds)):
        sequence_number = sequence_number_of(key)
        if seen >= STEP_MESSAGES_MAX or size >= STEP_BYTES_MAX:
            return found, Place(place.state, sequence_number, place.last)
        size += len(value)
        if queue.locks.of(sequence_number) is None:
            found.append((sequence_number, value))
    return found, None
