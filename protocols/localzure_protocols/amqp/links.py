"""The sessions and links of one connection: who is attached where, and what is said to begin and end it.

proton knows a link by a name of our own, because it refuses a second ATTACH of a name that is still attached, which
AMQP allows as stealing (part 2, 2.6.1). The client's names and everything else in ATTACH and DETACH stay here, and
`outbound` puts them into the frames that proton writes.

    attach ──► begun ──accept──► open ──detach──► ending ──both detached──► freed
                  └────refuse─────────────────────┘
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localzure_protocols.amqp.events import AmqpError, LinkDetached
from localzure_protocols.amqp.numbering import Numbering
from localzure_protocols.amqp.performatives import ProtocolViolation, refusal_answer

if TYPE_CHECKING:
    from localzure_protocols.amqp.events import AmqpEvent, Link
    from localzure_protocols.amqp.pointers import Engine, EngineLink, EngineSession

HANDLE_MAX = 4999
"""The highest handle in a session; Azure Service Bus allows 255 and more."""
LINKS_MAX = 20_000
"""Links of one connection, over all its sessions."""

HANDLE_BITS = 32
"""A link is found by its channel above this many bits of its handle."""


@dataclass(slots=True, eq=False)
class Session:
    """A session that the client has begun."""

    number: int
    channel: int
    """The client's."""
    engine: EngineSession
    local_channel: int = -1
    """Ours, once BEGIN has been written."""
    links: dict[int, Attachment] = field(default_factory=dict)
    """By the client's handle, until the client detaches."""
    ending: dict[int, Attachment] = field(default_factory=dict)
    """Links that the client has detached and that are not freed yet, by number."""
    numbering: Numbering = field(default_factory=Numbering)
    """Kept up where the client is known to send deliveries out of turn."""
    is_ended: bool = False
    """The client has sent END."""
    is_blocked: bool = False
    """More bytes wait for the client's session window than we want to hold: its links show no credit."""
    unsent_max: int = 0
    """How many those are, while it is blocked."""


@dataclass(slots=True, eq=False)
class Attachment:
    """A link, with what the wire needs to know of it."""

    link: Link
    session: Session
    handle: int
    """The client's."""
    engine: EngineLink
    attach: list[Any]
    """The client's ATTACH."""
    answer: list[Any] | None = None
    """Our ATTACH, once there is one."""
    error: AmqpError | None = None
    """What our DETACH says."""
    local_handle: int = -1
    """Ours, from ATTACH to DETACH."""
    is_ending: bool = False
    """We have sent DETACH, or proton is about to."""
    is_detach_written: bool = False
    frames_due: int = 0
    """Of ATTACH and DETACH, what proton still has to write."""
    is_detached: bool = False
    """The client has sent DETACH or END."""
    delivery_count: int = 0
    credit: int = 0
    """Messages that the sender, either side, may still send."""
    max_message_size: int = 0
    is_receiving: bool = False
    """Messages may come: the client sends on this link, and it is open."""
    is_inside: bool = False
    """A message has begun that is not complete."""
    pieces: list[bytes] = field(default_factory=list)
    """The message that is coming in, as far as it is there."""
    pieces_size: int = 0
    message_size: int = 0
    """Bytes of that message so far, those beyond the limit included, which are not kept."""
    begun: tuple[bytes, int, bool, Any] = (b"", 0, False, None)
    """Tag, message format, settled and state of the message that is coming in."""


class Links:
    """All sessions and links of a connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = 0
        self._by_name: dict[tuple[str, bool], Attachment] = {}
        self._by_link: dict[Link, Attachment] = {}
        self.sessions: dict[int, Session] = {}
        """By the client's channel."""
        self._begun: deque[Session] = deque()
        self.sessions_by_local: dict[int, Session] = {}
        """By our channel, from BEGIN to END."""
        self.by_handle: dict[int, Attachment] = {}
        """By the client's channel and handle."""
        self.by_local: dict[tuple[int, int], Attachment] = {}
        """By our channel and handle, from ATTACH to DETACH."""
        self.by_number: dict[int, Attachment] = {}
        """By the name that proton knows."""
        self._finished: list[Attachment] = []
        self._ended: list[Session] = []
        self.frames_due = 0
        """Frames that proton still has to write and `outbound` has to rewrite."""
        self.are_renumbered = False
        """Some deliveries have not the numbers that the client gave them."""
        self.held_bytes = 0
        """Bytes of incomplete messages, over all links."""

    def find(self, link: Link) -> Attachment | None:
        """The attachment of a link that this side has not ended and the client has not detached."""
        return self._by_link.get(link)

    def clear(self) -> None:
        """The connection has ended: nothing is attached any more."""
        for link in self._by_link:
            link.is_open = False
            link.credit = 0
        self._by_link.clear()
        self._by_name.clear()

    def begin(self, channel: int, engine: EngineSession) -> Session:
        """The client has begun a session, which the engine answers."""
        self._numbers += 1
        session = Session(self._numbers, channel, engine)
        self.sessions[channel] = session
        self._begun.append(session)
        self.frames_due += 1
        return session

    def next_number(self) -> int:
        """The number of the next link. Raises ProtocolViolation if there are too many."""
        if len(self.by_number) >= LINKS_MAX:
            raise ProtocolViolation("amqp:resource-limit-exceeded", f"a connection has at most {LINKS_MAX} links")
        self._numbers += 1
        return self._numbers

    def attach(self, attach: list[Any], session: Session, engine: EngineLink, events: list[AmqpEvent]) -> Attachment:
        """The client has attached a link: it waits for an answer, and ends an older link of the same name and role."""
        link, handle = engine.link, attach[1]
        attachment = Attachment(link, session, handle, engine, attach)
        if link.is_receiver:
            attachment.delivery_count = attach[9] or 0
        older = self._by_name.get((link.name, link.is_receiver))
        if older is not None:
            error = AmqpError("amqp:link:stolen", f"The link '{link.name}' has been attached again.")
            self.end(older, error, events)
        session.links[handle] = self.by_handle[session.channel << HANDLE_BITS | handle] = attachment
        self.by_number[engine.number] = self._by_link[link] = attachment
        self._by_name[link.name, link.is_receiver] = attachment
        return attachment

    def answer(self, attachment: Attachment, answer: list[Any]) -> None:
        """Send our ATTACH."""
        attachment.answer = answer
        attachment.frames_due += 1
        self.frames_due += 1
        self._engine.open_link(attachment.engine)

    def detach(self, attachment: Attachment, error: AmqpError | None) -> None:
        """Send our DETACH, after an ATTACH with null termini if there was none yet."""
        if attachment.answer is None:
            self.answer(attachment, refusal_answer(attachment.attach))
        attachment.error = error
        attachment.is_ending = True
        attachment.is_receiving = False
        attachment.frames_due += 1
        self.frames_due += 1
        self._engine.close_link(attachment.engine)
        self._forget(attachment)

    def end(self, attachment: Attachment, error: AmqpError, events: list[AmqpEvent]) -> None:
        """Detach a link for a reason that the service has to be told."""
        self.detach(attachment, error)
        events.append(LinkDetached(attachment.link, error))

    def detached(self, attachment: Attachment, error: AmqpError | None, events: list[AmqpEvent]) -> None:
        """The client has detached a link: answer it, and tell the service unless the end was ours."""
        del attachment.session.links[attachment.handle]
        del self.by_handle[attachment.session.channel << HANDLE_BITS | attachment.handle]
        attachment.is_detached = True
        attachment.session.ending[attachment.engine.number] = attachment
        if attachment.is_detach_written:
            self._finished.append(attachment)
        elif not attachment.is_ending:
            self.detach(attachment, None)
            events.append(LinkDetached(attachment.link, error))

    def ended(self, session: Session, error: AmqpError | None, events: list[AmqpEvent]) -> None:
        """The client has ended a session, which ends its links."""
        del self.sessions[session.channel]
        session.is_ended = True
        for attachment in session.links.values():
            del self.by_handle[session.channel << HANDLE_BITS | attachment.handle]
            attachment.is_detached = True
            if not attachment.is_ending:
                attachment.is_ending = True
                attachment.is_receiving = False
                self._engine.ignore(attachment.engine)
                self._forget(attachment)
                events.append(LinkDetached(attachment.link, error))
            session.ending[attachment.engine.number] = attachment
        session.links.clear()
        self.frames_due += 1
        self._engine.close_session(session.engine)

    # -- what proton has written

    def begin_written(self, local_channel: int) -> Session:
        """Our next BEGIN is out: proton answers sessions in the order in which they were begun."""
        self.frames_due -= 1
        session = self._begun.popleft()
        session.local_channel = local_channel
        self.sessions_by_local[local_channel] = session
        return session

    def attach_written(self, attachment: Attachment, local_handle: int) -> None:
        """Our ATTACH is out."""
        self._written(attachment)
        attachment.local_handle = local_handle
        self.by_local[attachment.session.local_channel, local_handle] = attachment

    def detach_written(self, attachment: Attachment) -> None:
        """Our DETACH is out."""
        self._written(attachment)
        attachment.is_detach_written = True
        self._engine.link_ended(attachment.engine)
        # proton gives the handle to the next link.
        del self.by_local[attachment.session.local_channel, attachment.local_handle]
        attachment.local_handle = -1
        if attachment.is_detached:
            self._finished.append(attachment)

    def end_written(self, session: Session) -> None:
        """Our END is out."""
        self.frames_due -= 1
        del self.sessions_by_local[session.local_channel]
        self._ended.append(session)

    def free_finished(self) -> None:
        """Free what both sides have ended. To be called when proton has nothing more to write."""
        for attachment in self._finished:
            self._free(attachment)
        self._finished.clear()
        for session in self._ended:
            for attachment in list(session.ending.values()):
                self._free(attachment)
            self._engine.free_session(session.engine)
        self._ended.clear()

    def _written(self, attachment: Attachment) -> None:
        attachment.frames_due -= 1
        self.frames_due -= 1

    def _free(self, attachment: Attachment) -> None:
        number = attachment.engine.number
        del attachment.session.ending[number]
        # Where END went before DETACH, proton writes no DETACH any more.
        self.frames_due -= attachment.frames_due
        self.by_local.pop((attachment.session.local_channel, attachment.local_handle), None)
        del self.by_number[number]
        self._engine.free_link(attachment.engine)

    def _forget(self, attachment: Attachment) -> None:
        """Let go of what only an open link has."""
        link = attachment.link
        link.is_open = False
        link.credit = 0
        del self._by_link[link]
        del self._by_name[link.name, link.is_receiver]
        self.drop_pieces(attachment)

    def drop_pieces(self, attachment: Attachment) -> None:
        """Let go of the message that was coming in."""
        self.held_bytes -= attachment.pieces_size
        attachment.pieces_size = 0
        attachment.pieces.clear()
