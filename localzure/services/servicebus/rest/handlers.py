"""What the operations on messages do: each takes a call with its body and gives the reply, or one that comes later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from localzure.services.interface import SECOND, HttpReply
from localzure.services.servicebus.addresses import parse_address
from localzure.services.servicebus.admin.errors import AdminError, bad_request
from localzure.services.servicebus.engine.limits import require_sendable
from localzure.services.servicebus.engine.messages import BATCH_MESSAGES_MAX, send
from localzure.services.servicebus.engine.quotas import require_room_for_receiver
from localzure.services.servicebus.engine.receiving import renew, require_receivable
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.record import message_id_of
from localzure.services.servicebus.rest.heads import read_message, write_message
from localzure.services.servicebus.rest.messages import (
    Message,
    decode_message,
    encode_message,
    encode_text,
    require_properties,
)
from localzure.services.servicebus.rest.receivers import Receiver
from localzure_protocols.amqp.message import BATCH_FORMAT, encode_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from localzure.services.interface import HttpRequest
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.locks import Lock
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.receiving import Delivery
    from localzure.services.servicebus.engine.turn import Turn
    from localzure.services.servicebus.rest.receivers import Receivers

    Handler = Callable[["MessageCall", bytes], HttpReply]

BATCH_TYPE = "application/vnd.microsoft.servicebus.json"
"""The type of a body that holds several messages ("Send Message Batch")."""

TIMEOUT_SECONDS_DEFAULT = 60
"""How long a request waits for a message where it does not say."""

TIMEOUT_SECONDS_MAX = 24 * 3600
"""Longest wait that may be asked for."""

_STATUSES = {
    ErrorCode.ENTITY_NOT_FOUND: 410,
    ErrorCode.LOCK_LOST: 404,
    ErrorCode.MESSAGE_NOT_FOUND: 404,
    ErrorCode.SESSION_LOCK_LOST: 404,
    ErrorCode.SESSION_ID_MISSING: 405,
    ErrorCode.SESSION_REQUIRED: 405,
}
"""Statuses that are others here than on `$management` ("Service Bus Runtime REST", response codes)."""


@dataclass(slots=True)
class MessageCall:
    """One request for messages."""

    broker: Broker
    receivers: Receivers
    request: HttpRequest
    path: str
    """Of the entity or sub-queue, decoded."""
    message_id: str
    """Of a locked message: its id or its number."""
    lock_token: UUID | None
    query: Mapping[str, str]
    base_url: str

    def queue(self) -> Queue:
        """The entity. Raises ServiceBusError."""
        with self.broker.reader() as reader:
            queue = self.broker.entities.find(reader, parse_address(self.path))
        if queue is None:
            raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=self.uri)
        queue.accessed_at = self.broker.now()
        return queue

    @property
    def uri(self) -> str:
        """The entity's address, for errors."""
        return f"sb://{self.request.host}/{self.path}"

    def url(self, message: Message) -> str:
        """Where a locked message is settled."""
        name = str(message.broker.get("MessageId") or "")
        if not name or "/" in name or name.lower() in {".", "..", "messages"}:
            name = str(message.broker["SequenceNumber"])
        return f"{self.base_url}/{quote(self.path)}/messages/{quote(name, safe='')}/{message.broker['LockToken']}"

    def timeout(self) -> int:
        """How long to wait, in microseconds. Raises AdminError."""
        text = self.query.get("timeout", str(TIMEOUT_SECONDS_DEFAULT))
        if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) > TIMEOUT_SECONDS_MAX:
            raise bad_request(
                f"The query parameter 'timeout' is '{text:.100}'; it must be a whole number of seconds "
                f"from 0 to {TIMEOUT_SECONDS_MAX}."
            )
        return int(text) * SECOND


def refusal(error: ServiceBusError) -> AdminError:
    """An outcome as this API tells it."""
    return AdminError(_STATUSES.get(error.code, error.status), error.text)


def send_messages(call: MessageCall, body: bytes) -> HttpReply:
    """Send Message, and Send Message Batch."""
    content_type = call.request.headers.get("content-type", "")
    now = call.broker.now()
    if content_type.partition(";")[0].strip().lower() == BATCH_TYPE:
        messages = [encode_message(each, now) for each in _read_batch(body)]
        store(call, BATCH_FORMAT, b"".join([encode_data(each) for each in messages]))
    else:
        store(call, 0, encode_message(read_message(call.request, body), now))
    return HttpReply(201, [("content-type", content_type)] if content_type else [])


def store(call: MessageCall, message_format: int, payload: bytes) -> None:
    """Send an encoded message or batch. Raises ServiceBusError, StorageError."""
    queue = call.queue()
    require_sendable(queue, call.uri)
    write(call.broker, lambda turn: send(turn, queue, message_format, payload, call.broker.entropy))


def peek_lock(call: MessageCall, _body: bytes) -> HttpReply:
    """Peek-Lock Message."""

    def reply(delivery: Delivery | None) -> HttpReply:
        if delivery is None:
            return HttpReply(204)
        message = decode_message(delivery.front + delivery.rest)
        return HttpReply(201, [("location", call.url(message)), *write_message(message)], message.body)

    return receive(call, reply, is_destructive=False)


def receive_and_delete(call: MessageCall, _body: bytes) -> HttpReply:
    """Receive and Delete Message."""

    def reply(delivery: Delivery | None) -> HttpReply:
        if delivery is None:
            return HttpReply(204)
        message = decode_message(delivery.front + delivery.rest)
        return HttpReply(200, write_message(message), message.body)

    return receive(call, reply, is_destructive=True)


def receive(call: MessageCall, reply: Callable[[Delivery | None], HttpReply], *, is_destructive: bool) -> HttpReply:
    """Wait for a message. Raises ServiceBusError."""
    queue, timeout = call.queue(), call.timeout()
    if (error := receivable(queue, call.uri)) is not None:
        raise error
    require_room_for_receiver(call.broker.quotas, queue)
    return Receiver(call.receivers, queue, reply, is_destructive=is_destructive).wait(timeout)


def receivable(queue: Queue, uri: str) -> ServiceBusError | None:
    """Why nothing can be received from a queue over HTTP: there is no way to say which session."""
    try:
        require_receivable(queue, uri)
    except ServiceBusError as error:
        return error
    return None if queue.sessions is None else ServiceBusError(ErrorCode.SESSION_REQUIRED)


def complete(call: MessageCall, _body: bytes) -> HttpReply:
    """Delete Message."""
    _settle(call, Disposition.COMPLETED)
    return HttpReply(200)


def unlock(call: MessageCall, _body: bytes) -> HttpReply:
    """Unlock Message."""
    _settle(call, Disposition.ABANDONED)
    return HttpReply(200)


def renew_lock(call: MessageCall, _body: bytes) -> HttpReply:
    """Renew-Lock for a Message."""
    queue = call.queue()
    renew(call.broker, queue, _locked(call, queue).token)
    return HttpReply(200)


def write(broker: Broker, work: Callable[[Turn], None]) -> None:
    """Do `work` in a turn of its own. Raises what `work` raises, and the StorageError that ends a turn in silence."""
    errors: list[Exception] = []
    with broker.turn() as turn:
        turn.then(_nothing, errors.append)
        work(turn)
    if errors:
        raise errors[0]


def _settle(call: MessageCall, disposition: Disposition) -> None:
    queue = call.queue()
    token = _locked(call, queue).token
    write(call.broker, lambda turn: settle(turn, queue, token, disposition))


def _locked(call: MessageCall, queue: Queue) -> Lock:
    """The lock on the message that the address names by its id or number, and token. Raises ServiceBusError."""
    assert call.lock_token is not None, "the address of a locked message has a token"
    lock = queue.locks.get(call.lock_token.bytes_le)
    if lock is None or lock.deadline <= call.broker.now():
        raise ServiceBusError(ErrorCode.LOCK_LOST)
    if str(lock.sequence_number) != call.message_id:
        with call.broker.reader() as reader:
            value = reader.get(queue.message_key(lock.state, lock.sequence_number))
        if value is None or str(message_id_of(value)) != call.message_id:
            raise ServiceBusError(ErrorCode.LOCK_LOST)
    return lock


def _read_batch(body: bytes) -> list[Message]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise bad_request("The request body is not a JSON array of messages.")
    if len(given) > BATCH_MESSAGES_MAX:
        raise bad_request(f"A batch holds up to {BATCH_MESSAGES_MAX} messages.")
    return [_read_one(each) for each in given]


def _read_one(given: Mapping[str, Any]) -> Message:
    body, broker = given.get("Body", ""), given.get("BrokerProperties", {})
    if not isinstance(body, str) or not isinstance(broker, dict):
        raise bad_request("A message of a batch has a 'Body', a text, and 'BrokerProperties', an object.")
    return Message(encode_text(body), dict(broker), require_properties(given.get("UserProperties")))


def _nothing() -> None:
    """What follows a commit of which only the failure is asked."""
