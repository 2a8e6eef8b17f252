"""What deleted entities leave behind, and sweeping it in bounded steps.

A delete notes the numbers of the entity and its sub-queues in its own transaction and is done, however many messages or
subscriptions there are. `sweep` takes the notes up, some records at a time; each step is a transaction of its own, so a
crash in between loses nothing and frees nothing twice. Numbers are never given again, so nobody finds what waits to be
swept. A topic that is gone leaves its subscriptions, which are noted one after the other, and then its contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.servicebus.engine.contents import is_shared, refer, reference_of
from localzure.services.servicebus.engine.entities import leave
from localzure.services.servicebus.keys import DueKind, sequence_number_of
from localzure.services.servicebus.model import Counters, EntityKind, EntityRecord, Remains
from localzure.services.servicebus.record import decode_fixed

if TYPE_CHECKING:
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure_storage.store import Writer

RECORDS_PER_MESSAGE = 2
"""What a message takes at most of a step's budget: itself and its end."""

_NOTES_READ = 64
"""Notes that one step looks at."""

_RECORDS_PER_SUBSCRIPTION = 8
"""What noting a subscription takes of a step's budget: its record, its owners, and the notes."""

_encode = msgspec.msgpack.Encoder().encode
_decode_remains = msgspec.msgpack.Decoder(Remains).decode
_decode_entity = msgspec.msgpack.Decoder(EntityRecord).decode
_decode_counters = msgspec.msgpack.Decoder(Counters).decode


def sweep(keys: ServiceBusKeys, writer: Writer, budget: int) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed."""
    has_freed = False
    for note, value in list(writer.scan(*keys.remains_range(), limit=_NOTES_READ)):
        if budget <= 0:
            break
        remains = _decode_remains(value) if value else Remains()
        budget -= _sweep_one(keys, writer, note, remains, budget)
        has_freed = True
    return has_freed


def _sweep_one(keys: ServiceBusKeys, writer: Writer, note: bytes, remains: Remains, budget: int) -> int:
    """Work on one entity, remove its note when nothing is left of it; returns what of the budget was used."""
    queue_id = keys.remains_id(note)
    limit = max(1, budget // RECORDS_PER_MESSAGE)
    if remains.kind is EntityKind.TOPIC:
        used = _note_subscriptions(keys, writer, queue_id, budget)
        if used:
            return used
    for start, stop in (*keys.sessions(queue_id), keys.rule_range(queue_id), *keys.contents(queue_id)):
        entries = [key for key, _ in writer.scan(start, stop, limit=limit)]
        for key in entries:
            writer.delete(key)
        if len(entries) == limit:
            return limit
    count = _sweep_messages(keys, writer, queue_id, remains, limit)
    if count < limit:
        writer.delete(keys.counters(queue_id))
        writer.delete(keys.tally(queue_id))
        writer.delete(note)
    return count * RECORDS_PER_MESSAGE + 1


def _note_subscriptions(keys: ServiceBusKeys, writer: Writer, topic_id: int, budget: int) -> int:
    """Note that subscriptions of a topic that is gone are gone; returns what of the budget was used."""
    limit = max(1, budget // _RECORDS_PER_SUBSCRIPTION)
    found = list(writer.scan(*keys.subscription_range(topic_id), limit=limit))
    for key, value in found:
        writer.delete(key)
        # What they refer to goes with the topic.
        leave(writer, keys, msgspec.structs.replace(_decode_entity(value), topic_id=0))
    return len(found) * _RECORDS_PER_SUBSCRIPTION


def _sweep_messages(keys: ServiceBusKeys, writer: Writer, queue_id: int, remains: Remains, limit: int) -> int:
    """Free up to `limit` messages of an entity; returns how many there were."""
    messages = list(writer.scan(*keys.messages(queue_id), limit=limit))
    freed = 0
    for key, value in messages:
        writer.delete(key)
        freed += len(value)
        expires_at = decode_fixed(value).expires_at
        if expires_at:
            writer.delete(keys.due(expires_at, DueKind.EXPIRY, queue_id, sequence_number_of(key)))
        if remains.topic_id and is_shared(value) and refer(writer, keys, reference_of(value), -1):
            freed += reference_of(value).size
    if remains.topic_id and freed:
        # A topic is as large as its subscriptions together.
        stored = writer.get(keys.counters(remains.topic_id))
        if stored is not None:
            counters = _decode_counters(stored)
            counters.bytes -= freed
            writer.put(keys.counters(remains.topic_id), _encode(counters))
    return len(messages)
