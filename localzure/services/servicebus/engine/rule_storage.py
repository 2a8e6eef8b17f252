"""Where the rules of a subscription are kept, and how they change.

A change takes effect with its commit, for every message that is sent from then on.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from localzure.services.servicebus.engine.quotas import require_room_for_rule
from localzure.services.servicebus.engine.tallies import count_rule
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityStatus
from localzure.services.servicebus.rules.compile import compile_rule
from localzure.services.servicebus.rules.model import DEFAULT_RULE_NAME, Rule, RuleError, TrueFilter
from localzure.services.servicebus.rules.stored import decode_rule, encode_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure.services.servicebus.model import EntityRecord
    from localzure_storage.store import Reader, Writer


def default_rule(now: int) -> Rule:
    """The rule of a subscription that is made without one: it takes every message."""
    return Rule(DEFAULT_RULE_NAME, TrueFilter(), None, now)


def rules_of(reader: Reader, keys: ServiceBusKeys, subscription_id: int, skip: int = 0) -> Iterator[Rule]:
    """The rules of a subscription, ordered by name, without the first `skip`."""
    for _, value in islice(reader.scan(*keys.rule_range(subscription_id)), skip, None):
        yield decode_rule(value)


def rule_called(reader: Reader, keys: ServiceBusKeys, subscription_id: int, name: str) -> Rule | None:
    """The rule of that name, in any case."""
    value = reader.get(keys.rule(subscription_id, name))
    return None if value is None else decode_rule(value)


def put_rule(writer: Writer, keys: ServiceBusKeys, subscription: EntityRecord, rule: Rule) -> None:
    """Write a rule that is known to be good, in the place of one of the same name if there is one."""
    _drop(writer, keys, subscription, rule.name)
    writer.put(keys.rule(subscription.queue_id, rule.name), encode_rule(rule))
    count_rule(writer, keys, subscription, rule, 1)


def _drop(writer: Writer, keys: ServiceBusKeys, subscription: EntityRecord, name: str) -> bool:
    """Remove a rule; False where there is none."""
    rule = rule_called(writer, keys, subscription.queue_id, name)
    if rule is None:
        return False
    count_rule(writer, keys, subscription, rule, -1)
    return writer.delete(keys.rule(subscription.queue_id, name))


def add_rule(broker: Broker, writer: Writer, subscription: EntityRecord, rule: Rule) -> None:
    """Give a subscription another rule. Raises ServiceBusError (ENTITY_EXISTS, ARGUMENT, QUOTA_EXCEEDED)."""
    if writer.get(broker.keys.rule(subscription.queue_id, rule.name)) is not None:
        raise ServiceBusError(ErrorCode.ENTITY_EXISTS, entity=f"{subscription.name}/Rules/{rule.name}")
    if broker.quotas is not None and (topic := broker.entities.topic_of(writer, subscription)) is not None:
        siblings = broker.entities.subscription_ids(writer, topic)
        require_room_for_rule(broker.quotas, broker.keys, writer, siblings, rule)
    _store(broker, writer, subscription, rule)


def update_rule(broker: Broker, writer: Writer, subscription: EntityRecord, rule: Rule) -> Rule:
    """Have a rule say something else; returns it, with the time when it was made.

    Raises ServiceBusError (ENTITY_NOT_FOUND, ARGUMENT).
    """
    old = rule_called(writer, broker.keys, subscription.queue_id, rule.name)
    if old is None:
        raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=f"{subscription.name}/Rules/{rule.name}")
    updated = Rule(old.name, rule.filter, rule.action, old.created_at)
    _store(broker, writer, subscription, updated)
    return updated


def remove_rule(broker: Broker, writer: Writer, subscription: EntityRecord, name: str) -> None:
    """Take a rule away. Raises ServiceBusError (ENTITY_NOT_FOUND)."""
    if not _drop(writer, broker.keys, subscription, name):
        raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=f"{subscription.name}/Rules/{name}")
    _changed(broker, subscription)


def require_changeable(broker: Broker, reader: Reader, subscription: EntityRecord) -> None:
    """Raise ServiceBusError (ENTITY_DISABLED) where messaging clients may not change rules.

    They may not while the subscription or its topic is disabled (EntityStatus of .NET); administrators may.
    """
    topic = broker.entities.topic_of(reader, subscription)
    for record in (subscription, topic):
        if record is not None and record.description.status is EntityStatus.DISABLED:
            raise ServiceBusError(ErrorCode.ENTITY_DISABLED, entity=record.name)


def require_good(rule: Rule, entropy: Entropy) -> None:
    """Raise ServiceBusError (ARGUMENT) for a rule that cannot be used or stored."""
    try:
        compile_rule(rule, entropy)
        encode_rule(rule)
    except RuleError as error:
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=error.message) from None
    except (TypeError, ValueError) as error:
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=f"The rule cannot be stored: {error}.") from None


def _store(broker: Broker, writer: Writer, subscription: EntityRecord, rule: Rule) -> None:
    require_good(rule, broker.entropy)
    put_rule(writer, broker.keys, subscription, rule)
    _changed(broker, subscription)


def _changed(broker: Broker, subscription: EntityRecord) -> None:
    """Also where the commit fails: somebody may have read the rules meanwhile."""
    broker.after_commit(
        lambda: broker.entities.rules_changed(subscription), lambda _: broker.entities.rules_changed(subscription)
    )
