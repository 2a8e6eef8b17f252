"""Messages in plain JSON, for people with curl and for the command line.

    {"body": "hello", "label": "greeting", "timeToLive": "PT1H", "properties": {"priority": 1}}

A body that is no text is JSON in JSON; one that is no UTF-8 is `bodyBase64`. The other names are those of Azure's
broker properties, with a small letter first. Times are ISO 8601, durations too.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.durations import FOREVER, MICROSECONDS, format_duration
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.rest.messages import BROKER_NAMES, Message, encode_text, require_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {name.lower(): name for name in BROKER_NAMES} | {"subject": "Label"}
_OWN = ("body", "bodyBase64", "properties")


def read_plain(given: object) -> Message:
    """Read a message that was sent. Raises ServiceBusError (ARGUMENT)."""
    if not isinstance(given, dict):
        raise _wrong('A message is a JSON object such as {"body": "hello"}.')
    broker: dict[str, Any] = {}
    for name, value in given.items():
        if name in _OWN:
            continue
        known = _NAMES.get(name.lower())
        if known is None:
            names = ", ".join([*_OWN, *(small(each) for each in BROKER_NAMES)])
            raise _wrong(f"A message has no '{name:.100}'; it has {names}.")
        broker[known] = value
    body = _read_body(given, broker)
    return Message(body, broker, require_properties(given.get("properties")))


def write_plain(message: Message) -> dict[str, object]:
    """Write a message that is given out."""
    told: dict[str, object] = {}
    try:
        told["body"] = message.body.decode()
    except UnicodeDecodeError:
        told["bodyBase64"] = b64encode(message.body).decode("ascii")
    for name, value in message.broker.items():
        if name == "TimeToLive":
            if value * MICROSECONDS < FOREVER - MICROSECONDS:
                told["timeToLive"] = format_duration(int(value * MICROSECONDS))
        elif name != "EnqueuedSequenceNumber" or value:
            told[small(name)] = _shown(value)
    told["properties"] = {name: _shown(value) for name, value in message.properties.items()}
    return told


def read_json(body: bytes) -> Any:
    """Read a request's body. Raises ServiceBusError (ARGUMENT)."""
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise _wrong("The request body is not JSON.") from None


def _read_body(given: Mapping[str, Any], broker: dict[str, Any]) -> bytes:
    if "bodyBase64" in given:
        try:
            return b64decode(given["bodyBase64"], validate=True)
        except (ValueError, TypeError):
            raise _wrong("The 'bodyBase64' is not base64.") from None
    body = given.get("body", "")
    if isinstance(body, str):
        return encode_text(body)
    broker.setdefault("ContentType", "application/json")
    return json.dumps(body, separators=(",", ":")).encode()


def small(name: str) -> str:
    """One of Azure's names as JSON has it: with a small letter first."""
    return name[0].lower() + name[1:]


def instant(at: int) -> str:
    """An instant as JSON has it."""
    return _time(datetime.fromtimestamp(at / MICROSECONDS, UTC))


def _shown(value: object) -> object:
    return _time(value) if isinstance(value, datetime) else value


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _wrong(detail: str) -> ServiceBusError:
    return ServiceBusError(ErrorCode.ARGUMENT, detail=detail)
