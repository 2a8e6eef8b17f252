"""Time to live: what has expired is never seen, and is removed in bounded steps when its instant comes."""

from __future__ import annotations

import logging

import pytest

from localzure.gateway.address import resolve
from localzure.services.interface import SECOND
from localzure.services.queue.deadlines import RETRY
from localzure.services.queue.engine.expiry import STEP_MAX
from localzure.services.queue.engine.messages import STEPS_MAX
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.queue_world import DAY, QueueWorld
from tests.twins import START


@pytest.fixture
def world() -> QueueWorld:
    world = QueueWorld()
    world.queue()
    return world


def test_an_expired_message_is_not_seen_although_it_is_still_there(world: QueueWorld) -> None:
    put = world.put("gone", "messagettl=10")
    world.put("stays")
    world.clock.advance(9.999999)
    assert world.texts() == ["gone", "stays"]
    world.clock.advance(0.000001)
    assert world.texts() == ["stays"]
    assert [message.text for message in world.get("numofmessages=32")] == ["stays"]
    for answer in (world.delete(put), world.update(put, 5), world.update(put, 0, "revived")):
        assert (answer.status, answer.code) == (404, "MessageNotFound")
    assert world.count() == 2
    assert world.ring()
    assert world.count() == 1


def test_the_alarm_is_set_to_the_first_end(world: QueueWorld) -> None:
    assert world.alarm.at is None
    world.put("never", "messagettl=-1")
    assert world.alarm.at is None
    world.put("week")
    assert world.alarm.at == START + 7 * DAY * SECOND
    world.put("minute", "messagettl=60")
    world.put("hour", "messagettl=3600")
    assert world.alarm.at == START + 60 * SECOND
    sets = world.alarm.sets
    world.put("another week")
    assert world.alarm.sets == sets, "a later end does not touch the alarm"
    world.advance(60)
    assert world.alarm.at == START + 3600 * SECOND
    world.advance(8 * DAY)
    assert world.alarm.at is None
    assert world.texts() == ["never"]
    assert world.count() == 1


def test_several_messages_of_one_tick_set_the_alarm_to_the_first_end(world: QueueWorld) -> None:
    for seconds in (50, 10, 30):
        request = world.describe("POST", "jobs/messages", f"messagettl={seconds}")
        sink = world.service.accept(request, resolve("queue", request)[1])
        sink.write(b"<QueueMessage><MessageText>x</MessageText></QueueMessage>")
        sink.finish()
        assert world.alarm.at is None, "nothing moves before the commit"
    world.transactions.commit()
    assert world.alarm.at == START + 10 * SECOND


def test_everything_of_an_expired_message_is_removed(world: QueueWorld) -> None:
    before = world.stored_keys()
    world.put("short", "messagettl=5")
    world.put("x" * 5000, "messagettl=5")
    world.put("hidden", "messagettl=6&visibilitytimeout=3")
    world.get("visibilitytimeout=604800")
    world.advance(10)
    world.ask("DELETE", "jobs")
    world.queue()
    assert len(world.stored_keys()) == len(before)


def test_very_many_ends_are_worked_off_in_steps(world: QueueWorld) -> None:
    total = 2 * STEP_MAX + 10
    for number in range(total):
        world.put(str(number), "messagettl=5")
    world.put("stays")
    world.clock.advance(5)
    assert world.texts() == ["stays"]
    for left in (STEP_MAX + 10, 10, 0):
        assert world.ring()
        assert world.count() == left + 1
    assert not world.ring()
    assert world.texts() == ["stays"]


def test_a_request_that_meets_very_many_expired_messages_finds_nothing_for_a_moment(world: QueueWorld) -> None:
    for _ in range(STEPS_MAX):
        world.put("x", "messagettl=5")
    world.put("stays")
    world.clock.advance(5)
    assert world.texts() == []
    assert world.get() == []
    world.ring()
    assert world.texts() == ["stays"]


def test_a_restart_sets_the_alarm(world: QueueWorld) -> None:
    world.put("x", "messagettl=60")
    world.start()
    assert world.alarm.at == START + 60 * SECOND
    world.clock.advance(61)
    world.start()
    assert world.texts() == []
    assert world.ring()
    assert world.count() == 0


def test_deleting_a_message_before_its_end_leaves_an_alarm_that_does_no_harm(world: QueueWorld) -> None:
    world.delete(world.put("x", "messagettl=60"))
    world.put("y", "messagettl=90")
    assert world.alarm.at == START + 60 * SECOND
    world.advance(60)
    assert world.alarm.at == START + 90 * SECOND
    assert world.texts() == ["y"]


def test_ends_of_messages_that_were_cleared_are_not_counted_against_new_ones(world: QueueWorld) -> None:
    for _ in range(3):
        world.put("old", "messagettl=60")
    world.ask("DELETE", "jobs/messages")
    world.put("new")
    world.advance(60)
    assert (world.count(), world.texts()) == (1, ["new"])
    world.sweep()
    assert (world.count(), world.texts()) == (1, ["new"])


def test_an_alarm_that_goes_off_early_only_sets_itself(world: QueueWorld) -> None:
    world.put("x", "messagettl=60")
    world.service.expire()
    world.transactions.commit()
    assert (world.count(), world.alarm.at) == (1, START + 60 * SECOND)


def test_a_store_that_refuses_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore(MemoryStore())
    world = QueueWorld(store=store)
    world.queue()
    world.put("x", "messagettl=5")
    world.clock.advance(5)
    store.failing = True
    with caplog.at_level(logging.ERROR):
        assert world.ring()
    assert "could not be removed" in caplog.text
    assert world.alarm.at == world.clock.now() + RETRY
    assert world.count() == 1
    store.failing = False
    world.advance(1)
    assert world.count() == 0
    assert world.alarm.at is None


def test_a_put_whose_commit_fails_sets_no_alarm() -> None:
    store = FailingStore(MemoryStore())
    world = QueueWorld(store=store)
    world.queue()
    store.failing = True
    answer = world.try_put("x", "messagettl=5")
    assert (answer.status, answer.code) == (503, "ServerBusy")
    store.failing = False
    assert (world.alarm.at, world.count()) == (None, 0)
