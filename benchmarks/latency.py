"""How long operations took: a histogram of bounded size and bounded error, as HdrHistogram keeps it.

A duration falls into one of 128 to 255 equal parts of its power of two, so that a percentile is off by less than
1 % whatever its size, and a million durations take a few hundred counters.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIGNIFICANT_BITS = 8


class Histogram:
    """Durations in nanoseconds."""

    __slots__ = ("_counts",)

    def __init__(self, durations: Iterable[int] = ()) -> None:
        self._counts: dict[int, int] = {}
        for duration, count in Counter(durations).items():
            self._add(duration, count)

    def record_since(self, starts: Iterable[int], now: int) -> None:
        """Record what began at each of `starts` and ended at `now`, in nanoseconds of one clock.

        Costs least where many starts are the same instant, as they are when a window is filled by one write.
        """
        for start, count in Counter(starts).items():
            self._add(now - start, count)

    def _add(self, duration: int, count: int) -> None:
        shift = max(0, duration.bit_length() - _SIGNIFICANT_BITS)
        bucket = duration >> shift << shift
        self._counts[bucket] = self._counts.get(bucket, 0) + count

    def merge(self, other: Histogram) -> None:
        """Take over the counts of `other`."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self._counts.values())

    def percentile(self, percent: float) -> float:
        """Return the duration, in seconds, that `percent` of all stay at or below; 0 where there are none."""
        wanted = self.count * percent / 100
        reached = 0
        bucket = 0
        for bucket in sorted(self._counts):
            reached += self._counts[bucket]
            if reached >= wanted:
                break
        return bucket / 1e9

    def as_dict(self) -> dict[str, float]:
        """The percentiles that are reported, in seconds."""
        return {"p50": self.percentile(50), "p99": self.percentile(99), "p99.9": self.percentile(99.9)}
