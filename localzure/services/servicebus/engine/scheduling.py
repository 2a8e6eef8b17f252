"""Scheduled messages: enqueued when their time has come, or cancelled before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.engine.admission import readmit
from localzure.services.servicebus.engine.dead_letters import dead_letter
from localzure.services.servicebus.engine.forwarding import enqueue
from localzure.services.servicebus.engine.reasons import DESCRIPTION, REASON
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import DueKind
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.properties import MESSAGE_KILOBYTES_MAX
from localzure.services.servicebus.record import scheduled_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn


def cancel(turn: Turn, queue: Queue, numbers: Sequence[int]) -> None:
    """Delete scheduled messages. All or none: raises ServiceBusError (MESSAGE_NOT_FOUND) where one is missing."""
    for sequence_number, value in find_scheduled(turn, queue, numbers).items():
        turn.remove(queue, MessageState.SCHEDULED, sequence_number, len(value), 0)
        turn.delete_due(scheduled_time(value), DueKind.SCHEDULED, queue.queue_id, sequence_number)


def find_scheduled(turn: Turn, queue: Queue, numbers: Sequence[int]) -> dict[int, bytes]:
    """Scheduled messages by number. Raises ServiceBusError (MESSAGE_NOT_FOUND) where one is missing."""
    found = {}
    for sequence_number in numbers:
        value = turn.writer.get(queue.message_key(MessageState.SCHEDULED, sequence_number))
        if value is None:
            raise ServiceBusError(ErrorCode.MESSAGE_NOT_FOUND)
        found[sequence_number] = value
    return found


def activate(turn: Turn, queue: Queue, sequence_number: int) -> None:
    """The time of a scheduled message has come: it gets a new number, and its time to live begins."""
    value = turn.writer.get(queue.message_key(MessageState.SCHEDULED, sequence_number))
    if value is None:
        return
    description = queue.description
    if queue.is_topic:
        # It has no dead letters, and has taken the message.
        description = msgspec.structs.replace(description, max_message_size_kilobytes=MESSAGE_KILOBYTES_MAX)
    try:
        admitted = readmit(value, description, turn.now, turn.entropy, 0, {})
    except ServiceBusError as error:
        # The queue takes only smaller ones by now.
        reasons = {REASON: error.condition, DESCRIPTION: error.text}
        dead_letter(turn, queue, MessageState.SCHEDULED, sequence_number, value, reasons, 0)
        return
    turn.remove(queue, MessageState.SCHEDULED, sequence_number, len(value), 0)
    enqueue(turn, queue, admitted.value, admitted.expires_at)
