"""The heads of requests and replies that carry one message: `BrokerProperties`, and a header per own property.

Headers of HTTP itself, and those that clients and proxies add by themselves, are no properties of a message. A value is
written as JSON has it: texts in quotes, numbers and truth values without; what a client sends without quotes and is no
number is a text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.rest.messages import Message, read_broker_properties, shown

if TYPE_CHECKING:
    from localzure.services.interface import HttpRequest

BROKER_PROPERTIES = "BrokerProperties"

_OTHERS = (
    "accept accept-charset accept-encoding accept-language age allow authorization brokerproperties cache-control "
    "connection content-encoding content-language content-length content-location content-md5 content-range "
    "content-type cookie date dnt expect forwarded from host http2-settings if-match if-modified-since "
    "if-none-match if-range if-unmodified-since keep-alive last-modified location max-forwards origin pragma "
    "proxy-authorization proxy-connection range referer request-id sec-fetch-dest sec-fetch-mode sec-fetch-site "
    "sec-fetch-user server set-cookie te trailer transfer-encoding upgrade upgrade-insecure-requests user-agent vary "
    "via warning www-authenticate x-forwarded-for x-forwarded-host x-forwarded-proto "
    "servicebussupplementaryauthorization servicebusdlqsupplementaryauthorization"
)
_NOT_PROPERTIES = frozenset(_OTHERS.split())
"""Headers that are none of a message's own properties, in lower case; neither is any that begins with `x-ms-`."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)

_LONG_MAX = 2**63 - 1


def read_message(request: HttpRequest, body: bytes) -> Message:
    """The message that a request carries. Raises ServiceBusError (ARGUMENT)."""
    headers = request.headers
    text = headers.get(BROKER_PROPERTIES.lower())
    broker = {} if text is None else read_broker_properties(_utf8(text))
    if "content-type" in headers:
        broker.setdefault("ContentType", headers["content-type"])
    sent = {name.lower(): name for name in (raw.decode("latin-1") for raw in request.sent_names)}
    own = {sent.get(name, name): _value(_utf8(value)) for name, value in headers.items() if _is_property(name)}
    return Message(body, broker, own)


def write_message(message: Message) -> list[tuple[str, str]]:
    """The headers of a reply that gives a message."""
    broker = {name: shown(value) for name, value in sorted(message.broker.items())}
    headers = [(BROKER_PROPERTIES, json.dumps(broker, separators=(",", ":")))]
    if (content_type := broker.pop("ContentType", None)) and _is_plain(str(content_type)):
        headers.append(("content-type", str(content_type)))
    for name, value in message.properties.items():
        if _NAME.fullmatch(name) and _is_property(name.lower()):
            headers.append((name, json.dumps(shown(value))))
    return headers


def _is_property(name: str) -> bool:
    return name not in _NOT_PROPERTIES and not name.startswith("x-ms-")


def _value(text: str) -> Any:
    text = text.strip()
    if text[:1] == '"':
        try:
            found = json.loads(text)
        except ValueError:
            return text
        return found if isinstance(found, str) else text
    if text in {"true", "false"}:
        return text == "true"
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    number = json.loads(text)
    return float(number) if isinstance(number, int) and abs(number) > _LONG_MAX else number


def _is_plain(text: str) -> bool:
    """Whether a text can stand in a header as it is."""
    return text.isascii() and text.isprintable()


def _utf8(text: str) -> str:
    """Headers are bytes; clients that write more than ASCII write UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
