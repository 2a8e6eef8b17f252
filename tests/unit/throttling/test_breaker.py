"""The circuit breaker: its three states, and what turns one into another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localzure.throttling.breaker import BreakerRules, BreakerState, CircuitBreaker

RULES = BreakerRules(enabled=True)


class Bench:
    """A breaker, its time and its changes."""

    def __init__(self, rules: BreakerRules = RULES) -> None:
        self.now = 0.0
        self.changes: list[tuple[str, str]] = []
        self.breaker = CircuitBreaker(
            rules, lambda: self.now, lambda before, after: self.changes.append((before.value, after.value))
        )

    def fail(self, count: int) -> None:
        for _ in range(count):
            assert self.breaker.admit() == 0
            self.breaker.failed()


def test_five_failures_in_a_row_open_it_for_a_minute() -> None:
    bench = Bench()
    bench.fail(4)
    assert bench.breaker.admit() == 0
    bench.breaker.succeeded()
    bench.fail(5)
    assert bench.breaker.state is BreakerState.OPEN
    bench.now = 45
    assert bench.breaker.admit() == 15
    assert bench.changes == [("closed", "open")]


def test_two_successes_of_a_half_open_one_close_it() -> None:
    bench = Bench()
    bench.fail(5)
    bench.now = 60
    assert bench.breaker.admit() == 0
    assert bench.breaker.state is BreakerState.HALF_OPEN
    bench.breaker.succeeded()
    assert bench.breaker.admit() == 0
    bench.breaker.succeeded()
    assert bench.changes == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def test_a_failure_of_a_half_open_one_opens_it_again() -> None:
    bench = Bench()
    bench.fail(5)
    bench.now = 60
    bench.fail(1)
    assert bench.breaker.state is BreakerState.OPEN
    assert bench.breaker.admit() == 60


def test_a_half_open_one_lets_three_through_at_a_time() -> None:
    bench = Bench()
    bench.fail(5)
    bench.now = 60
    assert [bench.breaker.admit() for _ in range(4)] == [0, 0, 0, 60]
    bench.breaker.left()
    assert bench.breaker.admit() == 0


@given(st.lists(st.sampled_from(["call", "succeeded", "failed", "left", "wait"]), max_size=60))
def test_it_never_locks_up(steps: list[str]) -> None:
    bench = Bench(BreakerRules(enabled=True, failures=2, open_seconds=5, trial_calls=2, successes=2))
    under_way = 0
    for step in steps:
        if step == "wait":
            bench.now += 5
        elif step == "call":
            under_way += bench.breaker.admit() == 0
        elif under_way:
            under_way -= 1
            getattr(bench.breaker, step)()
    for _ in range(under_way):
        bench.breaker.left()
    bench.now += 5
    for _ in range(2):
        assert bench.breaker.admit() == 0
        bench.breaker.succeeded()
    assert bench.breaker.state is BreakerState.CLOSED
