"""The gateway's plain JSON form of Service Bus, below `/servicebus/`: for people with curl.

What is sent there with an `api-version`, with `BrokerProperties` or as XML is meant in Azure's own form, and is none of
this. Tokens are asked for as in Azure's form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.interface import HttpReply
from localzure.services.servicebus.access import Right
from localzure.services.servicebus.addresses import subscription_path
from localzure.services.servicebus.admin.errors import AdminError, bad_request
from localzure.services.servicebus.admin.targets import Resource
from localzure.services.servicebus.engine.messages import BATCH_MESSAGES_MAX
from localzure.services.servicebus.rest import handlers
from localzure.services.servicebus.rest.messages import decode_message, encode_message
from localzure.services.servicebus.rest.plain import read_json, read_plain, write_plain
from localzure.services.servicebus.rest.plain_entities import PAGE_MAX
from localzure_protocols.amqp.message import BATCH_FORMAT, encode_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.interface import Address, HttpRequest
    from localzure.services.servicebus.admin.targets import Target
    from localzure.services.servicebus.engine.receiving import Delivery
    from localzure.services.servicebus.rest.handlers import Handler, MessageCall
    from localzure.services.servicebus.rest.plain_entities import Entities

PREFIX = "/servicebus"
"""Where the gateway has this form."""

CODES = {400: "BadRequest", 401: "Unauthorized", 403: "QuotaExceeded", 404: "NotFound", 405: "MethodNotAllowed"} | {
    409: "Conflict",
    410: "Gone",
    413: "TooLarge",
}
"""The code of a refusal by its status; else `InternalError`."""


def is_plain(request: HttpRequest) -> bool:
    """Whether a request to the gateway's path is in this form."""
    if not f"{request.raw_path}/".startswith(f"{PREFIX}/") or "api-version=" in request.raw_query:
        return False
    headers = request.headers
    kinds = f"{headers.get('content-type', '')},{headers.get('accept', '')}"
    return "brokerproperties" not in headers and "xml" not in kinds and "servicebus.json" not in kinds


def is_at_gateway(address: Address) -> bool:
    """Whether an address was reached by the gateway's path."""
    return address.base_url.endswith(PREFIX)


def refuse(request: HttpRequest, error: AdminError) -> HttpReply:
    """Render an error."""
    told = {"code": CODES.get(error.status, "InternalError"), "message": error.detail, "requestId": request.request_id}
    return _json({"error": told}, error.status)


@dataclass(slots=True)
class PlainCall:
    """One call."""

    messages: MessageCall
    entities: Entities
    target: Target

    @property
    def path(self) -> str:
        """The path of the entity."""
        target = self.target
        return subscription_path(target.entity, target.subscription) if target.subscription else target.entity

    def page(self) -> tuple[int, int]:
        """How many to skip, and how many to give. Raises AdminError."""
        numbers = []
        for name, default in (("skip", 0), ("top", PAGE_MAX)):
            text = self.messages.query.get(name, "") or str(default)
            if not text.isascii() or not text.isdecimal() or len(text) > 9:
                raise bad_request(f"The query parameter '{name}' is '{text:.100}'; it must be a whole number from 0.")
            numbers.append(int(text))
        return numbers[0], min(numbers[1], PAGE_MAX)


@dataclass(frozen=True, slots=True)
class PlainOperation:
    """What one method does on one resource."""

    name: str
    right: Right
    answer: Callable[[PlainCall, bytes], HttpReply]


def find(method: str, target: Target) -> PlainOperation:
    """The operation that a request asks for. Raises AdminError (405)."""
    resource = None if target.resource is Resource.ENTITY and not target.entity else target.resource
    found = OPERATIONS.get((method, resource))
    if found is None:
        methods = ", ".join(sorted(known for known, of in OPERATIONS if of is resource))
        raise AdminError(405, f"The method {method} is not allowed here; allowed are {methods or 'none'}.")
    return found


def bound(call: PlainCall, operation: PlainOperation) -> Handler:
    """The operation as a handler of the call's messages."""
    return lambda _messages, body: operation.answer(call, body)


# --- messages --------------------------------------------------------------------------------------------------------


def _send(call: PlainCall, body: bytes) -> HttpReply:
    given = read_json(body)
    messages = given if isinstance(given, list) else [given]
    if not 0 < len(messages) <= BATCH_MESSAGES_MAX:
        raise bad_request(f"A request sends 1 to {BATCH_MESSAGES_MAX} messages.")
    now = call.messages.broker.now()
    encoded = [encode_message(read_plain(message), now) for message in messages]
    if isinstance(given, list):
        handlers.store(call.messages, BATCH_FORMAT, b"".join([encode_data(each) for each in encoded]))
    else:
        handlers.store(call.messages, 0, encoded[0])
    return _json({"sent": len(messages)}, 201)


def _receive(*, is_destructive: bool) -> Callable[[PlainCall, bytes], HttpReply]:
    def reply(delivery: Delivery | None) -> HttpReply:
        if delivery is None:
            return HttpReply(204)
        return _json(write_plain(decode_message(delivery.front + delivery.rest)))

    return lambda call, _body: handlers.receive(call.messages, reply, is_destructive=is_destructive)


def _settle(handler: Handler) -> Callable[[PlainCall, bytes], HttpReply]:
    def answer(call: PlainCall, body: bytes) -> HttpReply:
        handler(call.messages, body)
        return HttpReply(204)

    return answer


# --- entities --------------------------------------------------------------------------------------------------------


def _shown(show: Callable[[PlainCall], dict[str, object]]) -> Callable[[PlainCall, bytes], HttpReply]:
    return lambda call, _body: _json(show(call))


def _put(
    put: Callable[[PlainCall, Mapping[str, object]], tuple[dict[str, object], bool]],
) -> Callable[[PlainCall, bytes], HttpReply]:
    def answer(call: PlainCall, body: bytes) -> HttpReply:
        given = read_json(body)
        if not isinstance(given, dict):
            raise bad_request("The request body is not a JSON object.")
        told, is_new = put(call, given)
        return _json(told, 201 if is_new else 200)

    return answer


def _deleted(delete: Callable[[PlainCall], None]) -> Callable[[PlainCall, bytes], HttpReply]:
    def answer(call: PlainCall, _body: bytes) -> HttpReply:
        delete(call)
        return HttpReply(204)

    return answer


def _json(told: object, status: int = 200) -> HttpReply:
    return HttpReply(status, [("content-type", "application/json")], json.dumps(told).encode() + b"\n")


def _rows(
    *rows: tuple[str, Resource | None, str, Right, Callable[[PlainCall, bytes], HttpReply]],
) -> dict[tuple[str, Resource | None], PlainOperation]:
    return {(method, resource): PlainOperation(name, right, answer) for method, resource, name, right, answer in rows}


_R, _MANAGE, _SEND, _LISTEN = Resource, Right.MANAGE, Right.SEND, Right.LISTEN

OPERATIONS = _rows(
    ("GET", None, "ListEntities", _MANAGE, _shown(lambda call: call.entities.page(*call.page()))),
    ("GET", _R.ENTITY, "GetQueue", _MANAGE, _shown(lambda call: call.entities.show(call.path))),
    ("PUT", _R.ENTITY, "CreateQueue", _MANAGE, _put(lambda call, given: call.entities.put(call.path, given))),
    ("DELETE", _R.ENTITY, "DeleteQueue", _MANAGE, _deleted(lambda call: call.entities.delete(call.path))),
    (
        "GET",
        _R.SUBSCRIPTIONS,
        "ListSubscriptions",
        _MANAGE,
        _shown(lambda call: call.entities.subscriptions(call.target.entity, *call.page())),
    ),
    ("GET", _R.SUBSCRIPTION, "GetSubscription", _MANAGE, _shown(lambda call: call.entities.show(call.path))),
    (
        "PUT",
        _R.SUBSCRIPTION,
        "CreateSubscription",
        _MANAGE,
        _put(lambda call, given: call.entities.put_subscription(call.target.entity, call.target.subscription, given)),
    ),
    ("DELETE", _R.SUBSCRIPTION, "DeleteSubscription", _MANAGE, _deleted(lambda call: call.entities.delete(call.path))),
    ("GET", _R.RULES, "ListRules", _MANAGE, _shown(lambda call: call.entities.rules(call.path, *call.page()))),
    ("GET", _R.RULE, "GetRule", _MANAGE, _shown(lambda call: call.entities.rule(call.path, call.target.rule))),
    (
        "PUT",
        _R.RULE,
        "CreateRule",
        _MANAGE,
        _put(lambda call, given: call.entities.put_rule(call.path, call.target.rule, given)),
    ),
    (
        "DELETE",
        _R.RULE,
        "DeleteRule",
        _MANAGE,
        _deleted(lambda call: call.entities.delete_rule(call.path, call.target.rule)),
    ),
    ("POST", _R.MESSAGES, "SendMessage", _SEND, _send),
    ("POST", _R.HEAD, "PeekLockMessage", _LISTEN, _receive(is_destructive=False)),
    ("DELETE", _R.HEAD, "ReceiveAndDeleteMessage", _LISTEN, _receive(is_destructive=True)),
    ("DELETE", _R.MESSAGE, "DeleteMessage", _LISTEN, _settle(handlers.complete)),
    ("PUT", _R.MESSAGE, "UnlockMessage", _LISTEN, _settle(handlers.unlock)),
    ("POST", _R.MESSAGE, "RenewLockForMessage", _LISTEN, _settle(handlers.renew_lock)),
)
"""Method and resource (None for the whole namespace) → what is done."""
