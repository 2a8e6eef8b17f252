"""Token buckets: how many requests pass, and whose are counted together."""

from __future__ import annotations

from localzure.throttling.limits import AZURE, BUCKETS_MAX, Limits, RateLimit
from tests.twins import ManualClock


def test_a_bucket_fills_at_its_rate_up_to_its_size() -> None:
    clock = ManualClock()
    limits = Limits([RateLimit(requests_per_second=2, burst=3)], clock.monotonic)
    assert [limits.draw("blob", "a", "c") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.advance(0.5)
    assert [limits.draw("blob", "a", "c") for _ in range(2)] == [0, 0.5]
    clock.advance(99.5)
    assert [limits.draw("blob", "a", "c") > 0 for _ in range(4)] == [False, False, False, True]


def test_whose_requests_are_counted_together() -> None:
    def refused(limit: RateLimit) -> list[bool]:
        limits = Limits([limit], ManualClock().monotonic)
        calls = [("blob", "a", "c"), ("blob", "b", "c"), ("queue", "a", "c"), ("blob", "a", "d")]
        return [limits.draw(*call) > 0 for call in calls]

    assert refused(RateLimit(requests_per_second=1, per="server")) == [False, True, True, True]
    assert refused(RateLimit(requests_per_second=1, per="service")) == [False, True, False, True]
    assert refused(RateLimit(requests_per_second=1, per="account")) == [False, False, False, True]
    assert refused(RateLimit(requests_per_second=1, per="client")) == [False, True, True, False]
    assert refused(RateLimit(requests_per_second=1, per="server", service="queue")) == [False] * 4


def test_the_preset_is_azures() -> None:
    limits = Limits(AZURE, ManualClock().monotonic)
    assert sum(limits.draw("table", "a", "c") == 0 for _ in range(6_000)) == 5_000
    assert limits.draw("servicebus", "", "c") == 0


def test_what_is_counted_is_bounded() -> None:
    limits = Limits([RateLimit(requests_per_second=1, per="client")], ManualClock().monotonic)
    assert all(limits.draw("blob", "a", str(number)) == 0 for number in range(BUCKETS_MAX + 1))
    assert limits.draw("blob", "a", "0") == 0, "the oldest was forgotten"
    assert limits.draw("blob", "a", str(BUCKETS_MAX)) > 0
