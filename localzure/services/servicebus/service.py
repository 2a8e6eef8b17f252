"""Service Bus, put together: what the server builds, connects clients to and wakes."""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING
from weakref import WeakSet

from localzure.services.servicebus.access import Authority
from localzure.services.servicebus.admin.http import AdminService
from localzure.services.servicebus.admin.rules import access_keys
from localzure.services.servicebus.amqp.peer import ServiceBusPeer
from localzure.services.servicebus.desk import Desk
from localzure.services.servicebus.dispatch import Dispatch
from localzure.services.servicebus.engine import remains
from localzure.services.servicebus.engine.broker import Broker
from localzure.services.servicebus.engine.expiry import run_due
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.keys import ServiceBusKeys
from localzure.services.servicebus.model import EntityKind
from localzure.services.servicebus.rest.handlers import receivable, refusal
from localzure.services.servicebus.rest.receivers import Receivers
from localzure.services.servicebus.roles import NamespaceRoles
from localzure.services.servicebus.seed import SAMPLE, apply_seeds
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.interface import AmqpHost, AmqpPeer, ServiceContext
    from localzure.services.servicebus.access import AccessKey
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.seed import EntitySeed
    from localzure.services.servicebus.settings import ServiceBusSettings
    from localzure_protocols.amqp.connection import AmqpConnection
    from localzure_storage.store import Reader, Writer

_log = logging.getLogger(__name__)


class ServiceBusService:
    """The Service Bus namespace (see `localzure.services.interface.AmqpService`)."""

    def __init__(self, context: ServiceContext, settings: ServiceBusSettings) -> None:
        """Call `start` before the first client connects."""
        self._transactions = context.transactions
        self._broker = Broker(context, ServiceBusKeys(context.space), settings.tier)
        self._broker.quotas = settings.quotas
        self._broker.counts = settings.counts
        self._dispatch = Dispatch(self._broker)
        roles = None if settings.roles is None else NamespaceRoles(settings.roles, settings.namespace)
        self._authority = Authority(settings.auth, settings.keys, settings.tokens, self._keys_at, roles)
        self._peers: WeakSet[ServiceBusPeer] = WeakSet()
        self._connected: set[ServiceBusPeer] = set()
        """Who is connected, where there is a limit on that."""
        self._broker.on_changed = self._entity_changed
        self._broker.on_deleted = self._entity_deleted
        self._receivers = Receivers(self._broker, self._dispatch)
        self.admin = AdminService(context, self._broker, self._authority, self._receivers)
        """The administration API, and messages, over HTTP."""
        self.desk = Desk(self._broker)
        """What LocalZure's own API does with the namespace."""

    def start(self, seeds: Sequence[EntitySeed] = ()) -> None:
        """Create what is seeded, or the sample where there is neither a seed nor an entity, and set the alarm.

        Seeding again changes what differs and deletes nothing. Raises SeedError, StorageError.
        """
        with self._transactions.writer() as writer:
            entities, now = self._broker.entities, self._broker.now()
            if writer.get(self._broker.keys.namespace) is None:
                writer.put(self._broker.keys.namespace, now.to_bytes(8, "big"))
            is_empty = next(chain(entities.queues(writer), entities.topics(writer)), None) is None
            apply_seeds(self._broker, writer, seeds or (SAMPLE if is_empty else ()))
        self._broker.arm_next()

    def resume(self) -> None:
        """Go on with a namespace that was seeded once, instead of `start`: set the alarm. Raises StorageError."""
        self._broker.arm_next()

    def connected(self, core: AmqpConnection, host: AmqpHost) -> AmqpPeer:
        """See `AmqpService.connected`."""
        peer = ServiceBusPeer(self._broker, self._dispatch, self._authority, core, host)
        quotas = self._broker.quotas
        if quotas is not None:
            if len(self._connected) >= quotas.connections:
                peer.refuse_connection()
            else:
                self._connected.add(peer)
                peer.on_disconnected = lambda: self._connected.discard(peer)
        self._peers.add(peer)
        return peer

    def close(self, reason: str) -> None:
        """The namespace is not served from here any more: cut its connections, whose clients connect again."""
        for peer in list(self._peers):
            peer.cut(reason)
        self._receivers.end_all()

    def expire(self) -> None:
        """The alarm has gone off: do what is due, and go on with what was put off."""
        try:
            run_due(self._broker)
        except StorageError as error:
            _log.error("what has come due could not be done, it is tried again: %s", error)
        self._dispatch.resume()
        self._receivers.expire()

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Free at most about `budget` records of what deleted queues left; True while there may be more."""
        return remains.sweep(self._broker.keys, writer, budget)

    def _keys_at(self, reader: Reader, path: str) -> list[AccessKey]:
        """The access keys of the entity at `path`, or of the one that what is at `path` belongs to."""
        while path:
            record = self._broker.entities.record(reader, path)
            if record is not None and record.kind is not EntityKind.SUBSCRIPTION:
                return list(access_keys(record.description.authorization_rules))
            path = path.rpartition("/")[0]
        return []

    def _entity_changed(self, record: EntityRecord) -> None:
        for peer in list(self._peers):
            peer.entity_changed(record)
        self._receivers.fail(record, _why_not_receivable)

    def _entity_deleted(self, record: EntityRecord) -> None:
        for peer in list(self._peers):
            peer.entity_deleted(record)
        self._receivers.fail(record, _why_gone)


def _why_not_receivable(queue: Queue) -> Exception | None:
    error = receivable(queue, queue.path)
    return None if error is None else refusal(error)


def _why_gone(queue: Queue) -> Exception:
    return refusal(ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=queue.path))
