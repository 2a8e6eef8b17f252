"""Messages in plain JSON."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.rest.messages import Message, encode_text
from localzure.services.servicebus.rest.plain import read_json, read_plain, write_plain


def test_names_have_a_small_letter_first_and_may_have_any() -> None:
    message = read_plain({"body": "b", "messageId": "m", "Label": "l", "TTL".replace("TTL", "timeToLive"): "PT1M"})
    assert message == Message(b"b", {"MessageId": "m", "Label": "l", "TimeToLive": "PT1M"}, {})
    assert read_plain({"subject": "s"}).broker == {"Label": "s"}
    assert read_plain({"properties": {"a": 1, "b": None}}).properties == {"a": 1, "b": None}


def test_bodies() -> None:
    assert read_plain({"body": {"a": [1, "ü"]}}).body == b'{"a":[1,"\\u00fc"]}'
    assert read_plain({"body": [1]}).broker == {"ContentType": "application/json"}
    assert read_plain({"bodyBase64": "/wA="}).body == b"\xff\x00"
    assert write_plain(Message(b"\xff\x00"))["bodyBase64"] == "/wA="
    assert write_plain(Message("ü".encode()))["body"] == "ü"


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "text",
        {"boddy": "x"},
        {"body": "\ud800"},
        {"bodyBase64": "?"},
        {"bodyBase64": 1},
        {"properties": []},
        {"properties": {"a": {}}},
    ],
)
def test_what_is_no_message(given: Any) -> None:
    with pytest.raises(ServiceBusError) as caught:
        read_plain(given)
    assert caught.value.code is ErrorCode.ARGUMENT


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ServiceBusError):
        read_json(body)
    assert read_json(b"") == {}
    assert encode_text("ü") == b"\xc3\xbc"


def test_the_longest_life_is_not_told() -> None:
    assert "timeToLive" not in write_plain(Message(b"", {"TimeToLive": 922337203685.47754}))
    assert write_plain(Message(b"", {"TimeToLive": 90}))["timeToLive"] == "PT1M30S"
