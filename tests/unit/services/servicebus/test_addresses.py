"""Addresses of links and audiences of tokens."""

from __future__ import annotations

import pytest

from localzure.services.servicebus.addresses import EntityAddress, SubQueue, audience_path, normalize, parse_address


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("q", "q"),
        ("/q/", "q"),
        ("amqps://localhost:5672/q", "q"),
        ("amqp://host/a/b/c", "a/b/c"),
        ("sb://host", ""),
        ("sb://host/", ""),
        ("/my%20queue", "my queue"),
        ("amqps://host/a%2Fb", "a/b"),
        ("", ""),
    ],
)
def test_an_address_names_a_path_whatever_its_form(address: str, path: str) -> None:
    assert normalize(address) == path


@pytest.mark.parametrize(
    ("address", "entity", "sub_queue", "is_management"),
    [
        ("q", "q", SubQueue.NONE, False),
        ("amqps://h:1/A/b", "A/b", SubQueue.NONE, False),
        ("q/$DeadLetterQueue", "q", SubQueue.DEAD_LETTER, False),
        ("q/$deadletterqueue", "q", SubQueue.DEAD_LETTER, False),
        ("a/b/$Transfer/$DeadLetterQueue", "a/b", SubQueue.TRANSFER_DEAD_LETTER, False),
        ("q/$management", "q", SubQueue.NONE, True),
        ("q/$DeadLetterQueue/$management", "q", SubQueue.DEAD_LETTER, True),
        ("$management", "", SubQueue.NONE, True),
        ("t/Subscriptions/s", "t/Subscriptions/s", SubQueue.NONE, False),
        ("management", "management", SubQueue.NONE, False),
    ],
)
def test_special_segments_are_told_from_the_entity(
    address: str, entity: str, sub_queue: SubQueue, is_management: bool
) -> None:
    assert parse_address(address) == EntityAddress(entity, sub_queue, is_management)


def test_a_sub_queue_has_a_path_in_azures_letters() -> None:
    assert parse_address("Q/$deadletterqueue").path == "Q/$DeadLetterQueue"


@pytest.mark.parametrize(
    ("audience", "path"),
    [
        ("sb%3a%2f%2flocalhost%3a5672%2fQ1", "q1"),
        ("sb://localhost/q/$management", "q"),
        ("amqps://ns.servicebus.windows.net/a/b/", "a/b"),
        ("https://localhost:5300", ""),
        ("https%3a%2f%2flocalhost%3a5300%2fa%2fb%3fapi-version%3d2021-05", "a/b"),
        ("https://localhost:5300/?x=/y", ""),
        ("ns.servicebus.windows.net/q", "q"),
        ("localhost/q", "q"),
        ("q/$management", "q"),
        ("$management", ""),
    ],
)
def test_an_audience_is_a_path_without_host(audience: str, path: str) -> None:
    assert audience_path(audience) == path
