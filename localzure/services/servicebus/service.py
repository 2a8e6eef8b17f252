"""Service Bus, put together: what the server builds, connects clients to and wakes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from localzure.services.servicebus.access import Authority
from localzure.services.servicebus.amqp.peer import ServiceBusPeer
from localzure.services.servicebus.dispatch import Dispatch
from localzure.services.servicebus.engine.broker import Broker
from localzure.services.servicebus.engine.expiry import run_due
from localzure.services.servicebus.keys import ServiceBusKeys
from localzure.services.servicebus.seed import SAMPLE_QUEUE, apply_seed
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.interface import AmqpHost, AmqpPeer, ServiceContext
    from localzure.services.servicebus.seed import QueueSeed
    from localzure.services.servicebus.settings import ServiceBusSettings
    from localzure_protocols.amqp.connection import AmqpConnection

_log = logging.getLogger(__name__)


class ServiceBusService:
    """The Service Bus namespace (see `localzure.services.interface.AmqpService`)."""

    def __init__(self, context: ServiceContext, settings: ServiceBusSettings) -> None:
        """Call `start` before the first client connects."""
        self._transactions = context.transactions
        self._broker = Broker(context, ServiceBusKeys(context.space))
        self._dispatch = Dispatch(self._broker)
        self._authority = Authority(settings.auth, settings.keys, settings.tokens)

    def start(self, seeds: Sequence[QueueSeed] = ()) -> None:
        """Create what is seeded, or the sample queue where there is neither a seed nor an entity, and set the alarm.

        Seeding again changes what differs and deletes nothing. Raises StorageError.
        """
        with self._transactions.writer() as writer:
            entities, now = self._broker.entities, self._broker.now()
            is_empty = next(entities.queues(writer), None) is None
            for seed in seeds or ([SAMPLE_QUEUE] if is_empty else []):
                apply_seed(entities, writer, seed, now)
        self._broker.arm_next()

    def connected(self, core: AmqpConnection, host: AmqpHost) -> AmqpPeer:
        """See `AmqpService.connected`."""
        return ServiceBusPeer(self._broker, self._dispatch, self._authority, core, host)

    def expire(self) -> None:
        """The alarm has gone off: do what is due, and go on with what was put off."""
        try:
            run_due(self._broker)
        except StorageError as error:
            _log.error("what has come due could not be done, it is tried again: %s", error)
        self._dispatch.resume()
