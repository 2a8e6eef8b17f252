"""The XML documents of the Queue service that others do not have: the listing of queues, and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.dates import http_date
from localzure.services.queue.identity import MessageId, format_id, format_receipt
from localzure.services.storage_rest.xml_writer import element, escape_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.queue.call import Call
    from localzure.services.queue.model import Message, QueuePage, QueueRecord

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_ECHOED = (("prefix", "Prefix"), ("marker", "Marker"), ("maxresults", "MaxResults"))


def queue_listing(call: Call, page: QueuePage, *, with_metadata: bool) -> bytes:
    """Write List Queues."""
    items = "".join(_queue(name, record, with_metadata) for name, record in page.queues)
    return (
        f'{_DECLARATION}<EnumerationResults ServiceEndpoint="{escape_text(call.address.base_url)}/">{_echo(call)}'
        f"<Queues>{items}</Queues>{_next_marker(call, page.next_start)}</EnumerationResults>"
    ).encode()


def message_put(message: Message) -> bytes:
    """Write the reply to Put Message."""
    return _messages(f"{_times(message)}{_receipt(message)}")


def messages_got(messages: Iterable[Message]) -> bytes:
    """Write the reply to Get Messages."""
    return _messages(*(f"{_times(message)}{_receipt(message)}{_content(message)}" for message in messages))


def messages_peeked(messages: Iterable[Message]) -> bytes:
    """Write the reply to Peek Messages, which says nothing that would let anybody take them."""
    return _messages(*(f"{_times(message)}{_content(message)}" for message in messages))


def _echo(call: Call) -> str:
    """Repeat the query, as every listing does; what was not given is left out, but for the prefix."""
    query = call.query
    return "".join(
        element(name, query.get(parameter))
        for parameter, name in _ECHOED
        if query.get(parameter) or parameter == "prefix"
    )


def _next_marker(call: Call, next_start: str | None) -> str:
    if next_start is None:
        return "<NextMarker />"
    return f"<NextMarker>{escape_text(f'/{call.address.account}/{next_start}')}</NextMarker>"


def _queue(name: str, record: QueueRecord, with_metadata: bool) -> str:
    metadata = ""
    if with_metadata:
        values = "".join(element(name, value) for name, value in record.metadata.items())
        metadata = f"<Metadata>{values}</Metadata>" if values else "<Metadata />"
    return f"<Queue><Name>{escape_text(name)}</Name>{metadata}</Queue>"


def _messages(*contents: str) -> bytes:
    items = "".join([f"<QueueMessage>{content}</QueueMessage>" for content in contents])
    listed = f"<QueueMessagesList>{items}</QueueMessagesList>" if items else "<QueueMessagesList />"
    return f"{_DECLARATION}{listed}".encode()


def _times(message: Message) -> str:
    record = message.record
    return (
        f"<MessageId>{format_id(MessageId(record.tag, message.sequence))}</MessageId>"
        f"<InsertionTime>{http_date(record.inserted)}</InsertionTime>"
        f"<ExpirationTime>{http_date(record.expires)}</ExpirationTime>"
    )


def _receipt(message: Message) -> str:
    record = message.record
    return (
        f"<PopReceipt>{format_receipt(record.tag, record.token)}</PopReceipt>"
        f"<TimeNextVisible>{http_date(record.visible)}</TimeNextVisible>"
    )


def _content(message: Message) -> str:
    record = message.record
    return f"<DequeueCount>{record.dequeue_count}</DequeueCount>{element('MessageText', record.text)}"
