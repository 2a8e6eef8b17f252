"""The node `$management` of an entity: the table of `operations` on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus import operations
from localzure.services.servicebus.amqp.requests import Reply, Request
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.operation import Request as OperationRequest

if TYPE_CHECKING:
    from localzure.services.servicebus.amqp.peer import ServiceBusPeer
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn


class ManagementNode:
    """Runs operations on one entity for one connection."""

    def __init__(self, peer: ServiceBusPeer, queue: Queue) -> None:
        self._peer = peer
        self._queue = queue

    def respond(self, turn: Turn, request: Request) -> Reply:
        """Run one operation. Raises ServiceBusError."""
        row = operations.operation(str(request.properties.get("operation")))
        self._peer.require(row.right, self._queue.path)
        self._queue.accessed_at = turn.now
        if not isinstance(request.body, dict):
            raise ServiceBusError(ErrorCode.ARGUMENT, detail="The body of a request is a map.")
        asked = OperationRequest(
            self._peer.broker,
            turn,
            self._queue,
            request.body,
            connection=self._peer,
            session_id=self._peer.session_of(request.properties.get("associated-link-name")),
            transaction=request.transaction,
            amqp_session=request.session,
        )
        response = operations.run(row, asked)
        return Reply(response.status, _DESCRIPTIONS[response.status], body=response.body)


_DESCRIPTIONS = {200: "OK", 204: "No Content"}
