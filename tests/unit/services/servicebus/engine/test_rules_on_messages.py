"""Rules of every kind on real messages: what a message shows to SQL, and what an action changes on its copy."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from localzure.services.servicebus.rules.model import CorrelationFilter, Rule, SqlAction, SqlFilter, TrueFilter
from localzure_protocols.amqp.codec import Decimal128, Int, Timestamp, Ulong, encode
from localzure_protocols.amqp.message import Header, encode_message_annotations
from tests.servicebus_world import World, body, message

ID = UUID("00112233-4455-6677-8899-aabbccddeeff")


def taken(wanted: Any, payload: bytes, action: SqlAction | None = None) -> list[Any]:
    """What a subscription with one rule gets of a message."""
    world = World()
    topic = world.topic()
    subscription = world.subscribe(topic, "s", Rule("r", wanted, action, 0))
    world.send_raw(topic, payload)
    return world.peek(subscription)


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("sys.MessageId = 'm'", {"message_id": "m"}),
        ("sys.MessageId = '00112233-4455-6677-8899-aabbccddeeff'", {"message_id": ID}),
        ("sys.MessageId = '7'", {"message_id": Ulong(7)}),
        ("sys.CorrelationId = '7'", {"correlation_id": Ulong(7)}),
        ("sys.Label = 'l' AND sys.Subject LIKE 'l'", {"subject": "l"}),
        ("sys.To = 't'", {"to": "t"}),
        ("sys.ReplyTo = 'r'", {"reply_to": "r"}),
        ("sys.ContentType = 'text/plain'", {"content_type": "text/plain"}),
        ("sys.SessionId = 's'", {"group_id": "s"}),
        ("sys.ReplyToSessionId = 's'", {"reply_to_group_id": "s"}),
        ("sys.SequenceNumber = 1 AND sys.EnqueuedSequenceNumber = 1 AND sys.State = 0 AND sys.DeliveryCount = 0", {}),
        ("sys.Size > 10 AND sys.EnqueuedTimeUtc IS NOT NULL AND NOT sys.ForcePersistence", {}),
        ("sys.ExpiresAtUtc - sys.EnqueuedTimeUtc = sys.TimeToLive", {"header": Header(ttl=60_000)}),
        ("sys.ExpiresAtUtc IS NULL AND sys.LockToken IS NULL AND sys.LockedUntilUtc IS NULL", {}),
        ("n = 5 AND t = 'x' AND at > sys.EnqueuedTimeUtc AND id = id AND EXISTS(nothing)", {
            "application_properties": {"n": Int(5), "t": "x", "at": Timestamp(2**42), "id": ID, "nothing": None},
        }),
    ],
)  # fmt: skip
def test_a_message_shows_its_properties(expression: str, parts: dict[str, Any]) -> None:
    assert taken(SqlFilter(expression), message("x", **parts))


def test_a_message_shows_its_annotations() -> None:
    payload = encode_message_annotations({"x-opt-partition-key": "p"}) + message("x")
    assert taken(SqlFilter("sys.PartitionKey = 'p'"), payload)


def test_a_correlation_filter_finds_an_id_that_is_no_text() -> None:
    assert taken(
        CorrelationFilter(message_id=str(ID), correlation_id="7"), message(message_id=ID, correlation_id=Ulong(7))
    )


def test_an_action_changes_the_copy_alone() -> None:
    action = SqlAction("SET sys.Label = 'new'; SET n = n * 2; REMOVE secret; SET sys.TimeToLive = '00:01:00'")
    parts = {"n": Int(4), "secret": "x", "kept": encode(1)}
    (copy,) = taken(TrueFilter(), message("b", subject="old", application_properties=parts), action)
    properties = copy.application_properties()
    assert (body(copy), copy.property("subject")) == ("b", "new")
    assert (type(properties["n"]), properties["n"]) == (Int, 8)
    assert "secret" not in properties
    assert properties["kept"] == encode(1)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("303e000000000000000000000000004b", id="as the standard has it"),
        pytest.param("0c3e000000000000000000000000004b", id="as Azure writes it"),
    ],
)
def test_a_decimal_is_the_number_that_azure_reads(raw: str) -> None:
    parts = {"d": Decimal128(bytes.fromhex(raw))}
    (copy,) = taken(SqlFilter("d = 7.5"), message(application_properties=parts), SqlAction("SET d = d * 2"))
    assert copy.application_properties()["d"] == bytes.fromhex("0c3e" + "00" * 12 + "0096")
