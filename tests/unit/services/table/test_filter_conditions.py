"""How values compare: each type of a property with each type of a literal."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.storage_rest.times import Ticks
from localzure.services.table.edm import DATETIME, GUID, INT64
from localzure.services.table.filters.plan import compile_filter
from localzure.services.table.model import EntityRecord

TICKS = 639_028_224_000_000_000
"""2026-01-01T00:00:00Z."""

PROPERTIES: dict[str, tuple[Any, int | None]] = {
    "String": ("m", None),
    "Boolean": (True, None),
    "Int32": (5, None),
    "Int64": (5, INT64),
    "Double": (5.0, None),
    "DateTime": (TICKS, DATETIME),
    "Guid": (bytes([5] * 16), GUID),
    "Binary": (b"\x05", None),
}
"""A property of each type, named after it."""

LITERALS = {
    "String": ("'l'", "'m'", "'n'"),
    "Int32": ("4", "5", "6"),
    "Int64": ("4L", "5L", "6L"),
    "Double": ("4.5", "5.0", "5.5"),
    "DateTime": ("datetime'2025-12-31'", "datetime'2026-01-01'", "datetime'2026-01-02'"),
    "Guid": tuple(f"guid'{digits * 16}'" for digits in ("04", "05", "06")),
    "Binary": ("X'0400'", "X'05'", "X'0500'"),
}
"""Literals of each type: one that is less than the property of that type, one that is equal, one that is more."""

COMPARED = {
    "String": {"String"},
    "Int32": {"Int32", "Int64", "Double"},
    "Int64": {"Int64", "Double"},
    "Double": {"Double"},
    "DateTime": {"DateTime"},
    "Guid": {"Guid"},
    "Binary": {"Binary"},
}
"""Type of a literal → types of the properties that it is compared with: of these a literal is widened to."""


def fits(text: str) -> bool:
    values = {name: value for name, (value, _) in PROPERTIES.items()}
    tags = {name: tag for name, (_, tag) in PROPERTIES.items() if tag is not None}
    test = compile_filter(text).test
    assert test is not None
    return test("partition", "row", EntityRecord(Ticks(TICKS), values, tags))


def outcomes(name: str, literal: str) -> dict[str, bool]:
    return {operator: fits(f"{name} {operator} {literal}") for operator in ("eq", "ne", "lt", "le", "gt", "ge")}


LESS = {"eq": False, "ne": True, "lt": True, "le": True, "gt": False, "ge": False}
EQUAL = {"eq": True, "ne": False, "lt": False, "le": True, "gt": False, "ge": True}
MORE = {"eq": False, "ne": True, "lt": False, "le": False, "gt": True, "ge": True}


@pytest.mark.parametrize("literal_type", LITERALS)
@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_with_a_literal(name: str, literal_type: str) -> None:
    lesser, equal, greater = LITERALS[literal_type]
    if name in COMPARED[literal_type]:
        assert outcomes(name, lesser) == MORE
        assert outcomes(name, equal) == EQUAL
        assert outcomes(name, greater) == LESS
    else:
        for literal in (lesser, equal, greater):
            assert outcomes(name, literal) == LESS, "another type is not equal, and less"


def test_booleans() -> None:
    assert outcomes("Boolean", "true") == EQUAL
    assert outcomes("Boolean", "false") == MORE
    assert outcomes("String", "true") == LESS


def test_a_property_that_is_not_there_fits_nothing() -> None:
    for literal in ("'x'", "5", "true", "guid'00010203-0405-0607-0809-0a0b0c0d0e0f'"):
        assert not any(outcomes("absent", literal).values())
    assert fits("not (absent eq 5)")
    assert not fits("absent")
    assert fits("not absent")


def test_a_property_alone() -> None:
    assert fits("Boolean")
    assert not fits("Int32")
    assert not fits("String")


def test_logic() -> None:
    for left in ("true", "false"):
        for right in ("true", "false"):
            assert fits(f"{left} and {right}") is (left == right == "true")
            assert fits(f"{left} or {right}") is ("true" in {left, right})
        assert fits(f"not {left}") is (left == "false")


@pytest.mark.parametrize(
    ("name", "lesser", "equal", "greater"),
    [
        ("PartitionKey", "'part'", "'partition'", "'partitions'"),
        ("RowKey", "'ROW'", "'row'", "'rows'"),
        ("Timestamp", "datetime'2025-12-31'", "datetime'2026-01-01'", "datetime'2026-01-01T00:00:00.0000001Z'"),
    ],
)
def test_the_properties_that_every_entity_has(name: str, lesser: str, equal: str, greater: str) -> None:
    assert outcomes(name, lesser) == MORE
    assert outcomes(name, equal) == EQUAL
    assert outcomes(name, greater) == LESS
    assert outcomes(name, "5") == LESS
    assert not fits(name)


def test_doubles_that_are_no_numbers_compare_as_ieee_says() -> None:
    assert outcomes("Double", "NaN") == {"eq": False, "ne": True, "lt": False, "le": False, "gt": False, "ge": False}
    assert outcomes("Double", "INF") == LESS
    assert outcomes("Double", "-INF") == MORE


def test_large_integers_compare_exactly_with_their_own_and_as_doubles_with_doubles() -> None:
    record = EntityRecord(Ticks(0), {"long": 2**53 + 1, "double": 2.0**53}, {"long": INT64})
    for text, expected in (
        (f"long eq {2**53 + 1}L", True),
        (f"long eq {2**53}L", False),
        (f"double eq {2**53 + 1}L", True),
    ):
        test = compile_filter(text).test
        assert test is not None
        assert test("", "", record) is expected
