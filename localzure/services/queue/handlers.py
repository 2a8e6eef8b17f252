"""From a routed call to its reply: what each operation does with its head and its body.

A handler takes a call whose head has arrived and returns the sink for its body. Each ends the same way: one
transaction, one decision of the engine, one reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from localzure.services.queue import replies, requests
from localzure.services.queue.engine import messages, properties, queues
from localzure.services.storage_rest.sinks import Bodiless, Collecting
from localzure.services.storage_rest.user_delegation import answer_key_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from localzure.services.interface import BodySink, HttpReply
    from localzure.services.queue.call import Call
    from localzure.services.queue.engine.state import Engine, Moment
    from localzure.services.queue.model import Message
    from localzure_storage.store import Reader, Writer

    Handler: TypeAlias = Callable[[Call], BodySink]

DOCUMENT_BYTES_MAX = 64 * 1024
"""Longest body of Set Queue ACL and Set Queue Service Properties: the longest that mean anything take a tenth of it."""

MESSAGE_BYTES_MAX = 8 * requests.TEXT_BYTES_MAX
"""Longest body of Put Message and Update Message: the longest text with each character as an entity, and room around
it. What is longer holds a text that is too long, or hardly any."""

Command = TypeVar("Command")
Reply = TypeVar("Reply")


def reading(
    parse: Callable[[Call], Command],
    decide: Callable[[Engine, Reader, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> Handler:
    """Make the handler of an operation that only reads."""

    def handle(call: Call) -> BodySink:
        command = parse(call)

        def finish() -> HttpReply:
            parts = call.parts
            with parts.transactions.reader() as reader:
                reply = decide(parts.engine, reader, command, parts.moment())
            return render(call, reply)

        return Bodiless(finish)

    return handle


def writing(
    parse: Callable[[Call], Command],
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> Handler:
    """Make the handler of an operation that writes, and has no body."""

    def handle(call: Call) -> BodySink:
        command = parse(call)
        return Bodiless(lambda: _write(call, command, decide, render))

    return handle


def writing_document(
    parse: Callable[[Call, bytes], Command],
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
    *,
    bytes_max: int = DOCUMENT_BYTES_MAX,
    told_max: int = DOCUMENT_BYTES_MAX,
) -> Handler:
    """Make the handler of an operation whose body is a document; `told_max` is the limit that clients are told of."""

    def handle(call: Call) -> BodySink:
        def finish(body: bytes) -> HttpReply:
            return _write(call, parse(call, body), decide, render)

        return Collecting(call.request, bytes_max, finish, told_limit=told_max)

    return handle


def _write(
    call: Call,
    command: Command,
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> HttpReply:
    parts = call.parts
    with parts.transactions.writer() as writer:
        reply = decide(parts.engine, writer, command, parts.moment())
    return render(call, reply)


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


get_service_properties = reading(requests.on_service, properties.get, replies.service_properties)
set_service_properties = writing_document(requests.set_properties, properties.change, replies.properties_set)
list_queues = reading(requests.list_queues, queues.list_page, replies.queue_listing)
create_queue = writing(requests.set_metadata, queues.create, replies.queue_created)
delete_queue = writing(requests.on_queue, queues.delete, replies.done)
get_queue_metadata = reading(requests.on_queue, queues.get, replies.queue_metadata)
set_queue_metadata = writing(requests.set_metadata, queues.set_metadata, replies.done)
get_queue_policies = reading(requests.on_queue, queues.get_policies, replies.queue_policies)
set_queue_policies = writing_document(requests.set_policies, queues.set_policies, replies.done)
put_message = writing_document(
    requests.put_message,
    messages.put,
    _message_put,
    bytes_max=MESSAGE_BYTES_MAX,
    told_max=requests.TEXT_BYTES_MAX,
)
get_messages = writing(requests.get_messages, messages.get, replies.messages_got)
peek_messages = reading(requests.peek_messages, messages.peek, replies.messages_peeked)
clear_messages = writing(requests.on_queue, queues.clear, replies.done)
update_message = writing_document(
    requests.update_message,
    messages.update,
    replies.message_updated,
    bytes_max=MESSAGE_BYTES_MAX,
    told_max=requests.TEXT_BYTES_MAX,
)
delete_message = writing(requests.on_message, messages.delete, replies.done)
