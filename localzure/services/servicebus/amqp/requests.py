"""Requests and replies over a pair of links, as `$cbs` and `$management` have them.

A request is one message; its reply goes out on a link of the same connection whose source is the node that was asked.
SDKs tell the reply link in different ways (reply-to, its target's address, its name, or not at all), see `choose`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.addresses import normalize
from localzure.services.servicebus.amqp.links import LinkHandler
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.codec import AmqpDecodeError, Int, Symbol
from localzure_protocols.amqp.events import ACCEPTED, AmqpError, Rejected, TransactionalState
from localzure_protocols.amqp.message import (
    Properties,
    encode_application_properties,
    encode_properties,
    encode_value,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localzure.services.servicebus.amqp.peer import ServiceBusPeer
    from localzure.services.servicebus.engine.transactions import Transaction
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_protocols.amqp.events import Link, LinkFlow, MessageReceived, OutcomeReceived

CREDIT = 100
"""Requests that a client may have under way on one link."""

REQUEST_BYTES_MAX = 1024 * 1024
"""Largest request to a node."""

REPLIES_WAITING_MAX = 1000
"""Replies that wait for credit on one link; a client that lets them pile up loses the link."""

SETTLED = 1


@dataclass(slots=True)
class Request:
    """One request, decoded."""

    properties: Mapping[Any, Any]
    """Its application properties: `operation` and the like."""
    body: Any
    message_id: Any
    reply_to: str | None
    session: int = 0
    """The AMQP session that it came on."""
    transaction: Transaction | None = None
    """What it is to take effect with."""


@dataclass(slots=True)
class Reply:
    """What it is answered."""

    status: int
    description: str
    condition: str | None = None
    body: Any = None


class RequestLink(LinkHandler):
    """Takes requests to one node, and has them answered."""

    __slots__ = ("_node", "_peer", "_respond")

    def __init__(self, peer: ServiceBusPeer, link: Link, respond: Callable[[Turn, Request], Reply]) -> None:
        """`respond` gives the reply; what it writes is committed before the reply leaves. Raises ServiceBusError."""
        super().__init__(link)
        self._peer = peer
        self._node = normalize(link.target.address or "").lower()
        self._respond = respond

    def opened(self) -> None:
        """Let the client ask."""
        self._peer.core.grant_credit(self.link, CREDIT)

    def received(self, turn: Turn, event: MessageReceived) -> None:
        """Answer one request."""
        self._peer.core.grant_credit(self.link, 1)
        try:
            request = _decode(event)
            request.session = self.link.session
            if event.state is not None:
                request.transaction = self._peer.transactions.of(event.state)
            link = self._reply_link(request)
        except ServiceBusError as error:
            if not event.settled:
                self._peer.answer(event.delivery, Rejected(self._peer.amqp_error(error, self._node)))
            return
        if not event.settled:
            state = event.state
            self._peer.answer(event.delivery, ACCEPTED if state is None else TransactionalState(state.txn_id, ACCEPTED))
        self._reply(turn, request, link)

    def _reply_link(self, request: Request) -> ReplyLink:
        """Raises ServiceBusError."""
        link = choose(self._peer.reply_links(), self.link.session, self._node, request.reply_to)
        if link is None:
            raise ServiceBusError(ErrorCode.NO_REPLY_LINK, entity=self._node)
        return link

    def _reply(self, turn: Turn, request: Request, link: ReplyLink) -> None:
        """Send the reply once everything that it tells is committed, also what was only read."""
        reply = Reply(500, "")

        def failed(error: Exception) -> None:
            storage_error = self._peer.storage_error(error)
            link.send(request, Reply(500, storage_error.description, storage_error.condition))

        turn.then(lambda: link.send(request, reply), failed)
        try:
            reply = self._respond(turn, request)
        except ServiceBusError as error:
            told = self._peer.amqp_error(error, self._node)
            reply = Reply(error.status, told.description, told.condition)


class ReplyLink(LinkHandler):
    """Gives replies of one node, as far as the client's credit goes."""

    __slots__ = ("_peer", "_tag", "_waiting", "node")

    def __init__(self, peer: ServiceBusPeer, link: Link) -> None:
        super().__init__(link)
        self._peer = peer
        self.node = normalize(link.source.address or "").lower()
        """The path of the node, in lower case."""
        self._waiting: deque[bytes] = deque()
        self._tag = 0

    def send(self, request: Request, reply: Reply) -> None:
        """Send a reply, or keep it until there is credit."""
        if len(self._waiting) >= REPLIES_WAITING_MAX:
            self._waiting.clear()
            error = AmqpError("amqp:resource-limit-exceeded", "Too many replies wait for credit on this link.")
            self._peer.detach(self.link, error)
            return
        self._waiting.append(_encode(request, reply))
        self._send_waiting()

    def flow(self, event: LinkFlow) -> None:
        """Send what was waiting for credit."""
        self._send_waiting()
        if event.drain:
            self._peer.core.drained(self.link)
        elif event.echo:
            self._peer.core.send_flow(self.link)

    def settled(self, turn: Turn, event: OutcomeReceived) -> None:
        """Agree with whatever the client made of a reply."""
        del turn
        if not event.settled:
            self._peer.answer(event.delivery, ACCEPTED)

    def _send_waiting(self) -> None:
        settled = self.link.snd_settle_mode == SETTLED
        while self._waiting and self.link.credit > 0:
            self._tag += 1
            if not self._peer.core.deliver(
                self.link, self._tag.to_bytes(4, "big"), (self._waiting[0],), settled=settled
            ):
                break
            self._waiting.popleft()
        self._peer.host.flush()


def choose(links: Iterable[ReplyLink], session: int, node: str, reply_to: str | None) -> ReplyLink | None:
    """The link for a reply of `node`: on the same session if there is one, then as `reply_to` says, then the newest.

    `links` are in the order of their attaching. What `reply_to` names is a target's address or a link's name.
    """
    best, best_rank = None, (-1, -1)
    for link in links:
        if link.node == node:
            named = 0
            if reply_to is not None:
                named = 2 if link.link.target.address == reply_to else 1 if link.link.name == reply_to else 0
            rank = (int(link.link.session == session), named)
            if rank >= best_rank:
                best, best_rank = link, rank
    return best


def _decode(event: MessageReceived) -> Request:
    """Raises ServiceBusError."""
    if event.oversize:
        raise ServiceBusError(ErrorCode.MESSAGE_TOO_LARGE, size=event.oversize, limit=REQUEST_BYTES_MAX)
    try:
        sections = split(event.payload)
        reply_to = sections.property("reply_to")
        return Request(
            sections.application_properties(),
            sections.value(),
            sections.property("message_id"),
            reply_to if isinstance(reply_to, str) else None,
        )
    except AmqpDecodeError as error:
        raise ServiceBusError(ErrorCode.MESSAGE_MALFORMED, detail=error) from None


def _encode(request: Request, reply: Reply) -> bytes:
    """Write a reply. SDKs differ in how they spell status code and description, so both spellings are there."""
    properties: dict[str, Any] = {
        "statusCode": Int(reply.status),
        "statusDescription": reply.description,
        "status-code": Int(reply.status),
        "status-description": reply.description,
    }
    if reply.condition is not None:
        properties["errorCondition"] = Symbol(reply.condition)
    return b"".join(
        (
            encode_properties(Properties(correlation_id=request.message_id)),
            encode_application_properties(properties),
            encode_value(reply.body),
        )
    )
