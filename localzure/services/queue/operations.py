"""The operations of the Queue service, as data.

One row per operation: how a request for it looks, what it needs and what it does. Routing and authorisation read this
table. Names are those of the service's OpenAPI document; the one that it lacks follows its style.

A request that fits no row is never taken for a neighbour: `find` says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from localzure.services.queue import handlers
from localzure.services.queue.errors import QueueError
from localzure.services.queue.requests import bad_parameter
from localzure.services.storage_rest.routing import methods_of, split_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.queue.handlers import Handler

Resource = Literal["service", "queue", "messages", "message"]

PEEK = "peekonly"
"""The parameter that tells Peek Messages from Get Messages."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    name: str
    method: str
    resource: Resource
    restype: str
    comp: str
    permission: str
    """The SAS permissions of which any one is enough; empty for what no SAS allows."""
    handler: Handler
    peeks: bool = False
    """It is asked for by `PEEK`."""
    writes: bool = False
    """It changes something, so the secondary endpoint refuses it."""


def _row(
    name: str,
    method: str,
    target: str,
    permission: str,
    handler: Handler,
    *,
    peeks: bool = False,
    writes: bool = False,
) -> Operation:
    """Make a row; `target` is `resource restype comp`, with a dash for neither."""
    resource, restype, comp = split_target(target)
    return Operation(
        name,
        method,
        resource,  # type: ignore[arg-type]  # the rows below name nothing else, and a test says so
        restype,
        comp,
        permission,
        handler,
        peeks,
        writes,
    )


OPERATIONS: tuple[Operation, ...] = (
    # The service.
    _row(
        "Service_SetProperties", "PUT", "service service properties", "w", handlers.set_service_properties, writes=True
    ),
    _row("Service_GetProperties", "GET", "service service properties", "r", handlers.get_service_properties),
    _row("Service_GetStatistics", "GET", "service service stats", "r", handlers.get_service_stats),
    _row(
        "Service_GetUserDelegationKey",
        "POST",
        "service service userdelegationkey",
        "",
        handlers.get_user_delegation_key,
    ),
    _row("Service_ListQueuesSegment", "GET", "service - list", "l", handlers.list_queues),
    # Queues.
    _row("Queue_Create", "PUT", "queue - -", "cw", handlers.create_queue, writes=True),
    _row("Queue_Delete", "DELETE", "queue - -", "d", handlers.delete_queue, writes=True),
    _row("Queue_GetProperties", "GET", "queue - metadata", "r", handlers.get_queue_metadata),
    _row("Queue_GetPropertiesWithHead", "HEAD", "queue - metadata", "r", handlers.get_queue_metadata),
    _row("Queue_SetMetadata", "PUT", "queue - metadata", "w", handlers.set_queue_metadata, writes=True),
    _row("Queue_GetAccessPolicy", "GET", "queue - acl", "", handlers.get_queue_policies),
    _row("Queue_GetAccessPolicyWithHead", "HEAD", "queue - acl", "", handlers.get_queue_policies),
    _row("Queue_SetAccessPolicy", "PUT", "queue - acl", "", handlers.set_queue_policies, writes=True),
    # The messages of a queue.
    _row("Messages_Enqueue", "POST", "messages - -", "a", handlers.put_message, writes=True),
    _row("Messages_Dequeue", "GET", "messages - -", "p", handlers.get_messages, writes=True),
    _row("Messages_Peek", "GET", "messages - -", "r", handlers.peek_messages, peeks=True),
    _row("Messages_Clear", "DELETE", "messages - -", "d", handlers.clear_messages, writes=True),
    # One message.
    _row("MessageId_Update", "PUT", "message - -", "u", handlers.update_message, writes=True),
    _row("MessageId_Delete", "DELETE", "message - -", "p", handlers.delete_message, writes=True),
)
"""Every operation."""

_ROUTES = {(row.resource, row.method, row.restype, row.comp, row.peeks): row for row in OPERATIONS}


def find(resource: Resource, method: str, query: Mapping[str, str]) -> Operation:
    """Return the operation that a request asks for. Raises QueueError that says why it asks for none."""
    restype = query.get("restype", "").lower()
    comp = query.get("comp", "").lower()
    peeks = resource == "messages" and method == "GET" and _peeks(query)
    operation = _ROUTES.get((resource, method, restype, comp, peeks))
    if operation is None:
        raise _unroutable(resource, restype, comp)
    return operation


def _peeks(query: Mapping[str, str]) -> bool:
    text = query.get(PEEK, "false")
    if text.lower() not in {"true", "false"}:
        raise bad_parameter(PEEK, text)
    return text.lower() == "true"


def _unroutable(resource: Resource, restype: str, comp: str) -> QueueError:
    """No row has this method, `restype` and `comp` for the resource: which of them is wrong?"""
    methods = methods_of(OPERATIONS, resource, restype, comp)
    if methods:
        return QueueError("UnsupportedHttpVerb", headers=(("allow", ", ".join(methods)),))
    if comp and comp not in {row.comp for row in OPERATIONS if row.resource == resource}:
        return bad_parameter("comp", comp)
    return bad_parameter("restype", restype) if restype else bad_parameter("comp", comp)
