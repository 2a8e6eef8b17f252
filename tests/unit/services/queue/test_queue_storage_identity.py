"""Message ids and pop receipts: their form, and what they are read as."""

from __future__ import annotations

from base64 import b64decode
from uuid import UUID

import pytest

from localzure.services.queue.identity import (
    TAG_BYTES,
    TOKEN_BYTES,
    MessageId,
    format_id,
    format_receipt,
    new_tag,
    new_token,
    parse_id,
    parse_receipt,
)
from tests.twins import SeededEntropy

ENTROPY = SeededEntropy()


@pytest.mark.parametrize("sequence", [0, 1, 0xFFFF, 2**61, 2**62 - 1])
def test_an_id_is_a_uuid_that_tells_the_sequence_number(sequence: int) -> None:
    message = MessageId(new_tag(ENTROPY), sequence)
    text = format_id(message)
    uuid = UUID(text)
    assert (str(uuid), uuid.version, uuid.variant) == (text, 8, "specified in RFC 4122")
    assert parse_id(text) == parse_id(text.upper()) == message


def test_a_tag_is_random_but_for_the_version() -> None:
    tags = {new_tag(ENTROPY) for _ in range(100)}
    assert len(tags) == 100
    assert {len(tag) for tag in tags} == {TAG_BYTES}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "01234567-89ab-8def-8123-456789abcde",
        "01234567-89ab-8def-8123-456789abcdeff",
        "01234567-89ab-8def-8123-456789abcdeg",
        "0123456789ab8def8123456789abcdef",
        "{01234567-89ab-8def-8123-456789abcdef}",
        "01234567-89ab-8def-8123-456789abcdef\n",
        "\u06601234567-89ab-8def-8123-456789abcdef",
        "01234567-89ab-8def-0123-456789abcdef",
        "01234567-89ab-8def-c123-456789abcdef",
    ],
)
def test_what_no_message_is_called(text: str) -> None:
    assert parse_id(text) is None


def test_a_receipt_is_the_tag_and_a_token_as_long_as_azures_are() -> None:
    tag, token = new_tag(ENTROPY), new_token(ENTROPY)
    text = format_receipt(tag, token)
    assert b64decode(text, validate=True) == parse_receipt(text) == tag + token
    assert (len(token), len(text)) == (TOKEN_BYTES, 28)


@pytest.mark.parametrize(
    "text", ["", "invalid", "YQ", "YQ==Random", "YQ= =", " YQ==", "YQ==\n", "Y.Q=", "ÿÿÿÿ", "===="]
)
def test_what_is_no_receipt(text: str) -> None:
    assert parse_receipt(text) is None


def test_a_receipt_of_another_length_is_one_of_another_message() -> None:
    assert parse_receipt("YQ==") == b"a"
