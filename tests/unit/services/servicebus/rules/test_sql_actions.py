"""SQL actions: what SET and REMOVE change on a copy of a message."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus.rules.model import FilterEvaluationError
from localzure.services.servicebus.rules.sql.decimals import write_decimal
from localzure.services.servicebus.rules.view import Overrides
from localzure_protocols.amqp.types import Decimal128, Described, Float32, Int, Symbol, Timestamp, Ubyte
from tests.servicebus_rules import Message, changes

SPAN = Described(Symbol("com.microsoft:timespan"), 600_000_000)
ID = UUID("00112233-4455-6677-8899-aabbccddeeff")


def _message() -> Message:
    properties = {"color": "red", "Quantity": Int(6), "long": 1, "flag": True, "id": ID, "span": SPAN, "byte": Ubyte(1)}
    properties |= {"double": 1.5, "single": Float32(0.5), "nothing": None, "at": Timestamp(5), "raw": b"x"}
    return Message(properties, {"Label": "l", "MessageId": "m", "TimeToLive": SPAN})


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("SET new = 1", Overrides({}, {"new": 1})),
        ("set New = 'x';", Overrides({}, {"New": "x"})),
        ("SET color = 'blue'", Overrides({}, {"color": "blue"})),
        ("SET COLOR = 'blue'", Overrides({}, {"color": "blue"})),
        ("SET [a b] = TRUE, SET \"c\" = 1.5", Overrides({}, {"a b": True, "c": 1.5})),
        ("SET a = 1 SET b = 2", Overrides({}, {"a": 1, "b": 2})),
        ("SET a = color; SET color = 'x'; SET b = color", Overrides({}, {"a": "red", "color": "x", "b": "x"})),
        ("SET a = 1; SET a = '2'", Overrides({}, {"a": 2})),
        ("SET a = missing", Overrides({}, {"a": None})),
        ("SET color = NULL", Overrides({}, {"color": None})),
        ("SET nothing = 5", Overrides({}, {"nothing": 5})),
        ("REMOVE color", Overrides({}, {}, {"color"})),
        ("REMOVE COLOR; REMOVE missing", Overrides({}, {}, {"color"})),
        ("REMOVE color; SET color = 5", Overrides({}, {"color": 5})),
        ("SET color = 'x'; REMOVE color", Overrides({}, {}, {"color"})),
        ("SET new = 1; REMOVE new", Overrides({}, {}, {"new"})),
        ("REMOVE color; SET a = color", Overrides({}, {"a": None}, {"color"})),
        ("SET sys.Label = 'x'", Overrides({"Label": "x"})),
        ("SET sys.subject = sys.label + '!'", Overrides({"Label": "l!"})),
        ("SET sys.Label = 'x'; SET a = sys.Label", Overrides({"Label": "x"}, {"a": "x"})),
        ("REMOVE sys.Label; SET a = sys.Label", Overrides({"Label": None}, {"a": None})),
        ("SET sys.To = 5", Overrides({"To": "5"})),
        ("SET sys.TimeToLive = '1.02:03:04.5'", Overrides({"TimeToLive": Described(SPAN.descriptor, 937_845_000_000)})),
        ("SET sys.TimeToLive = span + span", Overrides({"TimeToLive": Described(SPAN.descriptor, 1_200_000_000)})),
        ("SET sys.ScheduledEnqueueTimeUtc = at", Overrides({"ScheduledEnqueueTimeUtc": Timestamp(5)})),
        ("SET sys.ForcePersistence = flag", Overrides({"ForcePersistence": True})),
        ("SET property = 5; SET set = 6", Overrides({}, {"property": 5, "set": 6})),
    ],
)  # fmt: skip
def test_an_action_changes(action: str, wanted: Overrides) -> None:
    assert changes(action, _message()) == wanted


@pytest.mark.parametrize(
    ("action", "name", "value"),
    [
        ("SET quantity = quantity / 2", "Quantity", Int(3)),
        ("SET quantity = 7.5", "Quantity", Int(8)),
        ("SET quantity = ' 12 '", "Quantity", Int(12)),
        ("SET byte = 255", "byte", Ubyte(255)),
        ("SET long = quantity", "long", 6),
        ("SET double = 1", "double", 1.0),
        ("SET single = 0.1", "single", Float32(0.10000000149011612)),
        ("SET color = 5", "color", "5"),
        ("SET color = flag", "color", "True"),
        ("SET color = span", "color", "00:01:00"),
        ("SET flag = 'FALSE'", "flag", False),
        ("SET flag = 0", "flag", False),
        ("SET id = '{00112233-4455-6677-8899-AABBCCDDEEFF}'", "id", ID),
        ("SET span = '00:00:01'", "span", Described(SPAN.descriptor, 10_000_000)),
        ("SET raw = @raw", "raw", b"y"),
        ("SET new = newid()", "new", UUID),
        ("SET new = @decimal * 2", "new", Decimal128),
        ("SET new = quantity + quantity", "new", Int(12)),
    ],
)
def test_a_property_that_is_there_keeps_its_type(action: str, name: str, value: Any) -> None:
    parameters = {"@raw": b"y", "@decimal": write_decimal(Decimal(2))}
    changed = changes(action, _message(), parameters).properties[name]
    if isinstance(value, type):
        assert type(changed) is value
    else:
        assert (type(changed), changed) == (type(value), value)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("SET sys.body = 'x'", "The system property 'body' does not exist."),
        ("REMOVE sys.body", "The system property 'body' does not exist."),
        ("SET sys.SequenceNumber = 5", "The system property 'SequenceNumber' cannot be changed."),
        ("REMOVE sys.LockToken", "cannot be changed"),
        ("SET sys.TimeToLive = 5", "'System.Int64' cannot be converted to 'System.TimeSpan'"),
        ("SET sys.TimeToLive = 'soon'", "'System.String' cannot be converted to 'System.TimeSpan'"),
        ("SET sys.ScheduledEnqueueTimeUtc = 'soon'", "'System.DateTime'"),
        ("SET sys.ForcePersistence = 'maybe'", "'System.Boolean'"),
        ("SET sys.Label = raw", "'System.Byte[]' cannot be converted to 'System.String'"),
        ("SET quantity = 'many'", "'System.String' cannot be converted to 'System.Int32'"),
        ("SET quantity = '1e999999999'", "'System.String' cannot be converted to 'System.Int32'"),
        ("SET quantity = 2147483648", "'System.Int64' cannot be converted to 'System.Int32'"),
        ("SET quantity = 1.0 / 0", "'System.Double' cannot be converted to 'System.Int32'"),
        ("SET byte = -1", "'System.Byte'"),
        ("SET flag = 'maybe'", "'System.Boolean'"),
        ("SET id = 5", "'System.Guid'"),
        ("SET span = 5", "'System.TimeSpan'"),
        ("SET at = 'now'", "'System.DateTime'"),
        ("SET raw = 'x'", "'System.Byte[]'"),
        ("SET color = raw", "'System.String'"),
        ("SET a = 1 / 0", "Attempted to divide by zero."),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_action(action: str, words: str) -> None:
    with pytest.raises(FilterEvaluationError) as raised:
        changes(action, _message())
    assert raised.value.reason == "RuleActionException"
    assert words in str(raised.value)


def test_an_action_leaves_the_message_as_it_is() -> None:
    message = _message()
    changes("SET color = 'blue'; REMOVE flag; SET sys.Label = 'x'", message)
    assert message == _message()
