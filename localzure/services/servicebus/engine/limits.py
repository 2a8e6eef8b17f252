"""What a queue takes: by its status, by the size of one message, and by the room that is left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityStatus

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn


def require_sendable(queue: Queue, entity: str) -> None:
    """Raise ServiceBusError where nothing can be sent to `queue`, whose address is `entity`."""
    if queue.topic is not None and not queue.is_sub_queue:
        raise ServiceBusError(
            ErrorCode.NOT_ALLOWED, detail=f"Nothing can be sent to the subscription '{entity}', but to its topic."
        )
    if queue.is_sub_queue:
        raise ServiceBusError(ErrorCode.NOT_ALLOWED, detail=f"Nothing can be sent to the dead-letter queue '{entity}'.")
    if queue.description.status in {EntityStatus.DISABLED, EntityStatus.SEND_DISABLED}:
        raise ServiceBusError(ErrorCode.ENTITY_DISABLED, entity=entity)


def require_room(turn: Turn, queue: Queue, size: int) -> None:
    """Raise ServiceBusError (ENTITY_FULL) where `size` bytes more would be too much for `queue`.

    The dead letters of a queue count for it, as in Azure.
    """
    limit = queue.description.max_size_megabytes * 1024 * 1024
    stored = turn.counters(queue).bytes
    if queue.dead_letter is not None:
        stored += turn.bytes_of(queue.dead_letter)
    if stored + size > limit:
        raise ServiceBusError(ErrorCode.ENTITY_FULL, entity=queue.path, limit=limit)


def size_limit(queue: Queue) -> int:
    """Bytes of the largest message, or batch, that `queue` takes."""
    return queue.description.max_message_size_kilobytes * 1024


def too_large(queue: Queue, size: int) -> ServiceBusError:
    """The refusal of a message of `size` bytes."""
    return ServiceBusError(ErrorCode.MESSAGE_TOO_LARGE, size=size, limit=size_limit(queue))
