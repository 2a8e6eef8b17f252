"""Percentiles are those of the durations, to 1 %."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency import Histogram

DURATIONS = st.lists(st.integers(0, 10**11), min_size=1, max_size=200)


@given(DURATIONS, st.sampled_from([50, 99, 99.9, 100]))
def test_percentiles_are_those_of_the_sorted_durations(durations: list[int], percent: float) -> None:
    rank = max(1, math.ceil(len(durations) * percent / 100))
    exact = sorted(durations)[rank - 1] / 1e9
    assert exact * 0.99 <= Histogram(durations).percentile(percent) <= exact


@given(DURATIONS, DURATIONS)
def test_merged_histograms_are_one_of_all(some: list[int], others: list[int]) -> None:
    merged = Histogram(some)
    merged.merge(Histogram(others))
    assert merged.as_dict() == Histogram(some + others).as_dict()
    assert merged.count == len(some) + len(others)


def test_durations_run_from_each_start_to_now() -> None:
    histogram = Histogram()
    histogram.record_since([10, 10, 40], 110)
    assert (histogram.percentile(50), histogram.percentile(100), histogram.count) == (100e-9, 100e-9, 3)
    assert histogram.percentile(1) == pytest.approx(70e-9)


def test_without_durations_every_percentile_is_zero() -> None:
    assert Histogram().as_dict() == {"p50": 0.0, "p99": 0.0, "p99.9": 0.0}
