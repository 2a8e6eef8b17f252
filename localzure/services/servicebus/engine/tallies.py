"""How many subscriptions and rules a topic has, counted with each change: reading them would cost all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.model import Tally
from localzure.services.servicebus.rules.model import CorrelationFilter

if TYPE_CHECKING:
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.rules.model import Rule
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Tally).decode


def tally_of(reader: Reader, keys: ServiceBusKeys, entity_id: int) -> Tally:
    """What the topic or subscription of that number has."""
    stored = reader.get(keys.tally(entity_id))
    return Tally() if stored is None else _decode(stored)


def count_subscription(writer: Writer, keys: ServiceBusKeys, topic_id: int) -> None:
    """A topic has one subscription more, which has no rules yet."""
    _add(writer, keys, topic_id, Tally(subscriptions=1), 1)


def drop_subscription(writer: Writer, keys: ServiceBusKeys, subscription: EntityRecord) -> None:
    """A topic has one subscription less, and the rules of it."""
    own = tally_of(writer, keys, subscription.queue_id)
    _add(writer, keys, subscription.topic_id, msgspec.structs.replace(own, subscriptions=1), -1)
    writer.delete(keys.tally(subscription.queue_id))


def count_rule(writer: Writer, keys: ServiceBusKeys, subscription: EntityRecord, rule: Rule, change: int) -> None:
    """A subscription has `rule`, or has it no more."""
    is_correlation = isinstance(rule.filter, CorrelationFilter)
    one = Tally(sql_filters=not is_correlation, correlation_filters=is_correlation)
    for entity_id in (subscription.queue_id, subscription.topic_id):
        _add(writer, keys, entity_id, one, change)


def _add(writer: Writer, keys: ServiceBusKeys, entity_id: int, other: Tally, sign: int) -> None:
    old = tally_of(writer, keys, entity_id)
    new = Tally(
        subscriptions=old.subscriptions + sign * other.subscriptions,
        sql_filters=old.sql_filters + sign * other.sql_filters,
        correlation_filters=old.correlation_filters + sign * other.correlation_filters,
    )
    writer.put(keys.tally(entity_id), _encode(new))
