"""Azure's own limits on what a namespace holds, for those who want to meet them here (`--strict-quotas`).

By default there are none: what a machine can hold is the limit. The numbers are those of the standard tier ("Service
Bus quotas"). What bounds single messages and the size of an entity holds always (see `admission`, `limits`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.rules.model import CorrelationFilter, SqlFilter
from localzure.services.servicebus.rules.stored import decode_rule

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.rules.model import Rule
    from localzure_storage.store import Reader


@dataclass(frozen=True, slots=True)
class Quotas:
    """What a namespace may hold."""

    connections: int = 5_000
    """Connections of AMQP at once; requests over HTTP do not count."""
    entities: int = 10_000
    """Queues and topics together."""
    subscriptions: int = 2_000
    """Of one topic."""
    sql_filters: int = 2_000
    """Of all subscriptions of one topic."""
    correlation_filters: int = 100_000
    """As `sql_filters`."""
    receivers: int = 5_000
    """Of one queue, or of all subscriptions of one topic: links, and requests that wait."""


def require_room_for_entity(quotas: Quotas | None, keys: ServiceBusKeys, reader: Reader) -> None:
    """Raise ServiceBusError (QUOTA_EXCEEDED) where there may be no further queue or topic."""
    if quotas is None:
        return
    count = _count(reader, keys.entity_range(), quotas.entities)
    count += _count(reader, keys.topic_range(), quotas.entities)
    if count >= quotas.entities:
        raise _exceeded(f"the namespace has {count} queues and topics, of {quotas.entities} that it may have")


def require_room_for_subscription(
    quotas: Quotas | None, keys: ServiceBusKeys, reader: Reader, topic: EntityRecord
) -> None:
    """Raise ServiceBusError (QUOTA_EXCEEDED) where `topic` may have no further subscription."""
    if quotas is None:
        return
    count = _count(reader, keys.subscription_range(topic.queue_id), quotas.subscriptions)
    if count >= quotas.subscriptions:
        raise _exceeded(f"the topic '{topic.name}' has {count} subscriptions, of {quotas.subscriptions}")


def require_room_for_rule(
    quotas: Quotas | None, keys: ServiceBusKeys, reader: Reader, subscription_ids: list[int], rule: Rule
) -> None:
    """Raise ServiceBusError (QUOTA_EXCEEDED) where the topic of these subscriptions may have no further such rule."""
    if quotas is None:
        return
    kind: type[SqlFilter | CorrelationFilter] = SqlFilter
    most = quotas.sql_filters
    if isinstance(rule.filter, CorrelationFilter):
        kind, most = CorrelationFilter, quotas.correlation_filters
    elif not isinstance(rule.filter, SqlFilter):
        return
    # Rules are looked into only where they are so many that it may matter.
    if sum(_count(reader, keys.rule_range(each), most) for each in subscription_ids) < most:
        return
    values = (value for each in subscription_ids for _, value in reader.scan(*keys.rule_range(each)))
    if sum(isinstance(decode_rule(value).filter, kind) for value in values) >= most:
        raise _exceeded(f"the topic has {most} rules with a filter of this kind, and may have no more")


def require_room_for_receiver(quotas: Quotas | None, queue: Queue) -> None:
    """Raise ServiceBusError (QUOTA_EXCEEDED) where nobody else may receive from `queue` at once."""
    entity = queue.topic or queue
    if quotas is not None and len(entity.receivers) >= quotas.receivers:
        raise _exceeded(f"{quotas.receivers} receive from '{entity.path}' at once")


def _count(reader: Reader, bounds: tuple[bytes, bytes], most: int) -> int:
    return sum(1 for _ in reader.scan(*bounds, limit=most))


def _exceeded(detail: str) -> ServiceBusError:
    return ServiceBusError(ErrorCode.QUOTA_EXCEEDED, detail=f"The maximum number has been reached: {detail}.")
