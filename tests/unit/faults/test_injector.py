"""Which requests a rule strikes, and how often."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from localzure.faults.injector import RULES_MAX, Injector, Situation, TooManyRulesError
from localzure.faults.rules import MOMENTS, PROTOCOLS, FaultRule
from localzure.faults.test_mode import ERROR_CODES, RetryTest
from tests.twins import ManualClock

PUT = Situation("blob", "BlockBlob_Upload", "acct/orders/1.json", ("127.0.0.1", "azsdk-python"), "PUT")
SEND = Situation("servicebus", "send", "orders", ("127.0.0.1", "client-1"))


def _injector(clock: ManualClock | None = None, **fields: Any) -> Injector:
    return Injector((clock or ManualClock()).monotonic, [FaultRule(**{"effect": "status"} | fields)])


def _pattern(injector: Injector, count: int) -> str:
    return "".join("x" if injector.strike("http", PUT) else "." for _ in range(count))


@pytest.mark.parametrize(
    ("fields", "strikes"),
    [
        ({}, True),
        ({"service": "blob"}, True),
        ({"service": "queue"}, False),
        ({"operation": "blockblob_*"}, True),
        ({"operation": "Container_*"}, False),
        ({"method": "put"}, True),
        ({"method": "GET"}, False),
        ({"entity": "acct/orders/*"}, True),
        ({"entity": "*/other/*"}, False),
        ({"client": "azsdk*"}, True),
        ({"client": "127.0.0.2"}, False),
    ],
)
def test_a_rule_fits_by_every_field(fields: dict[str, Any], strikes: bool) -> None:
    assert bool(_injector(**fields).strike("http", PUT)) is strikes


def test_how_often() -> None:
    assert _pattern(_injector(every=3), 7) == "..x..x."
    assert _pattern(_injector(times=2), 4) == "xx.."
    assert _pattern(_injector(rate=0.0), 3) == "..."
    assert _pattern(_injector(every=2, times=2), 8) == ".x.x...."


def test_chance_repeats_with_its_seed() -> None:
    runs = {seed: _pattern(_injector(rate=0.5, seed=seed), 200) for seed in (1, 2)}
    assert runs[1] == _pattern(_injector(rate=0.5, seed=1), 200)
    assert runs[1] != runs[2]
    assert 70 < runs[1].count("x") < 130


def test_bursts_and_durations_go_by_time() -> None:
    clock = ManualClock()
    bursts = _injector(clock, burst_size=2, burst_interval=10)
    assert _pattern(bursts, 4) == "xx.."
    clock.advance(9.9)
    assert _pattern(bursts, 1) == "."
    clock.advance(0.1)
    assert _pattern(bursts, 3) == "xx."
    short = _injector(clock, seconds=5)
    assert _pattern(short, 1) == "x"
    clock.advance(5)
    assert _pattern(short, 1) == "."


def test_several_statuses_are_chosen_from() -> None:
    injector = _injector(status=[500, 503], pattern="sequential")
    faults = [injector.strike("http", PUT) for _ in range(3)]
    assert [fault.status for fault in faults if fault] == [500, 503, 500]
    by_chance = _injector(status=[500, 503])
    assert {fault.status for _ in range(50) if (fault := by_chance.strike("http", PUT))} == {500, 503}


def test_the_first_rule_that_strikes_decides() -> None:
    injector = Injector(lambda: 0.0, [FaultRule(effect="status", status=500, every=2), FaultRule(effect="reset")])
    assert [injector.strike("http", PUT).effect for _ in range(3)] == ["reset", "status", "reset"]  # type: ignore[union-attr]


def test_rules_are_disarmed_alone_and_together() -> None:
    injector = Injector(lambda: 0.0)
    first, second = injector.arm(FaultRule(effect="reset")), injector.arm(FaultRule(effect="detach"))
    assert (injector.http, injector.amqp) == ((first,), (second,))
    assert injector.disarm(first.id)
    assert not injector.disarm(first.id)
    assert (injector.http, injector.armed) == ((), [second])
    assert injector.disarm()
    assert injector.armed == []


def test_the_number_of_rules_is_bounded() -> None:
    injector = Injector(lambda: 0.0, [FaultRule(effect="reset")] * RULES_MAX)
    with pytest.raises(TooManyRulesError):
        injector.arm(FaultRule(effect="reset"))


@pytest.mark.parametrize("effect", sorted(MOMENTS))
def test_an_effect_of_amqp_strikes_only_where_it_makes_sense(effect: Any) -> None:
    injector = Injector(lambda: 0.0, [FaultRule(effect=effect)])
    for operation in ("attach", "send", "receive", "settle", "credit"):
        situation = Situation("servicebus", operation, "orders", ("c",))
        assert bool(injector.strike("amqp", situation)) is (operation in MOMENTS[effect])


def test_every_effect_has_a_protocol() -> None:
    assert set(MOMENTS) == {effect for effect, protocols in PROTOCOLS.items() if "amqp" in protocols}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({}, "missing required field `effect`"),
        ({"effect": "explode"}, "Invalid enum value 'explode'"),
        ({"effect": "status", "status": 200}, "`int` >= 400"),
        ({"effect": "status", "status": []}, "status is an empty list"),
        ({"effect": "status", "rate": 2}, "`float` <= 1"),
        ({"effect": "status", "often": 2}, "unknown field `often`"),
        ({"effect": "status", "burst_size": 2}, "belong together"),
    ],
)
def test_a_wrong_rule_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=text.replace("`", ".")):
        msgspec.convert(wrong, FaultRule)


def test_the_words_of_a_retry_test() -> None:
    assert RetryTest().rule("blob") is None
    random = RetryTest(enabled=True, failure_rate=0.5, retry_after=2, duration=60).rule("blob")
    assert random == FaultRule(effect="status", service="blob", status=ERROR_CODES, rate=0.5, retry_after=2, seconds=60)
    sequential = RetryTest(enabled=True, pattern="sequential").rule("queue")
    assert sequential is not None
    assert sequential.pattern == "sequential"
    burst = RetryTest(enabled=True, pattern="burst", burst_size=3, burst_interval=10).rule("table")
    assert burst is not None
    assert (burst.rate, burst.burst_size, burst.burst_interval) == (1.0, 3, 10)
