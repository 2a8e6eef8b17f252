"""The operations of `$management` that are about sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus import operations
from localzure.services.servicebus.durations import MICROSECONDS
from localzure.services.servicebus.engine.sessions import Session, accept
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.operation import Request, Response
from localzure.services.servicebus.operations import ALL_SESSIONS
from localzure_protocols.amqp.codec import Array, Timestamp, Uint
from localzure_protocols.amqp.message import split
from tests.servicebus_world import World, body


class Client:
    """Holds sessions on one connection."""

    def __init__(self) -> None:
        self.connection = self

    def granted(self, session: Session) -> None:
        raise AssertionError("it does not wait")

    def timed_out(self, waited: int) -> None:
        raise AssertionError("it does not wait")

    def lost(self) -> None:
        """Nothing to do."""


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def world() -> World:
    world = World()
    queue = world.create(lock_duration=30 * MICROSECONDS, requires_session=True)
    world.send(queue, "a", "b", group_id="s")
    world.send(queue, "c", group_id="t")
    return world


@pytest.fixture
def session(world: World, client: Client) -> Session:
    return accept(world.broker, world.queue(), "s", client)


def ask(world: World, connection: object, name: str, /, **parts: Any) -> Response:
    """Run an operation; underscores in names of `parts` stand for dashes."""
    asked = {key.replace("_", "-"): value for key, value in parts.items()}
    row = operations.operation(f"com.microsoft:{name}")
    with world.broker.turn() as turn:
        response = operations.run(row, Request(world.broker, turn, world.queue(), asked, connection))
    world.commit()
    return response


def refused(world: World, connection: object, name: str, /, **parts: Any) -> ErrorCode:
    with pytest.raises(ServiceBusError) as caught:
        ask(world, connection, name, **parts)
    return caught.value.code


def test_renewing(world: World, client: Client, session: Session) -> None:
    world.advance(10)
    end = world.clock.now() + 30 * MICROSECONDS
    response = ask(world, client, "renew-session-lock", session_id="s")
    assert response == Response(200, {"expiration": Timestamp(end // 1000)})
    assert session.deadline == end
    assert refused(world, client, "renew-session-lock", session_id="t") is ErrorCode.SESSION_LOCK_LOST
    assert refused(world, object(), "renew-session-lock", session_id="s") is ErrorCode.SESSION_LOCK_LOST


@pytest.mark.usefixtures("session")
def test_the_state(world: World, client: Client) -> None:
    def state() -> Any:
        return ask(world, client, "get-session-state", session_id="s").body

    assert state() == {"session-state": None}
    assert ask(world, client, "set-session-state", session_id="s", session_state=b"x") == Response(200)
    assert state() == {"session-state": b"x"}
    ask(world, client, "set-session-state", session_id="s", session_state=None)
    assert state() == {"session-state": None}
    assert refused(world, client, "set-session-state", session_id="s", session_state="x") is ErrorCode.ARGUMENT
    assert refused(world, client, "get-session-state", session_id="t") is ErrorCode.SESSION_LOCK_LOST


@pytest.mark.usefixtures("session")
def test_listing(world: World, client: Client) -> None:
    everything = {"last_updated_time": Timestamp(ALL_SESSIONS), "top": 10}
    response = ask(world, None, "get-message-sessions", skip=0, **everything)
    assert response.body == {"skip": 2, "sessions-ids": Array(["s", "t"], str)}
    assert ask(world, None, "get-message-sessions", skip=2, **everything) == Response(204)
    since = {"last_updated_time": Timestamp(0), "top": 10, "skip": 0}
    assert ask(world, None, "get-message-sessions", **since) == Response(204)
    ask(world, client, "set-session-state", session_id="s", session_state=b"x")
    assert ask(world, None, "get-message-sessions", **since).body["sessions-ids"] == Array(["s"], str)
    assert refused(world, None, "get-message-sessions", skip=-1, **everything) is ErrorCode.ARGUMENT_OUT_OF_RANGE


def test_peeking(world: World) -> None:
    asked = {"from_sequence_number": 0, "message_count": 10}
    response = ask(world, None, "peek-message", session_id="s", **asked)
    assert [body(split(entry["message"])) for entry in response.body["messages"]] == ["a", "b"]
    assert ask(world, None, "peek-message", session_id="nobody", **asked) == Response(204)


def test_settling_and_deferred_messages(world: World, client: Client, session: Session) -> None:
    first, second = world.lock(session, 2)
    tokens = Array([UUID(bytes_le=first.token)], UUID)
    asked = {"lock_tokens": tokens, "disposition_status": "defered"}
    assert refused(world, client, "update-disposition", session_id="t", **asked) is ErrorCode.SESSION_LOCK_LOST
    assert ask(world, client, "update-disposition", session_id="s", **asked) == Response(200)
    by_number = {"sequence_numbers": Array([first.sequence_number], int), "receiver_settle_mode": Uint(1)}
    assert refused(world, client, "receive-by-sequence-number", **by_number) is ErrorCode.ARGUMENT
    response = ask(world, client, "receive-by-sequence-number", session_id="s", **by_number)
    (entry,) = response.body["messages"]
    assert body(split(entry["message"])) == "a"
    tokens = Array([entry["lock-token"], UUID(bytes_le=second.token)], UUID)
    asked = {"lock_tokens": tokens, "disposition_status": "completed"}
    assert ask(world, client, "update-disposition", session_id="s", **asked) == Response(200)
    assert world.counters(world.queue()).active == 1
    assert world.counters(world.queue()).deferred == 0
