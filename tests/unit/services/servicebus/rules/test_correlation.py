"""Correlation filters: which messages they take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from localzure.services.servicebus.rules.compile import compile_rule
from localzure.services.servicebus.rules.model import CorrelationFilter, FalseFilter, Rule, RuleError, TrueFilter
from localzure_protocols.amqp.types import Int, Timestamp
from tests.twins import SeededEntropy


@dataclass
class Message:
    """A message as a rule sees it."""

    properties: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    def system(self, name: str) -> Any:
        return self.fields.get(name)


@pytest.mark.parametrize(
    ("wanted", "message", "is_taken"),
    [
        (CorrelationFilter(label="a"), Message({}, {"Label": "a"}), True),
        (CorrelationFilter(label="a"), Message({}, {"Label": "A"}), False),
        (CorrelationFilter(label="a"), Message({}, {}), False),
        (CorrelationFilter(label="a", to="b"), Message({}, {"Label": "a", "To": "b"}), True),
        (CorrelationFilter(label="a", to="b"), Message({}, {"Label": "a", "To": "c"}), False),
        (CorrelationFilter(properties={"n": 1}), Message({"n": Int(1)}), True),
        (CorrelationFilter(properties={"n": 1}), Message({"n": 1.0}), True),
        (CorrelationFilter(properties={"n": 1}), Message({"n": True}), False),
        (CorrelationFilter(properties={"n": 1}), Message({"n": Timestamp(1)}), False),
        (CorrelationFilter(properties={"n": "1"}), Message({"n": 1}), False),
        (CorrelationFilter(properties={"n": "1"}), Message({}), False),
        (TrueFilter(), Message(), True),
        (FalseFilter(), Message(), False),
    ],
)
def test_a_filter_takes_what_is_equal(wanted: Any, message: Message, *, is_taken: bool) -> None:
    assert compile_rule(Rule("r", wanted, None, 0), SeededEntropy(1)).matches(message) is is_taken


def test_a_filter_that_wants_nothing_is_refused() -> None:
    with pytest.raises(RuleError):
        compile_rule(Rule("r", CorrelationFilter(), None, 0), SeededEntropy(1))
