"""One client's connection: which links it may have, and how what it asks reaches the engine.

Everything that arrives with one read from the socket is worked through in order; messages and outcomes that follow one
another share a turn of the engine, and so one commit, and are answered together after it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localzure.services.interface import SECOND
from localzure.services.servicebus.access import Claims, Right
from localzure.services.servicebus.addresses import CBS_NODE, normalize, parse_address
from localzure.services.servicebus.amqp.claims import ClaimsNode
from localzure.services.servicebus.amqp.life import ConnectionLife
from localzure.services.servicebus.amqp.management import ManagementNode
from localzure.services.servicebus.amqp.receiving import ReceiveLink
from localzure.services.servicebus.amqp.requests import REQUEST_BYTES_MAX, ReplyLink, RequestLink
from localzure.services.servicebus.amqp.sending import SendLink
from localzure.services.servicebus.amqp.sessions import SessionLink, wants_session
from localzure.services.servicebus.amqp.transactions import REQUEST_BYTES_MAX as COORDINATOR_BYTES_MAX
from localzure.services.servicebus.amqp.transactions import CoordinatorLink, OpenTransactions
from localzure.services.servicebus.engine.limits import require_sendable, size_limit
from localzure.services.servicebus.engine.quotas import require_room_for_receiver
from localzure.services.servicebus.engine.receiving import require_receivable
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityKind
from localzure_protocols.amqp.codec import Ulong
from localzure_protocols.amqp.events import (
    AmqpError,
    ConnectionClosed,
    ConnectionOpened,
    LinkAttached,
    LinkDetached,
    LinkFlow,
    MessageReceived,
    OutcomeReceived,
    Rejected,
)
from localzure_storage.store import StorageError, StoreFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localzure.services.interface import AmqpHost
    from localzure.services.servicebus.access import Authority
    from localzure.services.servicebus.addresses import EntityAddress
    from localzure.services.servicebus.amqp.links import LinkHandler
    from localzure.services.servicebus.dispatch import Dispatch
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.model import EntityRecord
    from localzure_protocols.amqp.connection import AmqpConnection
    from localzure_protocols.amqp.events import AmqpEvent, Link, Outcome

BATCH_BYTES_MAX = 1024 * 1024
"""Largest batch, also where single messages may be larger (Azure's quota)."""


TRANSFER_DESTINATION = "com.microsoft:transfer-destination-address"
"""The property of a link that sends to another entity via its target."""


class ServiceBusPeer:
    """The service's side of one AMQP connection (see `localzure.services.interface.AmqpPeer`)."""

    def __init__(
        self, broker: Broker, dispatch: Dispatch, authority: Authority, core: AmqpConnection, host: AmqpHost
    ) -> None:
        self.broker = broker
        self.dispatch = dispatch
        self.core = core
        self.host = host
        self._authority = authority
        self._claims = Claims()
        self._claims_node = ClaimsNode(authority, self._claims, broker)
        self._hostname = "localhost"
        self._handlers: dict[Link, LinkHandler] = {}
        self._life = ConnectionLife(self, self._claims)
        self._answers: list[tuple[int, Outcome]] = []
        self._after_turn: list[Callable[[], None]] = []
        self.transactions = OpenTransactions(broker)
        """Those that were declared on this connection."""
        self.on_disconnected: Callable[[], None] = lambda: None
        """Called when the connection is gone; maybe twice."""
        self._is_refused = False

    # What the server calls.

    def handle(self, events: Sequence[AmqpEvent]) -> None:
        """See `AmqpPeer.handle`."""
        run: list[MessageReceived | OutcomeReceived] = []
        flows: list[LinkFlow] = []
        try:
            for event in events:
                kind = type(event)
                if kind is MessageReceived or kind is OutcomeReceived:
                    run.append(event)  # type: ignore[arg-type]  # `type() is` is faster than isinstance, not narrowed
                elif kind is LinkFlow:
                    # Credit may wait for the messages and outcomes beside it: no order holds between the two.
                    flows.append(event)  # type: ignore[arg-type]  # as above
                else:
                    self._work(run, flows)
                    run, flows = [], []
                    self._handle_other(event)
            self._work(run, flows)
        except StorageError as error:
            self.core.close(self.storage_error(error))
        self._life.links_changed(len(self._handlers))
        self.host.flush()

    def writable(self) -> None:
        """See `AmqpPeer.writable`."""
        for handler in list(self._handlers.values()):
            handler.writable()

    def disconnected(self) -> None:
        """See `AmqpPeer.disconnected`."""
        self.on_disconnected()
        handlers, self._handlers = self._handlers, {}
        for handler in handlers.values():
            handler.detached()

    def shutdown(self) -> None:
        """See `AmqpPeer.shutdown`."""
        self.core.close(AmqpError("amqp:connection:forced", "The server is shutting down."))
        self.host.flush()

    def cut(self, reason: str) -> None:
        """Close the connection with an error after which clients connect again; nothing more is done for it."""
        self.core.close(AmqpError("amqp:connection:forced", reason))
        for link in self._handlers:
            link.context = None
        self.disconnected()
        self.host.flush()

    def refuse_connection(self) -> None:
        """There are as many connections as there may be: this one is closed once its client has said who it is for."""
        self._is_refused = True

    def tick(self, now: float) -> float | None:
        """See `AmqpPeer.tick`."""
        return self._life.tick(now)

    # What the service tells of entities.

    def entity_changed(self, record: EntityRecord) -> None:
        """Close the links that the queue's status does not allow any more."""
        for link, address in self._links_of(record):
            if not address.is_management:
                with self.broker.reader() as reader:
                    queue = self.broker.entities.find(reader, address)
                try:
                    if queue is not None:
                        (require_sendable if link.is_receiver else require_receivable)(queue, self._uri(address.path))
                except ServiceBusError as error:
                    self.detach(link, self.amqp_error(error, address.path))

    def entity_deleted(self, record: EntityRecord) -> None:
        """Close all links of the queue."""
        for link, address in self._links_of(record):
            error = ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=self._uri(address.path))
            self.detach(link, self.amqp_error(error, address.path))

    def _links_of(self, record: EntityRecord) -> list[tuple[Link, EntityAddress]]:
        """The links of an entity, its sub-queues and subscriptions, management included, with what they are of."""
        found = [(link, parse_address(_address_of(link))) for link in self._handlers]
        name = record.name.lower()
        below = f"{name}/subscriptions/" if record.kind is EntityKind.TOPIC else None
        return [
            (link, address)
            for link, address in found
            if (path := address.entity.lower()) == name or (below is not None and path.startswith(below))
        ]

    # What links use.

    def accept(self, handler: SessionLink, properties: Mapping[str, Any], source_filter: Mapping[Any, Any]) -> bool:
        """Attach a link that waited for its session; False when its client has gone."""
        link = handler.link
        limit = size_limit(handler.queue)
        if not self.core.accept_link(link, max_message_size=limit, properties=properties, source_filter=source_filter):
            return False
        link.context = handler
        handler.opened()
        self.host.flush()
        return True

    def answer(self, delivery: int, outcome: Outcome) -> None:
        """Settle `delivery` with `outcome` once the turn is committed."""
        self._answers.append((delivery, outcome))

    def after_turn(self, work: Callable[[], None]) -> None:
        """Have something done that needs a turn of its own, after the one that this connection is in."""
        self._after_turn.append(work)

    def detach(self, link: Link, error: AmqpError) -> None:
        """Close a link from our side."""
        handler = self._handlers.pop(link, None)
        if handler is not None:
            handler.detached()
        # A link that waits for a session is not attached yet.
        if not self.core.detach_link(link, error):
            self.core.refuse_link(link, error)
        self.host.flush()

    @property
    def enforces(self) -> bool:
        """Links need a token for what they do."""
        return self._authority.enforces

    def links_without_right(self) -> list[tuple[Link, str]]:
        """The links that would be refused now, and the paths of what they are attached to."""
        found = []
        for link in self._handlers:
            address = _address_of(link)
            if normalize(address).lower() != CBS_NODE:
                parsed = parse_address(address)
                try:
                    self._require_attach(link, parsed)
                except ServiceBusError:
                    found.append((link, parsed.path))
        return found

    def reply_links(self) -> list[ReplyLink]:
        """The links for replies, in the order of their attaching."""
        return [handler for handler in self._handlers.values() if isinstance(handler, ReplyLink)]

    def session_of(self, link_name: object) -> str | None:
        """The id of the session that the link of this name holds; None where it holds none."""
        for link, handler in self._handlers.items():
            if link.name == link_name and isinstance(handler, SessionLink):
                return handler.session_id
        return None

    def require(self, right: Right, path: str) -> None:
        """Raise ServiceBusError (UNAUTHORIZED) unless the connection was granted `right` for what is at `path`."""
        if self._authority.enforces and not self._claims.allows(path, right, self.broker.clock.wall()):
            claim = "' or '".join((each.name or "").capitalize() for each in right)
            raise ServiceBusError(ErrorCode.UNAUTHORIZED, claim=claim, entity=self._uri(path))

    def amqp_error(self, error: ServiceBusError, path: str) -> AmqpError:
        """An outcome as AMQP tells it, with what Azure adds to be found in its logs."""
        self.broker.counts.errors[error.condition] += 1
        return AmqpError(error.condition, self.traced(error.text, path))

    def storage_error(self, error: Exception) -> AmqpError:
        """What a client is told when the store has failed."""
        code = ErrorCode.STORE_FULL if isinstance(error, StoreFullError) else ErrorCode.INTERNAL
        told = error if isinstance(error, StorageError) else "an unforeseen error, see the server's log"
        return self.amqp_error(ServiceBusError(code, detail=told), "")

    def traced(self, text: str, path: str) -> str:
        """Add a tracking id and the time to a text."""
        now = datetime.fromtimestamp(self.broker.clock.wall() / SECOND, UTC)
        namespace = self._hostname.partition(".")[0]
        return (
            f"{text} TrackingId:{self.broker.entropy.uuid()}_G0, SystemTracker:{namespace}:{path}, "
            f"Timestamp:{now:%Y-%m-%dT%H:%M:%S}"
        )

    # Inside.

    def _work(self, run: list[MessageReceived | OutcomeReceived], flows: list[LinkFlow]) -> None:
        """Work through messages and outcomes in one turn, then through changes of credit."""
        if run:
            answers: list[tuple[int, Outcome]] = []
            self._answers = answers
            with self.broker.turn() as turn:
                turn.then(lambda: self._send_answers(answers), lambda error: self._send_refusals(answers, error))
                for event in run:
                    handler = event.link.context
                    if handler is not None:
                        if type(event) is MessageReceived:
                            handler.received(turn, event)
                        else:
                            handler.settled(turn, event)
            if self._after_turn:
                works, self._after_turn = self._after_turn, []
                for work in works:
                    work()
        for flow in flows:
            if flow.link.context is not None:
                flow.link.context.flow(flow)

    def _send_answers(self, answers: list[tuple[int, Outcome]]) -> None:
        settle = self.core.settle
        for delivery, outcome in answers:
            settle(delivery, outcome)
        self.host.flush()

    def _send_refusals(self, answers: list[tuple[int, Outcome]], error: Exception) -> None:
        """The store has failed: nobody is told that anything was done."""
        refusal = Rejected(self.storage_error(error))
        self._send_answers([(delivery, refusal) for delivery, _ in answers])

    def _handle_other(self, event: AmqpEvent) -> None:
        if isinstance(event, LinkAttached):
            self._attached(event.link)
        elif isinstance(event, LinkDetached):
            handler = self._handlers.pop(event.link, None)
            if handler is not None:
                handler.detached()
        elif isinstance(event, ConnectionOpened):
            self._opened(event)
        elif isinstance(event, ConnectionClosed):
            self.disconnected()

    def _opened(self, event: ConnectionOpened) -> None:
        """Note the client's name for us; a user name and a password are good for everything the key allows."""
        self._hostname = event.hostname or self._hostname
        if self._is_refused:
            namespace = self._hostname.partition(".")[0]
            error = ServiceBusError(
                ErrorCode.QUOTA_EXCEEDED, detail=f"ConnectionsQuotaExceeded for namespace {namespace}."
            )
            self.core.close(self.amqp_error(error, ""))
            return
        if event.sasl_mechanism == "PLAIN":
            _, key_name, key = (event.sasl_response.decode("utf-8", "replace") + "\0\0").split("\0")[:3]
            try:
                self._claims.add(self._authority.grant_of_password(key_name, key))
            except ServiceBusError as error:
                self.core.close(AmqpError("amqp:unauthorized-access", error.text))

    def _attached(self, link: Link) -> None:
        """Take a new link, or refuse it."""
        address = _address_of(link)
        try:
            if normalize(address).lower() == CBS_NODE:
                self._accept(link, self._claims_handler(link), REQUEST_BYTES_MAX)
            else:
                self._attach_entity(link, address)
        except ServiceBusError as error:
            self.core.refuse_link(link, self.amqp_error(error, normalize(address)))

    def _claims_handler(self, link: Link) -> LinkHandler:
        return RequestLink(self, link, self._claims_node.respond) if link.is_receiver else ReplyLink(self, link)

    def _attach_entity(self, link: Link, address: str) -> None:
        """Raises ServiceBusError."""
        if link.target.is_coordinator:
            self._accept(link, CoordinatorLink(self, link), COORDINATOR_BYTES_MAX)
            return
        parsed = parse_address(address)
        self._require_attach(link, parsed)
        with self.broker.reader() as reader:
            queue = self.broker.entities.find(reader, parsed)
        if queue is None:
            raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=self._uri(parsed.path))
        if parsed.is_management:
            node = ManagementNode(self, queue)
            handler = RequestLink(self, link, node.respond) if link.is_receiver else ReplyLink(self, link)
            self._accept(link, handler, REQUEST_BYTES_MAX)
        elif link.is_receiver:
            require_sendable(queue, self._uri(parsed.path))
            self._accept(link, SendLink(self, link, queue, self._destination(link)), size_limit(queue))
        else:
            require_receivable(queue, self._uri(parsed.path))
            _require_session_if_needed(link, queue)
            require_room_for_receiver(self.broker.quotas, queue)
            if queue.sessions is None:
                self._accept(link, ReceiveLink(self, link, queue), size_limit(queue))
            else:
                self._attach_session(SessionLink(self, link, queue))

    def _destination(self, link: Link) -> str | None:
        """The address to which a link sends via the entity that it is attached to; None for that entity itself.

        Raises ServiceBusError.
        """
        address = link.properties.get(TRANSFER_DESTINATION)
        if address is None:
            return None
        parsed = parse_address(str(address))
        self.require(Right.SEND, parsed.path)
        with self.broker.reader() as reader:
            queue = self.broker.entities.find(reader, parsed)
        if queue is None:
            raise ServiceBusError(ErrorCode.ENTITY_NOT_FOUND, entity=self._uri(parsed.path))
        return str(address)

    def _require_attach(self, link: Link, address: EntityAddress) -> None:
        """Raise ServiceBusError (UNAUTHORIZED) unless the connection may have `link`."""
        if address.is_management:
            self.require(Right.LISTEN | Right.SEND, address.path)
        else:
            self.require(Right.SEND if link.is_receiver else Right.LISTEN, address.path)

    def _attach_session(self, handler: SessionLink) -> None:
        """Raises ServiceBusError."""
        self._handlers[handler.link] = handler
        try:
            handler.attach()
        except ServiceBusError:
            del self._handlers[handler.link]
            raise

    def _accept(self, link: Link, handler: LinkHandler, max_message_size: int) -> None:
        properties: dict[str, Any] = {
            "com.microsoft:max-message-batch-size": Ulong(min(max_message_size, BATCH_BYTES_MAX))
        }
        if TRANSFER_DESTINATION in link.properties:
            properties[TRANSFER_DESTINATION] = link.properties[TRANSFER_DESTINATION]
        self.core.accept_link(
            link, max_message_size=max_message_size, properties=properties if link.is_receiver else None
        )
        link.context = handler
        self._handlers[link] = handler
        handler.opened()

    def _uri(self, path: str) -> str:
        return f"sb://{self._hostname}/{path}"


def _address_of(link: Link) -> str:
    """The address, as its client writes it, of what a link is attached to on our side."""
    return (link.target if link.is_receiver else link.source).address or ""


def _require_session_if_needed(link: Link, queue: Queue) -> None:
    """Raise ServiceBusError where a link asks for a session of a queue without, or for no session of one with them."""
    if wants_session(link) and queue.sessions is None:
        raise ServiceBusError(ErrorCode.SESSION_NOT_SUPPORTED)
    if queue.sessions is not None and not wants_session(link):
        raise ServiceBusError(ErrorCode.SESSION_REQUIRED)
