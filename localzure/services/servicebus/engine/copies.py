"""What a subscription changes on its copy of a message: how long it lives, and what the action of a rule sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.engine.admission import TTL_MAX
from localzure.services.servicebus.engine.view import ANNOTATIONS, PROPERTIES, TICKS_MAX, TICKS_PER_MICROSECOND
from localzure.services.servicebus.raw import items_of, list_of, pairs_of
from localzure.services.servicebus.record import (
    decode_record,
    encode_record,
    value_at,
    with_application_properties,
)
from localzure_protocols.amqp.codec import Described, Symbol, Timestamp, Uint, encode, skip
from localzure_protocols.amqp.message import MESSAGE_ANNOTATIONS, PROPERTY_INDEX, map_section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.servicebus.record import Record
    from localzure.services.servicebus.rules.view import Overrides

RULE_NAME = "RuleName"
"""Application property of a copy that the action of a rule has made: the name of the rule."""

_NULL = b"\x40"
_TTL = 2
_EXPIRY = PROPERTY_INDEX["absolute_expiry_time"]


def living(value: bytes, lifetime: int) -> tuple[bytes, int]:
    """The stored message with another time to live from when it was enqueued, and when it expires; 0 for never."""
    record = decode_record(value)
    _set_lifetime(record, lifetime)
    return encode_record(record), record.expires_at


def changed(value: bytes, overrides: Overrides, rule_name: str) -> tuple[bytes, int]:
    """The stored message as the action of a rule makes it, and when it expires; 0 for never.

    Raises TypeError and ValueError for what AMQP cannot hold, AmqpDecodeError where its properties cannot be read.
    """
    record = decode_record(value)
    properties = {**overrides.properties, RULE_NAME: rule_name}
    with_application_properties(record, properties, overrides.removed - properties.keys())
    system = dict(overrides.system)
    if "TimeToLive" in system:
        _set_lifetime(record, _lifetime_of(system.pop("TimeToLive")))
    _set_annotations(record, {ANNOTATIONS[name]: each for name, each in system.items() if name in ANNOTATIONS})
    _set_properties(record, {PROPERTIES[name]: each for name, each in system.items() if name in PROPERTIES})
    return encode_record(record), record.expires_at


def _lifetime_of(value: Any) -> int:
    """A duration in microseconds, from one in ticks."""
    ticks = value.value if isinstance(value, Described) else TICKS_MAX
    return FOREVER if ticks >= TICKS_MAX else max(int(ticks) // TICKS_PER_MICROSECOND, 0)


def _set_lifetime(record: Record, lifetime: int) -> None:
    is_endless = lifetime >= FOREVER
    record.expires_at = 0 if is_endless else record.enqueued_at + lifetime
    fields, at = [], 0
    while at < len(record.header_fields):
        after = skip(record.header_fields, at)
        fields.append(record.header_fields[at:after])
        at = after
    fields[_TTL] = _NULL if is_endless else encode(Uint(min(lifetime // 1000, TTL_MAX)))
    record.header_fields = b"".join(fields)
    expiry = None if is_endless else Timestamp(record.expires_at // 1000)
    _set_properties(record, {"absolute_expiry_time": expiry})


def _set_properties(record: Record, changes: Mapping[str, Any]) -> None:
    if not changes:
        return
    items = items_of(record.properties, value_at(record.properties))
    for name, value in changes.items():
        index = PROPERTY_INDEX[name]
        items += [_NULL] * (index + 1 - len(items))
        items[index] = encode(value)
    record.properties = b"\x00\x53\x73" + list_of(items)


def _set_annotations(record: Record, changes: Mapping[str, Any]) -> None:
    if not changes:
        return
    section = map_section(MESSAGE_ANNOTATIONS, record.annotation_count, record.annotations)
    named = {encode(Symbol(name)): value for name, value in changes.items()}
    kept = [pair for pair in pairs_of(section, value_at(section)) if pair[0] not in named]
    pairs = kept + [(key, encode(value)) for key, value in named.items() if value is not None]
    record.annotation_count, record.annotations = len(pairs), b"".join(part for pair in pairs for part in pair)
