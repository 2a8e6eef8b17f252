"""A topic as the engine holds it in memory while somebody sends to it: its subscriptions and their compiled rules.

Subscriptions are in the order in which they were made, which is that of their numbers, so who was given a message last
is told by a number. Rules are compiled when a message comes for the first time after they have changed.
"""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import TYPE_CHECKING

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.engine.queue import Queue
from localzure.services.servicebus.engine.rule_storage import rules_of
from localzure.services.servicebus.rules.compile import CompiledRule, compile_rule
from localzure.services.servicebus.rules.model import FilterEvaluationError, RuleError, TrueFilter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.keys import ServiceBusKeys
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.rules.model import Rule
    from localzure.services.servicebus.rules.view import MessageView
    from localzure_storage.store import Reader

_log = logging.getLogger(__name__)


RULE_COST = 10
"""How much longer it takes to compile a rule than to make a queue ready."""


class RuleSet:
    """The rules of a subscription, ready to run."""

    __slots__ = ("acting", "plain", "takes_all")

    def __init__(self, rules: Iterable[Rule], entropy: Entropy, path: str) -> None:
        """`path` is the subscription's, for the log."""
        compiled = [_compile(rule, entropy, path) for rule in rules]
        plain = [rule for rule in compiled if not rule.has_action]
        self.takes_all = any(isinstance(rule.rule.filter, TrueFilter) for rule in plain)
        """It gets every message as it is, whatever else it gets."""
        self.plain = [] if self.takes_all else plain
        """Those without an action: however many of them match, there is one copy."""
        self.acting = [rule for rule in compiled if rule.has_action]
        """Those with one: each that matches makes a copy."""


def _compile(rule: Rule, entropy: Entropy, path: str) -> CompiledRule:
    try:
        return compile_rule(rule, entropy)
    except RuleError as error:
        # It was taken once, so another version of LocalZure has stored it: its messages are not for us to drop.
        _log.error("the rule %r of %s cannot be used: %s", rule.name, path, error)
        reason = str(error)

        def fail(_view: MessageView) -> bool:
            raise FilterEvaluationError("FilterException", reason)

        return CompiledRule(rule, fail, None)


class Subscriber:
    """A subscription as its topic sees it."""

    __slots__ = ("_rules", "queue")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._rules: RuleSet | None = None

    def rules(self, reader: Reader, keys: ServiceBusKeys, entropy: Entropy) -> RuleSet:
        """Its rules; read and compiled again where they have changed."""
        if self._rules is None:
            self._rules = RuleSet(rules_of(reader, keys, self.queue.queue_id), entropy, self.queue.path)
        return self._rules

    def make_ready(self, reader: Reader, keys: ServiceBusKeys, entropy: Entropy) -> int:
        """Compile the rules if that is to be done; returns what it cost, as many times as making a queue ready."""
        if self._rules is not None:
            return 0
        rules = self.rules(reader, keys, entropy)
        return RULE_COST * (len(rules.plain) + len(rules.acting))

    def rules_changed(self) -> None:
        """Have them read again."""
        self._rules = None


class Topic(Queue):
    """One topic in use. Its own messages are scheduled ones, and those that are still to be given to subscriptions."""

    __slots__ = ("_is_complete", "_known", "_subscribers")

    def __init__(self, keys: ServiceBusKeys, record: EntityRecord) -> None:
        super().__init__(keys, record, SubQueue.NONE, None)
        self._subscribers: list[Subscriber] = []
        self._known: dict[Queue, Subscriber] = {}
        self._is_complete = False

    @property
    def subscribers(self) -> list[Subscriber] | None:
        """Its subscriptions in the order of their numbers; None where they are to be read."""
        return self._subscribers if self._is_complete else None

    def subscriber(self, queue: Queue) -> Subscriber:
        """A subscription, with its compiled rules if it is known."""
        found = self._known.get(queue)
        if found is None:
            found = self._known[queue] = Subscriber(queue)
        return found

    def subscribe(self, subscribers: Iterable[Subscriber]) -> list[Subscriber]:
        """These are its subscriptions, and no other."""
        self._subscribers = sorted(subscribers, key=_number)
        self._known = {subscriber.queue: subscriber for subscriber in self._subscribers}
        self._is_complete = True
        return self._subscribers

    def subscriptions_changed(self) -> None:
        """Have the subscriptions read again."""
        self._is_complete = False

    def rules_changed(self, subscription_id: int) -> None:
        """Have the rules of one subscription read again."""
        for subscriber in self._known.values():
            if subscriber.queue.queue_id == subscription_id:
                subscriber.rules_changed()


_number = attrgetter("queue.queue_id")
