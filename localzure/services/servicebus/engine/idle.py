"""Queues that are deleted when nobody has used them for a while.

Sending, receiving, peeking and changing the queue are use, and so are scheduled messages and somebody who waits for
messages. When a queue was used is remembered in memory and written with its messages only, so the time that the server
was down counts as use too: a queue is rather deleted late than by mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.keys import DueKind

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn


def delete_if_idle(broker: Broker, turn: Turn, queue: Queue) -> None:
    """Delete `queue` with its sub-queues if it has not been used; else have it looked at again when that may be so."""
    record, patience = queue.record, queue.description.auto_delete_on_idle
    if patience >= FOREVER:
        return
    idle_at = _used_at(broker, turn, queue) + patience
    if idle_at > turn.now:
        turn.put_due(idle_at, DueKind.IDLE, queue.queue_id, 0)
        return

    def done() -> None:
        broker.entities.forget(record)
        broker.on_deleted(record)

    broker.entities.delete(turn.writer, record)
    turn.then(done)


def _used_at(broker: Broker, turn: Turn, queue: Queue) -> int:
    """When the entity, or one of its sub-queues or subscriptions, was used last."""
    entities = broker.entities
    records, in_use = [queue.record], entities.in_use(queue.record)
    if queue.is_topic:
        records += entities.subscriptions(turn.writer, queue.record)
        in_use += entities.subscriptions_in_use(queue.record)
    counters = [entities.counters_of(turn.writer, record) for record in records]
    if any(each[SubQueue.NONE].scheduled for each in counters) or any(broker.is_awaited(each) for each in in_use):
        return turn.now
    stored = [each.accessed_at for of_record in counters for each in of_record.values()]
    made = [record.updated_at for record in records]
    return max(*made, broker.started_at, *stored, *(each.accessed_at for each in in_use))
