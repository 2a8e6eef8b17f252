"""From a routed call to its reply: what each operation does with its head and its body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.queue import replies, requests
from localzure.services.queue.engine import messages, queues
from localzure.services.storage_rest import account_properties
from localzure.services.storage_rest.handling import reading, writing, writing_body
from localzure.services.storage_rest.sinks import Bodiless, Collecting
from localzure.services.storage_rest.user_delegation import answer_key_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from localzure.services.interface import BodySink, HttpReply
    from localzure.services.queue.call import Call
    from localzure.services.queue.model import Message

    Handler: TypeAlias = Callable[[Call], BodySink]

DOCUMENT_BYTES_MAX = 64 * 1024
"""Longest body of Set Queue ACL and Set Queue Service Properties: the longest that mean anything take a tenth of it."""

MESSAGE_BYTES_MAX = 8 * requests.TEXT_BYTES_MAX
"""Longest body of Put Message and Update Message: the longest text with each character as an entity, and room around
it. What is longer holds a text that is too long, or hardly any."""


def get_service_stats(call: Call) -> BodySink:
    """Get Queue Service Stats: the secondary is always as new as the primary."""
    requests.check_secondary(call)
    return Bodiless(lambda: replies.service_stats(call, call.parts.clock.now()))


def get_user_delegation_key(call: Call) -> BodySink:
    """Get User Delegation Key: derived from the account's key, so nothing is kept of it."""

    def finish(body: bytes) -> HttpReply:
        parts = call.parts
        asked = requests.document(body)
        now = parts.clock.wall()
        key = answer_key_info(asked, call.request, call.principal, parts.accounts, "q", now)
        return replies.user_delegation_key(call, key)

    return Collecting(call.request, DOCUMENT_BYTES_MAX, finish)


def _message_put(call: Call, message: Message) -> HttpReply:
    """From here on the end of the message is waited for."""
    call.parts.deadlines.watch(message.record.expires)
    return replies.message_put(call, message)


get_service_properties = reading(requests.on_service, account_properties.get, replies.service_properties)
set_service_properties = writing_body(
    requests.set_properties, account_properties.change, replies.properties_set, bytes_max=DOCUMENT_BYTES_MAX
)
list_queues = reading(requests.list_queues, queues.list_page, replies.queue_listing)
create_queue = writing(requests.set_metadata, queues.create, replies.queue_created)
delete_queue = writing(requests.on_queue, queues.delete, replies.done)
get_queue_metadata = reading(requests.on_queue, queues.get, replies.queue_metadata)
set_queue_metadata = writing(requests.set_metadata, queues.set_metadata, replies.done)
get_queue_policies = reading(requests.on_queue, queues.get_policies, replies.queue_policies)
set_queue_policies = writing_body(
    requests.set_policies, queues.set_policies, replies.done, bytes_max=DOCUMENT_BYTES_MAX
)
put_message = writing_body(
    requests.put_message,
    messages.put,
    _message_put,
    bytes_max=MESSAGE_BYTES_MAX,
    told_max=requests.TEXT_BYTES_MAX,
)
get_messages = writing(requests.get_messages, messages.get, replies.messages_got)
peek_messages = reading(requests.peek_messages, messages.peek, replies.messages_peeked)
clear_messages = writing(requests.on_queue, queues.clear, replies.done)
update_message = writing_body(
    requests.update_message,
    messages.update,
    replies.message_updated,
    bytes_max=MESSAGE_BYTES_MAX,
    told_max=requests.TEXT_BYTES_MAX,
)
delete_message = writing(requests.on_message, messages.delete, replies.done)
