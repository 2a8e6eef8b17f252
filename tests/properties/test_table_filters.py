"""Filters against a slow and obvious evaluator: random trees, written with random parentheses, over random entities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from localzure.services.storage_rest.iso8601 import format_ticks
from localzure.services.storage_rest.times import Ticks
from localzure.services.table.edm import DATETIME, GUID, INT64
from localzure.services.table.errors import TABLE_ERRORS, TableError
from localzure.services.table.filters.plan import Plan, compile_filter
from localzure.services.table.model import EntityRecord
from localzure_storage.keys import pack

# --- values and entities ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Typed:
    """A value with the name of its type."""

    type: str
    value: Any


TEXTS = st.sampled_from(["", "a", "ab", "b", "A", "é", "it's", "\x00", "a\x01", "z" * 1024, "z" * 1030]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=3
)
SMALL = st.integers(-3, 3)
TICKS = 639_028_224_000_000_000

VALUES = st.one_of(
    TEXTS.map(lambda value: Typed("String", value)),
    st.booleans().map(lambda value: Typed("Boolean", value)),
    SMALL.map(lambda value: Typed("Int32", value)),
    (SMALL | st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63)])).map(lambda value: Typed("Int64", value)),
    (SMALL.map(lambda value: value / 2) | st.sampled_from([math.inf, -math.inf, math.nan, 2.0**53, -0.0])).map(
        lambda value: Typed("Double", value)
    ),
    SMALL.map(lambda value: Typed("DateTime", TICKS + value)),
    SMALL.map(lambda value: Typed("Guid", bytes([value % 256] * 16))),
    st.binary(max_size=2).map(lambda value: Typed("Binary", value)),
)

NAMES = ["p", "q", "größe", "and", "eq", "X"]


@dataclass(frozen=True)
class Plain:
    """An entity as the evaluator sees it."""

    partition_key: str
    row_key: str
    properties: dict[str, Typed]

    def get(self, name: str) -> Typed | None:
        system = {
            "PartitionKey": Typed("String", self.partition_key),
            "RowKey": Typed("String", self.row_key),
            "Timestamp": Typed("DateTime", TICKS),
        }
        return system.get(name) or self.properties.get(name)

    def record(self) -> EntityRecord:
        kinds = {"Int64": INT64, "DateTime": DATETIME, "Guid": GUID}
        return EntityRecord(
            Ticks(TICKS),
            {name: typed.value for name, typed in self.properties.items()},
            {name: kinds[typed.type] for name, typed in self.properties.items() if typed.type in kinds},
        )


KEYS = TEXTS.filter(lambda text: len(text) <= 1024 and not set(text) & set(map(chr, range(32))))
ENTITIES = st.builds(Plain, KEYS, KEYS, st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))

# --- conditions: how they are written, and what they mean ----------------------------------------------------------

OPERATORS = ["eq", "ne", "lt", "le", "gt", "ge"]
WIDER = {"Int32": ["Int32", "Int64", "Double"], "Int64": ["Int64", "Double"]}


@dataclass(frozen=True)
class Compare:
    name: str
    operator: str
    literal: Typed
    is_mirrored: bool

    def write(self) -> str:
        mirrored = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
        text = write_literal(self.literal)
        if self.is_mirrored:
            return f"{text} {mirrored.get(self.operator, self.operator)} {self.name}"
        return f"{self.name} {self.operator} {text}"

    def holds(self, entity: Plain) -> bool:
        found = entity.get(self.name)
        if found is None:
            return False
        left, right = found.value, self.literal.value
        if found.type not in WIDER.get(self.literal.type, [self.literal.type]):
            return self.operator in {"ne", "lt", "le"}
        if found.type == "Double":
            right = float(right)
        outcomes: dict[str, bool] = {
            "eq": left == right,
            "ne": left != right,
            "lt": left < right,
            "le": left <= right,
            "gt": left > right,
            "ge": left >= right,
        }
        return outcomes[self.operator]


@dataclass(frozen=True)
class Alone:
    name: str

    def write(self) -> str:
        return self.name

    def holds(self, entity: Plain) -> bool:
        return entity.get(self.name) == Typed("Boolean", True)


@dataclass(frozen=True)
class Word:
    value: bool

    def write(self) -> str:
        return "true" if self.value else "false"

    def holds(self, entity: Plain) -> bool:
        return self.value


@dataclass(frozen=True)
class Negated:
    part: Any
    spaces: str

    def write(self) -> str:
        return f"not{self.spaces}({self.part.write()})"

    def holds(self, entity: Plain) -> bool:
        return not self.part.holds(entity)


@dataclass(frozen=True)
class Joined:
    word: str
    parts: list[Any]
    extra: bool

    def write(self) -> str:
        """With parentheses where they are needed, and sometimes where they are not."""
        texts = []
        for part in self.parts:
            text = part.write()
            is_looser = isinstance(part, Joined) and part.word == "or" and self.word == "and"
            texts.append(f"({text})" if is_looser or self.extra else text)
        return f" {self.word} ".join(texts)

    def holds(self, entity: Plain) -> bool:
        outcomes = [part.holds(entity) for part in self.parts]
        return all(outcomes) if self.word == "and" else any(outcomes)


def write_literal(literal: Typed) -> str:
    value = literal.value
    match literal.type:
        case "String":
            return f"""'{value.replace("'", "''")}'"""
        case "Boolean":
            return "true" if value else "false"
        case "Int32":
            return str(value)
        case "Int64":
            return f"{value}L"
        case "Double" if math.isnan(value):
            return "NaN"
        case "Double" if math.isinf(value):
            return "INF" if value > 0 else "-INF"
        case "Double":
            return repr(value)
        case "DateTime":
            return f"datetime'{format_ticks(value)}'"
        case "Guid":
            return f"guid'{value.hex()}'"
        case _:
            return f"X'{value.hex()}'"


SYSTEM = ["PartitionKey", "PartitionKey", "RowKey", "RowKey", "Timestamp"]
LEAVES = st.one_of(
    st.builds(Compare, st.sampled_from(NAMES + SYSTEM), st.sampled_from(OPERATORS), VALUES, st.booleans()),
    st.builds(
        Compare,
        st.sampled_from(["PartitionKey", "RowKey"]),
        st.sampled_from(OPERATORS),
        TEXTS.map(lambda value: Typed("String", value)),
        st.booleans(),
    ),
    st.builds(Alone, st.sampled_from([*NAMES, "PartitionKey"])),
    st.builds(Word, st.booleans()),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(Negated, parts, st.sampled_from(["", " ", "  "])),
        st.builds(Joined, st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3), st.booleans()),
    ),
    max_leaves=8,
)


@settings(max_examples=500, deadline=None)
@given(CONDITIONS, st.lists(ENTITIES, min_size=1, max_size=4))
def test_a_filter_means_what_it_says(condition: Any, entities: list[Plain]) -> None:
    text = condition.write()
    plan = compile_filter(text)
    assert plan.test is not None
    for entity in entities:
        expected = condition.holds(entity)
        assert plan.test(entity.partition_key, entity.row_key, entity.record()) is expected, text
        key = pack(entity.partition_key, entity.row_key)
        if expected:
            assert any(start <= key < stop for start, stop in plan.ranges), "what fits lies in a range"
    for (_, stop), (start, _) in zip(plan.ranges, plan.ranges[1:], strict=False):
        assert stop < start, "ranges are apart, and in order"
    assert all(start < stop for start, stop in plan.ranges)


KEY_LEAVES = st.builds(
    Compare,
    st.sampled_from(["PartitionKey", "RowKey"]),
    st.sampled_from(["eq", "lt", "le", "gt", "ge"]),
    st.sampled_from(["a", "b", "c"]).map(lambda value: Typed("String", value)),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(KEY_LEAVES, min_size=1, max_size=4), st.sampled_from(["a", "b", "c"]))
def test_one_partition_is_looked_at_no_further_than_the_filter_goes(leaves: list[Compare], partition: str) -> None:
    """With an exact PartitionKey the ranges hold what fits, and nothing else."""
    exact = Compare("PartitionKey", "eq", Typed("String", partition), False)
    condition = Joined("and", [exact, *leaves], True)
    plan = compile_filter(condition.write())
    for other in ("a", "b", "c"):
        for row in ("", "a", "aa", "b", "c", "d"):
            is_inside = any(start <= pack(other, row) < stop for start, stop in plan.ranges)
            assert is_inside is condition.holds(Plain(other, row, {}))


WORDS = st.sampled_from(
    [
        "a", "PartitionKey", "eq", "ne", "and", "or", "not", "(", ")", "'x'", "'", "5", "5L", "-1.5", "1e", "true",
        "null", "guid'x'", "X'00'", "datetime'2026-01-01'", ",", "/", "add", "f(", "\x00", "é", "9" * 400, "'" * 5, "$",
    ]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(WORDS, max_size=10).map(" ".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_is_a_filter_or_refused_as_azure_refuses_it(text: str) -> None:
    plan = compiled(text)
    if isinstance(plan, TableError):
        assert plan.code in {"InvalidInput", "NotImplemented"}
        assert plan.status == TABLE_ERRORS[plan.code].status
    elif plan.test is not None:
        assert plan.test("p", "r", EntityRecord(Ticks(0), {"a": 5}, {})) in {True, False}


def compiled(text: str) -> Plan | TableError:
    try:
        return compile_filter(text)
    except TableError as error:
        return error
