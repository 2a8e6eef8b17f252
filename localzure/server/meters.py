"""What the parts of the server tell about themselves when metrics are asked for: services, connections, store.

Called on the event loop, so the work is bounded: of more entities than `ENTITIES_MAX` the first are told one by one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from localzure.observing.families import by_label, by_labels, counter, gauge, histogram
from localzure.plugins.states import ServiceState
from localzure.services.servicebus.engine.counts import ABANDONED, COMPLETED, DEAD_LETTERED, RECEIVED, SENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localzure.observing.families import Family, Histogram
    from localzure.server.connection import Connections
    from localzure.server.lifecycle import Lifecycle
    from localzure.server.namespaces import Namespaces
    from localzure.server.state import State
    from localzure.server.transactions import TickTransactions
    from localzure_storage.store import Store

    Source = Callable[[], Iterable[Family | Histogram]]

ENTITIES_MAX = 250
"""Entities of Service Bus that are told one by one: some microseconds each, and four series each for Prometheus."""


def services_source(lifecycle: Lifecycle) -> Source:
    """The states of the services."""

    def read() -> Iterable[Family]:
        states = [
            ((each.metadata.name, state.value), float(lifecycle.machine(each.metadata.name).state is state))
            for each in lifecycle.services
            for state in ServiceState
        ]
        labels = ("service", "state")
        yield by_labels("gauge", "localzure_service_state", "1 for the state that a service is in.", labels, states)
        yield by_labels(
            "counter",
            "localzure_service_transitions",
            "How often a service came into a state.",
            labels,
            [(turn, float(count)) for turn, count in lifecycle.turns.items()],
        )

    return read


def store_source(store: Store, transactions: TickTransactions, state: State) -> Source:
    """The commits, and what is on disk."""

    def read() -> Iterable[Family | Histogram]:
        seconds, sizes = transactions.commit_seconds, transactions.committed_bytes
        yield histogram("localzure_store_commit_duration_seconds", "How long commits took.", seconds)
        yield counter("localzure_store_committed_bytes", "Bytes of the pages that commits wrote.", float(sizes))
        if store.size is not None:
            yield gauge("localzure_store_bytes", "The size of the store.", float(store.size))
        if (age := state.checkpoint_age) is not None:
            text = "Seconds since what is committed was last known to be on disk."
            yield gauge("localzure_store_checkpoint_age_seconds", text, age)

    return read


def connections_source(connections: Connections) -> Source:
    """The connections by protocol."""

    def read() -> Iterable[Family]:
        found = Counter(connection.protocol for connection in connections.open)
        text = "Connections that are open; what is in another protocol is named behind it."
        counted = {name: float(count) for name, count in found.items()}
        yield by_label("gauge", "localzure_connections", text, "protocol", counted)

    return read


def servicebus_source(namespaces: Namespaces) -> Source:
    """The messages and entities of the namespace that every server has, and what was done in all of them."""

    def read() -> Iterable[Family]:
        counts = namespaces.counts
        for name, text, kind in (
            ("sent", "Messages that clients sent.", SENT),
            ("received", "Messages that were handed out.", RECEIVED),
            ("completed", "Messages that receivers completed.", COMPLETED),
            ("abandoned", "Messages that receivers abandoned.", ABANDONED),
            ("dead_lettered", "Messages that became dead letters.", DEAD_LETTERED),
        ):
            yield counter(f"servicebus_messages_{name}", text, float(counts.of(kind)))
        errors = {condition: float(count) for condition, count in counts.errors.items()}
        yield by_label("counter", "servicebus_errors", "What was refused over AMQP.", "condition", errors)
        if not namespaces.names():
            return
        census = namespaces.default.desk.census(ENTITIES_MAX)
        yield by_label("gauge", "servicebus_entities", "Entities of the namespace.", "kind", census.kinds)
        for name, text, gauges in (
            ("active_messages", "Messages that can be received, or are locked.", census.active),
            ("dead_letter_messages", "Dead letters.", census.dead_letter),
            ("scheduled_messages", "Messages whose time has not come.", census.scheduled),
            ("locks", "Messages that receivers have locked.", census.locks),
        ):
            yield by_label("gauge", f"servicebus_{name}", text, "entity", gauges)

    return read
