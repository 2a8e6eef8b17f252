"""The property types: what is written comes back, exactly, with its annotation."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.services.storage_rest.iso8601 import TICKS_STOP, format_ticks, parse_ticks
from localzure.services.table.edm import DATETIME_MIN, parse_guid, utf16_units
from tests.table_world import FULL, MINIMAL, NONE, TableWorld, entity_path

PATH = entity_path("things", "p", "r")


@pytest.fixture
def world() -> TableWorld:
    world = TableWorld()
    world.table()
    return world


def written(world: TableWorld, value: Any, type_name: str | None = None) -> tuple[Any, str | None]:
    """Write a property and return (value, annotation) as they are read."""
    body = {"a": value} if type_name is None else {"a@odata.type": type_name, "a": value}
    answer = world.ask("PUT", PATH, body=body)
    assert answer.status == 204, answer
    full, minimal, bare = (world.get(accept=accept) for accept in (FULL, MINIMAL, NONE))
    assert (full["a"], full.get("a@odata.type")) == (minimal["a"], minimal.get("a@odata.type"))
    assert bare["a"] == minimal["a"] or math.isnan(minimal["a"])
    assert "a@odata.type" not in bare
    return minimal["a"], minimal.get("a@odata.type")


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        ("text", None),
        ("", None),
        ("\x00\t\n é 😀 \"'\\", None),
        (True, None),
        (False, None),
        (0, None),
        (2**31 - 1, None),
        (-(2**31), None),
        (1.5, None),
        (-0.0, None),
        (1e300, None),
        (5e-324, None),
        ("9223372036854775807", "Edm.Int64"),
        ("-9223372036854775808", "Edm.Int64"),
        ("0", "Edm.Int64"),
        ("NaN", "Edm.Double"),
        ("Infinity", "Edm.Double"),
        ("-Infinity", "Edm.Double"),
        ("2026-01-01T00:00:00Z", "Edm.DateTime"),
        ("2026-01-01T00:00:00.1234567Z", "Edm.DateTime"),
        ("1601-01-01T00:00:00Z", "Edm.DateTime"),
        ("9999-12-31T23:59:59.9999999Z", "Edm.DateTime"),
        ("c9da6455-213d-42c9-9a79-3e9149a57833", "Edm.Guid"),
        ("", "Edm.Binary"),
        ("AP8=", "Edm.Binary"),
    ],
)
def test_what_is_written_comes_back(world: TableWorld, value: Any, type_name: str | None) -> None:
    found, found_type = written(world, value, type_name)
    assert (found, type(found), found_type) == (value, type(value), type_name)
    if value == 0 and type(value) is float:
        assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("value", "type_name", "expected", "expected_type"),
    [
        ("text", "Edm.String", "text", None),
        ("TRUE", "Edm.Boolean", True, None),
        ("false", "Edm.Boolean", False, None),
        (True, "Edm.Boolean", True, None),
        ("5", "Edm.Int32", 5, None),
        (5, "Edm.Int32", 5, None),
        (5, "Edm.Int64", "5", "Edm.Int64"),
        ("-05", "Edm.Int64", "-5", "Edm.Int64"),
        (5, "Edm.Double", 5.0, None),
        ("5", "Edm.Double", 5.0, None),
        ("1e3", "Edm.Double", 1000.0, None),
        (2**31, None, float(2**31), None),
        (2**70, None, float(2**70), None),
        (1.0, None, 1.0, None),
        ("2026-01-01", "Edm.DateTime", "2026-01-01T00:00:00Z", "Edm.DateTime"),
        ("2026-01-01T01:00:00+01:00", "Edm.DateTime", "2026-01-01T00:00:00Z", "Edm.DateTime"),
        ("C9DA6455213D42C99A793E9149A57833", "Edm.Guid", "c9da6455-213d-42c9-9a79-3e9149a57833", "Edm.Guid"),
    ],
)
def test_what_is_written_in_another_form(
    world: TableWorld, value: Any, type_name: str | None, expected: Any, expected_type: str | None
) -> None:
    found, found_type = written(world, value, type_name)
    assert (found, type(found), found_type) == (expected, type(expected), expected_type)


def test_a_whole_double_is_told_from_an_integer(world: TableWorld) -> None:
    world.insert(whole=1.0, integer=1)
    body = world.ask("GET", PATH).body
    assert b'"whole":1.0' in body
    assert b'"integer":1}' in body


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        ([], None),
        ({}, None),
        ([1], "Edm.String"),
        (5, "Edm.String"),
        ("yes", "Edm.Boolean"),
        (1, "Edm.Boolean"),
        (2**31, "Edm.Int32"),
        ("x", "Edm.Int32"),
        ("", "Edm.Int32"),
        ("1.0", "Edm.Int32"),
        (1.5, "Edm.Int32"),
        (True, "Edm.Int32"),
        ("\u0665", "Edm.Int32"),
        (str(2**63), "Edm.Int64"),
        ("9" * 30, "Edm.Int64"),
        ("+5", "Edm.Int64"),
        (1.0, "Edm.Int64"),
        ("INF", "Edm.Double"),
        ("inf", "Edm.Double"),
        ("1_0", "Edm.Double"),
        ("1e999", "Edm.Double"),
        (True, "Edm.Double"),
        (10**400, None),
        ("yesterday", "Edm.DateTime"),
        (5, "Edm.DateTime"),
        ("c9da6455-213d-42c9-9a79-3e9149a5783", "Edm.Guid"),
        ("{c9da6455-213d-42c9-9a79-3e9149a57833}", "Edm.Guid"),
        ("c9da-6455213d42c9-9a79-3e9149a57-833", "Edm.Guid"),
        (5, "Edm.Guid"),
        ("A", "Edm.Binary"),
        ("A===", "Edm.Binary"),
        ("Ä===", "Edm.Binary"),
        (5, "Edm.Binary"),
        ("x", "Edm.Frog"),
        ("x", "String"),
        ("x", 5),
        ("x", ""),
    ],
)
def test_what_is_no_value_of_its_type(world: TableWorld, value: Any, type_name: Any) -> None:
    body = {"a": value} if type_name is None else {"a@odata.type": type_name, "a": value}
    assert world.ask("PUT", PATH, body=body).refusal == (400, "InvalidInput")
    assert world.get() is None


def test_a_time_before_1601_is_told_as_azure_tells_it(world: TableWorld) -> None:
    answer = world.ask("PUT", PATH, body={"a@odata.type": "Edm.DateTime", "a": "0001-02-03T04:05:06Z"})
    assert answer.refusal == (400, "OutOfRangeInput")
    assert answer.message == "The 'a' parameter of value '02/03/0001 04:05:06' is out of range."


def test_binary_has_64_kib(world: TableWorld) -> None:
    fitting = base64.b64encode(b"x" * 65_536).decode()
    assert written(world, fitting, "Edm.Binary") == (fitting, "Edm.Binary")
    body = {"a@odata.type": "Edm.Binary", "a": base64.b64encode(b"x" * 65_537).decode()}
    assert world.ask("PUT", PATH, body=body).refusal == (400, "PropertyValueTooLarge")


def test_nulls_are_dropped_with_their_type(world: TableWorld) -> None:
    body: dict[str, Any] = {"a@odata.type": "Edm.Int64", "a": None, "b": 1}
    world.insert(**body)
    assert set(world.get(accept=MINIMAL)) == {
        "odata.metadata",
        "odata.etag",
        "PartitionKey",
        "RowKey",
        "Timestamp",
        "b",
    }


VALUES = st.one_of(
    st.text(st.characters(codec="utf-8")).map(lambda value: (value, None)),
    st.booleans().map(lambda value: (value, None)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: (value, None)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: (value, None)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: (str(value), "Edm.Int64")),
    st.integers(DATETIME_MIN, TICKS_STOP - 1).map(lambda value: (format_ticks(value), "Edm.DateTime")),
    st.uuids().map(lambda value: (str(value), "Edm.Guid")),
    st.binary().map(lambda value: (base64.b64encode(value).decode(), "Edm.Binary")),
)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), VALUES, max_size=20))
def test_whole_entities_come_back(properties: dict[str, tuple[Any, str | None]]) -> None:
    for system in ("PartitionKey", "RowKey", "Timestamp"):
        properties.pop(system, None)
    world = TableWorld()
    world.table()
    body: dict[str, Any] = {}
    for name, (value, type_name) in properties.items():
        body[name] = value
        if type_name is not None:
            body[f"{name}@odata.type"] = type_name
    assert world.ask("PUT", PATH, body=body).status == 204
    found = world.get(accept=MINIMAL)
    assert {name: value for name, value in found.items() if name in body} == body
    assert len(found) == len(body) + 5
    assert [name for name in found if name in properties] == list(properties), "their order is kept"


@given(st.text())
def test_a_text_has_as_many_units_as_in_utf_16(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert utf16_units(text) == len(text.encode("utf-16-le")) // 2


@given(st.uuids())
def test_guids(guid: Any) -> None:
    assert parse_guid(str(guid)) == parse_guid(guid.hex.upper()) == guid.bytes


def test_ticks_of_the_first_datetime() -> None:
    assert parse_ticks("1601-01-01T00:00:00Z") == DATETIME_MIN


def test_json_has_no_names_for_special_doubles(world: TableWorld) -> None:
    world.insert(**{"a@odata.type": "Edm.Double", "a": "NaN"})
    json.loads(world.ask("GET", PATH).body, parse_constant=pytest.fail)
