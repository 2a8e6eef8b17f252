"""Reading a request's query, headers and body into commands, each fault as Azure names it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localzure.services.queue.errors import QueueError
from localzure.services.queue.identity import parse_id, parse_receipt
from localzure.services.queue.model import (
    GetMessages,
    ListQueues,
    OnMessage,
    OnQueue,
    PeekMessages,
    PutMessage,
    SetMetadata,
    SetPolicies,
    UpdateMessage,
)
from localzure.services.storage_rest.access_policies import read_policies
from localzure.services.storage_rest.account_properties import OnService, SetProperties
from localzure.services.storage_rest.headers import metadata_fault, read_metadata
from localzure.services.storage_rest.service_properties import change_properties
from localzure.services.storage_rest.xml_reader import XmlError, parse_document

if TYPE_CHECKING:
    from localzure.services.queue.call import Call
    from localzure.services.storage_rest.xml_reader import Element

TEXT_BYTES_MAX = 64 * 1024
"""Longest text of a message in UTF-8, whatever its XML takes to say it."""

PAGE_MAX = 5000
"""Most queues in a page of a listing, and the number in one that asks for no fewer."""

MESSAGES_MAX = 32
"""Most messages that are handed out at once."""

VISIBILITY_SECONDS_MAX = 7 * 24 * 3600
"""Longest visibility time-out."""

VISIBILITY_SECONDS = 30
"""For how long a message that was handed out is hidden, where nothing else is asked for."""

TIME_TO_LIVE_SECONDS = 7 * 24 * 3600
"""How long a message lives, where nothing else is asked for. Since version 2017-07-29 it may be any time."""

POLICY_PERMISSIONS = "raup"
"""What a stored access policy of a queue may allow: read, add, update, process."""

INCLUDES = frozenset({"", "metadata"})
"""What a listing of queues may include."""

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


# --- the service and its queues -----------------------------------------------------------------------------------


def on_service(call: Call) -> OnService:
    """Read an operation that needs no more than its account."""
    return OnService(call.address.account)


def check_secondary(call: Call) -> None:
    """Raise QueueError where the operation is asked of the primary endpoint, which does not answer it."""
    if not call.address.secondary:
        raise bad_parameter("comp", call.operation.comp, "It is answered at the secondary endpoint.")


def set_properties(call: Call, body: bytes) -> SetProperties:
    """Read Set Queue Service Properties."""
    asked = document(body)
    return SetProperties(call.address.account, lambda properties: change_properties(properties, asked))


def list_queues(call: Call) -> ListQueues:
    """Read List Queues."""
    includes_metadata(call)
    query = call.query
    limit = min(_number(call, "maxresults", PAGE_MAX, 1, 0x7FFFFFFF), PAGE_MAX)
    return ListQueues(call.address.account, query.get("prefix", ""), _marker(call), limit)


def includes_metadata(call: Call) -> bool:
    """Whether a listing is asked to include metadata; unknown words are refused."""
    text = call.query.get("include", "")
    words = frozenset(word.strip().lower() for word in text.split(","))
    if not words <= INCLUDES:
        raise bad_parameter("include", text)
    return "metadata" in words


def on_queue(call: Call) -> OnQueue:
    """Read an operation that needs no more than its queue."""
    return OnQueue(call.address.account, call.queue)


def set_metadata(call: Call) -> SetMetadata:
    """Read Create Queue or Set Queue Metadata."""
    metadata = read_metadata(call.request)
    if metadata and (fault := metadata_fault(metadata)) is not None:
        raise QueueError(fault)
    return SetMetadata(call.address.account, call.queue, metadata)


def set_policies(call: Call, body: bytes) -> SetPolicies:
    """Read Set Queue ACL; without a body it removes all policies."""
    policies = read_policies(document(body) if body else None, POLICY_PERMISSIONS)
    return SetPolicies(call.address.account, call.queue, policies)


# --- messages -----------------------------------------------------------------------------------------------------


def put_message(call: Call, body: bytes) -> PutMessage:
    """Read Put Message."""
    visibility_timeout = _number(call, "visibilitytimeout", 0, 0, VISIBILITY_SECONDS_MAX)
    time_to_live = _time_to_live(call)
    if time_to_live is not None and visibility_timeout >= time_to_live:
        reason = "messagettl must be greater than visibilitytimeout"
        raise bad_parameter("visibilitytimeout", str(visibility_timeout), reason)
    return PutMessage(call.address.account, call.queue, _text(body), visibility_timeout, time_to_live)


def peek_messages(call: Call) -> PeekMessages:
    """Read Peek Messages."""
    return PeekMessages(call.address.account, call.queue, _number(call, "numofmessages", 1, 1, MESSAGES_MAX))


def get_messages(call: Call) -> GetMessages:
    """Read Get Messages."""
    limit = _number(call, "numofmessages", 1, 1, MESSAGES_MAX)
    visibility_timeout = _number(call, "visibilitytimeout", VISIBILITY_SECONDS, 1, VISIBILITY_SECONDS_MAX)
    return GetMessages(call.address.account, call.queue, limit, visibility_timeout)


def on_message(call: Call) -> OnMessage:
    """Read Delete Message, and what other operations on one message need."""
    text = _required(call, "popreceipt")
    receipt = parse_receipt(text)
    if receipt is None:
        raise bad_parameter("popreceipt", text, "Invalid pop receipt format")
    return OnMessage(call.address.account, call.queue, parse_id(call.message), receipt)


def update_message(call: Call, body: bytes) -> UpdateMessage:
    """Read Update Message; without a body it leaves the text as it is."""
    target = on_message(call)
    _required(call, "visibilitytimeout")
    visibility_timeout = _number(call, "visibilitytimeout", 0, 0, VISIBILITY_SECONDS_MAX)
    return UpdateMessage(target, visibility_timeout, _text(body) if body else None)


def text_too_large() -> QueueError:
    """Return the error of a message whose text is too long."""
    return QueueError("RequestBodyTooLarge", MaxLimit=str(TEXT_BYTES_MAX))


def _text(body: bytes) -> str:
    """Read the text of a `QueueMessage` document, as any XML processor does: entities resolved, line ends as LF."""
    message = document(body)
    if message.name != "QueueMessage":
        raise QueueError("InvalidXmlDocument", XmlNodeName=message.name)
    texts = [child for child in message.children if child.name == "MessageText"]
    if not texts:
        raise QueueError("MissingRequiredXmlNode", XmlNodeName="MessageText")
    if len(message.children) > 1 or texts[0].children:
        raise QueueError("InvalidXmlDocument", XmlNodeName="QueueMessage")
    text = texts[0].text
    if len(text) > TEXT_BYTES_MAX or len(text.encode()) > TEXT_BYTES_MAX:
        raise text_too_large()
    return text


def document(body: bytes) -> Element:
    """Return the root of a body in XML. Raises QueueError `InvalidXmlDocument`."""
    try:
        return parse_document(body)
    except XmlError as error:
        raise QueueError("InvalidXmlDocument", Reason=str(error)) from error


def _time_to_live(call: Call) -> int | None:
    """Return the seconds that a message lives; None for as long as nobody removes it."""
    text = call.query.get("messagettl")
    if not text:
        return TIME_TO_LIVE_SECONDS
    seconds = _integer("messagettl", text)
    if seconds == -1:
        return None
    if seconds < 1:
        raise bad_parameter("messagettl", text, "Value must be greater than or equal to 1, or -1 for no expiry.")
    return seconds


# --- parameters ---------------------------------------------------------------------------------------------------


def bad_parameter(name: str, value: str, reason: str = "") -> QueueError:
    """Return the error of a query parameter whose value is not of its form."""
    return QueueError("InvalidQueryParameterValue", QueryParameterName=name, QueryParameterValue=value, Reason=reason)


def _required(call: Call, name: str) -> str:
    text = call.query.get(name)
    if text is None:
        raise QueueError("MissingRequiredQueryParameter", QueryParameterName=name)
    return text


def _number(call: Call, name: str, default: int, least: int, most: int) -> int:
    text = call.query.get(name)
    if not text:
        return default
    number = _integer(name, text)
    if not least <= number <= most:
        raise QueueError(
            "OutOfRangeQueryParameterValue",
            QueryParameterName=name,
            QueryParameterValue=text,
            MinimumAllowed=str(least),
            MaximumAllowed=str(most),
        )
    return number


def _integer(name: str, text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise bad_parameter(name, text)
    return int(text)


def _marker(call: Call) -> str:
    """Return the name in a marker, which is `/{account}/{queue}` as Azure's are."""
    text = call.query.get("marker", "")
    before = f"/{call.address.account}/"
    if text and not text.startswith(before):
        raise QueueError("InvalidMarker")
    return text.removeprefix(before)
