"""The texts of filters: what they say, and how Azure's parser tells what is wrong with them."""

from __future__ import annotations

import pytest

from localzure.services.table.errors import TableError
from localzure.services.table.filters import plan as plans
from localzure.services.table.filters.conditions import (
    Always,
    And,
    Comparison,
    Condition,
    Constant,
    Not,
    Or,
    Property,
)
from localzure.services.table.filters.grammar import DEPTH_MAX, read_filter
from localzure.services.table.filters.plan import EVERYTHING, FILTER_CHARS_MAX, compile_filter

ONE = Comparison("a", "eq", Constant("Int32", 1))
TWO = Comparison("b", "eq", Constant("Int32", 2))
THREE = Comparison("c", "eq", Constant("Int32", 3))


def constant(text: str) -> Constant:
    """The literal in `a eq …`."""
    condition = read_filter(f"a eq {text}")
    assert isinstance(condition, Comparison)
    return condition.constant


def refusal(text: str) -> TableError:
    with pytest.raises(TableError) as caught:
        read_filter(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("a eq 1", ONE),
        ("  a  eq\t1\n", ONE),
        ("(a eq 1)", ONE),
        ("((a)) eq (((1)))", ONE),
        ("1 eq a", ONE),
        ("a eq 1 and b eq 2", And((ONE, TWO), 1)),
        ("a eq 1 or b eq 2", Or((ONE, TWO), 1)),
        ("a eq 1 and b eq 2 and c eq 3", And((ONE, TWO, THREE), 1)),
        ("a eq 1 and (b eq 2 and c eq 3)", And((ONE, TWO, THREE), 1)),
        ("a eq 1 or b eq 2 and c eq 3", Or((ONE, And((TWO, THREE), 1)), 2)),
        ("a eq 1 and b eq 2 or c eq 3", Or((And((ONE, TWO), 1), THREE), 2)),
        ("(a eq 1 or b eq 2) and c eq 3", And((Or((ONE, TWO), 1), THREE), 2)),
        ("not a eq 1", Not(ONE, 1)),
        ("not (a eq 1)", Not(ONE, 1)),
        ("not(a eq 1)", Not(ONE, 1)),
        ("not not a eq 1", ONE),
        ("not a eq 1 and b eq 2", And((Not(ONE, 1), TWO), 2)),
        ("a", Property("a")),
        ("not a", Not(Property("a"), 1)),
        ("a and b", And((Property("a"), Property("b")), 1)),
        ("true", Always(True)),
        ("false or a", Or((Always(False), Property("a")), 1)),
        ("eq eq 1", Comparison("eq", "eq", Constant("Int32", 1))),
        ("or eq 1 or and eq 1", Or(tuple(Comparison(name, "eq", Constant("Int32", 1)) for name in ("or", "and")), 1)),
        ("nothing eq 1", Comparison("nothing", "eq", Constant("Int32", 1))),
        ("größe_1 eq 1", Comparison("größe_1", "eq", Constant("Int32", 1))),
        ("datetime eq 1", Comparison("datetime", "eq", Constant("Int32", 1))),
        ("X eq 1", Comparison("X", "eq", Constant("Int32", 1))),
        ("", None),
        ("  ", None),
    ],
)
def test_what_filters_say(text: str, condition: Condition | None) -> None:
    assert read_filter(text) == condition


@pytest.mark.parametrize(
    ("operator", "mirrored"), [("eq", "eq"), ("ne", "ne"), ("lt", "gt"), ("le", "ge"), ("gt", "lt"), ("ge", "le")]
)
def test_a_literal_may_come_first(operator: str, mirrored: str) -> None:
    assert read_filter(f"1 {operator} a") == read_filter(f"a {mirrored} 1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'text'", Constant("String", "text")),
        ("''", Constant("String", "")),
        ("'it''s'", Constant("String", "it's")),
        ("''''", Constant("String", "'")),
        ("'é 日本 😀 and (x) %20'", Constant("String", "é 日本 😀 and (x) %20")),
        ("'a\nb'", Constant("String", "a\nb")),
        ("true", Constant("Boolean", True)),
        ("false", Constant("Boolean", False)),
        ("0", Constant("Int32", 0)),
        ("-5", Constant("Int32", -5)),
        ("+5", Constant("Int32", 5)),
        ("007", Constant("Int32", 7)),
        ("2147483647", Constant("Int32", 2**31 - 1)),
        ("2147483648", Constant("Int64", 2**31)),
        ("-2147483648", Constant("Int32", -(2**31))),
        ("5L", Constant("Int64", 5)),
        ("-5l", Constant("Int64", -5)),
        ("9223372036854775807L", Constant("Int64", 2**63 - 1)),
        ("1.5", Constant("Double", 1.5)),
        ("-1.0", Constant("Double", -1.0)),
        (".5", Constant("Double", 0.5)),
        ("1e3", Constant("Double", 1000.0)),
        ("1.5E-3", Constant("Double", 0.0015)),
        ("5d", Constant("Double", 5.0)),
        ("5.5F", Constant("Double", 5.5)),
        ("1.5M", Constant("Double", 1.5)),
        ("INF", Constant("Double", float("inf"))),
        ("-INF", Constant("Double", float("-inf"))),
        ("datetime'2026-01-01T00:00:00.1234567Z'", Constant("DateTime", 639_028_224_001_234_567)),
        ("DateTime'2026-01-01'", Constant("DateTime", 639_028_224_000_000_000)),
        ("guid'00010203-0405-0607-0809-0a0b0c0d0e0f'", Constant("Guid", bytes(range(16)))),
        ("GUID'000102030405060708090A0B0C0D0E0F'", Constant("Guid", bytes(range(16)))),
        ("binary'00fF'", Constant("Binary", b"\x00\xff")),
        ("X'00ff'", Constant("Binary", b"\x00\xff")),
        ("x''", Constant("Binary", b"")),
    ],
)
def test_literals(text: str, expected: Constant) -> None:
    found = constant(text)
    assert (found, type(found.value)) == (expected, type(expected.value))


def test_the_double_that_is_no_number() -> None:
    found = constant("NaN")
    assert found.type == "Double"
    assert found.value != found.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a eq", "Expression expected at position 4 in 'a eq'."),
        ("a eq ", "Expression expected at position 5 in 'a eq '."),
        ("()", "Expression expected at position 1 in '()'."),
        ("a eq )", "Expression expected at position 5 in 'a eq )'."),
        ("and (", "Expression expected at position 5 in 'and ('."),
        ("a eq 1 or", "Expression expected at position 9 in 'a eq 1 or'."),
        ("not", "Expression expected at position 3 in 'not'."),
        ("(a eq 1", "Syntax error at position 7 in '(a eq 1'."),
        ("a eq 1)", "Syntax error at position 7 in 'a eq 1)'."),
        ("a eq 1 1", "Syntax error at position 8 in 'a eq 1 1'."),
        ("a b", "Syntax error at position 3 in 'a b'."),
        ("a eq 1 order", "Syntax error at position 12 in 'a eq 1 order'."),
        ("a EQ 1", "Syntax error at position 4 in 'a EQ 1'."),
        ("a eq 1 eq 1", "Syntax error at position 9 in 'a eq 1 eq 1'."),
        ("a = 1", "Syntax error: character '=' is not valid at position 2 in 'a = 1'."),
        ("a/b eq 1", "Syntax error: character '/' is not valid at position 1 in 'a/b eq 1'."),
        ("$a eq 1", "Syntax error: character '$' is not valid at position 0 in '$a eq 1'."),
        ("a eq 5x", "Syntax error: character '5' is not valid at position 5 in 'a eq 5x'."),
        ("a eq 'b", "There is an unterminated string literal at position 7 in 'a eq 'b'."),
        ("a eq 'it's'", "Syntax error at position 10 in 'a eq 'it's''."),
        ("a eq guid'", "There is an unterminated string literal at position 10 in 'a eq guid''."),
        ("a eq datetime'x'", "Unrecognized 'Edm.DateTime' literal 'datetime'x'' at position '5'."),
        ("a eq guid'x'", "Unrecognized 'Edm.Guid' literal 'guid'x'' at position '5'."),
        ("a eq X'abc'", "Unrecognized 'Edm.Binary' literal 'X'abc'' at position '5'."),
        ("a eq X'a b'", "Unrecognized 'Edm.Binary' literal 'X'a b'' at position '5'."),
        ("a eq 9223372036854775808", "Unrecognized 'Edm.Int64' literal '9223372036854775808' at position '5'."),
        ("a eq 1.5L", "Unrecognized 'Edm.Int64' literal '1.5L' at position '5'."),
        ("a eq null", "One of the request inputs is not valid."),
        ("null", "One of the request inputs is not valid."),
        ("5", "One of the request inputs is not valid."),
        ("'a' or b", "One of the request inputs is not valid."),
        ("not 5", "One of the request inputs is not valid."),
    ],
)
def test_what_is_wrong_is_told_in_azures_words(text: str, message: str) -> None:
    error = refusal(text)
    assert (error.code, error.status, error.message) == ("InvalidInput", 400, message)


def test_a_number_beyond_all_types_is_told_by_its_length() -> None:
    assert "Edm.Int64" in refusal(f"a eq {'9' * 10_000}").message


@pytest.mark.parametrize(
    "text",
    [
        "a eq b",
        "1 eq 1",
        "a add 1 eq 2",
        "a eq 1 sub 1",
        "startswith(a, 'x')",
        "substringof('x', a) eq true",
        "f()",
        "not f(a)",
        "(a eq 1) eq true",
        "a eq (b eq 1)",
    ],
)
def test_what_azure_reads_and_does_not_do(text: str) -> None:
    error = refusal(text)
    assert (error.code, error.status) == ("NotImplemented", 501)


def nested(depth: int) -> str:
    """A filter that is `depth` deep: `or` in `and` in `or`."""
    text = "a eq 1"
    for level in range(depth):
        text = f"({text}) {('or', 'and')[level % 2]} b eq 2"
    return text


def test_filters_are_only_so_deep() -> None:
    read_filter(nested(DEPTH_MAX))
    assert refusal(nested(DEPTH_MAX + 1)).code == "InvalidInput"


def test_neither_parentheses_nor_length_recurse() -> None:
    assert read_filter(f"{'(' * 5000}a eq 1{')' * 5000}") == ONE
    assert read_filter(f"{'not ' * 2001}a eq 1") == Not(ONE, 1)
    condition = read_filter(" or ".join(["a eq 1"] * 1500))
    assert isinstance(condition, Or)
    assert len(condition.parts) == 1500


def test_a_filter_is_only_so_long() -> None:
    padding = " " * (FILTER_CHARS_MAX - len("a eq 1"))
    assert compile_filter(f"a eq 1{padding}").test is not None
    with pytest.raises(TableError) as caught:
        compile_filter(f"a eq 1 {padding}")
    assert (caught.value.code, caught.value.status) == ("InvalidInput", 400)


def test_a_filter_is_compiled_once() -> None:
    first = compile_filter("cached eq 1")
    assert compile_filter("cached eq 1") is first
    assert compile_filter("  ") is EVERYTHING
    long = f"a eq '{'x' * plans.CACHED_CHARS_MAX}'"
    assert compile_filter(long) is not compile_filter(long)


def test_the_cache_is_bounded() -> None:
    for number in range(plans.CACHED_PLANS + 10):
        compile_filter(f"n eq {number}")
    assert plans._compile_cached.cache_info().currsize <= plans.CACHED_PLANS
