"""Writing replies: the status, headers and document that Azure gives for each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.dates import http_date
from localzure.services.interface import HttpReply
from localzure.services.queue import documents, requests
from localzure.services.queue.identity import format_receipt
from localzure.services.storage_rest.access_policies import policies_document
from localzure.services.storage_rest.headers import METADATA_PREFIX, reply_headers
from localzure.services.storage_rest.service_properties import properties_document, stats_document

if TYPE_CHECKING:
    from localzure.services.interface import Instant
    from localzure.services.queue.call import Call
    from localzure.services.queue.model import Message, MessageRecord, QueuePage, QueueRecord, QueueState
    from localzure.services.storage_rest.service_properties import ServiceProperties


def done(call: Call, _reply: None) -> HttpReply:
    """The reply to what changes something and has nothing to say."""
    return HttpReply(204, reply_headers(call.request))


def properties_set(call: Call, _reply: None) -> HttpReply:
    """The reply to Set Queue Service Properties."""
    return HttpReply(202, reply_headers(call.request))


def service_properties(call: Call, properties: ServiceProperties) -> HttpReply:
    """The reply to Get Queue Service Properties."""
    return _document(call, properties_document(properties))


def service_stats(call: Call, now: Instant) -> HttpReply:
    """The reply to Get Queue Service Stats."""
    return _document(call, stats_document(now))


def user_delegation_key(call: Call, key: bytes) -> HttpReply:
    """The reply to Get User Delegation Key."""
    return _document(call, key)


def queue_listing(call: Call, page: QueuePage) -> HttpReply:
    """The reply to List Queues."""
    return _document(call, documents.queue_listing(call, page, with_metadata=requests.includes_metadata(call)))


def queue_created(call: Call, is_new: bool) -> HttpReply:
    """The reply to Create Queue."""
    return HttpReply(201 if is_new else 204, reply_headers(call.request))


def queue_metadata(call: Call, state: QueueState) -> HttpReply:
    """The reply to Get Queue Metadata."""
    headers = _uncached(call)
    headers += [(METADATA_PREFIX + name, value) for name, value in state.record.metadata.items()]
    headers.append(("x-ms-approximate-messages-count", str(state.count)))
    return HttpReply(200, headers)


def queue_policies(call: Call, record: QueueRecord) -> HttpReply:
    """The reply to Get Queue ACL."""
    return _document(call, policies_document(record.policies))


def message_put(call: Call, message: Message) -> HttpReply:
    """The reply to Put Message."""
    headers = reply_headers(call.request)
    headers.append(("content-type", "application/xml"))
    return HttpReply(201, headers, documents.message_put(message))


def messages_got(call: Call, messages: list[Message]) -> HttpReply:
    """The reply to Get Messages."""
    return _document(call, documents.messages_got(messages))


def messages_peeked(call: Call, messages: list[Message]) -> HttpReply:
    """The reply to Peek Messages."""
    return _document(call, documents.messages_peeked(messages))


def message_updated(call: Call, record: MessageRecord) -> HttpReply:
    """The reply to Update Message."""
    headers = reply_headers(call.request)
    headers.append(("x-ms-popreceipt", format_receipt(record.tag, record.token)))
    headers.append(("x-ms-time-next-visible", http_date(record.visible)))
    return HttpReply(204, headers)


def _document(call: Call, body: bytes) -> HttpReply:
    headers = _uncached(call)
    headers.append(("content-type", "application/xml"))
    if call.request.method == "HEAD":
        headers.append(("content-length", str(len(body))))
        return HttpReply(200, headers)
    return HttpReply(200, headers, body)


def _uncached(call: Call) -> list[tuple[str, str]]:
    headers = reply_headers(call.request)
    headers.append(("cache-control", "no-cache"))
    return headers
