"""A topic and its subscriptions behave as plain lists do, whatever is done to them in whatever order, on both stores.

Fan-out goes in steps of a few copies, so that restarts fall between them.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from localzure.services.servicebus.engine import entities, fan_out
from localzure.services.servicebus.engine.contents import SHARED_BYTES_MIN, is_shared, reference_of
from localzure.services.servicebus.engine.lifecycle import delete_entity
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.remains import sweep
from localzure.services.servicebus.engine.rule_storage import add_rule, remove_rule
from localzure.services.servicebus.engine.settlement import Disposition
from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Filter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from localzure_protocols.amqp.message import encode_message_annotations
from localzure_protocols.amqp.types import Symbol, Timestamp
from localzure_storage.lmdb import LmdbStore
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Durability, Store
from tests.failing_store import FailingStore
from tests.servicebus_world import World, body, message, sections

STEP_COPIES = 3
DELIVERIES_MAX = 2
DELAY_SECONDS = 20

FILTERS: dict[str, Filter] = {
    "all": TrueFilter(),
    "none": FalseFilter(),
    "red": CorrelationFilter(label="red"),
    "big": SqlFilter("size > 2"),
    "marked": SqlFilter("sys.Label = 'blue' OR size = 1"),
}
ACTIONS = {"marked": SqlAction("SET mark = size * 10; REMOVE size")}

_NAMES = st.sampled_from("abcdef")
_RULES = st.sampled_from(sorted(FILTERS))
_LABELS = st.sampled_from(["red", "blue", None])


@dataclass
class Message:
    """A copy as it should be."""

    name: str
    label: str | None
    properties: dict[str, object]
    number: int
    """In its topic."""
    delivery_count: int = 0


@dataclass
class Subscription:
    """A subscription as it should be."""

    rules: set[str]
    active: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)

    def take(self, name: str, label: str | None, size: int, number: int) -> None:
        """A message is sent to the topic."""
        matching = {rule for rule in self.rules if _matches(rule, label, size)}
        if matching - ACTIONS.keys():
            self.active.append(Message(name, label, {"size": size}, number))
        if "marked" in matching:
            self.active.append(Message(name, label, {"mark": size * 10, "RuleName": "marked"}, number))


def _matches(name: str, label: str | None, size: int) -> bool:
    return {
        "all": True,
        "none": False,
        "red": label == "red",
        "big": size > 2,
        "marked": label == "blue" or size == 1,
    }[name]


class _TopicMachine(RuleBasedStateMachine):
    """Drives an engine and a model side by side."""

    @initialize(count=st.integers(0, 4))
    def open(self, count: int) -> None:
        self.patches = [patch.object(fan_out, "COPIES_MAX", STEP_COPIES), patch.object(entities, "LOAD_STEP", 2)]
        for each in self.patches:
            each.start()
        self.directory = Path(tempfile.mkdtemp())
        self.disk = FailingStore(self.open_store())
        self.world = World(self.disk)
        self.world.topic("t")
        self.empty = self.records()
        self.model: dict[str, Subscription] = {}
        for name in "abcd"[:count]:
            self.subscribe(name, "all")
        self.numbers = 0
        self.scheduled: list[tuple[int, str, str | None, int]] = []

    def open_store(self) -> Store:
        raise NotImplementedError

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.forget_everything()
        finally:
            for each in self.patches:
                each.stop()
            self.disk.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def forget_everything(self) -> None:
        """When the topic is gone and swept nothing is left."""
        self.world.ring()
        self.delete(self.queue("t"))
        self.sweep()
        left = {key for key in self.records() if b"due" not in key} - self.empty
        assert not {key for key in left if b"entity-id" not in key}

    # What happens.

    @rule(name=_NAMES, rule_name=_RULES)
    def subscribe(self, name: str, rule_name: str) -> None:
        if name not in self.model:
            topic = self.queue("t")
            self.world.subscribe(topic, name, self.rule(rule_name), max_delivery_count=DELIVERIES_MAX)
            self.model[name] = Subscription({rule_name})

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.world.ring()
        self.delete(self.subscription(name))
        del self.model[name]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), rule_name=_RULES)
    def change_rules(self, data: st.DataObject, rule_name: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.world.ring()
        record, rules = self.subscription(name).record, self.model[name].rules
        with self.world.transactions.writer() as writer:
            if rule_name in rules:
                remove_rule(self.world.broker, writer, record, rule_name)
            else:
                add_rule(self.world.broker, writer, record, self.rule(rule_name))
        rules ^= {rule_name}
        self.world.commit()

    @rule(labels=st.lists(_LABELS, min_size=1, max_size=3), size=st.integers(0, 4), is_large=st.booleans())
    def send(self, labels: list[str | None], size: int, is_large: bool) -> None:
        names = []
        for label in labels:
            self.numbers += 1
            names.append(f"m{self.numbers}" + ("x" * SHARED_BYTES_MIN if is_large else ""))
            self.world.send(
                self.queue("t"), names[-1], commit=False, subject=label, application_properties={"size": size}
            )
        self.world.commit()
        for number, (name, label) in enumerate(zip(names, labels, strict=True), self.numbers - len(labels) + 1):
            self.sent(name, label, size, number)

    @rule(label=_LABELS, size=st.integers(0, 4))
    def fail_to_send(self, label: str | None, size: int) -> None:
        self.world.send(self.queue("t"), "lost", commit=False, subject=label, application_properties={"size": size})
        self.disk.failing = True
        self.world.commit()
        self.disk.failing = False

    @rule(label=_LABELS, size=st.integers(0, 4))
    def schedule(self, label: str | None, size: int) -> None:
        self.numbers += 1
        name = f"later{self.numbers}"
        at = Timestamp(self.world.clock.now() // 1000 + DELAY_SECONDS * 1000)
        annotations = encode_message_annotations({Symbol("x-opt-scheduled-enqueue-time"): at})
        self.world.send_raw(
            self.queue("t"), annotations + message(name, subject=label, application_properties={"size": size})
        )
        self.scheduled.append((at * 1000, name, label, size))

    @rule(seconds=st.sampled_from([1, DELAY_SECONDS]))
    def wait(self, seconds: int) -> None:
        self.world.ring()
        self.world.clock.advance(seconds)
        due = [entry for entry in self.scheduled if entry[0] <= self.world.clock.now()]
        self.scheduled = [entry for entry in self.scheduled if entry not in due]
        self.world.ring()
        for _, name, label, size in due:
            self.numbers += 1
            self.sent(name, label, size, self.numbers)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), disposition=st.sampled_from(Disposition))
    def receive(self, data: st.DataObject, disposition: Disposition) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.world.ring()
        queue, model = self.subscription(name), self.model[name]
        deliveries = self.world.lock(queue)
        if not deliveries:
            assert not model.active
            return
        (delivery,) = deliveries
        expected = model.active.pop(0)
        assert body(sections(delivery)) == expected.name
        if disposition is Disposition.DEFERRED:
            disposition = Disposition.COMPLETED
        self.world.settle(queue, delivery, disposition)
        if disposition is Disposition.RELEASED:
            model.active.insert(0, expected)
        elif disposition is Disposition.ABANDONED:
            expected.delivery_count += 1
            if expected.delivery_count < DELIVERIES_MAX:
                model.active.insert(0, expected)
            else:
                model.dead.append(expected)
        elif disposition is Disposition.DEAD_LETTERED:
            model.dead.append(expected)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), is_dead=st.booleans())
    def receive_and_delete(self, data: st.DataObject, is_dead: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.world.ring()
        model = self.model[name]
        expected = model.dead if is_dead else model.active
        found = self.world.take(self.subscription(name, "/$DeadLetterQueue" if is_dead else ""), 2)
        assert [body(sections(each)) for each in found] == [each.name for each in expected[:2]]
        del expected[:2]

    @rule()
    def restart(self) -> None:
        self.world = self.world.restart()
        self.world.broker.arm_next()

    @rule()
    def sweep(self) -> None:
        has_more = True
        while has_more:
            with self.world.transactions.writer() as writer:
                has_more = sweep(self.world.broker.keys, writer, 4)
            self.world.commit()

    # What holds.

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        if not hasattr(self, "world") or not self.is_settled():
            return
        for name, model in self.model.items():
            for queue, expected in (
                (self.subscription(name), model.active),
                (self.subscription(name, "/$DeadLetterQueue"), model.dead),
            ):
                found = self.world.peek(queue)
                assert [body(each) for each in found] == [each.name for each in expected]
                for each, wanted in zip(found, expected, strict=True):
                    properties = dict(each.application_properties())
                    properties.pop("DeadLetterReason", None)
                    properties.pop("DeadLetterErrorDescription", None)
                    assert properties == wanted.properties
                    assert each.message_annotations()["x-opt-enqueue-sequence-number"] == wanted.number
                    assert each.property("subject") == wanted.label

    @invariant()
    def what_is_shared_is_counted(self) -> None:
        if not hasattr(self, "world"):
            return
        broker = self.world.broker
        topic = self.queue("t")
        with broker.reader() as reader:
            contents, counts = (dict(reader.scan(*bounds)) for bounds in broker.keys.contents(topic.queue_id))
            messages = [value for key, value in reader.scan(*_everything()) if b"message\x00" in key]
        by_content: dict[bytes, int] = {}
        for reference in [reference_of(value) for value in messages if is_shared(value)]:
            key = broker.keys.content_references(reference.topic_id, reference.sequence_number)
            by_content[key] = by_content.get(key, 0) + 1
        assert {key: int.from_bytes(value, "big") for key, value in counts.items()} == by_content
        assert len(contents) == len(by_content)
        if not self.to_be_swept():
            sizes = sum(map(len, messages)) + sum(map(len, contents.values()))
            assert self.world.counters(topic).bytes == sizes

    # Helpers.

    def is_settled(self) -> bool:
        """Nothing waits in the topic to be given out."""
        return not self.world.counters(self.queue("t")).active

    def to_be_swept(self) -> bool:
        """Something is left of what was deleted."""
        with self.world.broker.reader() as reader:
            return any(True for _ in reader.scan(*self.world.broker.keys.remains_range()))

    def sent(self, name: str, label: str | None, size: int, number: int) -> None:
        for subscription in self.model.values():
            subscription.take(name, label, size, number)

    def rule(self, name: str) -> Rule:
        return Rule(name, FILTERS[name], ACTIONS.get(name), 0)

    def queue(self, address: str) -> Queue:
        return self.world.queue(address)

    def subscription(self, name: str, sub_queue: str = "") -> Queue:
        return self.world.queue(f"t/subscriptions/{name}{sub_queue}")

    def delete(self, queue: Queue) -> None:
        with self.world.transactions.writer() as writer:
            delete_entity(self.world.broker, writer, queue.record)
        self.world.commit()

    def records(self) -> set[bytes]:
        with self.world.broker.reader() as reader:
            return {key for key, _ in reader.scan(*_everything())}


def _everything() -> tuple[bytes, bytes]:
    return b"\x00", b"\xff" * 8


class _InMemory(_TopicMachine):
    def open_store(self) -> Store:
        return MemoryStore()


class _OnDisk(_TopicMachine):
    def open_store(self) -> Store:
        return LmdbStore(self.directory / "store", durability=Durability.PROCESS)


TestTopicInMemory = _InMemory.TestCase
TestTopicInMemory.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestTopicOnDisk = _OnDisk.TestCase
TestTopicOnDisk.settings = settings(max_examples=12, stateful_step_count=40, deadline=None)
