"""Entities that are made, changed and deleted while clients use them.

What is written takes effect with its commit: until then everybody uses the entity as it was, and if the commit fails
nothing has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.engine.quotas import (
    require_room_for_entity,
    require_room_for_rule,
    require_room_for_subscription,
)
from localzure.services.servicebus.engine.rule_storage import put_rule, require_good

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.model import EntityDescription, EntityRecord
    from localzure.services.servicebus.rules.model import Rule
    from localzure_storage.store import Writer


def create_queue(broker: Broker, writer: Writer, name: str, description: EntityDescription) -> EntityRecord:
    """Make a queue. Raises ServiceBusError (ENTITY_EXISTS, QUOTA_EXCEEDED)."""
    require_room_for_entity(broker.quotas, broker.keys, writer)
    return _created(broker, broker.entities.create_queue(writer, name, description, broker.now()))


def create_topic(broker: Broker, writer: Writer, name: str, description: EntityDescription) -> EntityRecord:
    """Make a topic. Raises ServiceBusError (ENTITY_EXISTS, QUOTA_EXCEEDED)."""
    require_room_for_entity(broker.quotas, broker.keys, writer)
    return _created(broker, broker.entities.create_topic(writer, name, description, broker.now()))


def create_subscription(
    broker: Broker, writer: Writer, topic: EntityRecord, name: str, description: EntityDescription, rule: Rule
) -> EntityRecord:
    """Make a subscription with its first rule. Raises ServiceBusError (ENTITY_EXISTS, ARGUMENT, QUOTA_EXCEEDED)."""
    require_good(rule, broker.entropy)
    require_room_for_subscription(broker.quotas, broker.keys, writer, topic)
    if broker.quotas is not None:
        siblings = broker.entities.subscription_ids(writer, topic)
        require_room_for_rule(broker.quotas, broker.keys, writer, siblings, rule)
    record = broker.entities.create_subscription(writer, topic, name, description, broker.now())
    put_rule(writer, broker.keys, record, rule)
    return _created(broker, record)


def _created(broker: Broker, record: EntityRecord) -> EntityRecord:
    def done() -> None:
        broker.entities.subscriptions_changed(record)
        broker.arm_next()

    # Somebody may have found it before its commit.
    broker.after_commit(done, lambda _error: broker.entities.forget(record))
    return record


def update_entity(broker: Broker, writer: Writer, record: EntityRecord, description: EntityDescription) -> EntityRecord:
    """Give an entity other properties; links that these do not allow are closed."""
    updated = broker.entities.update(writer, record, description, broker.now())

    def done() -> None:
        broker.entities.apply(updated)
        broker.on_changed(updated)
        broker.arm_next()

    broker.after_commit(done, lambda _error: None)
    return updated


def delete_entity(broker: Broker, writer: Writer, record: EntityRecord) -> None:
    """Delete an entity with its sub-queues, subscriptions and all messages; its links are closed."""
    broker.entities.delete(writer, record)

    def done() -> None:
        broker.entities.forget(record)
        broker.on_deleted(record)

    broker.after_commit(done, lambda _error: None)
