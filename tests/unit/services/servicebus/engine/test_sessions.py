"""Who holds which session, what its messages do, and what it keeps."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.browsing import peek, receive_deferred
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.receiving import renew
from localzure.services.servicebus.engine.session_states import get_state, list_sessions, set_state
from localzure.services.servicebus.engine.sessions import (
    Session,
    accept,
    accept_next,
    leave,
    release,
    renew_session,
    require_held,
)
from localzure.services.servicebus.engine.settlement import Disposition, settle
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure_protocols.amqp.message import split
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.servicebus_world import World, bodies, body, sections

LOCK_SECONDS = 30


class Client:
    """Keeps what it was told."""

    def __init__(self, connection: object = None) -> None:
        self.connection = connection
        self.session: Session | None = None
        self.waited: int | None = None
        self.losses = 0

    def granted(self, session: Session) -> None:
        assert self.session is None
        self.session = session

    def timed_out(self, waited: int) -> None:
        self.waited = waited

    def lost(self) -> None:
        self.losses += 1


@pytest.fixture
def disk() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture
def world(disk: FailingStore) -> World:
    world = World(disk)
    world.create(lock_duration=LOCK_SECONDS * MICROSECONDS, requires_session=True, max_delivery_count=2)
    return world


@pytest.fixture
def queue(world: World) -> Queue:
    return world.queue()


def next_of(world: World, queue: Queue, seconds: int = 60) -> Client:
    client = Client()
    accept_next(world.broker, queue, client, seconds * MICROSECONDS)
    return client


def code_of(caught: pytest.ExceptionInfo[ServiceBusError]) -> ErrorCode:
    return caught.value.code


def test_a_session_holds_its_messages_together(world: World, queue: Queue) -> None:
    world.send(queue, "a", "b", group_id="s")
    client = Client()
    session = accept(world.broker, queue, "s", client)
    deliveries = world.lock(session, 5)
    assert bodies(deliveries) == ["a", "b"]
    world.advance(LOCK_SECONDS - 1)
    assert renew_session(world.broker, session) == world.clock.now() + LOCK_SECONDS * MICROSECONDS
    world.advance(LOCK_SECONDS - 1)
    world.settle(queue, deliveries[0], Disposition.COMPLETED)
    with pytest.raises(ServiceBusError) as caught:
        renew(world.broker, queue, deliveries[1].token)
    assert code_of(caught) is ErrorCode.NOT_ALLOWED
    world.advance(1)
    assert len(queue.locks) == 0
    session = accept(world.broker, queue, "s", client)
    (delivery,) = world.lock(session)
    assert sections(delivery).header().delivery_count == 1


def test_a_lock_that_has_ended_settles_nothing(world: World, queue: Queue) -> None:
    world.send(queue, "a", group_id="s")
    (delivery,) = world.lock(accept(world.broker, queue, "s", Client()))
    world.clock.advance(LOCK_SECONDS)
    with pytest.raises(ServiceBusError) as caught:
        world.settle(queue, delivery, Disposition.COMPLETED)
    assert code_of(caught) is ErrorCode.SESSION_LOCK_LOST
    with pytest.raises(ServiceBusError) as caught:
        require_held(world.broker, queue, "s", None)
    assert code_of(caught) is ErrorCode.SESSION_LOCK_LOST


def test_messages_die_in_sessions_too(world: World, queue: Queue) -> None:
    world.send(queue, "a", group_id="s")
    for _ in range(2):
        world.lock(accept(world.broker, queue, "s", Client()))
        world.advance(LOCK_SECONDS)
    dead = world.queue("q/$DeadLetterQueue")
    (delivery,) = world.lock(dead)
    assert sections(delivery).application_properties()["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    with world.broker.reader() as reader:
        assert list_sessions(reader, queue, 0, 10, None) == []


def test_who_loses_a_session_is_told_a_moment_later(world: World, queue: Queue) -> None:
    world.send(queue, "a", group_id="s")
    loser = Client()
    lost = accept(world.broker, queue, "s", loser)
    world.lock(lost)
    world.advance(LOCK_SECONDS)
    assert bodies(world.lock(accept(world.broker, queue, "s", Client()))) == ["a"], "the lock ends when it ends"
    assert world.lock(lost) == []
    world.advance(0.9)
    assert loser.losses == 0
    world.advance(0.1)
    assert loser.losses == 1
    assert len(world.broker.notices) == 0


def test_who_leaves_a_lost_session_is_told_nothing(world: World, queue: Queue) -> None:
    loser = Client()
    lost = accept(world.broker, queue, "s", loser)
    world.advance(LOCK_SECONDS)
    holder = Client()
    session = accept(world.broker, queue, "s", holder)
    release(world.broker, lost)
    world.advance(1)
    assert (loser.losses, holder.losses, session.is_held) == (0, 0, True)


def test_a_jump_of_the_clock_tells_at_once(world: World, queue: Queue) -> None:
    client = Client()
    accept(world.broker, queue, "s", client)
    world.advance(LOCK_SECONDS + 1)
    assert client.losses == 1


def test_an_end_that_cannot_be_written_comes_later(world: World, queue: Queue, disk: FailingStore) -> None:
    world.send(queue, "a", group_id="s")
    client = Client()
    session = accept(world.broker, queue, "s", client)
    world.lock(session)
    disk.failing = True
    world.clock.advance(LOCK_SECONDS)
    world.ring()
    assert client.losses == 0
    assert session.is_held
    disk.failing = False
    world.advance(1)
    assert client.losses == 1
    assert bodies(world.lock(accept(world.broker, queue, "s", client))) == ["a"]


def test_what_could_not_be_settled_is_there_for_the_next_holder(world: World, queue: Queue, disk: FailingStore) -> None:
    world.send(queue, "a", group_id="s")
    session = accept(world.broker, queue, "s", Client())
    (delivery,) = world.lock(session)
    disk.failing = True
    with world.broker.turn() as turn:
        settle(turn, queue, delivery.token, Disposition.COMPLETED)
    release(world.broker, session)
    waiting = next_of(world, queue)
    assert waiting.session is None, "the message seems to be gone"
    world.commit()
    disk.failing = False
    assert waiting.session is not None
    assert bodies(world.lock(waiting.session)) == ["a"]


def test_what_is_not_committed_makes_no_session_ready(world: World, queue: Queue) -> None:
    world.send(queue, "a", group_id="s", commit=False)
    client = next_of(world, queue)
    assert client.session is None
    world.commit()
    assert client.session is not None
    assert bodies(world.lock(client.session)) == ["a"]


def test_a_session_whose_messages_are_all_deferred_is_not_next(world: World, queue: Queue) -> None:
    world.send(queue, "a", group_id="s")
    session = accept(world.broker, queue, "s", Client())
    (delivery,) = world.lock(session)
    world.settle(queue, delivery, Disposition.DEFERRED)
    release(world.broker, session)
    assert next_of(world, queue).session is None


def test_a_place_in_the_line_can_be_left(world: World, queue: Queue) -> None:
    client = Client()
    wait = accept_next(world.broker, queue, client, 5 * MICROSECONDS)
    assert wait is not None
    leave(world.broker, wait)
    world.advance(5)
    assert client.waited is None


def test_waiting_ends(world: World, queue: Queue) -> None:
    client = next_of(world, queue, 5)
    world.advance(5)
    assert client.waited == 5 * MICROSECONDS
    world.send(queue, "a", group_id="s")
    assert client.session is None


def test_a_restart_frees_sessions_and_keeps_states(world: World, queue: Queue) -> None:
    world.send(queue, "a", group_id="s")
    world.lock(accept(world.broker, queue, "s", Client()))
    with world.broker.turn() as turn:
        set_state(turn, queue, "s", b"kept")
    world.commit()
    world = world.restart()
    queue = world.queue()
    client = next_of(world, queue)
    assert client.session is not None
    (delivery,) = world.lock(client.session)
    assert (body(sections(delivery)), sections(delivery).header().delivery_count) == ("a", 0)
    with world.broker.reader() as reader:
        assert get_state(reader, queue, "s") == b"kept"


def test_a_session_belongs_to_a_connection(world: World, queue: Queue) -> None:
    here, there = object(), object()
    session = accept(world.broker, queue, "s", Client(here))
    assert require_held(world.broker, queue, "s", here) is session
    with pytest.raises(ServiceBusError) as caught:
        require_held(world.broker, queue, "s", there)
    assert code_of(caught) is ErrorCode.SESSION_LOCK_LOST


def test_deferred_messages_need_their_session(world: World, queue: Queue) -> None:
    sessions = [accept(world.broker, queue, name, Client()) for name in ("s", "t")]
    for session in sessions:
        world.send(queue, session.session_id, group_id=session.session_id)
        world.settle(queue, world.lock(session)[0], Disposition.DEFERRED)
    session = sessions[1]
    with world.broker.turn() as turn:
        with pytest.raises(ServiceBusError) as caught:
            receive_deferred(world.broker, turn, queue, [1], locked=True, session=session)
        assert code_of(caught) is ErrorCode.MESSAGE_NOT_FOUND
        (fetched,) = receive_deferred(world.broker, turn, queue, [2], locked=True, session=session)
    world.commit()
    assert body(split(fetched.message)) == "t"
    release(world.broker, session)
    assert queue.locks.of(2) is None, "the lock went with the session"


def test_peeking_into_a_session(world: World, queue: Queue) -> None:
    for number, name in enumerate("stst"):
        world.send(queue, f"{name}{number}", group_id=name)
    session = accept(world.broker, queue, "s", Client())
    world.settle(queue, world.lock(session)[0], Disposition.DEFERRED)
    with world.broker.reader() as reader:
        assert [body(split(found)) for found in peek(reader, queue, 0, 10, "s")] == ["s0", "s2"]
        assert [body(split(found)) for found in peek(reader, queue, 2, 10, "s")] == ["s2"]
        assert len(peek(reader, queue, 0, 10)) == 4


def test_listing_sessions(world: World, queue: Queue) -> None:
    for name in ("b", "a", "b"):
        world.send(queue, "x", group_id=name)
    early = world.clock.now()
    world.advance(1)
    with world.broker.turn() as turn:
        set_state(turn, queue, "c", b"1")
        set_state(turn, queue, "a", b"2")
        set_state(turn, queue, "d", b"3")
        set_state(turn, queue, "d", None)
    world.commit()
    with world.broker.reader() as reader:
        assert list_sessions(reader, queue, 0, 10, None) == ["a", "b", "c"]
        assert list_sessions(reader, queue, 1, 1, None) == ["b"]
        assert list_sessions(reader, queue, 0, 10, early) == ["a", "c"]
        assert list_sessions(reader, queue, 0, 10, world.clock.now()) == []


def test_a_state_has_a_limit(world: World, queue: Queue) -> None:
    with world.broker.turn() as turn, pytest.raises(ServiceBusError) as caught:
        set_state(turn, queue, "s", b"x" * (256 * 1024 + 1))
    assert code_of(caught) is ErrorCode.MESSAGE_TOO_LARGE


def test_a_queue_without_sessions_has_none(world: World) -> None:
    plain = world.create("plain")
    with pytest.raises(ServiceBusError) as caught:
        accept(world.broker, plain, "s", Client())
    assert code_of(caught) is ErrorCode.SESSION_NOT_SUPPORTED
