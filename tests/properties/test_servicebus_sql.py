"""SQL filters against an evaluator that is slow and obvious, and texts of any kind against the parser."""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.services.servicebus.rules.compile import compile_rule
from localzure.services.servicebus.rules.model import (
    FilterEvaluationError,
    Rule,
    RuleError,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from localzure.services.servicebus.rules.sql.decimals import CONTEXT, read_decimal, write_decimal
from tests.servicebus_rules import Message, matches
from tests.twins import SeededEntropy

Tree: TypeAlias = tuple[Any, ...]
"""(what it is, parts...)."""

TRUTHS = {True: "T", False: "F", None: "U"}
AND = {"TT": "T", "TF": "F", "TU": "U", "FT": "F", "FF": "F", "FU": "F", "UT": "U", "UF": "F", "UU": "U"}
OR = {"TT": "T", "TF": "T", "TU": "T", "FT": "T", "FF": "F", "FU": "U", "UT": "T", "UF": "U", "UU": "U"}
"""The tables of the documentation."""

NAMES = ["a", "b", "Select", "with space", 'q"]', "ä1"]

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**63 - 1, 0.5, -1.5, 2.0]),
    st.text("ab%_'\\", max_size=4),
)
names = st.sampled_from(NAMES)


class FailedError(Exception):
    """No value."""


# -- trees, their texts and what they mean --------------------------------------------------------------------------

leaves = st.one_of(st.tuples(st.just("value"), values), st.tuples(st.just("property"), names))
expressions: st.SearchStrategy[Tree] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*/%"), inner, inner),
        st.tuples(st.just("minus"), inner),
        st.tuples(st.just("p"), inner),
    ),
    max_leaves=4,
)
predicates = st.one_of(
    st.tuples(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), expressions, expressions),
    st.tuples(st.just("null"), expressions),
    st.tuples(st.just("in"), expressions, st.lists(leaves, min_size=1, max_size=3)),
    st.tuples(st.just("like"), expressions, st.text("ab%_\\", max_size=5), st.sampled_from([None, "\\", "a"])),
    st.tuples(st.just("exists"), names),
    st.tuples(st.just("truth"), names),
)
conditions: st.SearchStrategy[Tree] = st.recursive(
    predicates,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=6,
)


def text(tree: Tree) -> str:
    """The SQL of a tree, everything in parentheses."""
    match tree:
        case ("value", str(value)):
            return f"""'{value.replace("'", "''")}'"""
        case ("value", value):
            return "NULL" if value is None else str(value)
        case ("property" | "truth", name):
            return f"[{name.replace(']', ']]')}]"
        case ("minus", part):
            return f"-({text(part)})"
        case ("p", part):
            return f"p({text(part)})"
        case ("null", part):
            return f"{text(part)} IS NULL"
        case ("in", part, choices):
            return f"{text(part)} IN ({', '.join(map(text, choices))})"
        case ("like", part, pattern, escape):
            return f"{text(part)} LIKE '{pattern}'" + (f" ESCAPE '{escape}'" if escape else "")
        case ("exists", name):
            return f"EXISTS({text(('property', name))})"
        case ("not", part):
            return f"NOT ({text(part)})"
        case (operator, left, right):
            return f"({text(left)}) {operator.upper()} ({text(right)})"
        case _:
            raise AssertionError(tree)


def value_of(tree: Tree, message: dict[str, Any]) -> Any:
    """What an expression is."""
    match tree:
        case ("value", value):
            return value
        case ("property", name):
            return message.get(name)
        case ("minus", part):
            value = value_of(part, message)
            if value is None:
                return None
            if isinstance(value, bool | str):
                raise FailedError
            return wrapped(-value)
        case ("p", part):
            name = value_of(part, message)
            if name is None:
                return None
            if not isinstance(name, str):
                raise FailedError
            return message.get(name)
        case (operator, left, right):
            return calculated(operator, value_of(left, message), value_of(right, message))
        case _:
            raise AssertionError(tree)


def calculated(operator: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if isinstance(left, str) or isinstance(right, str):
        if operator != "+":
            raise FailedError
        return written(left) + written(right)
    if isinstance(left, bool) or isinstance(right, bool):
        raise FailedError
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    match operator:
        case "+":
            return wrapped(left + right)
        case "-":
            return wrapped(left - right)
        case "*":
            return wrapped(left * right)
        case _:
            return divided(operator, left, right)


def divided(operator: str, left: Any, right: Any) -> Any:
    if right == 0:
        if isinstance(left, int):
            raise FailedError
        if operator == "%" or left == 0 or left != left:
            return float("nan")
        return float("inf") if (left > 0) == (str(right)[0] != "-") else float("-inf")
    if isinstance(left, float):
        return left / right if operator == "/" else float("nan") if abs(left) == float("inf") else fmod(left, right)
    quotient = abs(left) // abs(right)
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    return wrapped(quotient if operator == "/" else left - quotient * right)


def fmod(left: float, right: float) -> float:
    if abs(right) == float("inf"):
        return left
    rest = abs(left) % abs(right)
    return -rest if str(left)[0] == "-" else rest


def wrapped(number: Any) -> Any:
    """A number as 64 bits have it."""
    if isinstance(number, float):
        return number
    number %= 2**64
    return number - 2**64 if number >= 2**63 else number


def written(value: Any) -> str:
    if isinstance(value, float):
        if value != value or abs(value) == float("inf"):
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        short = str(value).upper()
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else short
    return str(value)


def truth_of(tree: Tree, message: dict[str, Any]) -> str:
    """T, F or U."""
    match tree:
        case ("and", left, right):
            first = truth_of(left, message)
            return first if first == "F" else AND[first + truth_of(right, message)]
        case ("or", left, right):
            first = truth_of(left, message)
            return first if first == "T" else OR[first + truth_of(right, message)]
        case ("not", part):
            return {"T": "F", "F": "T", "U": "U"}[truth_of(part, message)]
        case ("null", part):
            return TRUTHS[value_of(part, message) is None]
        case ("exists", name):
            return TRUTHS[name in message]
        case ("truth", name):
            value = message.get(name)
            if value is not None and not isinstance(value, bool):
                raise FailedError
            return TRUTHS[value]
        case ("in", part, choices):
            value = value_of(part, message)
            if value is None:
                return "U"
            result = "F"
            for choice in choices:
                result = OR[result + compared("=", value, value_of(choice, message))]
            return result
        case ("like", part, pattern, escape):
            value = value_of(part, message)
            return TRUTHS[is_like(value, pattern, escape)] if isinstance(value, str) else "U"
        case (operator, left, right):
            return compared(operator, value_of(left, message), value_of(right, message))
        case _:
            raise AssertionError(tree)


def compared(operator: str, left: Any, right: Any) -> str:
    if left is None or right is None or kind(left) != kind(right):
        return "U"
    if isinstance(left, bool) and operator not in {"=", "<>"}:
        return "U"
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    match operator:
        case "=":
            return TRUTHS[left == right]
        case "<>":
            return TRUTHS[left != right]
        case "<":
            return TRUTHS[left < right]
        case "<=":
            return TRUTHS[left <= right]
        case ">":
            return TRUTHS[left > right]
        case _:
            return TRUTHS[left >= right]


def kind(value: Any) -> str:
    return "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def is_like(value: str, pattern: str, escape: str | None) -> bool:
    regular, rest = "", pattern
    while rest:
        character, rest = rest[0], rest[1:]
        if character == escape:
            character, rest = rest[:1] or character, rest[1:]
            regular += re.escape(character)
        else:
            regular += {"%": "(?s:.*)", "_": "(?s:.)"}.get(character, re.escape(character))
    return re.fullmatch(regular, value) is not None


# -- properties -----------------------------------------------------------------------------------------------------


@given(condition=conditions, message=st.dictionaries(names, values))
def test_a_filter_does_what_the_documentation_says(condition: Tree, message: dict[str, Any]) -> None:
    expression = text(condition)
    if len(expression) > 1024:
        return
    try:
        wanted: bool | None = truth_of(condition, message) == "T"
    except FailedError:
        wanted = None
    try:
        found: bool | None = matches(expression, Message(message))
    except FilterEvaluationError:
        found = None
    assert found is wanted, expression


WORDS = [
    "a",
    "[b]",
    "'c'",
    "5",
    "1.5",
    "AND",
    "OR",
    "NOT",
    "IN",
    "(",
    ")",
    ",",
    "LIKE",
    "ESCAPE",
    "IS",
    "NULL",
    "EXISTS",
]
WORDS += [
    "=",
    "<>",
    "<",
    "+",
    "-",
    "*",
    "/",
    "%",
    "sys.",
    "user.",
    "Label",
    "@p",
    "TRUE",
    "p(",
    "newid()",
    "SET",
    "REMOVE",
]
WORDS += [";", '"d"', "'", "[", "é", "\n", "\x00"]
texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))


@given(expression=texts)
def test_any_text_is_a_rule_or_is_refused_at_a_place_in_it(expression: str) -> None:
    message = Message({"a": 1, "b": "x"}, {"Label": "l"})
    rules = [
        Rule("r", SqlFilter(expression, {"@p": 5}), None, 0),
        Rule("r", TrueFilter(), SqlAction(expression, {"@p": 5}), 0),
    ]
    for rule in rules:
        position: int | None = 0
        try:
            compiled = compile_rule(rule, SeededEntropy(1))
        except RuleError as error:
            position = error.position
        else:
            with suppress(FilterEvaluationError):
                assert compiled.matches(message) in {True, False}
                compiled.apply(message)
        assert position is not None
        assert 0 <= position <= len(expression)


@given(number=st.decimals(-(10**21), 10**21, places=6))
def test_decimals_are_read_as_they_were_written(number: Decimal) -> None:
    assert read_decimal(write_decimal(number)) == number


@given(number=st.decimals(-(7 * 10**28), 7 * 10**28, allow_nan=False))
def test_decimals_are_rounded_to_what_there_is_room_for(number: Decimal) -> None:
    found = read_decimal(write_decimal(number))
    assert abs(found - number) <= max(abs(number) / 10**27, Decimal("1e-28"))


def test_decimals_beyond_the_range_are_not_written() -> None:
    for number in ("1e9999", "NaN", "-Infinity"):
        with pytest.raises(OverflowError):
            write_decimal(CONTEXT.create_decimal(number))
