"""SQL filters: what each form of the language takes, and what it does not."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus.rules.model import FilterEvaluationError
from localzure.services.servicebus.rules.sql.decimals import write_decimal
from localzure_protocols.amqp.types import (
    Byte,
    Described,
    Float32,
    Int,
    Short,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
)
from tests.servicebus_rules import Message, matches

ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
EPOCH_TICKS = 621_355_968_000_000_000

MESSAGE = Message(
    {
        "color": "red",
        "empty": "",
        "quote": "it's",
        "with space": "here",
        "a]b": 1,
        'a"b': 2,
        "größe": 3,
        "n": 7,
        "i": Int(7),
        "b": Byte(-7),
        "ub": Ubyte(7),
        "s": Short(7),
        "us": Ushort(7),
        "u": Uint(7),
        "ul": Ulong(2**63),
        "d": 7.5,
        "f": Float32(0.10000000149011612),
        "nan": math.nan,
        "yes": True,
        "no": False,
        "nothing": None,
        "id": ID,
        "at": Timestamp(1_000),
        "offset": Described(Symbol("com.microsoft:datetime-offset"), EPOCH_TICKS + 10_000_000),
        "span": Described(Symbol("com.microsoft:timespan"), 600_000_000),
        "uri": Described(Symbol("com.microsoft:uri"), "http://x/"),
        "raw": b"\x01",
        "list": [1],
    },
    {"Label": "hello", "MessageId": "m1", "DeliveryCount": Int(0), "EnqueuedTimeUtc": Timestamp(2_000)},
)

TRUE = """
1=1 | 1 = 1.0 | TRUE | true | NOT FALSE | (((1=1)))
color = 'red' | color='red' | COLOR = 'red' | [color] = 'red' | "color" = 'red' | user.color = 'red' | USER . color = 'red'
[with space] = 'here' | [a]]b] = 1 | "a""b" = 2 | größe = 3 | GRÖSSE is null | quote = 'it''s' | empty = '' | user.[n] = 7
'red' = color | color <> 'blue' | color != 'blue' | color > 'blue' | color >= 'red' | 'blue' < color | 'z' >= color
n = 7 | n = 7.0 | n > 6.9 | n < 7.1 | 6 < n | n <> 8 | i = 7 | b = -7 | b = - 7 | ub = 7 | s = 7 | us = 7 | u = 7 | i = n
d = 7.5 | d = 75E-1 | d = .75e+1 | d > n | n < d | ul > 9223372036854775807 | b > -9223372036854775808 | nan <> nan
yes | NOT no | yes = TRUE | yes = true AND no = FALSE | yes <> no | user.yes | (yes)
id = id | raw = raw | at = offset | at < sys.EnqueuedTimeUtc | span = span | uri = 'http://x/' | span >= span
n = 7 AND color = 'red' | n = 8 OR color = 'red' | NOT n = 8 | NOT (n = 8 AND 1=1) | 1=2 AND 1=1 OR 1=1 | 1=1 OR 1=1 AND 1=2
NOT 1=2 AND 1=1 | not not 1=1 | n=8 or n=9 or n=7 | n=7 and color='red' and yes
missing IS NULL | nothing IS NULL | color IS NOT NULL | sys.Label IS NOT NULL | sys.ReplyTo IS NULL | n + missing IS NULL
EXISTS(color) | EXISTS (COLOR) | exists([with space]) | EXISTS(nothing) | NOT EXISTS(missing) | EXISTS(sys.Label)
NOT EXISTS(sys.ReplyTo) | EXISTS(user.n)
color IN ('red') | color IN ('blue', 'red') | color NOT IN ('blue') | n IN (1, 7.0, 8) | color IN (missing, 'red') | n IN (i)
n NOT IN (1, 2) | n + 1 IN (8) | yes IN (true)
color LIKE 'red' | color LIKE 'r%' | color LIKE '%d' | color LIKE '%' | color LIKE '%%' | color LIKE 'r_d' | color LIKE '___'
color LIKE '%e%' | color LIKE 'r%d' | color NOT LIKE 'R%' | color NOT LIKE 're' | empty LIKE '%' | empty LIKE '' | 'a.b' LIKE 'a.b'
'axb' NOT LIKE 'a.b' | '50%' LIKE '50!%' ESCAPE '!' | '50x' NOT LIKE '50!%' ESCAPE '!' | 'a_b' LIKE 'a\\_b' ESCAPE '\\'
'a!b' LIKE 'a!!b' ESCAPE '!' | 'aXbXcX' LIKE '%X%X%X' | 'ab' NOT LIKE '%b%b' | color LIKE 'r' + '%' | color LIKE color
'aab' LIKE '%ab' | 'abab' LIKE 'ab%ab' | 'aba' NOT LIKE 'ab%ba' | uri LIKE 'http%' | 'xaybz' LIKE '%a_b%'
n + 1 = 8 | n - 1 = 6 | n * 2 = 14 | n / 2 = 3 | n % 4 = 3 | -n = b | +n = 7 | - - n = 7 | -(-7) = 7 | 2 + 3 * 4 = 14
(2 + 3) * 4 = 20 | 10 - 3 - 2 = 5 | 100 / 10 / 2 = 5 | b / 2 = -3 | b % 2 = -1 | n / 2.0 = 3.5 | d % 2 = 1.5 | 1-1=0 | 1 -1 = 0
1.0 / 0 > 1e300 | -1.0 / 0 < -1e300 | 0.0/0 <> 1 | 9223372036854775807 + 1 < 0 | i * i = 49 | d - d = 0
color + 'dish' = 'reddish' | color + n = 'red7' | n + color = '7red' | color + id = 'red00112233-4455-6677-8899-aabbccddeeff'
'' + yes = 'True' | '' + d = '7.5' | '' + 2.0 = '2' | '' + 1e20 = '1E+20' | '' + span = '00:01:00' | '' + nan = 'NaN'
'' + at = '01/01/1970 00:00:01' | at + span > at | at - at = span - span | sys.EnqueuedTimeUtc - at < span
sys.Label = 'hello' | SYS.label = 'hello' | sys . Label = 'hello' | sys.[Label] = 'hello' | sys.Subject = 'hello'
sys.MessageId = 'm1' | sys.DeliveryCount = 0 | sys.Label LIKE 'h%' OR user.tag IN ('queue', 'topic')
newid() <> newid() | NEWID() IS NOT NULL | property('color') = 'red' | p('co' + 'lor') = 'red' | P(color) IS NULL | p('yes')
property = 1 OR p IS NULL | newid IS NULL | set IS NULL | remove IS NULL | user IS NULL | sys IS NULL | android IS NULL
"""  # noqa: E501 - a line for each form

NOT_TRUE = """
1=2 | FALSE | NULL | color = 'Red' | color = 'red ' | color <> 'red' | NOT color = 'red' | n = 8 | no | NOT yes
missing | NOT missing | missing = 1 | missing <> 1 | NOT missing = 1 | missing = NULL | nothing = NULL | NULL = NULL
missing > 1 | missing + 1 = 1 | missing LIKE '%' | missing NOT LIKE '%' | color LIKE missing | -missing = 1 | color = NULL
missing IN (1) | missing NOT IN (1) | n NOT IN (7) | n NOT IN (1, missing) | n IN (missing) | color LIKE 'x' ESCAPE missing
missing = 1 AND 1=1 | missing = 1 OR 1=2 | NOT (missing = 1 AND 1=1) | NOT (1=2 OR missing = 1) | 1=2 AND missing=1
color = 7 | color <> 7 | color > 7 | NOT color = 7 | n = '7' | n <> '7' | yes = 1 | yes = 'True' | yes > no | id > id | raw > raw
id = '00112233-4455-6677-8899-aabbccddeeff' | at = 1000 | list = list | span = 1 | at > span | n LIKE '7' | n NOT LIKE '7'
nan = nan | f = 0.1 | EXISTS(missing) | color IS NULL | missing IS NOT NULL | nothing IS NOT NULL | color NOT IN (7) | color IN (7)
sys.ReplyTo = 'x' | sys.ReplyTo <> 'x' | p(missing) = 1 | newid() = newid()
"""  # noqa: E501 - as above


def _cases(text: str) -> list[str]:
    return [case for line in text.split("\n") for case in line.split(" | ") if case.strip()]


@pytest.mark.parametrize("expression", _cases(TRUE))
def test_a_filter_that_is_true_takes_the_message(expression: str) -> None:
    assert matches(expression, MESSAGE)


@pytest.mark.parametrize("expression", _cases(NOT_TRUE))
def test_a_filter_that_is_false_or_unknown_takes_nothing(expression: str) -> None:
    assert not matches(expression, MESSAGE)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("sys.Foo = 1", "The system property 'Foo' does not exist."),
        ("EXISTS(sys.body)", "The system property 'body' does not exist."),
        ("n / 0 = 1", "Attempted to divide by zero."),
        ("n % 0 = 1", "Attempted to divide by zero."),
        ("color * 2 = 1", "'System.String' and 'System.Int64'"),
        ("at + at = 1", "'System.DateTime' and 'System.DateTime'"),
        ("yes + 1 = 1", "'System.Boolean' and 'System.Int64'"),
        ("-color = 1", "'System.String'"),
        ("+yes = 1", "'System.Boolean'"),
        ("-ul = 1", "'System.UInt64'"),
        ("color AND 1=1", "'System.String' is not true or false"),
        ("n", "'System.Int64' is not true or false"),
        ("p(n) = 1", "property() takes a name"),
        ("color LIKE n", "LIKE takes a pattern"),
        ("color LIKE color ESCAPE color", "must be one character"),
        ("'' + list = ''", "'System.Object' cannot be converted to 'System.String'"),
        ("at - (at - sys.EnqueuedTimeUtc) * 2 = at", "'System.TimeSpan'"),
    ],
)
def test_what_cannot_be_worked_out_is_an_error_of_the_filter(expression: str, message: str) -> None:
    with pytest.raises(FilterEvaluationError, match=message.replace("(", r"\(").replace(")", r"\)")) as raised:
        matches(expression, MESSAGE)
    assert raised.value.reason == "FilterException"


@pytest.mark.parametrize("expression", ["1=2 AND sys.Foo = 1", "1=1 OR n / 0 = 1", "n = 8 AND color * 2 = 1"])
def test_what_does_not_matter_is_not_worked_out(expression: str) -> None:
    assert matches(expression, MESSAGE) is expression.startswith("1=1")


PARAMETERS: dict[str, Any] = {
    "@text": "red",
    "@long": 7,
    "@int": Int(7),
    "@double": 7.5,
    "@flag": True,
    "@id": ID,
    "@time": Timestamp(1_000),
    "@offset": Described(Symbol("com.microsoft:datetime-offset"), EPOCH_TICKS + 10_000_000),
    "@span": Described(Symbol("com.microsoft:timespan"), 600_000_000),
    "@decimal": write_decimal(Decimal("7.5")),
    "@pattern": "r%",
    "@none": None,
}


@pytest.mark.parametrize(
    ("expression", "is_taken"),
    [
        ("color = @text", True),
        ("@text = color", True),
        ("color = @TEXT", True),
        ("@text = 'red'", True),
        ("n = @long AND n = @int AND d = @double AND yes = @flag", True),
        ("id = @id", True),
        ("at = @time AND at = @offset", True),
        ("at + @span = offset + span", True),
        ("d = @decimal AND @decimal * 2 = 15 AND n < @decimal AND @decimal % 2 = 1.5", True),
        ("color LIKE @pattern", True),
        ("color IN (@long, @text)", True),
        ("@flag", True),
        ("color = @none", False),
        ("@none IS NULL", True),
        ("color LIKE @none", False),
    ],
)
def test_parameters_stand_for_their_values(expression: str, *, is_taken: bool) -> None:
    assert matches(expression, MESSAGE, PARAMETERS) is is_taken


@pytest.mark.parametrize(
    ("left", "right", "is_equal"),
    [
        (2**53 + 1, float(2**53), True),
        (2**53 + 1, 2**53, False),
        (Int(16_777_217), Float32(16_777_216.0), True),
        (16_777_217, 16_777_216.0, False),
        (Float32(0.10000000149011612), 0.1, False),
        (Float32(0.5), 0.5, True),
        (Ulong(2**64 - 1), -1, False),
    ],
)
def test_numbers_are_promoted_before_they_compare(left: Any, right: Any, *, is_equal: bool) -> None:
    message = Message({"l": left, "r": right})
    assert matches("l = r", message) is is_equal
    assert matches("r = l", message) is is_equal
    if type(right) in {int, float}:
        assert matches(f"l = {right!r}", message) is is_equal


def test_white_space_means_nothing() -> None:
    assert matches("\t color\n  =\r\n 'red'AND(n=7)\u00a0", MESSAGE)


def test_a_name_in_another_case_gives_way_to_the_very_name() -> None:
    assert matches("Color = 'b'", Message({"COLOR": "a", "Color": "b"}))
    assert matches("color = 'a'", Message({"COLOR": "a", "Color": "b"}))


def test_like_takes_time_in_proportion_to_text_and_pattern() -> None:
    assert not matches(f"t LIKE '{'%a' * 400}b'", Message({"t": "a" * 60_000}))
