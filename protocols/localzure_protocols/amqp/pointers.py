"""Owns every pointer into qpid-proton, the AMQP state machine: nothing else in the package touches `cproton`.

A pointer is dead once its object has been freed, and a delivery's once it has been settled; using a dead pointer kills
the process. So:

- Pointers never leave this module. Deliveries go by number, links and sessions by the `EngineLink` and
  `EngineSession` that hold them.
- Whoever settles a delivery takes its number out of `EngineLink.live` first, and whoever frees a link takes the link
  out of `Engine` first. What is not found there is gone, and a command for it does nothing.
- The Python wrapper of proton is not used: it costs 18 µs a message where the C functions cost 1, and it holds
  references of its own, which would blur who frees what.

Payloads of incoming messages do not pass through proton: it is given each transfer without its payload, counts
deliveries, credit and windows, and says which delivery an already assembled message is.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from cproton import ffi, lib

from localzure_protocols.amqp.codec import Described, Ulong, decode, encode
from localzure_protocols.amqp.events import (
    ACCEPTED,
    RELEASED,
    Accepted,
    AmqpError,
    MessageReceived,
    Modified,
    Outcome,
    OutcomeReceived,
    Rejected,
    Released,
)
from localzure_protocols.amqp.frames import AMQP_HEADER, FRAME_SIZE_MAX, NO_TAG, empty_tags
from localzure_protocols.amqp.performatives import (
    ACCEPTED_CODE,
    MODIFIED_CODE,
    REJECTED_CODE,
    RELEASED_CODE,
    error_fields,
    outcome_value,
    read_outcome,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure_protocols.amqp.events import AmqpEvent, Link

INCOMING_WINDOW_FRAMES = 5000
"""Transfers that a client may send on a session before it needs our FLOW; what Azure Service Bus grants."""
CHANNEL_MAX = 4999
"""The highest channel; go-amqp opens a session per link and one per token."""

_DELIVERY_BITS = 40
"""A delivery's number is its link's number above this many bits of its own."""

Pointer = Any
"""A cffi pointer."""


class EngineSession:
    """A session of the engine."""

    __slots__ = ("pointer",)

    def __init__(self, pointer: Pointer) -> None:
        self.pointer = pointer


class EngineLink:
    """A link of the engine, with the deliveries on it that are not settled."""

    __slots__ = (
        "expected",
        "free_number",
        "is_ended",
        "is_ignored",
        "link",
        "live",
        "number",
        "numbers",
        "pointer",
        "session",
        "unseen",
    )

    def __init__(self, number: int, link: Link, session: EngineSession, pointer: Pointer) -> None:
        self.number = number
        self.link = link
        self.session = session
        self.pointer = pointer
        self.is_ignored = False
        """What still comes on this link is settled unseen: it has been detached from this side."""
        self.is_ended = False
        """Our DETACH is out."""
        self.unseen: list[Pointer] = []
        """Deliveries to be settled unseen, but not before DETACH, which says what became of them."""
        self.free_number = number << _DELIVERY_BITS
        self.live: dict[int, Pointer] = {}
        self.numbers: dict[Pointer, int] = {}
        """`live` the other way round, on links that send."""
        self.expected: deque[MessageReceived | None] = deque()
        """Messages that are complete, in the order of their deliveries; None for an aborted one."""

    def next_number(self) -> int:
        """A number for a delivery on this link."""
        self.free_number += 1
        return self.free_number


class Engine:
    """One connection of proton, server side, with everything that hangs on it."""

    def __init__(self) -> None:
        self._sends_untagged = False
        self._collector = lib.pn_collector()
        self._connection = lib.pn_connection()
        self._transport = lib.pn_transport()
        lib.pn_transport_set_server(self._transport)
        lib.pn_transport_set_max_frame(self._transport, FRAME_SIZE_MAX)
        lib.pn_transport_set_channel_max(self._transport, CHANNEL_MAX)
        lib.pn_connection_collect(self._connection, self._collector)
        lib.pn_transport_bind(self._transport, self._connection)
        self._links: dict[int, EngineLink] = {}
        self._links_by_pointer: dict[Pointer, EngineLink] = {}
        self._begun: Pointer = None
        self._attached: Pointer = None
        self._is_alive = True
        self.failure: AmqpError | None = None
        """Why proton takes no more, if it does not."""

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        """Free everything. The engine is then dead: bytes go nowhere and every number is unknown."""
        if not self._is_alive:
            return
        self._is_alive = False
        self._links.clear()
        self._links_by_pointer.clear()
        # Events hold references, so they go first; then the two halves let go of each other before each is freed.
        lib.pn_collector_release(self._collector)
        lib.pn_transport_unbind(self._transport)
        lib.pn_connection_release(self._connection)
        lib.pn_decref(self._transport)
        lib.pn_decref(self._connection)
        lib.pn_decref(self._collector)
        self._transport = self._connection = self._collector = None

    # -- bytes

    def push(self, data: bytes, events: list[AmqpEvent]) -> None:
        """Give proton whole frames, and append what they made happen on links to `events`. May set `failure`."""
        transport = self._transport
        source, at, end = ffi.from_buffer(data), 0, len(data)
        while at < end:
            room = lib.pn_transport_capacity(transport)
            if room <= 0:
                # It has failed, and says so in an event.
                break
            at += lib.pn_transport_push(transport, source + at, min(room, end - at))
        self._poll(events)

    def drain(self) -> bytes:
        """Take what proton has to send: whole frames."""
        transport = self._transport
        size = lib.pn_transport_pending(transport)
        if size <= 0:
            return b""
        parts = []
        scratch = _scratch.pop() if _scratch else ffi.new("char[]", FRAME_SIZE_MAX)
        view = ffi.buffer(scratch)
        while size > 0:
            size = lib.pn_transport_peek(transport, scratch, min(size, FRAME_SIZE_MAX))
            parts.append(view[:size])
            lib.pn_transport_pop(transport, size)
            size = lib.pn_transport_pending(transport)
        _scratch.append(scratch)
        data = b"".join(parts) if len(parts) > 1 else parts[0]
        return empty_tags(data) if self._sends_untagged else data

    def _poll(self, events: list[AmqpEvent]) -> None:
        collector, links = self._collector, self._links_by_pointer
        while event := _peek(collector):
            kind = _event_type(event)
            if kind == _DELIVERY:
                delivery = _event_delivery(event)
                link = links.get(_delivery_link(delivery))
                if not _readable(delivery):
                    if link is not None:
                        self._outcome(link, delivery, events)
                elif link is None or link.is_ended:
                    _settle(delivery)
                elif link.is_ignored:
                    _advance(link.pointer)
                    link.unseen.append(delivery)
                elif link.expected:
                    message = link.expected.popleft()
                    if message is None:
                        _settle(delivery)
                    else:
                        if message.settled:
                            _settle(delivery)
                        else:
                            _advance(link.pointer)
                            link.live[message.delivery] = delivery
                        events.append(message)
            elif kind == lib.PN_SESSION_REMOTE_OPEN:
                self._begun = lib.pn_event_session(event)
            elif kind == lib.PN_LINK_REMOTE_OPEN:
                self._attached = lib.pn_event_link(event)
            elif kind in _FAILED and self.failure is None:
                self.failure = self._read_failure()
            _pop(collector)

    def _outcome(self, link: EngineLink, delivery: Pointer, events: list[AmqpEvent]) -> None:
        """The client's disposition of a message that it was sent."""
        number = link.numbers.get(delivery)
        if number is None:
            return
        state, is_settled = lib.pn_delivery_remote_state(delivery), lib.pn_delivery_settled(delivery)
        outcome: Outcome | None
        if state == ACCEPTED_CODE:
            outcome = ACCEPTED
        elif state == RELEASED_CODE:
            outcome = RELEASED
        else:
            outcome = _read_remote(delivery, state)
        if is_settled:
            # The client wants no answer, and the number must not outlive the delivery.
            del link.live[number], link.numbers[delivery]
            _settle(delivery)
        elif outcome is None:
            return
        events.append(OutcomeReceived(link.link, number, outcome, is_settled))

    def _read_failure(self) -> AmqpError:
        condition = lib.pn_transport_condition(self._transport)
        return AmqpError(
            _text(lib.pn_condition_get_name(condition)) or "amqp:connection:framing-error",
            _text(lib.pn_condition_get_description(condition)) or "malformed frame",
        )

    # -- connection, sessions and links

    def start(self) -> None:
        """Take the client's protocol header. What proton answers is the connection's to write, so it is dropped."""
        self.push(AMQP_HEADER, [])
        self.drain()

    def open_connection(self, frame: bytes) -> None:
        """Take the client's OPEN, and drop proton's: it is the connection's to write."""
        self.push(frame, [])
        lib.pn_connection_open(self._connection)
        self.drain()

    def open_session(self) -> EngineSession:
        """Answer the BEGIN that was pushed last, and did not make proton fail."""
        pointer, self._begun = self._begun, None
        lib.pn_session_set_incoming_capacity(pointer, _INCOMING_CAPACITY)
        lib.pn_session_open(pointer)
        return EngineSession(pointer)

    def take_link(self, number: int, link: Link, session: EngineSession) -> EngineLink:
        """Take charge of the link whose ATTACH was pushed last, and did not make proton fail; it is not answered."""
        pointer, self._attached = self._attached, None
        engine_link = EngineLink(number, link, session, pointer)
        self._links[number] = self._links_by_pointer[pointer] = engine_link
        return engine_link

    def open_link(self, link: EngineLink) -> None:
        """Send the ATTACH."""
        lib.pn_link_open(link.pointer)

    def close_link(self, link: EngineLink) -> None:
        """Send the DETACH. What still comes on the link is ignored, and its deliveries are no longer known."""
        self.ignore(link)
        lib.pn_link_close(link.pointer)

    def link_ended(self, link: EngineLink) -> None:
        """Our DETACH is out: settle what came since it was asked for."""
        link.is_ended = True
        for delivery in link.unseen:
            _settle(delivery)
        link.unseen.clear()

    def ignore(self, link: EngineLink) -> None:
        """Forget the deliveries of a link, and settle unseen what still comes on it."""
        link.is_ignored = True
        link.live.clear()
        link.numbers.clear()
        link.expected.clear()

    def free_link(self, link: EngineLink) -> None:
        """Free a link that both sides have detached."""
        del self._links[link.number], self._links_by_pointer[link.pointer]
        self.ignore(link)
        link.unseen.clear()
        lib.pn_link_free(link.pointer)
        link.pointer = None

    def close_session(self, session: EngineSession) -> None:
        """Send the END."""
        lib.pn_session_close(session.pointer)

    def free_session(self, session: EngineSession) -> None:
        """Free a session that both sides have ended, and whose links have been freed."""
        lib.pn_session_free(session.pointer)
        session.pointer = None

    def ask_session_flow(self, session: EngineSession) -> None:
        """Make proton send a FLOW of the session."""
        lib.pn_session_set_incoming_capacity(session.pointer, _INCOMING_CAPACITY)

    def unsent_bytes(self, session: EngineSession) -> int:
        """Bytes of messages that wait for the client to open its session window."""
        return int(lib.pn_session_outgoing_bytes(session.pointer))

    # -- credit and deliveries

    def grant(self, link: EngineLink, credit: int) -> None:
        """Let the client send `credit` more messages."""
        lib.pn_link_flow(link.pointer, credit)

    def drained(self, link: EngineLink) -> int:
        """Use up the credit of a drain, and send a FLOW if there was any; returns how much."""
        return int(lib.pn_link_drained(link.pointer))

    def send(self, link: EngineLink, tag: bytes, payload: Sequence[bytes], *, settled: bool) -> int:
        """Send a message; returns its number. The caller has seen to it that there is credit."""
        if not tag:
            tag, self._sends_untagged = NO_TAG, True
        pointer = link.pointer
        delivery = lib.pn_delivery(pointer, (len(tag), ffi.from_buffer(tag)))
        for piece in payload:
            _send(pointer, piece, len(piece))
        _advance(pointer)
        number = link.free_number = link.free_number + 1
        if settled:
            _settle(delivery)
        else:
            link.live[number] = delivery
            link.numbers[delivery] = number
        return number

    def settle(self, number: int, outcome: Outcome) -> bool:
        """Give a delivery of either direction its outcome and settle it; False if there is no such delivery."""
        link = self._links.get(number >> _DELIVERY_BITS)
        if link is None:
            return False
        delivery = link.live.pop(number, None)
        if delivery is None:
            return False
        if link.numbers:
            del link.numbers[delivery]
        code = _SIMPLE_CODES.get(type(outcome))
        _update(delivery, _write_local(delivery, outcome) if code is None else code)
        _settle(delivery)
        return True


# -- outcomes with content


def _read_remote(delivery: Pointer, state: int) -> Outcome | None:
    """Read an outcome other than accepted and released. Raises AmqpDecodeError."""
    if state == 0:
        return None
    remote = lib.pn_delivery_remote(delivery)
    if state == REJECTED_CODE:
        condition = lib.pn_disposition_condition(remote)
        if not lib.pn_condition_is_set(condition):
            return Rejected()
        info = _read_data(lib.pn_condition_info(condition))
        return Rejected(
            AmqpError(
                _text(lib.pn_condition_get_name(condition)),
                _text(lib.pn_condition_get_description(condition)),
                info if isinstance(info, dict) else None,
            )
        )
    if state == MODIFIED_CODE:
        annotations = _read_data(lib.pn_disposition_annotations(remote))
        return Modified(
            bool(lib.pn_disposition_is_failed(remote)),
            bool(lib.pn_disposition_is_undeliverable(remote)),
            annotations if isinstance(annotations, dict) else None,
        )
    fields = _read_data(lib.pn_disposition_data(remote))
    return read_outcome(Described(Ulong(state), fields if isinstance(fields, list) else []))


def _write_local(delivery: Pointer, outcome: Outcome) -> int:
    """Store the content of an outcome; returns the outcome's code."""
    local = lib.pn_delivery_local(delivery)
    if isinstance(outcome, Rejected):
        if outcome.error is not None:
            condition, description, info = error_fields(outcome.error)
            target = lib.pn_disposition_condition(local)
            lib.pn_condition_set_name(target, condition.encode())
            lib.pn_condition_set_description(target, description.encode())
            _write_data(lib.pn_condition_info(target), info)
        return REJECTED_CODE
    if isinstance(outcome, Modified):
        lib.pn_disposition_set_failed(local, outcome.delivery_failed)
        lib.pn_disposition_set_undeliverable(local, outcome.undeliverable_here)
        if outcome.message_annotations:
            _write_data(lib.pn_disposition_annotations(local), outcome.message_annotations)
        return MODIFIED_CODE
    state = outcome_value(outcome)
    _write_data(lib.pn_disposition_data(local), state.value)
    return int(state.descriptor)


def _read_data(data: Pointer) -> Any:
    size = lib.pn_data_encoded_size(data)
    if size <= 0:
        return None
    buffer = ffi.new("char[]", size)
    size = lib.pn_data_encode(data, buffer, size)
    return decode(ffi.unpack(buffer, size))[0] if size > 0 else None


def _write_data(data: Pointer, value: Any) -> None:
    encoded = encode(value)
    lib.pn_data_clear(data)
    lib.pn_data_decode(data, encoded, len(encoded))


def _text(pointer: Pointer) -> str:
    return ffi.string(pointer).decode("utf-8", "replace") if pointer else ""


_SIMPLE_CODES = {Accepted: ACCEPTED_CODE, Released: RELEASED_CODE}
_FAILED = frozenset({lib.PN_TRANSPORT_ERROR, lib.PN_TRANSPORT_TAIL_CLOSED})
_INCOMING_CAPACITY = INCOMING_WINDOW_FRAMES * FRAME_SIZE_MAX

# Looked up once, because these run for every message.
_DELIVERY = lib.PN_DELIVERY
_peek, _pop, _event_type = lib.pn_collector_peek, lib.pn_collector_pop, lib.pn_event_type
_event_delivery, _delivery_link, _readable = lib.pn_event_delivery, lib.pn_delivery_link, lib.pn_delivery_readable
_advance, _settle, _update = lib.pn_link_advance, lib.pn_delivery_settle, lib.pn_delivery_update
_send = lib.pn_link_send

_scratch: list[Pointer] = []
"""Buffers for `drain`, at most one for every thread that ever was in it at once."""
