"""What a filter says, and the closures that test it.

How values compare is what Azure is seen to do where its documentation is silent: a property that an entity lacks
makes its comparison false, whatever the operator; a property of another type than the literal is not equal to it, and
less than it. Logic has two values, so `not` turns both around. Of numbers a narrower literal is widened, a narrower
property is not: `age eq 5` finds an Int64, `age eq 5L` finds no Int32.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from localzure.services.table.edm import DATETIME, GUID, INT64

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.table.model import EntityRecord

    Test: TypeAlias = Callable[[str, str, EntityRecord], bool]

Operator: TypeAlias = Literal["eq", "ne", "lt", "le", "gt", "ge"]

Type: TypeAlias = Literal["String", "Boolean", "Int32", "Int64", "Double", "DateTime", "Guid", "Binary"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. Its value is kept as `edm` keeps those of properties."""

    type: Type
    value: Any


@dataclass(frozen=True, slots=True)
class Property:
    """A property. Where a condition is wanted it is one: whether it is there and true."""

    name: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name operator constant`."""

    name: str
    operator: Operator
    constant: Constant


@dataclass(frozen=True, slots=True)
class Always:
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Condition
    depth: int


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    parts: tuple[Condition, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    parts: tuple[Condition, ...]
    depth: int


Condition: TypeAlias = Comparison | Property | Always | Not | And | Or

_COMPARE: Mapping[Operator, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}

_ON_MISMATCH: Mapping[Operator, bool] = {"eq": False, "ne": True, "lt": True, "le": True, "gt": False, "ge": False}
"""Operator → what it gives for a property of another type than the constant's."""

Kind: TypeAlias = tuple[type, int | None]
"""What tells the type of a kept value: its Python type and its tag."""

_STRING: Kind = (str, None)
_INT64: Kind = (int, INT64)
_DOUBLE: Kind = (float, None)


def compile_test(condition: Condition) -> Test:
    """Return what tells whether an entity fits, given its PartitionKey, its RowKey and its record."""
    match condition:
        case Comparison():
            return _comparison(condition)
        case Property(name):
            return _truth(name)
        case Always(value):
            return lambda _partition_key, _row_key, _record: value
        case Not(part):
            return _negation(compile_test(part))
        case And(parts):
            return _conjunction(tuple(map(compile_test, parts)))
        case Or(parts):
            return _disjunction(tuple(map(compile_test, parts)))


def comparables(constant: Constant) -> dict[Kind, Any]:
    """Return kind → the constant as it compares with properties of this kind, for the kinds with which it does."""
    value = constant.value
    match constant.type:
        case "String":
            return {_STRING: value}
        case "Boolean":
            return {(bool, None): value}
        case "Int32":
            return {(int, None): value, _INT64: value, _DOUBLE: float(value)}
        case "Int64":
            return {_INT64: value, _DOUBLE: float(value)}
        case "Double":
            return {_DOUBLE: value}
        case "DateTime":
            return {(int, DATETIME): value}
        case "Guid":
            return {(bytes, GUID): value}
        case "Binary":
            return {(bytes, None): value}


def _comparison(condition: Comparison) -> Test:
    name = condition.name
    compare = _COMPARE[condition.operator]
    mismatch = _ON_MISMATCH[condition.operator]
    others = comparables(condition.constant)
    if name in {"PartitionKey", "RowKey"}:
        return _key_comparison(name, compare, mismatch, others.get(_STRING))
    if name == "Timestamp":
        other = others.get((int, DATETIME))
        if other is None:
            return lambda _partition_key, _row_key, _record: mismatch
        return lambda _partition_key, _row_key, record: compare(record.ticks, other)

    def test(_partition_key: str, _row_key: str, record: EntityRecord) -> bool:
        found = record.values.get(name)
        if found is None:
            return False
        other = others.get((type(found), record.tags.get(name)))
        return mismatch if other is None else compare(found, other)

    return test


def _key_comparison(name: str, compare: Callable[[Any, Any], bool], mismatch: bool, other: str | None) -> Test:
    if other is None:
        return lambda _partition_key, _row_key, _record: mismatch
    if name == "PartitionKey":
        return lambda partition_key, _row_key, _record: compare(partition_key, other)
    return lambda _partition_key, row_key, _record: compare(row_key, other)


def _truth(name: str) -> Test:
    return lambda _partition_key, _row_key, record: record.values.get(name) is True


def _negation(part: Test) -> Test:
    return lambda partition_key, row_key, record: not part(partition_key, row_key, record)


def _conjunction(parts: tuple[Test, ...]) -> Test:
    def test(partition_key: str, row_key: str, record: EntityRecord) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs more than the parts
            if not part(partition_key, row_key, record):
                return False
        return True

    return test


def _disjunction(parts: tuple[Test, ...]) -> Test:
    def test(partition_key: str, row_key: str, record: EntityRecord) -> bool:
        for part in parts:  # noqa: SIM110 - as above
            if part(partition_key, row_key, record):
                return True
        return False

    return test
