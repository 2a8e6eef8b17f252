"""A request for messages: from its head to the sink for its body."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from localzure.services.servicebus.addresses import parse_address
from localzure.services.servicebus.admin.errors import AdminError
from localzure.services.servicebus.admin.targets import Resource, Target
from localzure.services.servicebus.engine.limits import size_limit
from localzure.services.servicebus.errors import ServiceBusError
from localzure.services.servicebus.rest.handlers import MessageCall, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import HttpReply, HttpRequest
    from localzure.services.servicebus.rest.handlers import Handler
    from localzure.services.servicebus.rest.receivers import Receivers

BODY_BYTES_SPARE = 64 * 1024
"""What a body may have beside a message of the entity's largest size: the text around it."""

BODY_FACTOR = 2
"""How much longer the text of a batch may be than what it says: JSON escapes."""


class MessageBody:
    """Gathers the body of a request, as far as the entity takes messages, and does the operation at its end."""

    def __init__(self, call: MessageCall, handler: Handler) -> None:
        """Raises AdminError where the head tells of too large a body."""
        self._call = call
        self._handler = handler
        with call.broker.reader() as reader:
            queue = call.broker.entities.find(reader, parse_address(call.path))
        most = 0 if queue is None else size_limit(queue)
        self._left = self._limit = BODY_FACTOR * most + BODY_BYTES_SPARE
        length = call.request.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > self._limit):
            raise self._too_large()
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        self._left -= len(data)
        if self._left < 0:
            raise self._too_large()
        self._pieces.append(data)

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        try:
            return self._handler(self._call, b"".join(self._pieces))
        except ServiceBusError as error:
            raise refusal(error) from None

    def abandon(self) -> None:
        """See `BodySink`."""

    def _too_large(self) -> AdminError:
        return AdminError(403, f"The request body has more than {self._limit} bytes, which no message here may have.")


def message_call(
    receivers: Receivers, request: HttpRequest, path: str, target: Target, query: Mapping[str, str], base_url: str
) -> MessageCall:
    """Say what a request for messages is for; `path` is decoded."""
    message_id, token = "", None
    if target.resource is Resource.MESSAGE:
        *_, message_id, last = path.strip("/").split("/")
        token = UUID(last)
    return MessageCall(receivers.broker, receivers, request, target.entity, message_id, token, query, base_url)
