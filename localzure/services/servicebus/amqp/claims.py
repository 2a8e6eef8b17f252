"""The node `$cbs`: a client puts a token, the connection is granted what the token allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.addresses import audience_path, parse_address
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
        """Check a token. Its `type` is not looked at: clients call a shared access signature a JWT.

        Raises ServiceBusError.
        """
        operation = request.properties.get("operation")
        if operation != PUT_TOKEN:
            raise ServiceBusError(ErrorCode.NOT_IMPLEMENTED, operation=f"The operation {operation!r:.100} of $cbs")
        if not isinstance(request.body, str):
            raise ServiceBusError(ErrorCode.ARGUMENT, detail="The body of put-token is the token, a string.")
        grant = self._authority.grant_of_token(request.body, self._broker.clock.wall(), turn.writer)
        self._require_entity(turn, request.properties.get("name"))
        self._claims.add(grant)
        return Reply(202, "Accepted")

    def _require_entity(self, turn: Turn, audience: object) -> None:
        """A token is asked for an entity before a link, so this is where clients learn that there is none.

        What they raise depends on it: Python's SDK an authentication error, as with Azure, and those of JavaScript and
        Java one that they find by its text. Raises ServiceBusError (ENTITY_NOT_FOUND).
        """
        path = audience_path(audience) if isinstance(audience, str) else ""
        address = parse_address(path)
        if address.entity and self._broker.entities.record(turn.writer, address.entity) is None:
            raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=audience)
