"""The ranges of keys that a filter leaves: what of a table a query must look at.

A condition allows a list of boxes, each a range of PartitionKeys by a range of RowKeys. What it says of keys narrows
the boxes; what it says of other properties, and what is too much to follow, leaves them whole. So the ranges hold all
that fits and maybe more: the test is made for every entity in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from localzure.services.table.edm import utf16_units
from localzure.services.table.filters.conditions import Always, And, Comparison, Or
from localzure.services.table.model import KEY_UNITS_MAX
from localzure_storage.keys import pack

if TYPE_CHECKING:
    from localzure.services.table.filters.conditions import Condition

BOXES_MAX = 256
"""Boxes that are followed. A filter with more is tested on more entities than it needs."""

Position: TypeAlias = tuple[int, str, int]
"""A place between texts: before all (-1), before (0, text, 0) or after (0, text, 1) a text, after all (1)."""

_FIRST: Position = (-1, "", 0)
_LAST: Position = (1, "", 0)

Span: TypeAlias = tuple[Position, Position]
"""The texts between two positions."""

_EVERY: Span = (_FIRST, _LAST)


class Box(NamedTuple):
    """PartitionKeys by RowKeys."""

    partitions: Span
    rows: Span


Range: TypeAlias = tuple[bytes, bytes]
"""(start, stop) of keys, below what all keys of a table begin with."""

WHOLE_TABLE: tuple[Range, ...] = ((b"\x00", b"\xff"),)
"""Every entity of a table."""


def ranges_of(condition: Condition) -> tuple[Range, ...]:
    """Return the ranges of keys that may fit, apart from each other and in order."""
    ranges = sorted(_range(box) for box in _boxes(condition))
    merged: list[Range] = []
    for start, stop in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


def _boxes(condition: Condition) -> list[Box]:
    match condition:
        case Comparison("PartitionKey", operator, constant) if constant.type == "String":
            return [Box(_span(operator, constant.value), _EVERY)]
        case Comparison("RowKey", operator, constant) if constant.type == "String":
            return [Box(_EVERY, _span(operator, constant.value))]
        case And(parts):
            boxes = _boxes(parts[0])
            for part in parts[1:]:
                boxes = _intersect(boxes, _boxes(part))
            return boxes
        case Or(parts):
            boxes = [box for part in parts for box in _boxes(part)]
            return boxes if len(boxes) <= BOXES_MAX else [Box(_EVERY, _EVERY)]
        case Always(False):
            return []
        case _:
            return [Box(_EVERY, _EVERY)]


def _span(operator: str, text: str) -> Span:
    """Return the texts for which a comparison with `text` may hold."""
    clipped = _clip(text)
    before, after = (0, clipped, 0), (0, clipped, 1)
    match operator:
        case "eq":
            return before, after
        case "lt":
            return _FIRST, before if clipped is text else after
        case "le":
            return _FIRST, after
        case "gt":
            return after, _LAST
        case "ge":
            return before, _LAST
        case _:
            return _EVERY


def _clip(text: str) -> str:
    """Return the beginning of a text that is longer than any key: no key lies between the two."""
    if utf16_units(text) <= KEY_UNITS_MAX:
        return text
    return text.encode("utf-16-le")[: 2 * KEY_UNITS_MAX].decode("utf-16-le", "ignore")


def _intersect(left: list[Box], right: list[Box]) -> list[Box]:
    """Return what lies in a box of each list; where that is too much to follow, the shorter list."""
    if len(left) * len(right) > BOXES_MAX:
        return min(left, right, key=len)
    boxes = (
        Box(_common(one.partitions, other.partitions), _common(one.rows, other.rows)) for one in left for other in right
    )
    return [box for box in boxes if box.partitions[0] < box.partitions[1] and box.rows[0] < box.rows[1]]


def _common(one: Span, other: Span) -> Span:
    return max(one[0], other[0]), min(one[1], other[1])


def _range(box: Box) -> Range:
    """Return the keys of a box: its rows where it is within one partition, else its partitions."""
    first, last = box.partitions
    if first[:2] == last[:2]:
        partition = pack(first[1])
        return partition + _edge(box.rows[0]), partition + _edge(box.rows[1])
    return _edge(first), _edge(last)


def _edge(position: Position) -> bytes:
    """Return the key at a position of one part."""
    side, text, is_after = position
    if side:
        return b"\x00" if side < 0 else b"\xff"
    return pack(text) + b"\xff" if is_after else pack(text)
