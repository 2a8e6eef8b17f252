"""What every kind of link has in common: the events that it may get."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.turn import Turn
    from localzure_protocols.amqp.events import Link, LinkFlow, MessageReceived, OutcomeReceived


class LinkHandler:
    """Our side of one link, kept in `Link.context`. What a kind of link never gets does nothing."""

    __slots__ = ("link",)

    def __init__(self, link: Link) -> None:
        self.link = link

    def opened(self) -> None:
        """We have attached."""

    def received(self, turn: Turn, event: MessageReceived) -> None:
        """The client sent a message."""

    def settled(self, turn: Turn, event: OutcomeReceived) -> None:
        """The client settled, or wants to settle, a message that we sent."""

    def flow(self, event: LinkFlow) -> None:
        """The client changed the link's credit, drains it, or asks for its state."""

    def writable(self) -> None:
        """The client takes bytes again."""

    def detached(self) -> None:
        """The link is gone."""
