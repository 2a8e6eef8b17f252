"""The calls by which the owner of a Service Bus namespace looks into it, and clears up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from localzure.server.own_api.routes import InvalidCallError, OwnApiError, Route
from localzure.services.servicebus.desk import PAGE_MAX
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.rest.plain import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.server.own_api.routes import Handler, OwnCall, Result
    from localzure.services.servicebus.desk import Desk
    from localzure.services.servicebus.engine.clearing import Place, Step

SEND_BODY_BYTES_MAX = 32 * 1024 * 1024
"""Longest body of a call that sends messages."""

_CODES = {
    ErrorCode.ENTITY_NOT_FOUND: "EntityNotFound",
    ErrorCode.ENTITY_FULL: "EntityFull",
    ErrorCode.MESSAGE_TOO_LARGE: "MessageTooLarge",
    ErrorCode.ENTITY_DISABLED: "EntityDisabled",
}
"""Codes that this API has for what Service Bus refuses; all else is `InvalidRequest`."""


class ServiceBusCalls:
    """The calls. Their parameter `namespace` names one beside the default, where there are several."""

    def __init__(self, find: Callable[[str], Desk | None]) -> None:
        """`find` gives the desk of a namespace by its name, that of the default one for an empty name."""
        self._find = find

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("GET", "servicebus/entities", _told(self._entities)),
            Route("GET", "servicebus/entities/{path*}", _told(self._entity)),
            Route("GET", "servicebus/messages/{path*}", _told(self._peek)),
            Route("POST", "servicebus/messages/{path*}", _told(self._send), body_bytes_max=SEND_BODY_BYTES_MAX),
            Route("POST", "servicebus/purge/{path*}", self._purge),
            Route("POST", "servicebus/requeue/{path*}", self._requeue),
        ]

    def _desk(self, call: OwnCall) -> Desk:
        name = call.query.get("namespace", "")
        desk = self._find(name)
        if desk is None:
            raise OwnApiError(404, "NamespaceNotFound", f"There is no Service Bus namespace {name!r}.")
        return desk

    def _entities(self, call: OwnCall) -> Result:
        skip, top = _number(call, "skip", 0), _number(call, "top", PAGE_MAX)
        found, has_more = self._desk(call).entities(skip, top)
        return {"entities": found, "next": skip + len(found) if has_more else None}

    def _entity(self, call: OwnCall) -> Result:
        return self._desk(call).entity(call.names["path"])

    def _peek(self, call: OwnCall) -> Result:
        first, top = _number(call, "from", 0), _number(call, "top", PAGE_MAX)
        messages, following = self._desk(call).peek(call.names["path"], first, top)
        return {"messages": messages, "next": following}

    def _send(self, call: OwnCall) -> Result:
        given = read_json(call.body)
        messages = given if isinstance(given, list) else [given]
        self._desk(call).send(call.names["path"], messages)
        return {"sent": len(messages)}

    async def _purge(self, call: OwnCall) -> Result:
        desk, path = self._desk(call), call.names["path"]
        return {"purged": await _steps(lambda place: desk.purge(path, place))}

    async def _requeue(self, call: OwnCall) -> Result:
        desk, path = self._desk(call), call.names["path"]
        return {"requeued": await _steps(lambda place: desk.requeue(path, place))}


async def _steps(step: Callable[[Place | None], Step]) -> int:
    """Do all steps, between which others have their turn; returns how many messages they were about."""
    count, place = 0, None
    while True:
        try:
            taken = step(place)
        except ServiceBusError as error:
            raise _refusal(error) from None
        count += taken.done
        place = taken.following
        if place is None:
            return count
        await asyncio.sleep(0)


def _told(handler: Callable[[OwnCall], Result]) -> Handler:
    """A handler whose refusals are this API's."""

    def handle(call: OwnCall) -> Result:
        try:
            return handler(call)
        except ServiceBusError as error:
            raise _refusal(error) from None

    return handle


def _refusal(error: ServiceBusError) -> OwnApiError:
    return OwnApiError(error.status, _CODES.get(error.code, "InvalidRequest"), error.text)


def _number(call: OwnCall, name: str, default: int) -> int:
    text = call.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidCallError(f"The parameter {name!r} must be a whole number from 0.")
    return int(text)
