"""A queue's description, between XML and `model.EntityDescription`.

Elements are read in any order and written in that of Azure's data contract. What is not there has its default, also
when a queue is updated, because clients send the whole description back; but a client that does not know a property
cannot mean to change one that is fixed, or one that came with a later version of the API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.errors import bad_request
from localzure.services.servicebus.admin.rules import read_rules, write_rules
from localzure.services.servicebus.durations import format_duration, parse_duration
from localzure.services.servicebus.model import EntityDescription, EntityStatus
from localzure.services.servicebus.properties import QUEUE_PROPERTIES, EntityProperty, Kind, contradiction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.admin.atom import Element
    from localzure.services.servicebus.model import Counters, EntityRecord

QUEUE = "QueueDescription"
"""The name of the element."""

_KEPT_IF_MISSING = {"max_message_size_kilobytes", *(row.field for row in QUEUE_PROPERTIES if row.is_fixed)}

_RULES = "AuthorizationRules"

_ORDER = (
    "LockDuration", "MaxSizeInMegabytes", "RequiresDuplicateDetection", "RequiresSession", "DefaultMessageTimeToLive",
    "DeadLetteringOnMessageExpiration", "DuplicateDetectionHistoryTimeWindow", "MaxDeliveryCount",
    "EnableBatchedOperations", "SizeInBytes", "MessageCount", "IsAnonymousAccessible", _RULES, "Status", "ForwardTo",
    "UserMetadata", "CreatedAt", "UpdatedAt", "AccessedAt", "SupportOrdering", "CountDetails", "AutoDeleteOnIdle",
    "EnablePartitioning", "EntityAvailabilityStatus", "ForwardDeadLetteredMessagesTo", "EnableExpress",
    "MaxMessageSizeInKilobytes",
)  # fmt: skip
"""The elements of a queue's description, in the order of Azure's data contract."""


def read_queue(element: Element, current: EntityDescription | None, now: int, entropy: Entropy) -> EntityDescription:
    """Read a description; `current` is that of the queue that is updated. Raises AdminError."""
    given = {child.name: child for child in reversed(element.children) if not child.is_nil}
    values: dict[str, Any] = {}
    for row in QUEUE_PROPERTIES:
        child = given.get(row.name)
        if child is not None:
            values[row.field] = _read(row, child.text)
        elif current is not None and row.field in _KEPT_IF_MISSING:
            values[row.field] = getattr(current, row.field)
    if (rules := given.get(_RULES)) is not None:
        known = current.authorization_rules if current else ()
        values["authorization_rules"] = read_rules(rules, known, now, entropy)
    made = EntityDescription(**values)
    if (told := contradiction(made)) is not None:
        raise bad_request(told)
    return made


def write_queue(record: EntityRecord, counters: Mapping[SubQueue, Counters], accessed_at: int, address: str) -> str:
    """Write the description of a queue; `address` is the namespace's, before the path of an entity."""
    properties = record.description
    elements = {
        row.name: atom.element(row.name, text)
        for row in QUEUE_PROPERTIES
        if (text := _write(row, getattr(properties, row.field), address))
    }
    elements[_RULES] = write_rules(properties.authorization_rules)
    own, dead = counters[SubQueue.NONE], counters[SubQueue.DEAD_LETTER]
    transfer_dead = counters[SubQueue.TRANSFER_DEAD_LETTER]
    counts = {
        "ActiveMessageCount": own.active + own.deferred,
        "DeadLetterMessageCount": _total(dead),
        "ScheduledMessageCount": own.scheduled,
        "TransferMessageCount": 0,
        "TransferDeadLetterMessageCount": _total(transfer_dead),
    }
    details = "".join(f"<d2p1:{name}>{count}</d2p1:{name}>" for name, count in counts.items())
    elements["CountDetails"] = f'<CountDetails xmlns:d2p1="{atom.COUNTS}">{details}</CountDetails>'
    others = {
        "SizeInBytes": str(sum(each.bytes for each in counters.values())),
        "MessageCount": str(sum(counts.values())),
        "IsAnonymousAccessible": "false",
        "CreatedAt": atom.instant(record.created_at),
        "UpdatedAt": atom.instant(record.updated_at),
        "AccessedAt": atom.instant(accessed_at),
        "SupportOrdering": atom.boolean(not properties.enable_partitioning),
        "EntityAvailabilityStatus": "Available",
    }
    elements.update((name, atom.element(name, text)) for name, text in others.items())
    return atom.description(QUEUE, [elements[name] for name in _ORDER if name in elements])


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
