"""Messages that clients send: single ones, batches, and those that they schedule.

Everything that can be refused is refused before the first write, so a batch is taken whole or not at all and a message
that is refused takes nothing with it.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from localzure.services.servicebus.engine.admission import admit
from localzure.services.servicebus.engine.counts import SENT
from localzure.services.servicebus.engine.fan_out import is_taken
from localzure.services.servicebus.engine.forwarding import store
from localzure.services.servicebus.engine.limits import require_room, size_limit, too_large
from localzure.services.servicebus.engine.topics import Topic
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.codec import AmqpDecodeError
from localzure_protocols.amqp.message import BATCH_FORMAT, split, split_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.engine.admission import Admitted
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn

BATCH_MESSAGES_MAX = 4500
"""Most messages in one batch; Azure has the same bound on what one send may hold."""


def send(turn: Turn, queue: Queue, message_format: int, payload: bytes, entropy: Entropy) -> None:
    """Store the message, or all messages of the batch, that a client sent to `queue`.

    Raises ServiceBusError, and has written nothing then.
    """
    admitted = _admitted(queue, message_format, payload, turn.now, entropy)
    require_room(turn, queue, len(payload))
    if isinstance(queue, Topic) and queue.description.filtering_messages_before_publishing:
        _require_taken(turn, queue, admitted)
    turn.counted += SENT * len(admitted)
    for each in admitted:
        store(turn, queue, each)


def admit_all(turn: Turn, queue: Queue, message_format: int, payload: bytes) -> list[Admitted]:
    """The messages of what a client sent, as `queue` would take them; nothing is stored. Raises ServiceBusError."""
    return _admitted(queue, message_format, payload, turn.now, turn.entropy)


def _admitted(queue: Queue, message_format: int, payload: bytes, now: int, entropy: Entropy) -> list[Admitted]:
    if len(payload) > size_limit(queue):
        raise too_large(queue, len(payload))
    try:
        sections = split(payload)
        if message_format != BATCH_FORMAT:
            return [admit(sections, queue.description, now, entropy)]
        messages = split_batch(sections)
        if len(messages) > BATCH_MESSAGES_MAX:
            raise ServiceBusError(
                ErrorCode.ARGUMENT_OUT_OF_RANGE, detail=f"A batch holds up to {BATCH_MESSAGES_MAX} messages."
            )
        return [admit(split(message), queue.description, now, entropy) for message in messages]
    except AmqpDecodeError as error:
        raise ServiceBusError(ErrorCode.MESSAGE_MALFORMED, detail=error) from None


def _require_taken(turn: Turn, topic: Topic, admitted: Sequence[Admitted]) -> None:
    """Raise ServiceBusError where no subscription takes a message that is to be given out now."""
    if not all(each.scheduled_at or is_taken(turn, topic, each.value) for each in admitted):
        raise ServiceBusError(ErrorCode.NO_MATCHING_SUBSCRIPTION, entity=topic.path)


def schedule(
    turn: Turn, queue: Queue, messages: Sequence[bytes], entropy: Entropy, numbers: Sequence[int] = ()
) -> list[int]:
    """Store encoded messages that say themselves when they are to be enqueued; returns their numbers.

    `numbers` are those that were taken for them before. Raises ServiceBusError, and has written nothing then.
    """
    admitted: list[Admitted] = []
    for message in messages:
        if len(message) > size_limit(queue):
            raise too_large(queue, len(message))
        try:
            admitted.append(admit(split(message), queue.description, turn.now, entropy))
        except AmqpDecodeError as error:
            raise ServiceBusError(ErrorCode.MESSAGE_MALFORMED, detail=error) from None
    require_room(turn, queue, sum(map(len, messages)))
    turn.counted += SENT * len(admitted)
    return [store(turn, queue, each, number) for each, number in zip(admitted, numbers or repeat(0), strict=False)]
