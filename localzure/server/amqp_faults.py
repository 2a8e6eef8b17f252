"""Faults on AMQP: what goes wrong between the connection's core and the service behind it.

`FaultyPeer` sees the events before the service does, and drops, changes or holds back those that a rule strikes;
`FaultyConnection` withholds the credit that the service grants. Links to `$cbs` and `$management` are spared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from localzure.faults.injector import Situation
from localzure.services.servicebus.addresses import CBS_NODE, normalize, parse_address
from localzure.services.servicebus.amqp.sessions import SESSION_FILTER
from localzure.services.servicebus.errors import ErrorCode
from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import (
    RELEASED,
    AmqpError,
    ConnectionClosed,
    ConnectionOpened,
    LinkAttached,
    LinkDetached,
    LinkFlow,
    MessageReceived,
    Modified,
    OutcomeReceived,
    Rejected,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localzure.faults.injector import Fault, Injector
    from localzure.faults.rules import Effect
    from localzure.services.interface import AmqpPeer
    from localzure.throttling.limits import Limits
    from localzure_protocols.amqp.events import AmqpEvent, Link

SERVER_BUSY = "com.microsoft:server-busy"
"""What Azure answers a client that it throttles; SDKs try again."""

_CONDITIONS: dict[Effect, str] = {
    "detach": "amqp:link:detach-forced",
    "close": "amqp:connection:forced",
    "reject": SERVER_BUSY,
    "lose_session": ErrorCode.SESSION_LOCK_LOST.value.condition,
    "lose_lock": ErrorCode.LOCK_LOST.value.condition,
}
"""What the client is told unless the rule says another condition."""


class Host(Protocol):
    """What faults need of the connection's driver."""

    @property
    def peer(self) -> str:
        """The client's address."""
        ...

    def flush(self) -> None:
        """There is output."""
        ...

    def call_later(self, seconds: float, done: Callable[[], None]) -> None:
        """Call `done` in a while, unless the connection has gone."""
        ...


class FaultyConnection(AmqpConnection):
    """A connection whose credit can be withheld."""

    def __init__(self, container_id: str, injector: Injector, host: Host) -> None:
        """`host` is the connection's driver."""
        super().__init__(container_id)
        self._injector = injector
        self._host = host
        self.client = ""
        """The client's container id."""

    def grant_credit(self, link: Link, credit: int) -> bool:
        """See `AmqpConnection.grant_credit`."""
        if not self._injector.amqp:
            return super().grant_credit(link, credit)
        fault = self.strike(link, "credit")
        if fault is None:
            return super().grant_credit(link, credit)
        self._host.call_later(fault.rule.delay, lambda: self._grant_late(link, credit))
        return True

    def strike(self, link: Link, operation: str) -> Fault | None:
        """What goes wrong with what happens on a link."""
        if is_node(link):
            return None
        situation = Situation("servicebus", operation, normalize(_address(link)), (self._host.peer, self.client))
        return self._injector.strike("amqp", situation)

    def _grant_late(self, link: Link, credit: int) -> None:
        super().grant_credit(link, credit)
        self._host.flush()


class FaultyPeer:
    """Passes a connection's events on to the service, but for what goes wrong."""

    def __init__(self, peer: AmqpPeer, core: FaultyConnection, injector: Injector, host: Host, limits: Limits) -> None:
        """`peer` is the service's side of the connection."""
        self._peer = peer
        self._core = core
        self._injector = injector
        self._host = host
        self._limits = limits
        self._held: list[AmqpEvent] = []
        self._gone: set[Link] = set()

    def handle(self, events: Sequence[AmqpEvent]) -> None:
        """Take the events of one read from the socket."""
        if not self._core.client:
            self._core.client = next((each.container_id for each in events if isinstance(each, ConnectionOpened)), "")
        if not self._injector.amqp and not self._held and not self._limits.limits:
            self._peer.handle(events)
            return
        passing: list[AmqpEvent] = []
        for number, event in enumerate(events):
            if self._held:
                self._held.extend(events[number:])
                break
            passing += self._meet(event)
        if passing:
            self._peer.handle(passing)
        self._host.flush()

    def _meet(self, event: AmqpEvent) -> list[AmqpEvent]:
        """What the service is told of an event, after what a rule has to say to it."""
        if not isinstance(event, LinkAttached | MessageReceived | LinkFlow | OutcomeReceived):
            return [event]
        if event.link in self._gone:
            return []
        if self._limits.limits and isinstance(event, MessageReceived) and self._is_over_limit(event):
            return []
        fault = self._core.strike(event.link, _OPERATIONS[type(event)])
        return [event] if fault is None else self._strike(event, fault)

    def _strike(
        self, event: LinkAttached | MessageReceived | LinkFlow | OutcomeReceived, fault: Fault
    ) -> list[AmqpEvent]:
        effect, link = fault.effect, event.link
        error = AmqpError(
            fault.rule.condition or _CONDITIONS.get(effect, ""), "This was asked for by a rule for faults."
        )
        if effect == "close":
            self._core.close(error)
            return [ConnectionClosed(error)]
        if effect == "delay":
            self._held.append(event)
            self._host.call_later(fault.rule.delay, self._let_go)
            return []
        if effect == "detach" or (effect == "lose_session" and SESSION_FILTER in (link.source.filter or {})):
            return self._detach(link, error, is_attached=not isinstance(event, LinkAttached))
        if isinstance(event, MessageReceived) and effect in {"reject", "release"} and not event.settled:
            self._core.settle(event.delivery, RELEASED if effect == "release" else Rejected(error))
            AmqpConnection.grant_credit(self._core, link, 1)
            return []
        if isinstance(event, OutcomeReceived) and effect == "lose_lock" and not event.settled:
            self._core.settle(event.delivery, Rejected(error))
            return [OutcomeReceived(link, event.delivery, Modified(delivery_failed=True), settled=True)]
        return [event]

    def _is_over_limit(self, event: MessageReceived) -> bool:
        """Whether a message is one too many; its sender is told to try again."""
        if event.settled or is_node(event.link) or not self._limits.draw("servicebus", "", self._host.peer):
            return False
        self._core.settle(event.delivery, Rejected(AmqpError(SERVER_BUSY, "The server is busy. Error code: 50009.")))
        AmqpConnection.grant_credit(self._core, event.link, 1)
        return True

    def _detach(self, link: Link, error: AmqpError, *, is_attached: bool) -> list[AmqpEvent]:
        if not is_attached:
            self._core.refuse_link(link, error)
            return []
        self._core.detach_link(link, error)
        self._gone.add(link)
        return [LinkDetached(link)]

    def _let_go(self) -> None:
        """A delay is over: go on with what it held back."""
        held, self._held = self._held, []
        self._peer.handle(held[:1])
        self.handle(held[1:])


def is_node(link: Link) -> bool:
    """Whether a link is to `$cbs` or `$management`, not to an entity."""
    address = _address(link)
    return normalize(address).lower() == CBS_NODE or parse_address(address).is_management


def _address(link: Link) -> str:
    return (link.target if link.is_receiver else link.source).address or ""


_OPERATIONS: dict[type, str] = {
    LinkAttached: "attach",
    MessageReceived: "send",
    LinkFlow: "receive",
    OutcomeReceived: "settle",
}
"""What rules call what happens on a link."""
