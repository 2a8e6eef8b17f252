"""Queues that are made, changed and deleted while clients use them.

What is written takes effect with its commit: until then everybody uses the queue as it was, and if the commit fails
nothing has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.model import EntityDescription, EntityRecord
    from localzure_storage.store import Writer


def create_queue(broker: Broker, writer: Writer, name: str, description: EntityDescription) -> EntityRecord:
    """Make a queue. Raises ServiceBusError (ENTITY_EXISTS)."""
    record = broker.entities.create_queue(writer, name, description, broker.now())
    # Somebody may have found it before its commit.
    broker.after_commit(broker.arm_next, lambda _error: broker.entities.forget(record))
    return record


def update_queue(broker: Broker, writer: Writer, record: EntityRecord, description: EntityDescription) -> EntityRecord:
    """Give a queue other properties; links that these do not allow are closed."""
    updated = broker.entities.update_queue(writer, record, description, broker.now())

    def done() -> None:
        broker.entities.apply(updated)
        broker.on_changed(updated)
        broker.arm_next()

    broker.after_commit(done, lambda _error: None)
    return updated


def delete_queue(broker: Broker, writer: Writer, record: EntityRecord) -> None:
    """Delete a queue with its sub-queues and all messages; its links are closed."""
    broker.entities.delete_queue(writer, record)

    def done() -> None:
        broker.entities.forget(record)
        broker.on_deleted(record)

    broker.after_commit(done, lambda _error: None)
