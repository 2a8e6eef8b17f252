"""Where a message goes that was taken: into the queue, or on to the entity that the queue forwards to.

Forwarding happens in the turn that takes the message, so its sender is answered when it is where it belongs. In the
queue that forwards it the message uses up a sequence number, which stays visible as enqueue sequence number. What a
queue holds when forwarding is switched on, or gets back from a receiver's lock, is moved in bounded steps.

A message that cannot be forwarded (too many hops, the other entity is missing, disabled, full, or does not take it)
becomes a dead letter of the queue that forwards; a dead letter that cannot be forwarded stays where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.addresses import SubQueue, parse_address
from localzure.services.servicebus.engine.admission import readmit
from localzure.services.servicebus.engine.duplicates import detects_duplicates, digest_of, original_of, remember
from localzure.services.servicebus.engine.limits import require_room, require_sendable
from localzure.services.servicebus.engine.reasons import BECAUSE_OF_HOPS, DESCRIPTION, HOPS_MAX, REASON
from localzure.services.servicebus.engine.topics import Topic
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import DueKind, sequence_number_of
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.record import (
    DEAD_LETTER_SOURCE,
    HOP_COUNT,
    annotation,
    decode_fixed,
    decode_record,
    encode_record,
    with_application_properties,
)
from localzure_protocols.amqp.codec import Int

if TYPE_CHECKING:
    from localzure.services.servicebus.addresses import EntityAddress
    from localzure.services.servicebus.engine.admission import Admitted
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn

STEP_MAX = 200
"""Messages that are moved at once."""

_LAST_NUMBER = 2**63 - 2


def store(turn: Turn, queue: Queue, admitted: Admitted, number: int = 0) -> int:
    """Take a message that was admitted to `queue`; returns its number, of a duplicate the number of the original.

    `number` is one that was taken before for a message that is scheduled.
    """
    if not detects_duplicates(queue):
        return _store(turn, queue, admitted, number)
    digest = digest_of(queue, admitted.value)
    original = original_of(turn, queue, digest)
    if original is not None:
        return original
    sequence_number = _store(turn, queue, admitted, number)
    remember(turn, queue, digest, sequence_number)
    return sequence_number


def enqueue(turn: Turn, queue: Queue, value: bytes, expires_at: int) -> int:
    """Add a message to `queue`, or move it on; returns the number that it gets, or would have got, in `queue`.

    What a topic takes goes to its subscriptions at the end of the turn.
    """
    if isinstance(queue, Topic):
        return turn.publish(queue, value)
    if not queue.forwards_to:
        return turn.append(queue, value, expires_at)
    sequence_number = turn.take_number(queue)
    error = _forward(turn, queue, sequence_number, value)
    if error is None:
        return sequence_number
    if queue.dead_letter is None:
        turn.insert(queue, sequence_number, value, expires_at)
    else:
        enqueue(turn, queue.dead_letter, _buried(value, sequence_number, error), 0)
    return sequence_number


def move_on(turn: Turn, queue: Queue, first: int) -> None:
    """Move messages of `queue`, numbers `first` and up, to where it forwards to: a step of them, then the next."""
    if not queue.forwards_to:
        return
    found = list(turn.writer.scan(*queue.message_range(MessageState.ACTIVE, first, _LAST_NUMBER), limit=STEP_MAX))
    locks = []
    for key, value in found:
        sequence_number = sequence_number_of(key)
        lock = queue.locks.of(sequence_number)
        if lock is None:
            _move_one(turn, queue, sequence_number, value)
        else:
            locks.append(lock)
    if locks:
        # A lock that is settled so that the message comes back asks for another step by itself.
        until = min(lock.deadline for lock in locks)
        turn.put_due(until, DueKind.TRANSFER, queue.queue_id, min(lock.sequence_number for lock in locks))
    if len(found) == STEP_MAX:
        turn.put_due(turn.now, DueKind.TRANSFER, queue.queue_id, sequence_number_of(found[-1][0]) + 1)


def destination_at(turn: Turn, address: EntityAddress) -> Queue:
    """The entity at `address`, which something can be sent to. Raises ServiceBusError."""
    queue = turn.entities.find(turn.writer, address)
    if queue is None:
        raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=address.path)
    require_sendable(queue, address.path)
    return queue


def _store(turn: Turn, queue: Queue, admitted: Admitted, number: int) -> int:
    if admitted.scheduled_at:
        return turn.schedule(queue, admitted.value, admitted.scheduled_at, number)
    return enqueue(turn, queue, admitted.value, admitted.expires_at)


def _move_one(turn: Turn, queue: Queue, sequence_number: int, value: bytes) -> None:
    fixed = decode_fixed(value)
    error = _forward(turn, queue, sequence_number, value)
    if error is not None:
        if queue.dead_letter is None:
            return
        enqueue(turn, queue.dead_letter, _buried(value, sequence_number, error), 0)
    turn.handed_out(queue, sequence_number)
    turn.remove(queue, MessageState.ACTIVE, sequence_number, len(value), fixed.expires_at)


def _forward(turn: Turn, queue: Queue, sequence_number: int, value: bytes) -> dict[str, str] | None:
    """Store a message where `queue` forwards to; returns why that cannot be, and has done nothing then."""
    hops = annotation(value, HOP_COUNT) or 0
    if hops >= HOPS_MAX:
        return BECAUSE_OF_HOPS
    target = parse_address(queue.forwards_to)
    annotations: dict[str, Any] = {HOP_COUNT: Int(hops + 1)}
    if queue.sub_queue is SubQueue.DEAD_LETTER:
        annotations[DEAD_LETTER_SOURCE] = queue.record.name
    try:
        destination = destination_at(turn, target)
        value = queue.whole(turn.writer, value)
        require_room(turn, destination, len(value))
        original = decode_fixed(value).enqueue_sequence_number or sequence_number
        admitted = readmit(value, destination.description, turn.now, turn.entropy, original, annotations)
    except ServiceBusError as error:
        return {REASON: error.condition, DESCRIPTION: error.text}
    store(turn, destination, admitted)
    return None


def _buried(value: bytes, sequence_number: int, reasons: dict[str, str]) -> bytes:
    record = with_application_properties(decode_record(value), reasons)
    record.expires_at = 0
    record.enqueue_sequence_number = record.enqueue_sequence_number or sequence_number
    return encode_record(record)
