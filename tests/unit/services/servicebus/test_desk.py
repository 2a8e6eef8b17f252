"""What the owner of a namespace does by hand: look, send, purge, requeue."""

from __future__ import annotations

import json

import pytest

from localzure.services.servicebus.engine import clearing
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.seed import EntitySeed
from localzure.services.servicebus.service import ServiceBusService
from localzure.services.servicebus.settings import ServiceBusSettings
from tests.servicebus_world import World


class DeskWorld:
    """One namespace and its owner."""

    def __init__(self) -> None:
        self.world = World()
        self.service = ServiceBusService(self.world.context, ServiceBusSettings("off"))
        self.world.broker, self.world.dispatch = self.service._broker, self.service._dispatch
        self.service.start([EntitySeed("line")])
        self.world.commit()
        self.desk = self.service.desk

    def clear(self, what: str, path: str) -> tuple[int, int]:
        """Do all steps; returns how many messages, in how many steps."""
        done, steps, place = 0, 0, None
        while True:
            step = getattr(self.desk, what)(path, place)
            self.world.commit()
            done, steps, place = done + step.done, steps + 1, step.following
            if place is None:
                return done, steps

    def refusal(self, what: str, *arguments: object) -> ErrorCode:
        with pytest.raises(ServiceBusError) as caught:
            getattr(self.desk, what)(*arguments)
        self.world.commit()
        return caught.value.code


@pytest.fixture
def owner() -> DeskWorld:
    return DeskWorld()


def test_entities_are_told_with_their_counts_in_pages(owner: DeskWorld) -> None:
    world = owner.world
    topic = world.topic("news")
    world.subscribe(topic, "all")
    world.subscribe(topic, "none")
    world.send(topic, "a", "b")
    queue = world.queue("line")
    world.send(queue, "1", "2", "3")
    first, second, _ = world.lock(queue, 3)
    world.settle(queue, first, Disposition.DEFERRED)
    world.settle(queue, second, Disposition.DEAD_LETTERED)
    found, has_more = owner.desk.entities(0, 10)
    assert not has_more
    assert [(one["kind"], one["name"]) for one in found] == [
        ("queue", "line"),
        ("topic", "news"),
        ("subscription", "news/Subscriptions/all"),
        ("subscription", "news/Subscriptions/none"),
    ]
    counts = {name: found[0][name] for name in ("active", "locked", "deferred", "deadLetters", "scheduled")}
    assert counts == {"active": 1, "locked": 1, "deferred": 1, "deadLetters": 1, "scheduled": 0}
    assert found[1]["subscriptions"] == 2
    assert found[2]["active"] == 2
    assert json.loads(json.dumps(found)) == found
    page, has_more = owner.desk.entities(1, 2)
    assert ([one["name"] for one in page], has_more) == (["news", "news/Subscriptions/all"], True)
    assert owner.desk.entity("LINE/$DeadLetterQueue") == found[0]
    assert owner.refusal("entity", "nobody") is ErrorCode.ENTITY_NOT_FOUND


def test_messages_are_sent_and_looked_at_in_pages(owner: DeskWorld) -> None:
    owner.desk.send("line", [{"body": f"{number}", "properties": {"n": number}} for number in range(5)])
    owner.desk.send("line", [{"body": "later", "scheduledEnqueueTimeUtc": "2030-01-01T00:00:00Z"}])
    owner.world.commit()
    first, following = owner.desk.peek("line", 0, 4)
    assert [message["body"] for message in first] == ["0", "1", "2", "3"]
    assert (first[3]["properties"], first[3]["deliveryCount"]) == ({"n": 3}, 0)
    rest, end = owner.desk.peek("line", following or 0, 4)
    assert ([message["state"] for message in rest], end) == (["Active", "Scheduled"], None)
    assert rest[1]["scheduledEnqueueTimeUtc"] == "2030-01-01T00:00:00.000Z"
    assert owner.desk.peek("line/$DeadLetterQueue", 0, 4) == ([], None)
    assert owner.refusal("send", "line", [{"body": "a"}, {"body": "x" * 300_000}]) is ErrorCode.MESSAGE_TOO_LARGE
    assert owner.refusal("send", "line/$DeadLetterQueue", [{}]) is ErrorCode.NOT_ALLOWED
    assert owner.refusal("peek", "nobody", 0, 1) is ErrorCode.ENTITY_NOT_FOUND
    assert len(owner.desk.peek("line", 0, 10)[0]) == 6


def test_purging_takes_all_but_what_is_locked(owner: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "STEP_MESSAGES_MAX", 3)
    world, queue = owner.world, owner.world.queue("line")
    world.send(queue, *map(str, range(10)))
    owner.desk.send("line", [{"body": "later", "scheduledEnqueueTimeUtc": "2030-01-01T00:00:00Z"}])
    world.commit()
    locked, deferred = world.lock(queue, 2)
    world.settle(queue, deferred, Disposition.DEFERRED)
    done, steps = owner.clear("purge", "line")
    assert (done, steps) == (10, 5)
    told = owner.desk.entity("line")
    assert (told["active"], told["locked"], told["deferred"], told["scheduled"]) == (1, 1, 0, 0)
    assert world.lock(queue) == []
    world.settle(queue, locked, Disposition.ABANDONED)
    assert len(world.lock(queue)) == 1
    with world.transactions.reader() as reader:
        assert not list(reader.scan(*world.broker.keys.due_range()))
    assert world.counters(queue).active == 1


def test_purging_ends_however_much_comes_meanwhile(owner: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "STEP_MESSAGES_MAX", 1)
    world, queue = owner.world, owner.world.queue("line")
    world.send(queue, "1", "2")
    place, done = None, 0
    for _ in range(10):
        step = owner.desk.purge("line", place)
        world.send(queue, "more")
        done, place = done + step.done, step.following
        if place is None:
            break
    assert (place, done) == (None, 2)


def test_a_topic_holds_nothing_to_purge(owner: DeskWorld) -> None:
    owner.world.topic("news")
    assert owner.refusal("purge", "news") is ErrorCode.NOT_ALLOWED
    assert owner.refusal("requeue", "news") is ErrorCode.NOT_ALLOWED


def test_sessions_are_purged_too(owner: DeskWorld) -> None:
    world = owner.world
    queue = world.create("grouped", requires_session=True)
    for name in ("a", "b"):
        owner.desk.send("grouped", [{"body": name, "sessionId": name}])
    world.commit()
    assert owner.clear("purge", "grouped")[0] == 2
    assert world.counters(queue).active == 0
    owner.desk.send("grouped", [{"body": "new", "sessionId": "a"}])
    world.commit()
    assert owner.desk.entity("grouped")["active"] == 1


@pytest.mark.parametrize("path", ["line", "news/Subscriptions/all"])
def test_dead_letters_get_another_chance(owner: DeskWorld, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "STEP_MESSAGES_MAX", 2)
    world = owner.world
    world.subscribe(world.topic("news"), "all")
    queue = world.queue(path)
    world.send(world.queue("news") if "/" in path else queue, "1", "2", "3")
    for delivery in world.lock(queue, 3):
        world.settle(queue, delivery, Disposition.DEAD_LETTERED, {"DeadLetterReason": "r", "Kept": "k"})
    [held] = world.lock(world.queue(f"{path}/$DeadLetterQueue"))
    assert owner.clear("requeue", path)[0] == 2
    told = owner.desk.entity(path)
    assert (told["active"], told["deadLetters"]) == (2, 1)
    messages, _ = owner.desk.peek(path, 0, 10)
    assert [(message["body"], message["properties"]) for message in messages] == [
        ("2", {"Kept": "k"}),
        ("3", {"Kept": "k"}),
    ]
    assert {message["deliveryCount"] for message in messages} == {0}
    assert len(world.lock(queue, 5)) == 2
    assert world.lock(world.queue(f"{path}/$DeadLetterQueue")) == []
    world.settle(world.queue(f"{path}/$DeadLetterQueue"), held, Disposition.ABANDONED)
    assert owner.clear("requeue", path)[0] == 1
