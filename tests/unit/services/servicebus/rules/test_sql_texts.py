"""SQL texts that are refused, and where; and texts at the limits."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.rules.compile import compile_rule
from localzure.services.servicebus.rules.model import Rule, RuleError, SqlAction, SqlFilter, TrueFilter
from tests.servicebus_rules import Message, changes, matches
from tests.twins import SeededEntropy


def _refused(expression: str) -> RuleError:
    with pytest.raises(RuleError) as raised:
        compile_rule(Rule("r", SqlFilter(expression), None, 0), SeededEntropy(1))
    return raised.value


@pytest.mark.parametrize(
    ("expression", "position", "words"),
    [
        ("", 0, "Unexpected end of the expression."),
        ("   ", 3, "Unexpected end of the expression."),
        ("a =", 3, "Unexpected end of the expression."),
        ("(a = 1", 6, "Unexpected end of the expression."),
        ("a = 1)", 5, "Unexpected token ')'."),
        ("a b", 2, "Unexpected token 'b'."),
        ("a == 1", 3, "Unexpected token '='."),
        ("a = 1 = 2", 6, "Unexpected token '='."),
        ("a = not", 4, "Unexpected token 'not'."),
        ("a LIKE", 6, "Unexpected end"),
        ("a IN ()", 6, "Unexpected token ')'."),
        ("a IN (1, b = 2)", 11, "Unexpected token '='."),
        ("a IN (1,)", 8, "Unexpected token ')'."),
        ("a IS 1", 5, "Unexpected token '1'."),
        ("AND a = 1", 0, "Unexpected token 'AND'."),
        ("foo.bar = 1", 3, "Unexpected token '.'."),
        ("a.b.c = 1", 1, "Unexpected token '.'."),
        ("_a = 1", 0, "Unrecognized character. '_'"),
        ("$a = 1", 0, "Unrecognized character. '$'"),
        ("5abc = 1", 0, "Unrecognized character. '5'"),
        ("a = 'open", 4, "What ' begins does not end."),
        ('"open = 1', 0, 'What " begins does not end.'),
        ("[open = 1", 0, "What [ begins does not end."),
        ("a = 1; b", 5, "Unexpected token ';'."),
        ("1 + 1", 0, "A condition is expected here."),
        ("'red'", 0, "A condition is expected here."),
        ("a = 1 AND -b", 11, "A condition is expected here."),
        ("(a = 1) = TRUE", 1, "A value is expected here, not a condition."),
        ("1 + (b = 2) = 3", 5, "A value is expected here, not a condition."),
        ("EXISTS(1)", 7, "Unexpected token '1'."),
        ("EXISTS(p('a'))", 8, "Unexpected token '('."),
        ("foo() = 1", 0, "The function 'foo' is not known."),
        ("1 = 1 AND lower(a) = 'b'", 10, "The function 'lower' is not known."),
        ("newid(1) = 1", 0, "The function 'newid' does not take these arguments."),
        ("p() = 1", 0, "The function 'p' does not take these arguments."),
        ("a = @p", 4, "The parameter '@p' has no value."),
        ("a = 9223372036854775808", 4, "too large or too small for an Int64"),
        ("a = -9223372036854775809", 4, "too large or too small for an Int64"),
        ("a = 1e400", 4, "too large or too small for a Double"),
        ("a LIKE 'x' ESCAPE 'ab'", 7, "must be one character"),
        ("a LIKE 5", 7, "LIKE takes a pattern"),
    ],
)
def test_a_text_that_is_not_a_filter_is_refused_where_it_is_wrong(expression: str, position: int, words: str) -> None:
    error = _refused(expression)
    assert error.position == position
    assert words in error.message


def test_a_refusal_says_line_and_column() -> None:
    assert _refused("a = 1\n AND b == 2").message == (
        "There was an error parsing the SQL expression. [Token line=2, column=9, Token in error==, "
        "Additional details=Unexpected token '='.]"
    )


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("SET", 3),
        ("SET a", 5),
        ("SET a > 5", 6),
        ("SET 1 = 2", 4),
        ("SET a = b = c", 10),
        ("SET a = (b = 1)", 9),
        ("SET a = 1 b = 2", 10),
        ("REMOVE", 6),
        ("REMOVE a = 1", 9),
        ("a = 1", 0),
        ("; SET a = 1", 0),
    ],
)
def test_a_text_that_is_not_an_action_is_refused_where_it_is_wrong(expression: str, position: int) -> None:
    with pytest.raises(RuleError) as raised:
        compile_rule(Rule("r", TrueFilter(), SqlAction(expression), 0), SeededEntropy(1))
    assert raised.value.position == position


def test_texts_have_a_longest_length() -> None:
    assert matches(" " * (1024 - 3) + "1=1", Message())
    assert "1025" in _refused(" " * (1025 - 3) + "1=1").message
    with pytest.raises(RuleError, match="1025"):
        changes("REMOVE a".ljust(1025), Message())


def test_an_action_has_a_largest_number_of_statements() -> None:
    assert changes("REMOVE a;" * 32, Message({"a": 1})).removed == {"a"}
    with pytest.raises(RuleError, match="33"):
        changes("REMOVE a;" * 33, Message())


@pytest.mark.parametrize(
    ("expression", "is_taken"),
    [
        ("(" * 500 + "1=1" + ")" * 500, True),
        ("NOT " * 255 + "1=1", False),
        ("a = " + "-" * 1000 + "1", True),
        ("a = " + "- " * 500 + "a", True),
        ("a < a" + "+a" * 509, True),
        (" AND ".join(["a=1"] * 127), True),
        (" OR ".join(["b=1"] * 127), False),
        ("a IN (" + ",".join(["2"] * 500) + ",1)", True),
    ],
)
def test_long_texts_do_not_nest(expression: str, *, is_taken: bool) -> None:
    assert matches(expression, Message({"a": 1})) is is_taken


@pytest.mark.parametrize(
    "expression",
    [
        "p(" * 300 + "a" + ")" * 300 + " IS NULL",
        "a = " + "1+(" * 250 + "a" + ")" * 250,
        "NOT(1=1 AND " * 70 + "1=1" + ")" * 70,
        "(a=1 OR(1=1 AND " * 56 + "1=1" + "))" * 56,
    ],
)
def test_what_nests_too_deep_is_refused_or_taken_but_never_fails(expression: str) -> None:
    assert "nested more than 100 deep" in _refused(expression[:1024] if len(expression) > 1024 else expression).message


def test_what_nests_as_deep_as_it_may_is_worked_out() -> None:
    assert matches("a = " + "1+(" * 98 + "a" + ")" * 98 + "-98", Message({"a": 1}))
    assert matches("NOT(1=2 AND " * 49 + "1=2" + ")" * 49, Message())
