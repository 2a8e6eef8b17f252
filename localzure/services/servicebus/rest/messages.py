"""A message between HTTP and AMQP: what the broker knows of it, its own properties, and its body.

Over HTTP a message is a body, a JSON object of what Azure calls broker properties, and further properties of its own
("Message headers and properties"). Which of the broker properties is what in AMQP is the table `_FIELDS`. What has no
place in HTTP, such as a footer, stays where it is and is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from localzure.auth.dates import http_date, parse_iso_date
from localzure.services.interface import Instant
from localzure.services.servicebus.durations import FOREVER, MICROSECONDS, parse_duration
from localzure.services.servicebus.engine.admission import TTL_MAX
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import MessageState
from localzure_protocols.amqp.codec import Timestamp
from localzure_protocols.amqp.message import (
    DATA,
    SEQUENCE,
    VALUE,
    Header,
    Properties,
    encode_application_properties,
    encode_data,
    encode_header,
    encode_message_annotations,
    encode_properties,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure_protocols.amqp.message import Sections


class _Field(NamedTuple):
    """A broker property that is a field of the AMQP properties, or an annotation."""

    name: str
    field: str = ""
    annotation: str = ""


_FIELDS = (
    _Field("ContentType", "content_type"),
    _Field("CorrelationId", "correlation_id"),
    _Field("Label", "subject"),
    _Field("MessageId", "message_id"),
    _Field("PartitionKey", annotation="x-opt-partition-key"),
    _Field("ReplyTo", "reply_to"),
    _Field("ReplyToSessionId", "reply_to_group_id"),
    _Field("SessionId", "group_id"),
    _Field("To", "to"),
    _Field("ViaPartitionKey", annotation="x-opt-via-partition-key"),
)
"""Broker properties that are texts. Those that are not listed anywhere here are ignored, as by Azure."""

BROKER_NAMES = (
    *(row.name for row in _FIELDS),
    "ForcePersistence",
    "ScheduledEnqueueTimeUtc",
    "TimeToLive",
    "TimeToLiveTimeSpan",
)
"""The broker properties that a sender sets."""

_SCHEDULED = "x-opt-scheduled-enqueue-time"


@dataclass(slots=True)
class Message:
    """A message as HTTP has it."""

    body: bytes
    broker: dict[str, Any] = field(default_factory=dict)
    """Broker properties by Azure's names."""
    properties: dict[str, Any] = field(default_factory=dict)
    """Its own: texts, numbers, truth values; what is given out may hold instants and UUIDs too."""


def encode_message(message: Message, now: int) -> bytes:
    """Write a message that was sent as AMQP has it. Raises ServiceBusError (ARGUMENT) for what it cannot hold."""
    given = {name.lower(): value for name, value in message.broker.items() if value is not None and value != ""}
    properties = Properties()
    annotations: dict[str, Any] = {}
    for row in _FIELDS:
        text = _text(row.name, given.get(row.name.lower()))
        if text is None:
            continue
        if row.field:
            setattr(properties, row.field, text)
        else:
            annotations[row.annotation] = text
    if (scheduled := given.get("scheduledenqueuetimeutc")) is not None:
        annotations[_SCHEDULED] = Timestamp(_instant("ScheduledEnqueueTimeUtc", scheduled) // 1000)
    header = Header(durable=True if given.get("forcepersistence") is True else None)
    lifetime = _lifetime(given)
    if lifetime is not None:
        header.ttl = min(lifetime // 1000, TTL_MAX)
        if lifetime // 1000 > TTL_MAX:
            properties.creation_time = now // 1000
            properties.absolute_expiry_time = (now + lifetime) // 1000
    try:
        parts = [
            encode_header(header),
            encode_message_annotations(annotations) if annotations else b"",
            encode_properties(properties),
            encode_application_properties(message.properties) if message.properties else b"",
            encode_data(message.body),
        ]
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(f"The message cannot be sent: {error}.") from None
    return b"".join(parts)


def decode_message(payload: bytes, *, is_delivered: bool = True) -> Message:
    """Read a message that is given out: its encoded sections with the broker's annotations in front.

    One that is delivered counts this delivery too.
    """
    sections = split(payload)
    properties, annotations = sections.properties(), sections.message_annotations()
    header = sections.header()
    broker: dict[str, Any] = {}
    for row in _FIELDS:
        value = getattr(properties, row.field) if row.field else annotations.get(row.annotation)
        if value is not None:
            broker[row.name] = _told(value)
    state = annotations.get("x-opt-message-state", MessageState.ACTIVE)
    broker |= {
        "DeliveryCount": (header.delivery_count or 0) + is_delivered,
        "EnqueuedSequenceNumber": annotations.get("x-opt-enqueue-sequence-number", 0),
        "EnqueuedTimeUtc": _date(annotations.get("x-opt-enqueued-time")),
        "SequenceNumber": annotations.get("x-opt-sequence-number", 0),
        "State": MessageState(int(state)).name.capitalize(),
        "TimeToLive": _seconds(FOREVER if header.ttl is None else header.ttl * 1000),
    }
    token = sections.delivery_annotations().get("x-opt-lock-token")
    if isinstance(token, UUID):
        broker |= {"LockToken": str(token), "LockedUntilUtc": _date(annotations.get("x-opt-locked-until"))}
    if (scheduled := annotations.get(_SCHEDULED)) is not None:
        broker["ScheduledEnqueueTimeUtc"] = _date(scheduled)
    if (source := annotations.get("x-opt-deadletter-source")) is not None:
        broker["DeadLetterSource"] = _told(source)
    own = {str(name): _told(value) for name, value in sections.application_properties().items()}
    return Message(_body(sections), broker, own)


def read_broker_properties(text: str) -> dict[str, Any]:
    """Read the JSON of broker properties. Raises ServiceBusError (ARGUMENT)."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _wrong("The BrokerProperties are not a JSON object.")
    return found


def encode_text(text: str) -> bytes:
    """A body that JSON has as a text. Raises ServiceBusError (ARGUMENT)."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _wrong("The body of a message has half a character (an unpaired surrogate).") from None


def require_properties(given: object) -> dict[str, Any]:
    """Return the properties of a message's own that JSON has. Raises ServiceBusError (ARGUMENT)."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _wrong("The properties of a message are a JSON object.")
    for name, value in given.items():
        if not isinstance(value, str | int | float | bool) and value is not None:
            raise _wrong(f"The property '{name:.100}' is neither a text, a number nor a truth value.")
    return dict(given)


def shown(value: object) -> object:
    """A property's value as JSON has it."""
    if isinstance(value, datetime):
        return http_date(Instant(int(value.timestamp()) * MICROSECONDS))
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _text(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(f"The broker property '{name}' must be a text.")
    return str(value)


def _lifetime(given: Mapping[str, Any]) -> int | None:
    """The time to live in microseconds; None where the entity's own holds."""
    if (span := given.get("timetolivetimespan")) is not None:
        return min(_time_span(span), FOREVER)
    seconds = given.get("timetolive")
    if seconds is None:
        return None
    if isinstance(seconds, str):
        try:
            return parse_duration(seconds)
        except ValueError:
            return min(_time_span(seconds), FOREVER)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise _wrong("The broker property 'TimeToLive' must be a number of seconds above 0.")
    return max(1000, min(int(seconds * MICROSECONDS), FOREVER))


def _time_span(text: object) -> int:
    """Read a time span as .NET writes it: `[days.]hours:minutes:seconds[.fraction]`, in microseconds."""
    wrong = _wrong("The time to live is neither a number of seconds, nor a duration, nor a time span.")
    if not isinstance(text, str) or text.count(":") != 2 or len(text) > 40:
        raise wrong
    front, minutes, seconds = text.split(":")
    days, _, hours = front.rpartition(".")
    numbers = (days or "0", hours, minutes, *(seconds.partition(".")[::2] if "." in seconds else (seconds, "0")))
    if not all(number.isascii() and number.isdecimal() for number in numbers):
        raise wrong
    whole = ((int(numbers[0]) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(numbers[3])
    lifetime = whole * MICROSECONDS + int(numbers[4][:6].ljust(6, "0"))
    if not lifetime:
        raise wrong
    return lifetime


def _instant(name: str, value: object) -> int:
    """Read an RFC 1123 or ISO 8601 date. Raises ServiceBusError (ARGUMENT)."""
    found: int | None = None
    if isinstance(value, str):
        found = parse_iso_date(value)
        if found is None:
            try:
                date = parsedate_to_datetime(value)
            except (ValueError, TypeError):
                date = None
            if date is not None:
                date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
                found = int(date.timestamp()) * MICROSECONDS
    if found is None or found < 0:
        raise _wrong(f"The broker property '{name}' must be a date such as 'Sat, 21 Nov 2026 12:00:00 GMT'.")
    return found


def _date(milliseconds: object) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if isinstance(milliseconds, int) else None


def _seconds(microseconds: int) -> float | int:
    """Seconds as Azure writes a time to live; the longest one is 922337203685.47754."""
    if microseconds >= FOREVER:
        return 922337203685.47754
    seconds = microseconds / MICROSECONDS
    return int(seconds) if seconds.is_integer() else seconds


def _told(value: Any) -> Any:
    """A value of AMQP as HTTP has it: a text, a number, a truth value, an instant or None."""
    if isinstance(value, Timestamp):
        return datetime.fromtimestamp(value / 1000, UTC) if 0 <= value < 253_402_300_800_000 else int(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return str(value)


def _body(sections: Sections) -> bytes:
    read = _BODIES.get(sections.body_code or 0)
    return read(sections) if read is not None else b""


def _value_body(sections: Sections) -> bytes:
    value = sections.value()
    if isinstance(value, bytes):
        return bytes(value)
    return (value if isinstance(value, str) else json.dumps(value, default=str)).encode()


_BODIES: Mapping[int, Callable[[Sections], bytes]] = {
    DATA: lambda sections: b"".join(sections.data()),
    SEQUENCE: lambda sections: json.dumps(sections.sequences(), default=str).encode(),
    VALUE: _value_body,
}
"""How the body of each kind is shown: what was not sent as bytes or text is JSON."""


def _wrong(detail: str) -> ServiceBusError:
    return ServiceBusError(ErrorCode.ARGUMENT, detail=detail)
