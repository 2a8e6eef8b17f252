"""What LocalZure's own API and its command line do with Service Bus: look, send, empty, give another chance.

Plain data in and out. Nobody is asked for a token here: who may call at all is for the server's guard to say.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.servicebus.addresses import SubQueue, parse_address
from localzure.services.servicebus.engine.browsing import PEEK_MESSAGES_MAX, peek
from localzure.services.servicebus.engine.clearing import purge, requeue, start
from localzure.services.servicebus.engine.limits import require_sendable
from localzure.services.servicebus.engine.messages import send
from localzure.services.servicebus.engine.tallies import tally_of
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityKind
from localzure.services.servicebus.rest.handlers import write
from localzure.services.servicebus.rest.messages import decode_message, encode_message
from localzure.services.servicebus.rest.plain import read_plain, write_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.clearing import Place, Step
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn
    from localzure.services.servicebus.model import EntityRecord
    from localzure_storage.store import Reader

PAGE_MAX = 250
"""Entities, or messages, in one page."""


ENTITIES_MAX = 10_000
"""Entities of a kind that are counted: Azure has no more in a namespace."""


class Census(NamedTuple):
    """What a namespace holds: numbers by the kind of entity, and by entity."""

    kinds: dict[str, float]
    active: dict[str, float]
    dead_letter: dict[str, float]
    scheduled: dict[str, float]
    locks: dict[str, float]


class Desk:
    """One namespace, as its owner sees it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def entities(self, skip: int, top: int) -> tuple[list[dict[str, object]], bool]:
        """A page of the entities with their counts, and whether there are more behind it.

        Queues come first, then each topic with its subscriptions behind it, all ordered by name.
        """
        top = min(top, PAGE_MAX)
        with self._broker.reader() as reader:
            found = list(islice(self._all(reader), skip, skip + top + 1))
            return [self._told(reader, record) for record in found[:top]], len(found) > top

    def census(self, limit: int) -> Census:
        """Count what there is; messages of up to `limit` entities, which is what bounds the work."""
        keys, found = self._broker.keys, Census({}, {}, {}, {}, {})
        told, _ = self.entities(0, limit)
        with self._broker.reader() as reader:
            for kind, bounds in (("queue", keys.entity_range()), ("topic", keys.topic_range())):
                found.kinds[kind] = float(sum(1 for _ in reader.scan(*bounds, limit=ENTITIES_MAX)))
        found.kinds["subscription"] = float(sum(int(str(each.get("subscriptions", 0))) for each in told))
        for each in told:
            name = str(each["name"])
            found.scheduled[name] = float(str(each["scheduled"]))
            if "active" in each:
                found.active[name] = float(str(each["active"]))
                found.dead_letter[name] = float(str(each["deadLetters"]))
                found.locks[name] = float(str(each["locked"]))
        return found

    def entity(self, path: str) -> dict[str, object]:
        """One entity with its counts. Raises ServiceBusError (ENTITY_NOT_FOUND)."""
        with self._broker.reader() as reader:
            record = self._broker.entities.record(reader, parse_address(path).entity)
            if record is None:
                raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=path)
            return self._told(reader, record)

    def peek(self, path: str, first: int, top: int) -> tuple[list[dict[str, object]], int | None]:
        """A page of messages from number `first` on, and the number with which the next page begins.

        Raises ServiceBusError.
        """
        with self._broker.reader() as reader:
            queue = self._queue(reader, path)
            found = peek(reader, queue, first, min(top, PEEK_MESSAGES_MAX))
            messages = [decode_message(payload, is_delivered=False) for payload in found]
            following = int(messages[-1].broker["SequenceNumber"]) + 1 if messages else None
            if following is not None and not peek(reader, queue, following, 1):
                following = None
        return [write_plain(message) for message in messages], following

    def send(self, path: str, messages: list[object]) -> None:
        """Send messages, all or none. Raises ServiceBusError, StorageError."""
        broker = self._broker
        with broker.reader() as reader:
            queue = self._queue(reader, path)
        require_sendable(queue, queue.path)
        encoded = [encode_message(read_plain(message), broker.now()) for message in messages]

        def store(turn: Turn) -> None:
            for payload in encoded:
                send(turn, queue, 0, payload, broker.entropy)

        write(broker, store)

    def purge(self, path: str, place: Place | None = None) -> Step:
        """Do one step of emptying a queue, subscription or sub-queue. Raises ServiceBusError, StorageError."""
        with self._broker.reader() as reader:
            queue = self._queue(reader, path)
        return self._step(lambda turn: purge(turn, queue, place or start(turn, queue)))

    def requeue(self, path: str, place: Place | None = None) -> Step:
        """Do one step of moving the dead letters of a queue or subscription back into it.

        Raises ServiceBusError, StorageError.
        """
        with self._broker.reader() as reader:
            queue = self._queue(reader, parse_address(path).entity)
        dead_letters = queue.dead_letter
        if dead_letters is None:
            raise ServiceBusError(ErrorCode.NOT_ALLOWED, detail=f"'{path}' has no dead letters.")
        return self._step(lambda turn: requeue(turn, queue, dead_letters, place or start(turn, dead_letters)))

    def _step(self, step: Callable[[Turn], Step]) -> Step:
        steps: list[Step] = []
        write(self._broker, lambda turn: steps.append(step(turn)))
        return steps[0]

    def _all(self, reader: Reader) -> Iterator[EntityRecord]:
        entities = self._broker.entities
        for record in chain(entities.queues(reader), entities.topics(reader)):
            yield record
            if record.kind is EntityKind.TOPIC:
                yield from entities.subscriptions(reader, record)

    def _queue(self, reader: Reader, path: str) -> Queue:
        queue = self._broker.entities.find(reader, parse_address(path))
        if queue is None:
            raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=path)
        return queue

    def _told(self, reader: Reader, record: EntityRecord) -> dict[str, object]:
        counters = self._broker.entities.counters_of(reader, record)
        own = counters[SubQueue.NONE]
        told: dict[str, object] = {
            "name": record.name,
            "kind": record.kind.name.lower(),
            "status": record.description.status.value,
            "scheduled": own.scheduled,
            "bytes": sum(each.bytes for each in counters.values()),
        }
        if record.kind is EntityKind.TOPIC:
            told["subscriptions"] = tally_of(reader, self._broker.keys, record.queue_id).subscriptions
            return told
        dead, transfer_dead = counters[SubQueue.DEAD_LETTER], counters[SubQueue.TRANSFER_DEAD_LETTER]
        locked = sum(len(queue.locks) for queue in self._broker.entities.in_use(record) if not queue.is_sub_queue)
        return told | {
            "active": own.active,
            "locked": locked,
            "receivers": sum(len(queue.receivers) for queue in self._broker.entities.in_use(record)),
            "deferred": own.deferred,
            "deadLetters": dead.active + dead.deferred + dead.scheduled,
            "transferDeadLetters": transfer_dead.active + transfer_dead.deferred + transfer_dead.scheduled,
            "requiresSession": record.description.requires_session,
        }
