"""From the text of a filter to what a query does with it, once per text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from localzure.services.table.errors import TableError
from localzure.services.table.filters.conditions import compile_test
from localzure.services.table.filters.ranges import WHOLE_TABLE, ranges_of

if TYPE_CHECKING:
    from localzure.services.table.filters.conditions import Test
    from localzure.services.table.filters.ranges import Range

FILTER_CHARS_MAX = 16 * 1024
"""Longest filter. Reading one takes some 70 milliseconds, at the worst (nothing but parentheses) 300."""

CACHED_CHARS_MAX = 2 * 1024
"""Longest filter that is kept compiled."""

CACHED_PLANS = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """What a query does."""

    test: Test | None
    """Whether an entity fits; None for all that lie in the ranges."""
    ranges: tuple[Range, ...]
    """Where entities may be that fit (see `filters.ranges`), apart from each other and in order."""


EVERYTHING = Plan(None, WHOLE_TABLE)


def compile_filter(text: str) -> Plan:
    """Return the plan of a filter. Raises TableError `InvalidInput`, and `NotImplemented` as Azure does."""
    if len(text) <= CACHED_CHARS_MAX:
        return _compile_cached(text)
    if len(text) > FILTER_CHARS_MAX:
        raise TableError("InvalidInput", f"The filter is longer than {FILTER_CHARS_MAX} characters.")
    return _compile(text)


def _compile(text: str) -> Plan:
    from localzure.services.table.filters.grammar import read_filter  # a grammar is made: at the first filter

    condition = read_filter(text)
    return EVERYTHING if condition is None else Plan(compile_test(condition), ranges_of(condition))


_compile_cached = lru_cache(maxsize=CACHED_PLANS)(_compile)
