"""The operations of the administration API, as data.

One row per operation: how a request for it looks, what it needs and what it does. Routing, authorisation and the 501 of
what is missing all read this table. A row without a handler is an operation of Azure's that is not built: it is
answered with 501 and names itself, and is never taken for a neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.servicebus.access import Right
from localzure.services.servicebus.admin import handlers
from localzure.services.servicebus.admin.errors import AdminError
from localzure.services.servicebus.admin.targets import Resource
from localzure.services.servicebus.rest import handlers as messages

if TYPE_CHECKING:
    from localzure.services.servicebus.admin.handlers import Handler
    from localzure.services.servicebus.rest.handlers import Handler as MessageHandler


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table."""

    name: str
    method: str
    resource: Resource
    handler: Handler | None = None
    right: Right = Right.MANAGE
    is_update: bool = False
    """It is a PUT with `If-Match`; one without creates."""
    message_handler: MessageHandler | None = None
    """Of an operation on messages."""


def _messages(name: str, method: str, resource: Resource, right: Right, handler: MessageHandler) -> Operation:
    return Operation(name, method, resource, right=right, message_handler=handler)


OPERATIONS = (
    Operation("GetNamespaceInfo", "GET", Resource.NAMESPACE, handlers.get_namespace),
    Operation("ListQueues", "GET", Resource.QUEUES, handlers.list_queues),
    Operation("ListTopics", "GET", Resource.TOPICS),
    # A queue or a topic: its description says which. A client that asks for a name need not know what it names.
    Operation("GetQueue", "GET", Resource.ENTITY, handlers.get_queue),
    Operation("CreateQueue", "PUT", Resource.ENTITY, handlers.create_queue),
    Operation("UpdateQueue", "PUT", Resource.ENTITY, handlers.update_queue, is_update=True),
    Operation("DeleteQueue", "DELETE", Resource.ENTITY, handlers.delete_queue),
    Operation("ListSubscriptions", "GET", Resource.SUBSCRIPTIONS),
    Operation("GetSubscription", "GET", Resource.SUBSCRIPTION),
    Operation("CreateSubscription", "PUT", Resource.SUBSCRIPTION),
    Operation("UpdateSubscription", "PUT", Resource.SUBSCRIPTION, is_update=True),
    Operation("DeleteSubscription", "DELETE", Resource.SUBSCRIPTION),
    Operation("ListRules", "GET", Resource.RULES),
    Operation("GetRule", "GET", Resource.RULE),
    Operation("CreateRule", "PUT", Resource.RULE),
    Operation("UpdateRule", "PUT", Resource.RULE, is_update=True),
    Operation("DeleteRule", "DELETE", Resource.RULE),
    # Messages over HTTP.
    _messages("SendMessage", "POST", Resource.MESSAGES, Right.SEND, messages.send_messages),
    _messages("PeekLockMessage", "POST", Resource.HEAD, Right.LISTEN, messages.peek_lock),
    _messages("ReceiveAndDeleteMessage", "DELETE", Resource.HEAD, Right.LISTEN, messages.receive_and_delete),
    _messages("DeleteMessage", "DELETE", Resource.MESSAGE, Right.LISTEN, messages.complete),
    _messages("UnlockMessage", "PUT", Resource.MESSAGE, Right.LISTEN, messages.unlock),
    _messages("RenewLockForMessage", "POST", Resource.MESSAGE, Right.LISTEN, messages.renew_lock),
)
"""Every operation."""

_ROUTES = {(row.method, row.resource, row.is_update): row for row in OPERATIONS}


def find(method: str, resource: Resource, *, is_update: bool) -> Operation:
    """The operation that a request asks for. Raises AdminError (405)."""
    row = _ROUTES.get((method, resource, is_update and method == "PUT"))
    if row is None:
        methods = ", ".join(sorted({row.method for row in OPERATIONS if row.resource is resource}))
        raise AdminError(405, f"The method {method} is not allowed here; allowed are {methods}.")
    return row
