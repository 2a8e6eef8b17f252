"""Rules are read as they were written, with the types of their values."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from localzure.services.servicebus.rules.stored import decode_rule, encode_rule
from localzure_protocols.amqp.types import Described, Int, Symbol, Timestamp

VALUES: dict[str, Any] = {
    "@text": "ü",
    "@int": Int(1),
    "@long": 2**40,
    "@double": 1.5,
    "@flag": True,
    "@time": Timestamp(1_600_000_000_000),
    "@id": UUID(int=7),
    "@span": Described(Symbol("com.microsoft:timespan"), 5),
    "@bytes": b"\x00",
    "@nothing": None,
}


@pytest.mark.parametrize(
    "rule",
    [
        Rule("$Default", TrueFilter(), None, 5),
        Rule("none", FalseFilter(), SqlAction("SET a = @int", VALUES), 0),
        Rule("sql", SqlFilter("a = @text", VALUES), SqlAction("REMOVE a"), 1),
        Rule("same", CorrelationFilter("c", "m", "t", "r", "l", "s", "rs", "ct", VALUES), None, 2),
        Rule("few", CorrelationFilter(label="l"), None, 2),
    ],
)
def test_a_rule_is_read_as_it_was_written(rule: Rule) -> None:
    read = decode_rule(encode_rule(rule))
    assert read == rule
    for written, found in ((rule.filter, read.filter), (rule.action, read.action)):
        for name, value in getattr(written, "parameters", {}).items():
            assert type(getattr(found, "parameters")[name]) is type(value)  # noqa: B009 - of either kind
