"""The node `$cbs`: a client puts a token, the connection is granted what the token allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.amqp.requests import Reply, Request
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError

if TYPE_CHECKING:
    from localzure.services.servicebus.access import Authority, Claims
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.turn import Turn

PUT_TOKEN = "put-token"  # noqa: S105 - the name of an operation


class ClaimsNode:
    """Takes the tokens of one connection."""

    def __init__(self, authority: Authority, claims: Claims, broker: Broker) -> None:
        self._authority = authority
        self._claims = claims
        self._broker = broker

    def respond(self, turn: Turn, request: Request) -> Reply:
        """Check a token. Its `type` is not looked at: clients call a shared access signature a JWT. Raises
        ServiceBusError.
        """
        operation = request.properties.get("operation")
        if operation != PUT_TOKEN:
            raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation=f"The operation {operation!r:.100} of $cbs")
        if not isinstance(request.body, str):
            raise ServiceBusError(ErrorCode.ARGUMENT, detail="The body of put-token is the token, a string.")
        self._claims.add(self._authority.grant_of_token(request.body, self._broker.clock.wall(), turn.writer))
        return Reply(202, "Accepted")
