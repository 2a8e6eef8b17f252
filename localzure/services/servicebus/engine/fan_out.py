"""From a topic to its subscriptions: who gets a message, and as which copies.

A message is given to the subscriptions in the turn that takes it, so that its sender is answered when it is where it
belongs. A turn makes a bounded number of copies: what is beyond stays in the topic, in order, and is given out in steps
that follow at once; everything that is sent meanwhile waits behind it. Each step is a transaction, so a crash in
between loses nothing and gives nothing twice.

All rules without an action that match make one copy between them. Each rule with an action that matches makes a copy of
its own, which has the rule's name in the property `RuleName` ("Topic filters and actions"). Where a rule fails on a
message, the subscription gets it as a dead letter and in no other way, or not at all, as the subscription says.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.servicebus.durations import FOREVER
from localzure.services.servicebus.engine.contents import SHARED_BYTES_MIN, is_shared, share
from localzure.services.servicebus.engine.copies import changed, living
from localzure.services.servicebus.engine.forwarding import enqueue
from localzure.services.servicebus.engine.reasons import BECAUSE_OF_NO_SESSION, DESCRIPTION, REASON
from localzure.services.servicebus.engine.view import StoredView
from localzure.services.servicebus.keys import DueKind, sequence_number_of
from localzure.services.servicebus.model import MessageState
from localzure.services.servicebus.record import (
    decode_fixed,
    decode_record,
    encode_record,
    rest_at,
    session_id_of,
    with_application_properties,
    with_enqueue_sequence_number,
)
from localzure.services.servicebus.rules.model import FilterEvaluationError
from localzure_protocols.amqp.codec import AmqpDecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.topics import RuleSet, Subscriber, Topic
    from localzure.services.servicebus.engine.turn import Turn

COPIES_MAX = 300
"""Subscriptions that are looked at in one step, over all of its messages, give or take those of one message."""

GROUP_MAX = 50
"""Messages that go out together, of those that a topic holds."""

_LAST_NUMBER = 2**63 - 2
_PROGRESS = Struct(">qq")
"""The subscription that got a group of messages last, and the last message of the group."""

_START = _PROGRESS.pack(0, _LAST_NUMBER)
_number = attrgetter("queue.queue_id")


class _Copy(NamedTuple):
    """What one subscription gets."""

    queue: Queue
    """The subscription, or its dead letters."""
    value: bytes
    expires_at: int


class _Message:
    """A message on its way to the subscriptions; what is made of it is made once."""

    __slots__ = ("_enqueued_at", "_living", "_view", "expires_at", "sequence_number", "value")

    def __init__(self, value: bytes, sequence_number: int) -> None:
        fixed = decode_fixed(value)
        self.sequence_number = sequence_number
        self.expires_at = fixed.expires_at
        self._enqueued_at = fixed.enqueued_at
        self.value = value
        if not fixed.enqueue_sequence_number:
            self.value = with_enqueue_sequence_number(value, sequence_number)
        self._view: StoredView | None = None
        self._living: dict[int, tuple[bytes, int]] = {}

    @property
    def view(self) -> StoredView:
        """As rules see it."""
        if self._view is None:
            self._view = StoredView(self.value, self.sequence_number)
        return self._view

    def living(self, lifetime: int) -> tuple[bytes, int]:
        """As a subscription stores it whose messages live for up to `lifetime`, and when it expires there."""
        ends_at = self._enqueued_at + lifetime
        if lifetime >= FOREVER or 0 < self.expires_at <= ends_at:
            return self.value, self.expires_at
        found = self._living.get(lifetime)
        if found is None:
            found = self._living[lifetime] = living(self.value, lifetime)
        return found


def fan_out(turn: Turn) -> None:
    """Give what topics have taken in this turn to their subscriptions."""
    left = COPIES_MAX
    while turn.published:
        published, turn.published = turn.published, []
        for topic, sequence_number, value in published:
            subscribers = turn.entities.subscribers(turn.writer, topic, turn.entropy)
            if subscribers is None or len(subscribers) > COPIES_MAX or left <= 0 or turn.counters(topic).active:
                _keep(turn, topic, sequence_number, value)
            else:
                left -= len(subscribers) or 1
                _give(turn, topic, _Message(value, sequence_number), subscribers)


def go_on(turn: Turn, topic: Topic, first: int, progress: bytes) -> None:
    """Give what a topic holds to its subscriptions: one step, then the next.

    Messages go in groups, so that a subscription is written to once for many. The group that begins with the message
    `first` was given to the subscriptions up to a number in `progress`.
    """
    subscribers = turn.entities.subscribers(turn.writer, topic, turn.entropy)
    if subscribers is None:
        turn.put_due(turn.now, DueKind.FAN_OUT, topic.queue_id, first, progress)
        return
    done, last = _PROGRESS.unpack(progress)
    group = list(turn.writer.scan(*topic.message_range(MessageState.ACTIVE, first, last), limit=GROUP_MAX))
    at = bisect_right(subscribers, done, key=_number)
    step = subscribers[at : at + max(1, COPIES_MAX // max(1, len(group)))]
    for key, stored in group:
        _give(turn, topic, _Message(stored, sequence_number_of(key)), step)
    if group and at + len(step) < len(subscribers):
        first, last = sequence_number_of(group[0][0]), sequence_number_of(group[-1][0])
        progress = _PROGRESS.pack(_number(step[-1]), last)
        turn.put_due(turn.now, DueKind.FAN_OUT, topic.queue_id, first, progress)
        return
    for key, stored in group:
        turn.remove(topic, MessageState.ACTIVE, sequence_number_of(key), len(stored), 0)
    if turn.counters(topic).active:
        turn.put_due(turn.now, DueKind.FAN_OUT, topic.queue_id, 0, _START)


def is_taken(turn: Turn, topic: Topic, value: bytes) -> bool:
    """Whether any subscription takes a message that was admitted to `topic`."""
    message = _Message(value, turn.counters(topic).last_sequence_number + 1)
    while (subscribers := turn.entities.subscribers(turn.writer, topic, turn.entropy)) is None:
        pass
    return any(_copies(turn, message, each) for each in subscribers)


def _keep(turn: Turn, topic: Topic, sequence_number: int, value: bytes) -> None:
    """Leave a message in the topic, to be given out in steps. While there is one, there is one entry in the index."""
    is_first = not turn.counters(topic).active
    # It does not expire here: each subscription decides what becomes of it.
    turn.insert(topic, sequence_number, _shared(turn, topic, sequence_number, value), 0)
    if is_first:
        turn.put_due(turn.now, DueKind.FAN_OUT, topic.queue_id, 0, _START)


def _shared(turn: Turn, topic: Topic, sequence_number: int, value: bytes) -> bytes:
    """What is stored of each copy of a message whose content several may share."""
    if len(value) - rest_at(value) < SHARED_BYTES_MIN:
        return value
    stored, content = share(value, topic.queue_id, sequence_number)
    turn.put_content(topic, sequence_number, content)
    return stored


def _give(turn: Turn, topic: Topic, message: _Message, subscribers: Sequence[Subscriber]) -> None:
    """Store the copies of a message."""
    copies = [copy for subscriber in subscribers for copy in _copies(turn, message, subscriber)]
    if not is_shared(message.value) and sum(not copy.queue.forwards_to for copy in copies) > 1:
        copies = _sharing(turn, topic, message.sequence_number, copies)
    for queue, value, expires_at in copies:
        enqueue(turn, queue, value, expires_at)


def _sharing(turn: Turn, topic: Topic, sequence_number: int, copies: Sequence[_Copy]) -> list[_Copy]:
    """The copies with their content stored once, if it is large; what moves on leaves as a whole."""
    shared: dict[bytes, bytes] = {}
    for copy in copies:
        if copy.value not in shared and not copy.queue.forwards_to:
            shared[copy.value] = _shared(turn, topic, sequence_number, copy.value)
    return [copy if copy.queue.forwards_to else copy._replace(value=shared[copy.value]) for copy in copies]


def _copies(turn: Turn, message: _Message, subscriber: Subscriber) -> list[_Copy]:
    """What a subscription gets of a message."""
    queue = subscriber.queue
    if message.sequence_number <= queue.record.since:
        return []
    rules = subscriber.rules(turn.writer, turn.keys, turn.entropy)
    value, expires_at = message.living(queue.description.default_message_time_to_live)
    try:
        copies = _selected(message, queue, rules, value, expires_at)
    except (FilterEvaluationError, AmqpDecodeError, TypeError, ValueError) as error:
        if not queue.description.dead_lettering_on_filter_evaluation_exceptions:
            return []
        reason = error.reason if isinstance(error, FilterEvaluationError) else "FilterException"
        return [_dead(queue, value, {REASON: reason, DESCRIPTION: str(error)})]
    if queue.sessions is not None:
        # Without a session a message could never be received.
        copies = [
            copy if session_id_of(copy.value) else _dead(queue, copy.value, BECAUSE_OF_NO_SESSION) for copy in copies
        ]
    return copies


def _selected(message: _Message, queue: Queue, rules: RuleSet, value: bytes, expires_at: int) -> list[_Copy]:
    """Raises FilterEvaluationError, AmqpDecodeError, TypeError and ValueError."""
    copies = []
    if rules.takes_all or any(rule.matches(message.view) for rule in rules.plain):
        copies.append(_Copy(queue, value, expires_at))
    copies.extend(
        _Copy(queue, *changed(value, overrides, rule.rule.name))
        for rule in rules.acting
        if rule.matches(message.view) and (overrides := rule.apply(message.view)) is not None
    )
    return copies


def _dead(queue: Queue, value: bytes, reasons: Mapping[str, str]) -> _Copy:
    assert queue.dead_letter is not None, "a subscription has dead letters"
    record = with_application_properties(decode_record(value), reasons)
    record.expires_at = 0
    return _Copy(queue.dead_letter, encode_record(record), 0)
