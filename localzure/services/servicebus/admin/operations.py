"""The operations of the administration API, as data.

One row per operation: how a request for it looks, what it needs and what it does. Routing and authorisation read this
table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.servicebus.access import Right
from localzure.services.servicebus.admin import handlers, subscriptions
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
    """Of an operation on entities and rules."""
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
    Operation("ListTopics", "GET", Resource.TOPICS, handlers.list_topics),
    # A queue or a topic: its description says which. A client that asks for a name need not know what it names.
    Operation("GetEntity", "GET", Resource.ENTITY, handlers.get_entity),
    Operation("CreateEntity", "PUT", Resource.ENTITY, handlers.create_entity),
    Operation("UpdateEntity", "PUT", Resource.ENTITY, handlers.update_entity, is_update=True),
    Operation("DeleteEntity", "DELETE", Resource.ENTITY, handlers.delete_entity),
    Operation("ListSubscriptions", "GET", Resource.SUBSCRIPTIONS, subscriptions.list_subscriptions),
    Operation("GetSubscription", "GET", Resource.SUBSCRIPTION, subscriptions.get_subscription),
    Operation("CreateSubscription", "PUT", Resource.SUBSCRIPTION, subscriptions.create_subscription),
    Operation("UpdateSubscription", "PUT", Resource.SUBSCRIPTION, subscriptions.update_subscription, is_update=True),
    Operation("DeleteSubscription", "DELETE", Resource.SUBSCRIPTION, subscriptions.delete_subscription),
    Operation("ListRules", "GET", Resource.RULES, subscriptions.list_rules),
    Operation("GetRule", "GET", Resource.RULE, subscriptions.get_rule),
    Operation("CreateRule", "PUT", Resource.RULE, subscriptions.create_rule),
    Operation("UpdateRule", "PUT", Resource.RULE, subscriptions.update_rule, is_update=True),
    Operation("DeleteRule", "DELETE", Resource.RULE, subscriptions.delete_rule),
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
