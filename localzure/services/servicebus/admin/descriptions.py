"""Descriptions of queues, topics and subscriptions, between XML and `model.EntityDescription`.

Elements are read in any order and written in that of Azure's data contract. What is not there has its default, also
when an entity is updated, because clients send the whole description back; but a client that does not know a property
cannot mean to change one that is fixed, or one that came with a later version of the API.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.errors import bad_request
from localzure.services.servicebus.admin.rules import read_rules, write_rules
from localzure.services.servicebus.durations import format_duration, parse_duration
from localzure.services.servicebus.model import EntityDescription, EntityKind, EntityStatus, Tally
from localzure.services.servicebus.properties import PROPERTIES, EntityProperty, Kind, contradiction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.admin.atom import Element
    from localzure.services.servicebus.model import Counters, EntityRecord


@dataclass(frozen=True, slots=True)
class Form:
    """How entities of one kind are described."""

    noun: str
    """What Azure's texts call such an entity."""
    element: str
    """The name of the element."""
    order: tuple[str, ...]
    """What is in it, in the order of Azure's data contract."""


_RULES = "AuthorizationRules"

FORMS = {
    EntityKind.QUEUE: Form("Queue", "QueueDescription", (
        "LockDuration", "MaxSizeInMegabytes", "RequiresDuplicateDetection", "RequiresSession",
        "DefaultMessageTimeToLive", "DeadLetteringOnMessageExpiration", "DuplicateDetectionHistoryTimeWindow",
        "MaxDeliveryCount", "EnableBatchedOperations", "SizeInBytes", "MessageCount", "IsAnonymousAccessible", _RULES,
        "Status", "ForwardTo", "UserMetadata", "CreatedAt", "UpdatedAt", "AccessedAt", "SupportOrdering",
        "CountDetails", "AutoDeleteOnIdle", "EnablePartitioning", "EntityAvailabilityStatus",
        "ForwardDeadLetteredMessagesTo", "EnableExpress", "MaxMessageSizeInKilobytes",
    )),
    EntityKind.TOPIC: Form("Topic", "TopicDescription", (
        "DefaultMessageTimeToLive", "MaxSizeInMegabytes", "RequiresDuplicateDetection",
        "DuplicateDetectionHistoryTimeWindow", "EnableBatchedOperations", "SizeInBytes",
        "FilteringMessagesBeforePublishing", "IsAnonymousAccessible", _RULES, "Status", "UserMetadata", "CreatedAt",
        "UpdatedAt", "AccessedAt", "SupportOrdering", "CountDetails", "SubscriptionCount", "AutoDeleteOnIdle",
        "EnablePartitioning", "EntityAvailabilityStatus", "EnableSubscriptionPartitioning", "EnableExpress",
        "MaxMessageSizeInKilobytes", "SqlFilterCount", "CorrelationFilterCount",
    )),
    EntityKind.SUBSCRIPTION: Form("Subscription", "SubscriptionDescription", (
        "LockDuration", "RequiresSession", "DefaultMessageTimeToLive", "DeadLetteringOnMessageExpiration",
        "DeadLetteringOnFilterEvaluationExceptions", "MessageCount", "MaxDeliveryCount", "EnableBatchedOperations",
        "Status", "ForwardTo", "UserMetadata", "CreatedAt", "UpdatedAt", "AccessedAt", "CountDetails",
        "ForwardDeadLetteredMessagesTo", "AutoDeleteOnIdle", "EntityAvailabilityStatus",
    )),
}  # fmt: skip
"""How each kind is described."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How an entity is used: what is only told, never set."""

    counters: Mapping[SubQueue, Counters]
    accessed_at: int
    tally: Tally = field(default_factory=Tally)
    """Of a topic."""


def kind_called(element: str) -> EntityKind | None:
    """What an element of that name describes."""
    return next((kind for kind, form in FORMS.items() if form.element == element), None)


def read_description(
    kind: EntityKind, element: Element, current: EntityDescription | None, now: int, entropy: Entropy
) -> EntityDescription:
    """Read a description; `current` is that of the entity that is updated. Raises AdminError."""
    given = {child.name: child for child in reversed(element.children) if not child.is_nil}
    values: dict[str, Any] = {}
    for row in PROPERTIES[kind]:
        child = given.get(row.name)
        if child is not None:
            values[row.field] = _read(row, child.text)
        elif current is not None and (row.is_fixed or row.field == "max_message_size_kilobytes"):
            values[row.field] = getattr(current, row.field)
    if (rules := given.get(_RULES)) is not None and kind is not EntityKind.SUBSCRIPTION:
        known = current.authorization_rules if current else ()
        values["authorization_rules"] = read_rules(rules, known, now, entropy)
    made = EntityDescription(**values)
    if (told := contradiction(made)) is not None:
        raise bad_request(told)
    return made


def write_description(record: EntityRecord, usage: Usage, address: str) -> str:
    """Write the description of an entity; `address` is the namespace's, before the path of an entity."""
    form, properties = FORMS[record.kind], record.description
    counts = _counts(record.kind, usage.counters)
    details = "".join(f"<d2p1:{name}>{count}</d2p1:{name}>" for name, count in counts.items())
    texts = {
        "SizeInBytes": str(_size(record.kind, usage.counters)),
        "MessageCount": str(sum(counts.values())),
        "IsAnonymousAccessible": "false",
        "CreatedAt": atom.instant(record.created_at),
        "UpdatedAt": atom.instant(record.updated_at),
        "AccessedAt": atom.instant(usage.accessed_at),
        # Of queues it is told, of topics it is a property.
        "SupportOrdering": atom.boolean(not properties.enable_partitioning),
        "SubscriptionCount": str(usage.tally.subscriptions),
        "SqlFilterCount": str(usage.tally.sql_filters),
        "CorrelationFilterCount": str(usage.tally.correlation_filters),
        "EntityAvailabilityStatus": "Available",
    }
    for row in PROPERTIES[record.kind]:
        texts[row.name] = _write(row, getattr(properties, row.field), address)
    elements = {name: atom.element(name, text) for name, text in texts.items() if text}
    elements[_RULES] = write_rules(properties.authorization_rules)
    elements["CountDetails"] = f'<CountDetails xmlns:d2p1="{atom.COUNTS}">{details}</CountDetails>'
    return atom.description(form.element, [elements[name] for name in form.order if name in elements])


def _counts(kind: EntityKind, counters: Mapping[SubQueue, Counters]) -> dict[str, int]:
    """Of a topic only what is scheduled: all else is its subscriptions'."""
    own, is_topic = counters[SubQueue.NONE], kind is EntityKind.TOPIC
    return {
        "ActiveMessageCount": 0 if is_topic else own.active + own.deferred,
        "DeadLetterMessageCount": 0 if is_topic else _total(counters[SubQueue.DEAD_LETTER]),
        "ScheduledMessageCount": own.scheduled,
        "TransferMessageCount": 0,
        "TransferDeadLetterMessageCount": 0 if is_topic else _total(counters[SubQueue.TRANSFER_DEAD_LETTER]),
    }


def _size(kind: EntityKind, counters: Mapping[SubQueue, Counters]) -> int:
    """A topic counts what its subscriptions hold by itself."""
    return counters[SubQueue.NONE].bytes if kind is EntityKind.TOPIC else sum(each.bytes for each in counters.values())


def _total(counters: Counters) -> int:
    return counters.active + counters.deferred + counters.scheduled


def _read(row: EntityProperty, text: str) -> bool | int | str:
    """Read one property. Raises AdminError."""
    try:
        value = _parse(row.kind, text)
    except ValueError:
        raise bad_request(
            f"The value '{text:.100}' for '{row.name}' is not allowed: it must be {row.allowed}."
        ) from None
    if not row.allows(value):
        raise bad_request(row.refusal(value))
    return value


def _parse(kind: Kind, text: str) -> bool | int | str:
    """Raises ValueError."""
    if kind is Kind.TEXT:
        return text
    text = text.strip()
    if kind is Kind.BOOLEAN:
        return _BOOLEANS[text] if text in _BOOLEANS else _no_boolean(text)
    if kind is Kind.NUMBER:
        if not text.isascii() or not text.lstrip("-").isdecimal():
            raise ValueError(text)
        return int(text)
    if kind is Kind.DURATION:
        return parse_duration(text)
    return EntityStatus(text) if kind is Kind.STATUS else text


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False, "True": True, "False": False}
"""What XML Schema has, and what Python writes."""


def _no_boolean(text: str) -> bool:
    raise ValueError(text)


def _write(row: EntityProperty, value: Any, address: str) -> str:
    """Write one property; empty for one that is left out."""
    if row.kind is Kind.BOOLEAN:
        return atom.boolean(value)
    if row.kind is Kind.DURATION:
        return format_duration(value)
    if row.kind is Kind.ENTITY and value and "://" not in value:
        return f"{address}{value}"
    return str(value)
